"""A concern in the reader's language: its code's text with its values, or its own message where there is none."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasuki.language import Language
from tasuki.reports.document import Notice
from tasuki.stats.concern import Concern
from tasuki.texts import Texts, catalogue

ROOM = "tasuki.reports"


def notice_of(concern: Concern, language: Language) -> Notice:
    """The concern as a notice."""
    severity = Texts(language, ROOM)(f"severity.{concern.severity}")
    return Notice(concern.severity, severity, concern_text(concern, language))


def concern_text(concern: Concern, language: Language) -> str:
    """What the concern says. Its English message is kept as it is, also where a code has no text yet."""
    if language == "en":
        return concern.message
    case = concern.values.get("case")
    key = f"concern.{concern.code}" + (f"_{case}" if case else "")
    if key not in catalogue(ROOM):
        return concern.message
    try:
        return Texts(language, ROOM)(key, **_shown(concern.values, language))
    except (KeyError, IndexError, ValueError, TypeError):
        # Evidence from outside, or from an older version, may lack a value.
        return concern.message


class _Listed(list[Any]):
    """A list that a text may show as a whole or by its places: `{arms}`, `{arms[0]}`."""

    def __init__(self, values: Sequence[Any], comma: str) -> None:
        super().__init__(values)
        self._comma = comma

    def __format__(self, form: str) -> str:
        return self._comma.join(one if isinstance(one, str) else f"{one:.0%}" for one in self)


def _shown(values: Mapping[str, Any], language: Language) -> dict[str, Any]:
    comma = "、" if language == "ja" else ", "
    return {name: _plain(value, comma) for name, value in values.items()}


def _plain(value: Any, comma: str) -> Any:
    match value:
        case Mapping():
            return comma.join(f"{name} {one:{',' if isinstance(one, int) else '+.4g'}}" for name, one in value.items())
        case str():
            return value
        case Sequence():
            return _Listed(value, comma)
    return value
