"""What every endpoint shares: documents as answers, the idempotency key, pages of a list with a cursor."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, TypeVar

from litestar.params import HeaderParameter, QueryParameter

from tasuki.actions.documents import to_json_value
from tasuki.errors import Fault, Invalid

T = TypeVar("T")
Document = dict[str, Any]
"""A JSON object whose first key is `schema`: the same document as `--json` on the command line (docs/cli-json.md)."""

Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        max_length=200,
        description="The same key with the same request is done once, however often it is sent.",
    ),
]
FARTHEST = 2**63 - 1
"""The last position that a ledger can have."""
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=200, description="How many at the most.")]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", required=False, max_length=2_000, description="`next_cursor` of the page before."),
]


@dataclass(frozen=True)
class Page:
    """A part of a list, and the cursor of the part after it; None at the end."""

    items: tuple[Any, ...]
    next_cursor: str | None


def document(schema: str, payload: Mapping[str, Any]) -> Document:
    """The document `tasuki.<schema>`."""
    return {"schema": f"tasuki.{schema}", **to_json_value(payload)}


def page_of(items: Iterable[T], key_of: Callable[[T], str], limit: int, cursor: str | None) -> Page:
    """The items after the one that the cursor names, in the order of the list.

    Items are named by a key and not by a position, so that what is added meanwhile neither doubles nor hides one.

    Raises:
        Invalid: The cursor is none of this list's.
    """
    rest = iter(items)
    if cursor is not None and _read_cursor(cursor) not in map(key_of, rest):  # goes on behind it
        raise _bad_cursor()
    part = tuple(islice(rest, limit))
    more = next(rest, None) is not None
    return Page(part, _write_cursor(key_of(part[-1])) if more and part else None)


def page_document(
    schema: str, name: str, page: Page, say: Callable[[Any], Any] = lambda item: item, **beside: Any
) -> Document:
    """The document of a part of a list: each item as `say` says it, and the cursor of the part after it."""
    items = [say(item) for item in page.items]
    return document(schema, {**beside, name: items, "next_cursor": page.next_cursor})


def _write_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _bad_cursor() from None


def _bad_cursor() -> Invalid:
    return Invalid(
        "the cursor is not one of this list's",
        [Fault("cursor", "unknown", "next_cursor of an earlier page")],
        next_step="begin without a cursor",
    )
