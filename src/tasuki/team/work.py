"""What waits for a member: work in hand, offers to pick up or judge, and debts. Never a score of a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tasuki.errors import TasukiError
from tasuki.flow.plan import CASE
from tasuki.flow.relay import require_may_receive
from tasuki.flow.rights import Act
from tasuki.flow.state import IdeaState

What = Literal["judge", "pick_up", "run", "settle", "wait"]
_ORDER: tuple[What, ...] = ("judge", "pick_up", "settle", "run", "wait")


@dataclass(frozen=True)
class WorkItem:
    """One thing that waits.

    Args:
        what: judge (picked up by the member), pick_up (offered to them or to all who may), settle (a debt of
            theirs), run (they have the sash), wait (they have offered it and wait for an answer).
        idea: The idea.
        title: Its title.
        stage: The stage it is about; `case` for an idea to conclude.
        since: Since when.
        due: When a debt is due.
        note: What the one who offered wrote, or what is owed.
        next_step: The command to type.
    """

    what: What
    idea: str
    title: str
    stage: str
    since: datetime
    next_step: str
    due: date | None = None
    note: str = ""


def my_work(ideas: Iterable[IdeaState], act: Act) -> tuple[WorkItem, ...]:
    """Everything that waits for the acting member, the most urgent kind first, the oldest first within it."""
    items = [item for state in ideas for item in (*_sash(state, act), *_debts(state, act))]
    return tuple(sorted(items, key=lambda item: (_ORDER.index(item.what), item.due or date.max, item.since)))


def _sash(state: IdeaState, act: Act) -> list[WorkItem]:
    if state.status != "active":
        return []
    offer = state.offer
    if offer is None:
        mine = state.holder == act.actor
        return [_item(state, "run", state.stage, state.legs[-1].started_at, "handoff offer")] if mine else []
    if offer.picked_up_by == act.actor:
        return [_item(state, "judge", offer.to_stage, offer.picked_up_at or offer.offered_at, "handoff accept")]
    if offer.picked_up_by is None and _may_receive(state, act):
        return [_item(state, "pick_up", offer.to_stage, offer.offered_at, "handoff pick-up")]
    if offer.offered_by == act.actor:
        return [_item(state, "wait", offer.to_stage, offer.offered_at, "idea show")]
    return []


def _item(state: IdeaState, what: What, stage: str, since: datetime, verb: str) -> WorkItem:
    note = state.offer.note if state.offer is not None else ""
    return WorkItem(what, state.idea, state.title, stage, since, f"tasuki {verb} {state.idea}", note=note)


def _may_receive(state: IdeaState, act: Act) -> bool:
    try:
        require_may_receive(state, act)
    except TasukiError:
        return False
    return True


def _debts(state: IdeaState, act: Act) -> list[WorkItem]:
    last = state.last_event_at or state.opened_at
    return [
        WorkItem(
            "settle",
            state.idea,
            state.title,
            state.stage if state.status == "active" else CASE,
            last,
            f"tasuki idea settle {state.idea} {debt.number}",
            debt.due,
            debt.what,
        )
        for debt in state.open_debts()
        if debt.owner == act.actor
    ]
