"""Which language a reader gets, and how long it is between two moments."""

from datetime import datetime

from tasuki.language import LANGUAGES, NOTHING, Formats, Language, known_language

__all__ = [
    "LANGUAGES",
    "NOTHING",
    "Formats",
    "Language",
    "accepted_language",
    "choose_language",
    "days_between",
    "known_language",
]
_DAY_S = 86400


def choose_language(
    asked: str | None, kept: str | None, accept: str | None, default: str, own: str | None = None
) -> Language:
    """What the address asks for, else the reader's earlier choice, else what the team knows of the reader who signed
    in (`own`), else the browser's wish, else the workspace's."""
    wished = known_language(asked) or known_language(kept) or known_language(own) or accepted_language(accept)
    return wished or known_language(default) or "en"


def accepted_language(header: str | None) -> Language | None:
    """The most wanted known language of an `Accept-Language` header; ties go to the one named first."""
    wanted: list[tuple[float, Language]] = []
    for part in (header or "").split(","):
        name, _, parameter = part.partition(";")
        language = known_language(name)
        weight = _weight(parameter)
        if language is not None and weight > 0:
            wanted.append((weight, language))
    return max(wanted, key=lambda one: one[0])[1] if wanted else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def days_between(start: datetime, end: datetime) -> float:
    """The span from start to end in days."""
    return (end - start).total_seconds() / _DAY_S
