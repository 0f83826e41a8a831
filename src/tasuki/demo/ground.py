"""What a run of the relay stands on: the logs to learn from, the two model files, and the traffic to play.

The story is the same on every ground; `exchange_ground` is the simulated exchange, `log_ground` replays real logs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Phase = Literal["check", "comparison"]


@dataclass(frozen=True)
class Played:
    """What went through the service in one phase: what the client sent and got no answer for, over how many days."""

    sent: Mapping[str, int]
    days: int
    failed: int = 0

    @property
    def total(self) -> int:
        """All that was sent."""
        return sum(self.sent.values())


@dataclass(frozen=True)
class Question:
    """What the idea is about: its title and the hypothesis, as the fields of a hypothesis brief."""

    title: str
    search: str
    brief: Mapping[str, Any]


@dataclass(frozen=True)
class Investigation:
    """The SQL an analyst runs on the log, and what the size of the opportunity is read from.

    `groups` gives one row per group with the columns `grp`, `n` and `k` (rows and positives): the opportunity is how
    far the best group's rate lies above the rate of all, weighted by how much of the traffic is in the worst group.
    """

    rows: str
    groups: str
    source: str
    meaning: str
    owner: str


@dataclass(frozen=True)
class Ground:
    """Data, models and traffic for one run.

    Args:
        name: What it is called in the summary.
        model: The name that both model files share.
        champion_file: Relative to the workspace.
        challenger_file: Relative to the workspace.
        learned_until: The end of the data that training may see.
        held_out_since: The first moment of offline validation; the champion's training ends here as well.
        question: The idea.
        investigation: The analyst's queries.
        primary: The registered metric of A/B 2.
        guardrails: Metrics that must not fall by more than their margin.
        minimal_detectable_effect: Relative; what A/B 2 is planned for.
        comparison_days: How long A/B 2 is registered to run.
        segments: Columns of the outcomes by whose values A/B 2 is registered to be read as well.
        play: Sends one phase's traffic through the service at an address and writes the outcomes.
        replay_time: The feature that says when a played row happened, where that lies in the story's days.
        honesty: What this ground can and cannot show, one sentence a line; read when everything has been played.
    """

    name: str
    model: str
    champion_file: Path
    challenger_file: Path
    learned_until: datetime
    held_out_since: datetime
    question: Question
    investigation: Investigation
    primary: str
    guardrails: Mapping[str, float]
    minimal_detectable_effect: float
    comparison_days: int
    play: Callable[[Phase, str], Played]
    honesty: Sequence[str]
    replay_time: str | None = None
    segments: tuple[str, ...] = ()
