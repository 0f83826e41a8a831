"""What keeps a hypothesis from being tested: looked for while it is written, and again when it is offered."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tasuki.errors import said

PARTS = ("change", "metric", "because", "population")
_LIKE = 0.5
"""Two names are taken for the same one misspelt from this share of equal characters on."""
_MOST_NAMED = 6


@dataclass(frozen=True)
class MetricRead:
    """What a hypothesis means by its metric.

    Args:
        name: The declared metric; None where the text is none.
        told: A sentence for the writer: the name behind a title, or what was perhaps meant; empty for a bare name.
    """

    name: str | None
    told: str = ""


def lint_brief(brief: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything that is wrong with a hypothesis brief, each as a sentence; empty for one that can be tested.

    Args:
        brief: The record's fields, as far as they are written: missing ones count as blank.
    """
    found: list[str] = [
        said("the {part} is blank", part=name) for name in PARTS if not str(brief.get(name) or "").strip()
    ]
    size, direction = brief.get("expected_size"), brief.get("direction")
    if size is None:
        found.append(said("the expected size is missing"))
    elif size == 0:
        found.append(said("the expected size is 0: an idea that moves nothing cannot be tested"))
    elif not direction:
        found.append(said("the {part} is blank", part="direction"))
    elif (size > 0) != (direction == "increase"):
        found.append(
            said("the expected size {size:+g} and the direction {direction!r} disagree", size=size, direction=direction)
        )
    because, change = (str(brief.get(name) or "").strip() for name in ("because", "change"))
    if because and because == change:
        found.append(said("the because only repeats the change: say why it should be true"))
    return tuple(found)


def read_metric(text: str, known: Mapping[str, Iterable[str]]) -> MetricRead | None:
    """The declared metric that a text names, by its name or one of its titles.

    Args:
        text: The metric as it is written in the hypothesis.
        known: The declared metrics with their titles.

    Returns:
        None where there is nothing to say: no text, or no metric declared.
    """
    wanted = _plain(text)
    if not wanted or not known:
        return None
    if text.strip() in known:
        return MetricRead(text.strip())
    called = [(_plain(word), name) for name, titles in known.items() for word in (name, *titles)]
    meant = next((name for word, name in called if word == wanted), None)
    if meant is not None:
        return MetricRead(meant, said("{metric!r} is the metric {name}", metric=text.strip(), name=meant))
    likeness, close = max((_likeness(wanted, word), name) for word, name in called)
    if likeness >= _LIKE:
        return MetricRead(
            None,
            said("no declared metric is called {metric!r}: did you mean {close}?", metric=text.strip(), close=close),
        )
    names = tuple(known)[:_MOST_NAMED]
    return MetricRead(
        None, said("no declared metric is called {metric!r}; there are {names}", metric=text.strip(), names=names)
    )


def _plain(text: str) -> str:
    """A text as it is compared: whatever its width and case."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _likeness(wanted: str, word: str) -> float:
    """The share of equal characters; a word inside the text, or the text inside it, is as good as can be."""
    inside = min(len(wanted), len(word)) > 2 and (wanted in word or word in wanted)
    return 1.0 if inside else SequenceMatcher(None, wanted, word).ratio()
