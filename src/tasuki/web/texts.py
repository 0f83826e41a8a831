"""The words of the pages: every key once, with its English and Japanese text, from `texts.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasuki import texts

ROOM = "tasuki.web"


@dataclass(frozen=True)
class Texts(texts.Texts):
    """The words of the pages in one language."""

    room: str = ROOM


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every key (`section.name`) with its text by language."""
    return texts.catalogue(ROOM)
