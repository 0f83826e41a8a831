"""Slots for experiments: who has which lane from when until when, and who is next. A value that any page can read.

A lane is a place where a number of experiments fit at a time: `ab1` for checks, `ab2` for comparisons, or a team's own
names. Days are whole, in UTC; a slot's last day belongs to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from tasuki.errors import Fault, Invalid, Refused, command, joined, said
from tasuki.experiments.allocation import MOST_HELD_OUT, HoldOut
from tasuki.experiments.naming import name_faults
from tasuki.flow.state import Experiment, IdeaState

LANES: Mapping[str, str] = {"check": "ab1", "comparison": "ab2"}
LONGEST_DAYS = 366
SlotState = Literal["booked", "running", "done"]


@dataclass(frozen=True)
class ExperimentRules:
    """What a team says of all its experiments.

    Args:
        holdout: Who is kept out of every experiment.
        capacity: How many experiments fit into a lane at a time; one where nothing is said.
    """

    holdout: HoldOut | None = None
    capacity: Mapping[str, int] = field(default_factory=dict)


def experiment_rules(document: Mapping[str, Any]) -> ExperimentRules:
    """The rules in a parsed `experiments.toml`: a table `holdout` with name and share, and a table `lanes`.

    Raises:
        Invalid: With every fault at once.
    """
    faults = [
        Fault(name, "there is no such table", "holdout, lanes") for name in document if name not in ("holdout", "lanes")
    ]
    held, lanes = document.get("holdout"), document.get("lanes", {})
    holdout = None
    if held is not None:
        name, share = (held.get("name"), held.get("share")) if isinstance(held, dict) else (None, None)
        if not (isinstance(name, str) and name and ":" not in name):
            faults.append(Fault("holdout.name", said("{name!r} is no name", name=name), "a text without a colon"))
        if not (isinstance(share, float | int) and 0 < share <= MOST_HELD_OUT):
            faults.append(
                Fault(
                    "holdout.share",
                    said("is {share!r}", share=share),
                    said("above 0 and at most {most_held_out:g}", most_held_out=MOST_HELD_OUT),
                )
            )
        elif not faults:
            holdout = HoldOut(str(name), float(share))
    if not isinstance(lanes, dict):
        faults.append(Fault("lanes", "is no table", "LANE = how many experiments fit"))
        lanes = {}
    faults += [
        Fault(f"lanes.{lane}", said("{count!r} is no number of experiments", count=count), "1 or more")
        for lane, count in lanes.items()
        if not isinstance(count, int) or isinstance(count, bool) or count < 1
    ]
    if faults:
        raise Invalid("experiments.toml cannot be used", faults)
    return ExperimentRules(holdout, lanes)


@dataclass(frozen=True)
class Slot:
    """An experiment's days in a lane.

    Args:
        idea: Whose experiment.
        title: The idea's title.
        experiment: Its name.
        kind: `check` or `comparison`.
        lane: The lane.
        first: The first day.
        last: The last day; of one that runs longer than booked, today.
        state: `booked`, `running` or `done`.
    """

    idea: str
    title: str
    experiment: str
    kind: str
    lane: str
    first: date
    last: date
    state: SlotState

    @property
    def days(self) -> int:
        """How many days it takes."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class FreedSlot:
    """Days of a lane that somebody gave back: whose they were, which, by whom, and why."""

    idea: str
    title: str
    experiment: str
    lane: str
    first: date
    last: date
    by: str
    reason: str


@dataclass(frozen=True)
class SlotCalendar:
    """All slots, by lane and day.

    Args:
        slots: In the order of lane, first day and name.
        capacity: How many fit into a lane; one where nothing is said.
        today: The day it was read on.
        freed: What was given back and is not over yet, in the same order.
    """

    slots: tuple[Slot, ...]
    capacity: Mapping[str, int]
    today: date
    freed: tuple[FreedSlot, ...] = ()

    def without(self, idea: str, experiment: str) -> "SlotCalendar":
        """The calendar as it is for one who moves this booking."""
        kept = (one for one in self.slots if (one.idea, one.experiment) != (idea, experiment))
        return SlotCalendar(tuple(kept), self.capacity, self.today, self.freed)

    def holders(self, lane: str, first: date, days: int) -> tuple[Slot, ...]:
        """The slots in whose way it would be: those of its days on which the lane is full. Empty when it fits."""
        found: dict[Slot, None] = {}
        last = first + timedelta(days=days - 1)
        taken = [one for one in self.slots if one.lane == lane and one.state != "done" and one.first <= last]
        taken = [one for one in taken if one.last >= first]
        if len(taken) < self.capacity.get(lane, 1):
            return ()
        for day in (first + timedelta(days=n) for n in range(days)):
            there = [one for one in taken if one.first <= day <= one.last]
            if len(there) >= self.capacity.get(lane, 1):
                found |= dict.fromkeys(there)
        return tuple(found)

    def free_from(self, lane: str, days: int, earliest: date) -> date:
        """The first day, not before the earliest, from which so many days are free."""
        ends = [one.last + timedelta(days=1) for one in self.slots if one.lane == lane]
        candidates = sorted({earliest, *(end for end in ends if end > earliest)})
        return next(day for day in candidates if not self.holders(lane, day, days))

    def slot(self, idea: str, experiment: str) -> Slot | None:
        """The slot of an experiment that is booked or runs; None where it has none."""
        mine = (one for one in self.slots if (one.idea, one.experiment) == (idea, experiment))
        return next((one for one in mine if one.state != "done"), None)

    def position(self, idea: str, experiment: str) -> int | None:
        """Its place among those of its lane that wait, from 1; None when it does not wait."""
        mine = next((one for one in self.slots if one.experiment == experiment and one.idea == idea), None)
        if mine is None or mine.state != "booked":
            return None
        waiting = [one for one in self.slots if one.lane == mine.lane and one.state == "booked"]
        return waiting.index(mine) + 1

    def sooner(self, slot: Slot) -> date | None:
        """The first day on which one that waits could begin instead of its own; None when there is no earlier one."""
        if slot.state != "booked":
            return None
        day = self.without(slot.idea, slot.experiment).free_from(slot.lane, slot.days, self.today)
        return day if day < slot.first else None

    def freed_before(self, slot: Slot) -> FreedSlot | None:
        """What was given back in the lane of one that waits, before its own days, and is still free."""
        return next((one for one in self.still_free(slot.lane) if one.first < slot.first), None)

    def still_free(self, lane: str) -> tuple[FreedSlot, ...]:
        """What was given back in a lane and has a day left that nobody has taken since."""
        return tuple(one for one in self.freed if one.lane == lane and self._has_room(one))

    def _has_room(self, freed: FreedSlot) -> bool:
        first = max(freed.first, self.today)
        days = (first + timedelta(days=n) for n in range((freed.last - first).days + 1))
        return any(not self.holders(freed.lane, day, 1) for day in days)


def slot_calendar(
    experiments: Iterable[tuple[IdeaState, Experiment]], capacity: Mapping[str, int], today: date
) -> SlotCalendar:
    """The slots of these experiments, each with its idea; what was neither booked nor started has none."""
    slots, freed = list[Slot](), list[FreedSlot]()
    for state, one in experiments:
        if (slot := slot_of(state, one, today)) is not None:
            slots.append(slot)
        freed += freed_slots(state, one, today)
    slots.sort(key=lambda one: (one.lane, one.first, one.experiment))
    freed.sort(key=lambda one: (one.lane, one.first, one.experiment))
    return SlotCalendar(tuple(slots), capacity, today, tuple(freed))


def freed_slots(state: IdeaState, one: Experiment, today: date) -> list[FreedSlot]:
    """What of an experiment's slots was given back and is not over yet."""
    named = (state.idea, state.title, one.name)
    freed = [
        FreedSlot(
            *named,
            back.lane or LANES[one.kind],
            back.first,
            back.first + timedelta(days=back.days - 1),
            back.by,
            back.reason,
        )
        for back in one.given_back
    ]
    return [slot for slot in freed if slot.last >= today]


def lane_of(one: Experiment) -> str:
    """The lane of an experiment: what was booked, else the one of its kind."""
    return one.lane or LANES[one.kind]


def planned_days(state: IdeaState, one: Experiment) -> int:
    """How long it is to run: as booked, else as registered, else a week."""
    plans = [entry.record for entry in state.evidence if entry.kind == "experiment_plan"]
    plan = next((plan for plan in reversed(plans) if plan["experiment"] == one.name), None)
    return one.booked_days or (int(plan["days"]) if plan else 7)


def slot_of(state: IdeaState, one: Experiment, today: date) -> Slot | None:
    """The days that an experiment takes or took; None for one that was neither booked nor started."""
    named = (state.idea, state.title, one.name, one.kind, lane_of(one))
    if one.started_at is not None:
        first = one.started_at.date()
        if one.stopped_at is not None:
            return Slot(*named, first, one.stopped_at.date(), "done")
        planned = first + timedelta(days=planned_days(state, one) - 1)
        return Slot(*named, first, max(planned, today), "running")
    if one.booked_from is None or state.status != "active":
        return None
    return Slot(*named, one.booked_from, one.booked_from + timedelta(days=planned_days(state, one) - 1), "booked")


@dataclass(frozen=True)
class BookingRequest:
    """What slot is wanted.

    Args:
        experiment: Its name.
        kind: `check` or `comparison`.
        days: For how many days; as registered in its plan, else a week, when None.
        first: From which day; the first that is free when None.
        lane: The lane; the one of its kind when empty.
        queue: Whether to take the first free days after it when the wanted ones are taken.
    """

    experiment: str
    kind: Literal["check", "comparison"]
    days: int | None = None
    first: date | None = None
    lane: str = ""
    queue: bool = False


def find_slot(calendar: SlotCalendar, request: BookingRequest, state: IdeaState, days: int) -> tuple[str, date]:
    """The lane and the first day that the request gets.

    Args:
        calendar: All slots; what this very experiment had booked before does not stand in its way.
        request: What is wanted.
        state: The idea.
        days: For how many days.

    Raises:
        Invalid: Days that cannot be booked: every fault at once.
        Refused: Somebody has the lane on one of the days; says who, and the first day that is free.
    """
    faults = name_faults(request.experiment, state)
    if not request.experiment.strip():
        faults.append(Fault("experiment", "missing", "a name"))
    if not 1 <= days <= LONGEST_DAYS:
        faults.append(
            Fault(
                "days",
                said("{days} is no number of days", days=days),
                said("1 to {longest_days}", longest_days=LONGEST_DAYS),
            )
        )
    if request.first is not None and request.first < calendar.today:
        faults.append(
            Fault("from", said("{first} is over", first=request.first), said("{today} or later", today=calendar.today))
        )
    if faults:
        raise Invalid("the slot was not booked", faults)
    lane, others = request.lane or LANES[request.kind], calendar.without(state.idea, request.experiment)
    wanted = request.first or calendar.today
    free = others.free_from(lane, days, wanted)
    if request.first is not None and free != wanted and not request.queue:
        raise Refused(
            said("{lane} is taken: {told}", lane=lane, told=_told(others.holders(lane, wanted, days))),
            rule=said("{fits} into {lane} at a time", fits=_fits(others.capacity.get(lane, 1)), lane=lane),
            expected=said("{free} or later for {days} day(s)", free=free, days=days),
            next_step=said("--from {free}, or --queue to take the first days that are free", free=free),
        )
    return lane, free


def require_slot(calendar: SlotCalendar, idea: str, experiment: str, lane: str) -> None:
    """Refuses a start on a day for which others have booked the lane, or run in it."""
    mine = calendar.without(idea, experiment)
    holders = [one for one in mine.holders(lane, calendar.today, 1) if one.state == "booked"]
    if holders:
        raise Refused(
            said("{lane} is booked for today: {told}", lane=lane, told=_told(holders)),
            rule="who has booked a slot has it",
            next_step=command(
                "tasuki experiment book {experiment} --idea {idea} …, or ask who has it to move",
                experiment=experiment,
                idea=idea,
            ),
        )


def _told(slots: Sequence[Slot]) -> str:
    return joined([_held(one) for one in slots])


def _held(slot: Slot) -> str:
    return said(
        "{experiment} of {idea} {first} to {last} ({state})",
        experiment=slot.experiment,
        idea=slot.idea,
        first=slot.first,
        last=slot.last,
        state=said(slot.state),
    )


def _fits(capacity: int) -> str:
    return said("one experiment fits") if capacity == 1 else said("{capacity} experiments fit", capacity=capacity)
