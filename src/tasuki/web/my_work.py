"""One member's work as a value: what waits for them, what they have, what they offered, and the debts they owe."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tasuki.experiments.booking import FreedSlot, Slot, SlotCalendar
from tasuki.flow.plan import CASE, Member, Playbook
from tasuki.flow.state import Debt, IdeaState
from tasuki.web.board import Card, card_of


@dataclass(frozen=True)
class Task:
    """An idea in a list of work. `command` is what to type next."""

    card: Card
    stage: str
    command: str


@dataclass(frozen=True)
class Owed:
    """An open debt of this member and the idea it belongs to."""

    idea: str
    title: str
    debt: Debt
    overdue: bool


@dataclass(frozen=True)
class MovingUp:
    """A slot of this member's that could begin sooner, from which day, and what was given back before it."""

    slot: Slot
    day: date
    freed: FreedSlot


@dataclass(frozen=True)
class Work:
    """Everything on a member's page, most urgent first."""

    to_judge: tuple[Task, ...]
    to_pick_up: tuple[Task, ...]
    at_work: tuple[Task, ...]
    offered: tuple[Task, ...]
    debts: tuple[Owed, ...]

    @property
    def waiting(self) -> int:
        """How many hand-offs wait for this member."""
        return len(self.to_judge) + len(self.to_pick_up)


def work_of(
    member: Member, states: Sequence[IdeaState], playbook: Playbook, now: datetime, team: Collection[Member] = ()
) -> Work:
    """The member's work over all ideas.

    Args:
        member: Whose work it is.
        states: The ideas.
        playbook: The team's stages and formations.
        now: The moment.
        team: Everyone, for whether another could receive what the member has offered.
    """
    active = [state for state in states if state.status == "active"]
    held = [state for state in active if state.holder == member.name]
    judging = [state for state in active if state.offer and state.offer.picked_up_by == member.name]
    open_to_me = [state for state in active if _may_pick_up(member, state, playbook, team)]

    def tasks(chosen: Sequence[IdeaState], verb: str) -> tuple[Task, ...]:
        made = [_task(state, playbook, now, verb, member.name) for state in chosen]
        return tuple(sorted(made, key=lambda task: -task.card.age_days))

    return Work(
        to_judge=tasks(judging, "accept"),
        to_pick_up=tasks(open_to_me, "pick-up"),
        at_work=tasks([state for state in held if state.offer is None], "offer"),
        offered=tasks([state for state in held if state.offer], ""),
        debts=_debts(member.name, states, now),
    )


def waits_for_slot(state: IdeaState) -> bool:
    """Whether an experiment of the idea is booked and has not started."""
    return any(one.booked_from is not None and one.started_at is None for one in state.experiments)


def moving_up(calendar: SlotCalendar, ideas: Collection[str]) -> tuple[MovingUp, ...]:
    """The slots of these ideas that could begin sooner, since somebody gave days before them back."""
    found = []
    for slot in calendar.slots:
        day, freed = (calendar.sooner(slot), calendar.freed_before(slot)) if slot.idea in ideas else (None, None)
        if day is not None and freed is not None:
            found.append(MovingUp(slot, day, freed))
    return tuple(found)


def _may_pick_up(member: Member, state: IdeaState, playbook: Playbook, team: Collection[Member]) -> bool:
    offer = state.offer
    if offer is None or offer.picked_up_by is not None:
        return False
    if offer.offered_by == member.name and offer.to_stage != CASE and not _may_receive_own(state, playbook, team):
        return False
    if offer.to_member is not None:
        return offer.to_member == member.name
    if offer.to_stage == CASE:
        return state.owner == member.name
    formation = playbook.formations.get(state.formation)
    return formation is not None and bool(set(member.roles) & set(formation.roles_for(state.flow, offer.to_stage)))


def _may_receive_own(state: IdeaState, playbook: Playbook, team: Collection[Member]) -> bool:
    """Whether four eyes cannot be asked for: one person does all, or one role has both stages and nobody else."""
    formation, offer = playbook.formations.get(state.formation), state.offer
    if formation is None or offer is None:
        return False
    givers, takers = (set(formation.roles_for(state.flow, stage)) for stage in (offer.from_stage, offer.to_stage))
    others = any(takers & set(one.roles) for one in team if one.name != offer.offered_by)
    return formation.one_person or (givers == takers and not others)


def _task(state: IdeaState, playbook: Playbook, now: datetime, verb: str, member: str) -> Task:
    command = f"tasuki handoff {verb} {state.idea} --as {member}" if verb else ""
    stage = state.offer.to_stage if state.offer and verb != "offer" else state.stage
    return Task(card_of(state, playbook, now), stage, command)


def _debts(member: str, states: Sequence[IdeaState], now: datetime) -> tuple[Owed, ...]:
    owed = [
        Owed(state.idea, state.title, debt, debt.due < now.date())
        for state in states
        for debt in state.open_debts()
        if debt.owner == member
    ]
    return tuple(sorted(owed, key=lambda one: one.debt.due))
