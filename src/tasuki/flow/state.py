"""The state of an idea: a pure fold of its events, the same for every reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from tasuki.flow.plan import CASE

Status = Literal["active", "killed", "concluded"]


@dataclass(frozen=True)
class Offer:
    """A hand-off that is under way: offered, perhaps picked up, not yet decided."""

    from_stage: str
    to_stage: str
    offered_by: str
    offered_at: datetime
    to_member: str | None
    note: str
    evidence: tuple[str, ...]
    picked_up_by: str | None = None
    picked_up_at: datetime | None = None


@dataclass(frozen=True)
class HandOff:
    """A hand-off that was decided. `late` marks a return after acceptance: a fault that showed only later."""

    from_stage: str
    to_stage: str
    offered_by: str
    offered_at: datetime
    picked_up_at: datetime | None
    outcome: Literal["accepted", "accepted_with_debt", "returned"]
    decided_by: str
    decided_at: datetime
    answer: str = ""
    estimate_days: float | None = None
    reason_code: str = ""
    reason: str = ""
    late: bool = False


@dataclass(frozen=True)
class Leg:
    """One person's run of one stage, from when they had it until it was handed over."""

    stage: str
    owner: str
    started_at: datetime
    estimate_days: float | None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Debt:
    """What an acceptance left open: what, by whom, until when."""

    number: int
    what: str
    owner: str
    due: date
    settled_at: datetime | None = None


@dataclass(frozen=True)
class EvidenceEntry:
    """Evidence as it lies in the ledger. `body` is what `tasuki.flow.evidence.read_evidence` reads."""

    sequence: int
    content_hash: str
    kind: str
    stage: str
    attached_by: str
    attached_at: datetime
    body: Mapping[str, Any]

    @property
    def record(self) -> Mapping[str, Any]:
        """The record's fields as JSON values."""
        record: Mapping[str, Any] = self.body["record"]
        return record


@dataclass(frozen=True)
class LookUp:
    """A search of past cases before work was spent."""

    by: str
    at: datetime
    query: str
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A go/kill rule, written down before its result was known: `sequence` tells what came first."""

    stage: str
    text: str
    by: str
    at: datetime
    sequence: int = 0


@dataclass(frozen=True)
class Skip:
    """A stage that was left out, and why."""

    stage: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class GivenBack:
    """A slot that was given back before its experiment started: by whom, when and why, and which days of which lane."""

    by: str
    at: datetime
    reason: str
    lane: str
    first: date
    days: int


@dataclass(frozen=True)
class Experiment:
    """An A/B 1 or A/B 2 of this idea as the ledger knows it. `exposed` is the part of its range that is ramped up."""

    name: str
    kind: Literal["check", "comparison"]
    lane: str = ""
    booked_from: date | None = None
    booked_days: int | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    looks: tuple[datetime, ...] = ()
    exposed: float = 1.0
    given_back: tuple[GivenBack, ...] = ()


@dataclass(frozen=True)
class Comment:
    """What someone said about the idea."""

    by: str
    at: datetime
    text: str


@dataclass(frozen=True)
class Contribution:
    """What a member says they delivered in a stage; a peer confirms it. Never a score."""

    stage: str
    member: str
    text: str
    confirmed_by: str | None = None


@dataclass(frozen=True)
class IdeaState:
    """All that the events of one idea add up to.

    `stage` is where the idea is now; `holder` has the sash (None while an offer is open and not picked up by anyone
    in particular the holder stays the one who offered). `stages` are the flow's stages when the idea was opened.
    """

    idea: str
    title: str
    flow: str
    formation: str
    stages: tuple[str, ...]
    owner: str
    opened_at: datetime
    status: Status
    stage: str
    holder: str
    offer: Offer | None = None
    handoffs: tuple[HandOff, ...] = ()
    legs: tuple[Leg, ...] = ()
    evidence: tuple[EvidenceEntry, ...] = ()
    debts: tuple[Debt, ...] = ()
    skips: tuple[Skip, ...] = ()
    look_ups: tuple[LookUp, ...] = ()
    rules: tuple[Rule, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    comments: tuple[Comment, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    ended_at: datetime | None = None
    end_reason: str = ""
    case: Mapping[str, Any] | None = field(default=None)
    sequence: int = 0
    last_event_at: datetime | None = None

    def next_stage(self) -> str:
        """Where an offer of the present stage leads: the next stage that is not skipped, or `CASE`."""
        skipped = {skip.stage for skip in self.skips}
        later = self.stages[self.stages.index(self.stage) + 1 :]
        return next((stage for stage in later if stage not in skipped), CASE)

    def latest(self, *kinds: str) -> EvidenceEntry | None:
        """The newest evidence of any of these kinds."""
        return next((entry for entry in reversed(self.evidence) if entry.kind in kinds), None)

    def open_debts(self) -> tuple[Debt, ...]:
        """The debts that nobody has settled yet."""
        return tuple(debt for debt in self.debts if debt.settled_at is None)
