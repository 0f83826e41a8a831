"""The story of an idea as a value: chapters (one leg of one person each) with what happened in them, in order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from tasuki.flow.state import EvidenceEntry, Experiment, GivenBack, HandOff, IdeaState, Leg
from tasuki.web.language import days_between

EntryKind = Literal[
    "look_up",
    "rule",
    "evidence",
    "slot_given_back",
    "experiment_started",
    "experiment_stopped",
    "skip",
    "comment",
    "handoff",
    "offer",
]
_ORDER: tuple[EntryKind, ...] = (
    "look_up",
    "rule",
    "slot_given_back",
    "experiment_started",
    "experiment_stopped",
    "evidence",
    "comment",
    "skip",
    "offer",
    "handoff",
)
"""What stands first when two things have the same time."""
_PLACE = {kind: place for place, kind in enumerate(_ORDER)}
_NEVER_SUPERSEDED = frozenset({"external_link", "publication"})


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Args:
        at: When.
        kind: What kind of thing.
        value: The fact itself, of the type that belongs to `kind`.
        number: Its place among all entries of the story in time, from 0, so that what happens later moves none. An open
            offer is the last one as long as it is open.
    """

    at: datetime
    kind: EntryKind
    value: Any
    number: int = 0


@dataclass(frozen=True)
class SlotBack:
    """A slot that was given back, and the experiment whose it was."""

    experiment: Experiment
    slot: GivenBack

    @property
    def last(self) -> date:
        """The last of the days that were given back."""
        return self.slot.first + timedelta(days=self.slot.days - 1)


@dataclass(frozen=True)
class Exhibit:
    """Evidence in the story. `superseded` when a newer one of its kind replaced it."""

    evidence: EvidenceEntry
    superseded: bool

    @property
    def template(self) -> str:
        """The fragment that draws this kind."""
        return f"evidence/{self.evidence.kind}.html"


@dataclass(frozen=True)
class Passing:
    """A decided hand-off with the days it took: until it was picked up, and until it was decided after that."""

    handoff: HandOff
    wait_days: float
    review_days: float


@dataclass(frozen=True)
class Chapter:
    """A leg with everything that happened while it ran. `actual_days` counts to now for the running leg."""

    leg: Leg
    actual_days: float
    entries: tuple[Entry, ...]

    @property
    def running(self) -> bool:
        """Whether the person still has it."""
        return self.leg.ended_at is None


@dataclass(frozen=True)
class Step:
    """A stage in the line at the top of the page."""

    stage: str
    mark: Literal["done", "now", "skipped", "ahead"]


@dataclass(frozen=True)
class Story:
    """All that the idea's page tells, apart from what its next hand-off needs."""

    state: IdeaState
    steps: tuple[Step, ...]
    chapters: tuple[Chapter, ...]
    total_days: float


def build_story(state: IdeaState, now: datetime) -> Story:
    """The story up to now, or up to its end."""
    end = state.ended_at or now
    return Story(state, _steps(state), _chapters(state, end), max(0.0, days_between(state.opened_at, end)))


def _steps(state: IdeaState) -> tuple[Step, ...]:
    skipped = {skip.stage for skip in state.skips}
    position = state.stages.index(state.stage) if state.stage in state.stages else -1
    return tuple(
        Step(stage, _mark(index, position, stage in skipped, state.status)) for index, stage in enumerate(state.stages)
    )


def _mark(index: int, position: int, skipped: bool, status: str) -> Literal["done", "now", "skipped", "ahead"]:
    if skipped:
        return "skipped"
    if status == "concluded" or index < position:
        return "done"
    return "now" if index == position else "ahead"


def _chapters(state: IdeaState, end: datetime) -> tuple[Chapter, ...]:
    legs = state.legs or (Leg(state.stage, state.holder, state.opened_at, None, state.ended_at),)
    entries: list[list[Entry]] = [[] for _ in legs]
    number, told = 0, sorted(_entries(state), key=lambda one: (one.at, _PLACE[one.kind]))
    for one in told:
        entry = Entry(one.at, one.kind, one.value, len(told) - 1 if one.kind == "offer" else number)
        entries[_leg_of(entry, legs)].append(entry)
        number += one.kind != "offer"
    return tuple(
        Chapter(leg, max(0.0, days_between(leg.started_at, leg.ended_at or end)), tuple(inside))
        for leg, inside in zip(legs, entries, strict=True)
    )


def _leg_of(entry: Entry, legs: tuple[Leg, ...]) -> int:
    """The leg that ran at the entry's time; what happened at the very moment of a change closes the earlier leg."""
    started = [index for index, leg in enumerate(legs) if leg.started_at <= entry.at]
    if not started:
        return 0
    if entry.kind in {"handoff", "offer"}:
        before = [index for index in started if legs[index].stage == _stage_of(entry)]
        earlier = [index for index in before if legs[index].started_at < entry.at]
        return (earlier or before or started)[-1]
    if entry.kind == "evidence":
        mine = [index for index in started if legs[index].stage == entry.value.evidence.stage]
        return (mine or started)[-1]
    return started[-1]


def _stage_of(entry: Entry) -> str:
    """The stage whose leg an offer or a decided hand-off closes: for a late return the one that found the fault."""
    if entry.kind == "offer":
        return str(entry.value.from_stage)
    handoff: HandOff = entry.value.handoff
    return handoff.to_stage if handoff.late else handoff.from_stage


def _entries(state: IdeaState) -> Iterator[Entry]:
    yield from (Entry(one.at, "look_up", one) for one in state.look_ups)
    yield from (Entry(one.at, "rule", one) for one in state.rules)
    yield from (Entry(one.evidence.attached_at, "evidence", one) for one in exhibits(state.evidence))
    yield from (Entry(one.at, "skip", one) for one in state.skips)
    yield from (Entry(one.at, "comment", one) for one in state.comments)
    for experiment in state.experiments:
        yield from (Entry(one.at, "slot_given_back", SlotBack(experiment, one)) for one in experiment.given_back)
        if experiment.started_at:
            yield Entry(experiment.started_at, "experiment_started", experiment)
        if experiment.stopped_at:
            yield Entry(experiment.stopped_at, "experiment_stopped", experiment)
    yield from (Entry(one.decided_at, "handoff", passing_of(one)) for one in state.handoffs)
    if state.offer:
        yield Entry(state.offer.offered_at, "offer", state.offer)


def exhibits(evidence: Iterable[EvidenceEntry]) -> tuple[Exhibit, ...]:
    """Each evidence, marked where a newer one of the same kind and stage replaced it."""
    entries = tuple(evidence)
    newest = {(entry.kind, entry.stage): entry.sequence for entry in entries}
    return tuple(
        Exhibit(entry, entry.kind not in _NEVER_SUPERSEDED and newest[entry.kind, entry.stage] != entry.sequence)
        for entry in entries
    )


def passing_of(handoff: HandOff) -> Passing:
    """The hand-off with its waiting and its review in days."""
    picked_up = handoff.picked_up_at or handoff.decided_at
    return Passing(
        handoff,
        max(0.0, days_between(handoff.offered_at, picked_up)),
        max(0.0, days_between(picked_up, handoff.decided_at)),
    )
