"""What the sample team worked on: the words of their ideas, read from `files/history.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Outcome = Literal["ship", "do_not_ship", "adopt", "drop", "killed"]
Mishap = Literal["return", "late_return", "debt", "skip"]


@dataclass(frozen=True)
class Topic:
    """One idea in words.

    Args:
        title: Its title, in the language of whoever had it.
        outcome: How it ended.
        change: What would change.
        because: Why it should be true.
        population: For whom.
        metric: What it should move.
        expected: By how much, relative.
        prior: The probability its owner gave it.
        effect: What the experiment or analysis saw, about.
        feature: The feature or knob it is about.
        reason: Why it was decided as it was.
        learnings: What the next person should find.
        words: What the next person would search for.
        next: Ideas that follow.
        flow: Which flow it ran.
        direction: Which way is better.
        killed_at: The stage in which it was killed.
        mishaps: What went wrong on the way.
        formation: In which formation it ran.
    """

    title: str
    outcome: Outcome
    change: str
    because: str
    population: str
    metric: str
    expected: float
    prior: float
    effect: float
    feature: str
    reason: str
    learnings: tuple[str, ...]
    words: tuple[str, ...]
    next: tuple[str, ...]
    flow: str = "model"
    direction: Literal["increase", "decrease"] = "increase"
    killed_at: str | None = None
    mishaps: tuple[Mishap, ...] = ()
    formation: str = "planner_maker_evaluator"

    @property
    def language(self) -> str:
        """`en` when the title is written in Latin letters, otherwise `ja`."""
        return "en" if self.title.isascii() else "ja"


@cache
def all_topics() -> tuple[Topic, ...]:
    """The forty topics, in the order of the file."""
    text = (files("tasuki.samples") / "files" / "history.toml").read_text(encoding="utf-8")
    return tuple(_topic(entry) for entry in tomllib.loads(text)["idea"])


def _topic(entry: dict[str, Any]) -> Topic:
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in entry.items()}
    return Topic(**values)
