"""The states of the ideas that were asked for last, kept in memory, and never older than the ledger.

Whoever asks for a state asks the ledger for the idea's newest event first. The hash of that event stands for all events
before it: while it is the same the state is, and when there are more events only those are read and folded.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Engine, select

from tasuki.flow.event import Event
from tasuki.flow.fold import apply, fold
from tasuki.flow.state import IdeaState
from tasuki.store.database import asking
from tasuki.store.outlines import story_of
from tasuki.store.schema import events

MOST_EVENTS = 10_000
"""Of how many events states are kept, all ideas together: about as many kilobytes."""


@dataclass(frozen=True)
class _Kept:
    hash: str
    state: IdeaState


class StateKeeper:
    """Keeps states of one open ledger. Safe to use from several threads."""

    def __init__(self, engine: Engine, most_events: int = MOST_EVENTS) -> None:
        self._engine, self._most, self._held = engine, most_events, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def state(self, idea: str) -> IdeaState | None:
        """The state of an idea as of now; None when it has no event.

        Raises:
            Invalid: Events that cannot be folded.
            Unavailable: Events that cannot be read.
        """
        newest = (
            select(events.c.sequence, events.c.hash)
            .where(events.c.idea == idea)
            .order_by(events.c.sequence.desc())
            .limit(1)
        )
        with asking(self._engine) as connection:
            head = connection.execute(newest).one_or_none()
        if head is None:
            return None
        known = self._known(idea)
        if known is not None and (known.state.sequence, known.hash) == tuple(head):
            return known.state
        kept = self._read(idea, known)
        self._keep(idea, kept)
        return kept.state

    def _read(self, idea: str, known: _Kept | None) -> _Kept:
        with asking(self._engine) as connection:
            story = story_of(connection, idea, 1 if known is None else known.state.sequence)
            grown = _grown(known, story)
            if grown is None:  # another ledger was put in its place
                story = story_of(connection, idea)
                grown = fold(story)
        return _Kept(story[-1].hash, grown)

    def whole(self, outline: IdeaState) -> IdeaState | None:
        """The state whose outline this is, provided that it is kept; nothing is asked of the ledger."""
        known = self._known(outline.idea)
        return known.state if known is not None and known.state.sequence == outline.sequence else None

    def _known(self, idea: str) -> _Kept | None:
        with self._lock:
            if idea in self._kept:
                self._kept.move_to_end(idea)
            return self._kept.get(idea)

    def _keep(self, idea: str, kept: _Kept) -> None:
        with self._lock:
            before = self._kept.pop(idea, None)
            self._held += kept.state.sequence - (0 if before is None else before.state.sequence)
            self._kept[idea] = kept
            while self._held > self._most:
                self._held -= self._kept.popitem(last=False)[1].state.sequence


def _grown(known: _Kept | None, story: tuple[Event, ...]) -> IdeaState | None:
    """The state after the events, which begin with the last one that is known; None when they are not its sequel."""
    if known is None:
        return fold(story)
    if not story or story[0].hash != known.hash:
        return None
    state = known.state
    for event in story[1:]:
        state = apply(state, event)
    return state
