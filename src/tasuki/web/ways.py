"""The way out of a refusal as a page says it: the same value that a command line shows as a command to type.

A room says one sentence (`tasuki.errors.Said`). The command line reads its English. A page looks its template up in
`ways.toml`: what its own buttons and forms do instead, in the reader's language, and where they are.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from tasuki.errors import Said


@dataclass(frozen=True)
class WayOut:
    """What to do next.

    Args:
        text: In the reader's language.
        at: The address where it is done; empty where words suffice.
        is_command: Whether it is a command to type, for which no page has a way of its own.
    """

    text: str
    at: str = ""
    is_command: bool = False


@cache
def ways() -> Mapping[str, Mapping[str, str]]:
    """What pages say, by the template of what a room said."""
    document = tomllib.loads((files("tasuki.web") / "ways.toml").read_text(encoding="utf-8"))
    return {way["of"]: way for way in document["way"]}


def way_of(sentence: str) -> Mapping[str, str] | None:
    """What a page says instead of the sentence; None where it says the same."""
    return ways().get(sentence.template if isinstance(sentence, Said) else sentence)


def address_in(way: Mapping[str, str], sentence: str) -> str:
    """The address of a way, with the names of the sentence in it."""
    values = sentence.values if isinstance(sentence, Said) else {}
    return way.get("at", "").format(**{name: quote(str(value), safe="") for name, value in values.items()})
