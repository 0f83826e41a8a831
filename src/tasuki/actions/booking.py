"""Booking slots for experiments, and the calendar of all slots."""

import tomllib
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from tasuki.actions.experiment_lines import lines_since, require_own_name
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.booking import (
    LANES,
    BookingRequest,
    ExperimentRules,
    Slot,
    SlotCalendar,
    experiment_rules,
    find_slot,
    planned_days,
    slot_calendar,
)
from tasuki.flow import experimenting
from tasuki.flow.event import NewEvent
from tasuki.flow.rights import Act
from tasuki.flow.state import Experiment, GivenBack, IdeaState
from tasuki.store.routing import changing_routing

__all__ = [
    "Booked",
    "BookingRequest",
    "Released",
    "Sooner",
    "book_experiment",
    "read_calendar",
    "read_rules",
    "release_experiment",
]

PAST_DAYS = 35


@dataclass(frozen=True)
class Booked:
    """A slot that was booked, and its place among those of its lane that wait, from 1."""

    slot: Slot
    position: int | None


def book_experiment(
    workspace: Workspace, idea: str, request: BookingRequest, *, actor: str, key: str | None = None
) -> Booked:
    """Books days in a lane, or moves an earlier booking of the same experiment.

    Raises:
        Invalid: Days that cannot be booked.
        Refused: The days are taken, another idea has an experiment of this name, it has started, or the member may not.
    """
    said = {**asdict(request), "first": None if request.first is None else request.first.isoformat()}
    asked = Request("book_experiment", actor, said, key)

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        blank = Experiment(request.experiment, request.kind)
        days = planned_days(state, blank) if request.days is None else request.days
        lane, first = find_slot(read_calendar(workspace), request, state, days)
        require_own_name(workspace.ledger.shelf(), state, request.experiment)
        booking = experimenting.Booking(request.experiment, request.kind, lane, first, days)
        return [experimenting.book_experiment(state, act, booking)]

    # Bookings of two ideas are two streams: whoever books holds the calendar until it is written, in this folder and
    # in the ledger, which several machines may share.
    with changing_routing(workspace.folder), workspace.ledger.holding_calendar():
        if not done_before(workspace, idea, asked):
            change_idea(workspace, idea, asked, decided)
        calendar = read_calendar(workspace)
    slot = next(one for one in calendar.slots if (one.idea, one.experiment) == (idea, request.experiment))
    return Booked(slot, calendar.position(idea, request.experiment))


@dataclass(frozen=True)
class Sooner:
    """One that waits, and the day on which it could begin now, which is before its own."""

    slot: Slot
    day: date


@dataclass(frozen=True)
class Released:
    """A slot that was given back, and who of its lane could begin sooner now, the first in the queue first."""

    idea: str
    experiment: str
    freed: GivenBack
    sooner: tuple[Sooner, ...]


def release_experiment(
    workspace: Workspace, idea: str, experiment: str, *, reason: str, actor: str, key: str | None = None
) -> Released:
    """Gives a booked slot back before its experiment starts: everybody behind it moves up in the queue.

    The days of those who wait are theirs, so nobody's booking is moved; who could begin sooner is told.

    Raises:
        Invalid: No reason.
        Refused: It has started, has no slot, or the member may not.
        Missing: The idea has no such experiment.
    """
    asked = Request("release_experiment", actor, {"experiment": experiment, "reason": reason}, key)
    state = change_idea(
        workspace, idea, asked, lambda now, act: [experimenting.release_experiment(now, act, experiment, reason)]
    )
    known = next(one for one in state.experiments if one.name == experiment)
    freed, calendar = known.given_back[-1], read_calendar(workspace)
    lane = freed.lane or LANES[known.kind]
    return Released(idea, experiment, freed, tuple(one for one in sooner_slots(calendar) if one.slot.lane == lane))


def sooner_slots(calendar: SlotCalendar) -> tuple[Sooner, ...]:
    """Those that wait and could begin sooner, in the order of the calendar."""
    found = ((slot, calendar.sooner(slot)) for slot in calendar.slots)
    return tuple(Sooner(slot, day) for slot, day in found if day is not None)


def read_calendar(workspace: Workspace, since: date | None = None) -> SlotCalendar:
    """The slots that are booked or run, and those that were over on a day or later.

    Args:
        workspace: The workspace.
        since: That day; five weeks ago when None.
    """
    today = workspace.clock().date()
    lines = lines_since(workspace.ledger.shelf(), since or today - timedelta(days=PAST_DAYS))
    pairs = ((line.state, line.experiment) for line in lines)
    return slot_calendar(pairs, read_rules(workspace).capacity, today)


def read_rules(workspace: Workspace) -> ExperimentRules:
    """The team's rules for experiments: `experiments.toml`, where there is one.

    Raises:
        Invalid: Naming every entry that cannot be used.
    """
    path = workspace.folder / "experiments.toml"
    try:
        return experiment_rules(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ExperimentRules()
    except ValueError as error:
        raise Invalid(said("{path} cannot be read", path=path), [Fault(str(path), str(error), "TOML")]) from error
