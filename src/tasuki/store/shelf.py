"""The shelf: the outlines of all ideas in memory, sorted as pages show them, and never older than the ledger.

Whoever asks for the shelf asks the ledger for its newest position first. When that has grown, by whichever process,
only the ideas that changed since are read. A shelf that was handed out never changes.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, func, select

from tasuki.flow.event import OWN_STREAMS, TEAM_STREAM
from tasuki.flow.fold import fold_members
from tasuki.flow.plan import Member
from tasuki.flow.state import IdeaState
from tasuki.store.database import asking, reading
from tasuki.store.head import Head, read_head
from tasuki.store.outlines import read_outlines, story_of
from tasuki.store.schema import events

T = TypeVar("T")
Q = TypeVar("Q", bound=Hashable)
Make = Callable[[IdeaState], Any]
_ANSWERS_KEPT = 200


class Pile:
    """Outlines in an order, and what was made of each: made once, and again only for those that changed."""

    def __init__(self, states: tuple[IdeaState, ...], before: "Pile | None" = None) -> None:
        self.states = states
        self._lock = threading.Lock()
        self._made: dict[Make, tuple[Any, ...]] = {}
        self._whole: dict[Callable[..., Any], Any] = {}
        self._answers: dict[tuple[Callable[..., Any], Hashable], Any] = {}
        for make, values in before._made.items() if before is not None else ():
            known = {id(state): value for state, value in zip(before.states if before else (), values, strict=True)}
            self._made[make] = tuple(known[id(one)] if id(one) in known else make(one) for one in states)

    def made(self, make: Callable[[IdeaState], T]) -> tuple[T, ...]:
        """`make(state)` for each, in the pile's order. `make` is pure and named at module level: it is the key."""
        with self._lock:
            if make not in self._made:
                self._made[make] = tuple(make(state) for state in self.states)
            return self._made[make]

    def whole(self, make: Callable[[tuple[IdeaState, ...]], T]) -> T:
        """`make(states)` for the pile as it is. `make` is pure and named at module level: it is the key."""
        with self._lock:
            if make not in self._whole:
                self._whole[make] = make(self.states)
            made: T = self._whole[make]
            return made

    def answered(self, answer: Callable[["Pile", Q], T], question: Q) -> T:
        """`answer(pile, question)`; the last answers are kept as long as the pile is. `answer` is pure and named."""
        key = (answer, question)
        with self._lock:
            if key in self._answers:
                kept: T = self._answers[key]
                return kept
        given = answer(self, question)
        with self._lock:
            if len(self._answers) >= _ANSWERS_KEPT:
                self._answers.clear()
            self._answers[key] = given
        return given


@dataclass(frozen=True)
class Shelf:
    """What lists read, as of one position of the ledger.

    Args:
        position: The ledger's newest position when it was read.
        ideas: The outline of every idea by its id, in the order they were opened.
        active: Those that run, in that order.
        ended: Those that are over, the newest first.
        members: The team's members by name.
    """

    position: int = 0
    ideas: Mapping[str, IdeaState] = field(default_factory=dict)
    active: Pile = field(default_factory=lambda: Pile(()))
    ended: Pile = field(default_factory=lambda: Pile(()))
    members: Mapping[str, Member] = field(default_factory=dict)


class ShelfKeeper:
    """Keeps the shelf of one open ledger up to date. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._shelf = Shelf()

    def shelf(self, head: Head | None = None) -> Shelf:
        """The shelf as of now: everything that was committed before this call is on it.

        Args:
            head: The ledger's head, for whoever has asked for it already: then the shelf is of that moment or newer.
        """
        if head is None:
            with asking(self._engine) as connection:
                head = read_head(connection)
        if head.position == self._shelf.position:
            return self._shelf
        with self._lock, reading(self._engine) as connection:
            self._shelf = _grown(connection, self._shelf)  # whoever waited here finds the work done
            return self._shelf


def shelf_of(states: Iterable[IdeaState]) -> Shelf:
    """The shelf that holds these ideas, in the order they are given."""
    return _sorted(0, {state.idea: state for state in states}, Shelf(), None, {})


def _newest(connection: Connection) -> int:
    return connection.execute(select(func.max(events.c.position))).scalar() or 0


def _grown(connection: Connection, shelf: Shelf) -> Shelf:
    newest = _newest(connection)
    if newest == shelf.position:
        return shelf
    if newest < shelf.position or shelf.position == 0:  # another ledger was put in its place, or this is the first look
        states = {state.idea: state for state in read_outlines(connection)}
        return _sorted(newest, states, Shelf(), None, _members(connection))
    # Not DISTINCT: SQLite would walk the index of all streams for it, not the few rows behind the position.
    changed = set(connection.execute(select(events.c.idea).where(events.c.position > shelf.position)).scalars())
    fresh = {state.idea: state for state in read_outlines(connection, sorted(changed - OWN_STREAMS))}
    members = _members(connection) if TEAM_STREAM in changed else shelf.members
    return _sorted(newest, {**shelf.ideas, **fresh}, shelf, fresh, members)


def _sorted(
    position: int,
    ideas: dict[str, IdeaState],
    before: Shelf,
    fresh: Mapping[str, IdeaState] | None,
    members: Mapping[str, Member],
) -> Shelf:
    active = Pile(_active(ideas, before, fresh), before.active)
    ended = before.ended
    if fresh is None or any(_is_over(one) or _is_over(before.ideas.get(one.idea)) for one in fresh.values()):
        over = sorted((state for state in ideas.values() if _is_over(state)), key=_ended_at, reverse=True)
        ended = Pile(tuple(over), before.ended)
    return Shelf(position, ideas, active, ended, members)


def _active(
    ideas: Mapping[str, IdeaState], before: Shelf, fresh: Mapping[str, IdeaState] | None
) -> tuple[IdeaState, ...]:
    """Those that run, in the order they were opened: found among all only where one began or ended to run."""
    if fresh is not None and all(_runs(one) and _runs(before.ideas.get(idea)) for idea, one in fresh.items()):
        return tuple(fresh.get(state.idea, state) for state in before.active.states)
    return tuple(state for state in ideas.values() if _runs(state))


def _runs(state: IdeaState | None) -> bool:
    return state is not None and state.status == "active"


def _is_over(state: IdeaState | None) -> bool:
    return state is not None and state.status != "active"


def _ended_at(state: IdeaState) -> datetime:
    return state.ended_at or state.last_event_at or state.opened_at


def _members(connection: Connection) -> dict[str, Member]:
    return fold_members(story_of(connection, TEAM_STREAM))
