"""The board as a value: which idea stands in which stage, who has it, how long, and what it waits for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tasuki.flow.plan import Flow, Playbook
from tasuki.flow.state import IdeaState
from tasuki.store.shelf import Shelf
from tasuki.web.language import days_between

RECENT = 10
OTHER_STAGES = "other"


@dataclass(frozen=True)
class Waiting:
    """An open hand-off: for whom it waits (a person, or anyone of these roles) and for how long."""

    kind: Literal["offered", "picked_up"]
    member: str | None
    roles: tuple[str, ...]
    to_stage: str
    days: float


@dataclass(frozen=True)
class Card:
    """An active idea as the board shows it. `slot_from` is the first day of the A/B slot it waits for."""

    idea: str
    title: str
    owner: str
    holder: str
    age_days: float
    estimate_days: float | None
    waiting: Waiting | None
    debts: int
    overdue_debts: int
    slot_from: date | None

    @property
    def beyond_estimate(self) -> bool:
        """Whether it has been here longer than its owner foresaw."""
        return self.estimate_days is not None and self.age_days > self.estimate_days


@dataclass(frozen=True)
class Column:
    """One stage of the flow with the ideas that are in it. `roles` own it in the team's formation."""

    stage: str
    task_kind: str
    roles: tuple[str, ...]
    cards: tuple[Card, ...]
    limit: int | None = None

    @property
    def over_limit(self) -> bool:
        """Whether more ideas are in it than the team wants at once."""
        return self.limit is not None and len(self.cards) > self.limit


@dataclass(frozen=True)
class FlowTab:
    """A flow to choose, and how many ideas run in it."""

    name: str
    active: int


@dataclass(frozen=True)
class Ended:
    """An idea that has ended. `outcome` is its decision, `killed`, or `concluded` where no decision is recorded."""

    idea: str
    title: str
    flow: str
    owner: str
    outcome: str
    ended_at: datetime
    days: float
    effect: float | None


@dataclass(frozen=True)
class Wait:
    """Somebody or something that ideas wait for, over all flows: a member, anyone of these roles, or an A/B slot.

    Args:
        member: Whom they wait for; None where it is a role or a slot.
        roles: Whose turn it is where nobody is named; empty for a slot.
        count: How many ideas wait.
        days: How long the first of them has waited; None for a slot.
        slot_from: The first day of the next slot.
    """

    member: str | None
    roles: tuple[str, ...]
    count: int
    days: float | None = None
    slot_from: date | None = None


@dataclass(frozen=True)
class Board:
    """Everything on the board's page."""

    flow: str
    person: str | None
    role: str | None
    tabs: tuple[FlowTab, ...]
    people: tuple[str, ...]
    columns: tuple[Column, ...]
    ended: tuple[Ended, ...]
    ended_total: int
    waits: tuple[Wait, ...] = ()

    @property
    def active(self) -> int:
        """How many cards are on the board."""
        return sum(len(column.cards) for column in self.columns)


@dataclass(frozen=True)
class BoardChoice:
    """What the reader asked to see."""

    flow: str
    person: str | None = None
    role: str | None = None


def build_board(shelf: Shelf, playbook: Playbook, formation: str, choice: BoardChoice, now: datetime) -> Board:
    """The board of one flow, of everyone or of one person's ideas."""
    flow = playbook.flows[choice.flow]
    active = [state for state in shelf.active.states if _is_asked_for(state, choice, playbook)]
    ended, total = _recently_ended(shelf, choice, playbook)
    return Board(
        flow=flow.name,
        person=choice.person,
        role=choice.role,
        tabs=tuple(FlowTab(name, sum(state.flow == name for state in active)) for name in playbook.flows),
        people=tuple(sorted(shelf.active.whole(_all_people) | shelf.ended.whole(_all_people))),
        columns=_columns([state for state in active if state.flow == flow.name], flow, playbook, formation, now),
        ended=ended,
        ended_total=total,
        waits=_waits(active, playbook, now),
    )


def _waits(active: Sequence[IdeaState], playbook: Playbook, now: datetime) -> tuple[Wait, ...]:
    """Whom and what ideas wait for, the longest wait first and slots last."""
    days: dict[tuple[str | None, tuple[str, ...]], list[float]] = {}
    for state in active:
        waiting = waiting_of(state, playbook, now)
        if waiting is not None:
            key = (waiting.member, () if waiting.member else waiting.roles)
            days.setdefault(key, []).append(waiting.days)
    people = [Wait(member, roles, len(spans), max(spans)) for (member, roles), spans in days.items()]
    slots = [first for state in active if (first := _slot_from(state)) is not None]
    slot = (Wait(None, (), len(slots), slot_from=min(slots)),) if slots else ()
    return (*sorted(people, key=lambda one: -(one.days or 0.0)), *slot)


def _is_asked_for(state: IdeaState, choice: BoardChoice, playbook: Playbook) -> bool:
    return (choice.person is None or choice.person in people_of(state)) and (
        choice.role is None or choice.role in _roles_now(state, playbook)
    )


def _recently_ended(shelf: Shelf, choice: BoardChoice, playbook: Playbook) -> tuple[tuple[Ended, ...], int]:
    """The lines of those that ended last, and how many have ended: all of them, unless the reader chose."""
    over = shelf.ended.states if choice.person is None else shelf.ended.whole(_by_person).get(choice.person, ())
    if choice.role is not None:
        owned: dict[tuple[str, str, str], bool] = {}  # the same few answers for thousands of ideas
        for state in over:
            place = (state.formation, state.flow, state.stage)
            if place not in owned:
                owned[place] = choice.role in _roles_now(state, playbook)
        over = tuple(state for state in over if owned[state.formation, state.flow, state.stage])
    return tuple(ended_of(state) for state in over[:RECENT]), len(over)


def _by_person(states: tuple[IdeaState, ...]) -> dict[str, tuple[IdeaState, ...]]:
    found: dict[str, list[IdeaState]] = {}
    for state in states:
        for person in people_of(state):
            found.setdefault(person, []).append(state)
    return {person: tuple(theirs) for person, theirs in found.items()}


def _all_people(states: tuple[IdeaState, ...]) -> frozenset[str]:
    return frozenset(person for state in states for person in people_of(state))


def people_of(state: IdeaState) -> frozenset[str]:
    """Who has to do with an idea now: its owner, who holds it, and whom it waits for."""
    waiting = {state.offer.to_member, state.offer.picked_up_by} if state.offer else set()
    return frozenset({state.owner, state.holder} | {person for person in waiting if person})


def _roles_now(state: IdeaState, playbook: Playbook) -> tuple[str, ...]:
    """The roles whose turn it is: those that own the stage, or the next one while it is offered to them."""
    formation = playbook.formations.get(state.formation)
    stage = state.offer.to_stage if state.offer else state.stage
    return formation.roles_for(state.flow, stage) if formation else ()


def _columns(
    states: Sequence[IdeaState], flow: Flow, playbook: Playbook, formation: str, now: datetime
) -> tuple[Column, ...]:
    stages = [*flow.stages, *sorted({state.stage for state in states} - set(flow.stages))]
    team = playbook.formations.get(formation)
    return tuple(
        Column(
            stage,
            playbook.stages[stage].task_kind if stage in playbook.stages else OTHER_STAGES,
            team.roles_for(flow.name, stage) if team else (),
            _cards((state for state in states if state.stage == stage), playbook, now),
            playbook.stages[stage].limit if stage in playbook.stages else None,
        )
        for stage in stages
    )


def _cards(states: Iterable[IdeaState], playbook: Playbook, now: datetime) -> tuple[Card, ...]:
    cards = [card_of(state, playbook, now) for state in states]
    return tuple(sorted(cards, key=lambda card: -card.age_days))


def card_of(state: IdeaState, playbook: Playbook, now: datetime) -> Card:
    """The card of one active idea."""
    leg = state.legs[-1] if state.legs and state.legs[-1].stage == state.stage else None
    debts = state.open_debts()
    return Card(
        idea=state.idea,
        title=state.title,
        owner=state.owner,
        holder=state.holder,
        age_days=max(0.0, days_between(stage_entered_at(state), now)),
        estimate_days=leg.estimate_days if leg else None,
        waiting=waiting_of(state, playbook, now),
        debts=len(debts),
        overdue_debts=sum(debt.due < now.date() for debt in debts),
        slot_from=_slot_from(state),
    )


def stage_entered_at(state: IdeaState) -> datetime:
    """When the idea came into its present stage: the start of the last unbroken run of legs there."""
    entered = state.opened_at
    for leg, before in zip(state.legs, (None, *state.legs), strict=False):
        if before is None or before.stage != leg.stage:
            entered = leg.started_at
    return entered


def waiting_of(state: IdeaState, playbook: Playbook, now: datetime) -> Waiting | None:
    """For whom the open hand-off waits, or None when none is open."""
    offer = state.offer
    if offer is None:
        return None
    formation = playbook.formations.get(state.formation)
    roles = formation.roles_for(state.flow, offer.to_stage) if formation else ()
    if offer.picked_up_by is not None:
        since = offer.picked_up_at or offer.offered_at
        return Waiting("picked_up", offer.picked_up_by, roles, offer.to_stage, max(0.0, days_between(since, now)))
    days = max(0.0, days_between(offer.offered_at, now))
    return Waiting("offered", offer.to_member, roles, offer.to_stage, days)


def _slot_from(state: IdeaState) -> date | None:
    booked = [one.booked_from for one in state.experiments if one.booked_from and one.started_at is None]
    return min(booked, default=None)


def ended_of(state: IdeaState) -> Ended:
    """The line of an idea that was killed or concluded."""
    ended_at = state.ended_at or state.last_event_at or state.opened_at
    decision = state.latest("decision")
    outcome = "killed" if state.status == "killed" else str(decision.record["decision"]) if decision else "concluded"
    return Ended(
        idea=state.idea,
        title=state.title,
        flow=state.flow,
        owner=state.owner,
        outcome=outcome,
        ended_at=ended_at,
        days=days_between(state.opened_at, ended_at),
        effect=_relative_effect(state),
    )


def _relative_effect(state: IdeaState) -> float | None:
    """The relative effect of the metric that was decided on, from the comparison; of its first metric otherwise."""
    comparison, decision = state.latest("comparison_report"), state.latest("decision")
    if comparison is None:
        return None
    overall = [one for one in comparison.record["results"] if one["segment"] is None]
    decided = [one for one in overall if decision and one["metric"] == decision.record["metric"]]
    relative = next((one["relative"] for one in (*decided, *overall)), None)
    return None if relative is None else float(relative)
