"""What people read, in both languages: a room keeps its words in one `texts.toml`, each in English and Japanese."""

import math
import string
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from numbers import Integral, Real
from typing import Any

from tasuki.errors import Said
from tasuki.language import Formats, Language
from tasuki.titles import Titles

EVERY_ROOM = "tasuki"
"""The words of sentences that any room may say: refusals, faults, what checks and probes have seen."""

LENDER = "tasuki.reports"
"""Whose words for names (of probes) pages say as well."""


@dataclass(frozen=True)
class Texts:
    """A room's words in one language; call it with a key: `t("board.title")`, `t("card.age", days="3日")`.

    Args:
        language: The reader's.
        room: The package whose `texts.toml` it is.
    """

    language: Language
    room: str

    def __call__(self, key: str, **values: object) -> str:
        """The text of the key with its places filled in. An unknown key is a programming error and raises KeyError."""
        return catalogue(self.room)[key][self.language].format(**values)

    def term(self, family: str, name: str) -> str:
        """The word for a name that comes from data (a role, a metric): the name itself where the catalogue has none."""
        key = f"{family}.{name}"
        entry = catalogue(self.room).get(key) or catalogue(LENDER).get(key)
        return entry[self.language] if entry else name


@cache
def catalogue(room: str) -> Mapping[str, Mapping[str, str]]:
    """Every key (`section.name`) of a room with its text by language."""
    sections = tomllib.loads((files(room) / "texts.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": texts for section, entries in sections.items() for name, texts in entries.items()}


@cache
def sentences() -> Mapping[str, str]:
    """The key of every English template that a room may say."""
    return {texts["en"]: key for key, texts in catalogue(EVERY_ROOM).items()}


def code_of(sentence: str) -> str:
    """The stable code of what was said (`flow.no_such_flow`); empty for what the catalogue does not know."""
    return sentences().get(sentence.template if isinstance(sentence, Said) else sentence, "")


def parts_of(sentence: str) -> tuple[str, ...]:
    """The sentences that were joined into one; the sentence alone otherwise."""
    if isinstance(sentence, Said) and list(sentence.values) == ["parts"]:
        return tuple(sentence.values["parts"])
    return (sentence,) if sentence else ()


def as_record(sentence: str) -> Any:
    """What was said as JSON values, for records that are read in either language: its code and values, or its text."""
    if isinstance(sentence, Said) and list(sentence.values) == ["parts"]:
        return {"template": sentence.template, "parts": [as_record(one) for one in sentence.values["parts"]]}
    code = code_of(sentence)
    if not code:
        return str(sentence)
    values = sentence.values if isinstance(sentence, Said) else {}
    return {"code": code, "values": {name: _value_as_record(value) for name, value in values.items()}}


def _value_as_record(value: Any) -> Any:
    match value:
        case Said():
            return as_record(value)
        case tuple():
            return [_value_as_record(one) for one in value]
        case bool() | None:
            return value
        case Integral():
            return int(value)
        case Real() if math.isfinite(value):
            return float(value)
    return str(value)


def from_record(record: Any, text: str = "") -> str:
    """What was kept by `as_record`; the text itself where nothing was kept, or nothing that this version knows.

    Args:
        record: What was kept.
        text: What it reads in English.
    """
    match record:
        case str() if not text:
            return record
        case {"template": str() as template, "parts": list() as parts}:
            return Said(template, {"parts": tuple(from_record(one) for one in parts)}, text)
        case {"code": str() as code, "values": dict() as values} if code in catalogue(EVERY_ROOM):
            known = {name: _value_of_record(one) for name, one in values.items()}
            try:
                told = Said(catalogue(EVERY_ROOM)[code]["en"], known)
            except (KeyError, ValueError, TypeError):  # of a version whose sentence had other places
                return text
            return Said(told.template, known, text)
    return text


def _value_of_record(value: Any) -> Any:
    match value:
        case dict():
            return from_record(value)
        case list():
            return tuple(_value_of_record(one) for one in value)
    return value


@dataclass(frozen=True)
class Teller:
    """Says in Japanese what a room has said in English.

    Args:
        names: How names that stand in sentences read, by the form that a place asks for: `{stage:stage}`.
    """

    names: Mapping[str, Callable[[str], str]] = field(default_factory=dict)

    def japanese(self, sentence: str) -> str | None:
        """The sentence in Japanese; None when the catalogue does not know it, as what other programs say."""
        parts = parts_of(sentence)
        if parts != (sentence,):
            known = [self.japanese(one) or one for one in parts]
            return "".join(known) if all(one.endswith("。") for one in known) else "、".join(known)
        key = code_of(sentence)
        if not key:
            return None
        values = sentence.values if isinstance(sentence, Said) else {}
        return self.filled(catalogue(EVERY_ROOM)[key]["ja"], values)

    def filled(self, template: str, values: Mapping[str, Any]) -> str:
        """A Japanese template with its places filled in, names by their form."""
        return _Places(self).vformat(template, (), values)


class _Places(string.Formatter):
    """Fills in the places of a Japanese sentence: names by their form, dates as Japanese writes them."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def format_field(self, value: Any, format_spec: str) -> Any:
        """The text of a place."""
        if isinstance(value, tuple):
            return "、".join(self.format_field(one, format_spec) for one in value)
        if isinstance(value, Said):
            return self._teller.japanese(value) or value
        if isinstance(value, Titles):
            return value.ja
        if format_spec in self._teller.names:
            return self._teller.names[format_spec](str(value))
        if len(format_spec) > 1 and format_spec.isalpha():
            return str(value)  # a form that this reader has no names for
        if isinstance(value, date) and not format_spec:
            formats = Formats("ja")
            return formats.moment(value) if isinstance(value, datetime) else formats.day(value)
        return super().format_field(value, format_spec)
