"""The stored outlines of ideas: filled, and read again where something changed."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from tasuki.errors import TasukiError
from tasuki.flow.event import OWN_STREAMS, Event
from tasuki.flow.fold import fold
from tasuki.flow.outline import outline_of
from tasuki.flow.state import IdeaState
from tasuki.store.rows import outline_text, read_state, to_event
from tasuki.store.schema import events, outlines, streams

_AT_ONCE = 500


def story_of(connection: Connection, idea: str, since: int = 1) -> tuple[Event, ...]:
    """The events of a stream in order, from a sequence number on."""
    query = select(events).where(events.c.idea == idea, events.c.sequence >= since).order_by(events.c.sequence)
    return tuple(to_event(dict(row)) for row in connection.execute(query).mappings())


def fill_outlines(connection: Connection) -> None:
    """Makes every outline anew from the stored states, within the caller's transaction.

    An idea whose events cannot be folded gets none: `tasuki doctor` names it.
    """
    connection.execute(delete(outlines))
    opened = select(events.c.idea, events.c.position).where(events.c.sequence == 1).order_by(events.c.position)
    for idea, position in connection.execute(opened.where(events.c.idea.not_in(OWN_STREAMS))).all():
        stored = connection.execute(select(streams.c.state).where(streams.c.idea == idea)).scalar()
        try:
            state = read_state(stored) or fold(story_of(connection, idea))
        except TasukiError:
            continue
        connection.execute(insert(outlines).values(idea=idea, opened=position, outline=outline_text(state)))


def read_outlines(connection: Connection, ideas: Sequence[str] | None = None) -> list[IdeaState]:
    """The outlines of these ideas, or of all, in the order they were opened.

    What is not stored, or stored in a way that this version cannot read, is folded anew from the events.
    """
    query = (
        select(streams.c.idea, outlines.c.opened, outlines.c.outline)
        .outerjoin(outlines, outlines.c.idea == streams.c.idea)
        .where(streams.c.idea.not_in(OWN_STREAMS))
    )
    found = []
    for part in [None] if ideas is None else [ideas[n : n + _AT_ONCE] for n in range(0, len(ideas), _AT_ONCE)]:
        rows = connection.execute(query if part is None else query.where(streams.c.idea.in_(part)))
        found += [_read(connection, *row) for row in rows]
    return [state for _, state in sorted(found, key=lambda one: one[0])]


def _read(connection: Connection, idea: str, opened: int | None, text: str | None) -> tuple[int, IdeaState]:
    state = None if opened is None else read_state(text)
    if state is not None and opened is not None:
        return opened, state
    first = select(events.c.position).where(events.c.idea == idea, events.c.sequence == 1)
    return connection.execute(first).scalar() or 0, outline_of(fold(story_of(connection, idea)))
