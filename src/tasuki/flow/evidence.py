"""Evidence: the typed, frozen, content-hashed records that a hand-off carries.

A record is one of the dataclasses of `tasuki.flow.records`. It comes from tasuki's own runs or from outside as JSON;
either way `read_evidence` validates it and reports every fault at once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tasuki.clock import from_text, to_text
from tasuki.errors import Fault, Invalid, said
from tasuki.flow.event import canonical_json
from tasuki.flow.records import EVIDENCE_TYPES, Record

_KIND_OF = {record: kind for kind, record in EVIDENCE_TYPES.items()}


@dataclass(frozen=True)
class DataWindow:
    """From `start` (included) to `end` (excluded), both UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Evidence:
    """A record with where it came from.

    Args:
        kind: A key of `EVIDENCE_TYPES`.
        record: The frozen record itself.
        producer: The tasuki command, or the outside tool or member, that made it.
        at: When it was made, in UTC.
        data_window: The data it speaks of, where it speaks of data.
        code_commit: The commit of the code that made it, where there is one.
    """

    kind: str
    record: Record
    producer: str
    at: datetime
    data_window: DataWindow | None = None
    code_commit: str | None = None

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) over everything the evidence says: two with the same hash say the same."""
        return hashlib.sha256(canonical_json(to_body(self)).encode()).hexdigest()


def evidence_of(
    record: Record, producer: str, at: datetime, data_window: DataWindow | None = None, code_commit: str | None = None
) -> Evidence:
    """Evidence of the kind that belongs to the record's type."""
    return Evidence(_KIND_OF[type(record)], record, producer, at, data_window, code_commit)


def to_body(evidence: Evidence) -> dict[str, Any]:
    """The evidence as JSON values, the inverse of `read_evidence`."""
    window = evidence.data_window
    return {
        "kind": evidence.kind,
        "producer": evidence.producer,
        "at": to_text(evidence.at),
        "data_window": None if window is None else {"start": to_text(window.start), "end": to_text(window.end)},
        "code_commit": evidence.code_commit,
        "record": _adapter(evidence.kind).dump_python(evidence.record, mode="json"),
    }


def read_evidence(body: Mapping[str, Any]) -> Evidence:
    """Evidence from its JSON form, for the ledger's own records and for those attached from outside.

    Raises:
        Invalid: With every fault at once: unknown kind, missing, unknown or ill-typed fields, values out of range.
    """
    faults = [Fault(name, "unknown field") for name in sorted(set(body) - _ENVELOPE)]
    kind = body.get("kind")
    if kind not in EVIDENCE_TYPES:
        faults.append(Fault("kind", said("{kind!r} is no kind of evidence", kind=kind), ", ".join(EVIDENCE_TYPES)))
    producer = body.get("producer")
    if not isinstance(producer, str) or not producer:
        faults.append(Fault("producer", "missing", "the tool or person that made it"))
    at = _moment(body.get("at"), "at", faults)
    window = _window(body.get("data_window"), faults)
    commit = body.get("code_commit")
    if commit is not None and not isinstance(commit, str):
        faults.append(Fault("code_commit", "not a text", "a commit hash or null"))
    record = read_record(kind, body.get("record"), faults) if isinstance(kind, str) and kind in EVIDENCE_TYPES else None
    if faults or record is None or at is None:
        raise Invalid(said("the evidence has {count} fault(s)", count=len(faults)), faults)
    return Evidence(str(kind), record, str(producer), at, window, commit)


def read_record(kind: str, value: object, faults: list[Fault]) -> Record | None:
    """The typed record of a kind, or None after every fault was added to `faults`."""
    try:
        record: Record = _adapter(kind).validate_python(value)
    except ValidationError as error:
        faults.extend(
            Fault(".".join(["record", *map(str, one["loc"])]), _said(one)) for one in error.errors(include_url=False)
        )
        return None
    return record


def _said(error: ErrorDetails) -> str:
    """What pydantic says with its template, so that it is known in Japanese; else its own words."""
    from pydantic_core import PydanticKnownError

    places = {"expected_plural": "s", **(error.get("ctx") or {})}
    if 1 in (places.get("min_length"), places.get("max_length")):
        places["expected_plural"] = ""
    try:
        template = PydanticKnownError(error["type"], places).message_template  # type: ignore[arg-type]
        sentence = said(template, **places)
    except (KeyError, TypeError, ValueError):  # a kind that is not known, or whose places are made on the way
        return error["msg"]
    return sentence if sentence == error["msg"] else error["msg"]


_ENVELOPE = {"kind", "producer", "at", "data_window", "code_commit", "record"}


def _moment(value: object, where: str, faults: list[Fault]) -> datetime | None:
    try:
        return from_text(str(value))
    except ValueError:
        faults.append(
            Fault(
                where, said("{value!r} is no moment", value=value), "ISO 8601 with a time zone, as 2026-04-01T09:00:00Z"
            )
        )
        return None


def _window(value: object, faults: list[Fault]) -> DataWindow | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"start", "end"}:
        faults.append(Fault("data_window", "not a window", "an object with start and end"))
        return None
    start, end = (_moment(value[name], f"data_window.{name}", faults) for name in ("start", "end"))
    if start is None or end is None:
        return None
    if start >= end:
        faults.append(Fault("data_window", "ends before it starts", "start before end"))
    return DataWindow(start, end)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(EVIDENCE_TYPES[kind])
