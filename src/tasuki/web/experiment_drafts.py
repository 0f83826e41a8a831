"""What the forms for experiments offer: the ideas and lanes to book for, what a start is filled in with, who may."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasuki.actions.experiment_list import ExperimentEntry
from tasuki.errors import Missing, NotAllowed
from tasuki.experiments.booking import LANES, SlotCalendar
from tasuki.experiments.start import STAGES, TREATMENT, plan_of
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState

MOST_IDEAS = 200
"""A choice of more is none; whoever wants another idea comes from its own page, which names it."""
USUAL_SHARE = 0.05
"""Of a treatment that no plan speaks of, as in the examples of the command line."""


@dataclass(frozen=True)
class BookingChoices:
    """What a booking is chosen from.

    Args:
        ideas: The id and title of each idea that the reader may book for, their own first.
        lanes: The lanes that are known.
    """

    ideas: tuple[tuple[str, str], ...]
    lanes: tuple[str, ...]


def booking_choices(states: Iterable[IdeaState], act: Act, calendar: SlotCalendar, asked: str = "") -> BookingChoices:
    """What a booking is chosen from.

    Args:
        states: The ideas under way.
        act: Of the one who books.
        calendar: The slots.
        asked: The idea that the address or the form names: it is offered however many there are.
    """
    known: dict[tuple[str, str, str], bool] = {}
    mine = []
    for state in states:
        if state.holder != act.actor:
            # Those who have not the sash have the right by the stage alone: it is asked once for each.
            key = (state.formation, state.flow, state.stage)
            if key not in known:
                known[key] = may_work_on(state, act)
            if not known[key]:
                continue
        mine.append(state)
    mine.sort(key=lambda one: (one.idea != asked, one.holder != act.actor, one.title))
    lanes = dict.fromkeys([*LANES.values(), *calendar.capacity, *(slot.lane for slot in calendar.slots)])
    return BookingChoices(tuple((one.idea, one.title) for one in mine[:MOST_IDEAS]), tuple(lanes))


def may_work_on(state: IdeaState, act: Act) -> bool:
    """Whether the one who acts has the sash or a role that owns the stage: who may do something with experiments."""
    try:
        require_at_work(state, act, state.stage, "")
    except (NotAllowed, Missing):
        return False
    return True


@dataclass(frozen=True)
class Doing:
    """What the reader can do with an experiment now.

    Args:
        starts_in: The stage in which it can be started, where it can be: it was booked, or planned, and not started.
        is_early: Whether the idea is not in that stage yet.
        gives_back: Whether it has a slot that can be given back.
        ramps: Whether more of its range can be exposed.
        stops: Whether it can be stopped.
        checks: Whether A/B 1 can be looked at.
        compares: Whether A/B 2 can be compared.
        decides: Whether there is a comparison to decide on.
    """

    starts_in: str = ""
    is_early: bool = False
    gives_back: bool = False
    ramps: bool = False
    stops: bool = False
    checks: bool = False
    compares: bool = False
    decides: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.starts_in) or self.stops or self.checks or self.compares or self.decides


def doing_of(state: IdeaState, entry: ExperimentEntry, act: Act) -> Doing:
    """What the one who acts can do with an experiment of the idea."""
    if not may_work_on(state, act):
        return Doing()
    runs = entry.started_at is not None and entry.stopped_at is None
    if state.status != "active":
        return Doing(stops=runs)
    begun, stage = entry.started_at is not None, STAGES[entry.kind]
    compared = any(one.kind == "comparison_report" and one.record["experiment"] == entry.name for one in state.evidence)
    return Doing(
        starts_in="" if begun else stage,
        is_early=not begun and state.stage != stage,
        gives_back=not begun and entry.first_day is not None,
        ramps=runs and entry.exposed < 1,
        stops=runs,
        checks=begun and entry.kind == "check",
        compares=begun and entry.kind == "comparison",
        decides=compared and entry.decided is None,
    )


def start_draft(state: IdeaState, experiment: str) -> dict[str, list[str]]:
    """The fields of a start as the plan, or else the newest model card, has them."""
    plan, card = plan_of(state, experiment) or {}, state.latest("model_card")
    model = plan.get("model") or (card.record["model"] if card else "")
    planned = {one["name"]: one["share"] for one in plan.get("arms", ())}
    return {"model": [str(model)], "shares": [f"{100 * planned.get(TREATMENT, USUAL_SHARE):.10g}"]}
