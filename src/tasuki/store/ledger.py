"""The ledger: every fact of every idea, appended once and never changed. SQLite embedded, PostgreSQL as a server.

An append is one transaction: the events, the stored fold of their stream and the idempotency key are all there or none
is. When it returns they are on disk. Writers go one after the other (see `tasuki.store.database`), so positions count
1, 2, 3 … in the order of commits, without a gap: a reader that remembers a position misses nothing.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from copy import copy

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select, update

from tasuki.clock import Clock, system_clock, to_text
from tasuki.errors import Missing, Refused, Stale, Unavailable, said
from tasuki.flow.event import OWN_STREAMS, Event, NewEvent, Sought, chained
from tasuki.flow.fold import fold
from tasuki.flow.plan import Member
from tasuki.flow.state import IdeaState
from tasuki.store.database import asking, holding_calendar, open_engine, reading, writing
from tasuki.store.head import Head, read_head
from tasuki.store.migrate import bring_up_to_date
from tasuki.store.outlines import story_of
from tasuki.store.rows import checked, digest_of, read_state, stored_fold, to_event, to_row
from tasuki.store.schema import cursors, events, keys, outlines, streams
from tasuki.store.shelf import Shelf, ShelfKeeper
from tasuki.store.starts import Started, StartKeeper
from tasuki.store.states import StateKeeper
from tasuki.store.team import TeamKeeper
from tasuki.store.verify import Finding, examine

_IDEA_ID = re.compile(r"idea-([1-9][0-9]{0,17})")


def open_ledger(url: str, clock: Clock = system_clock, *, timeout_s: float = 30.0) -> "Ledger":
    """Opens the ledger at `url`, making it or bringing it to this version's form when needed.

    Args:
        url: `sqlite:///path/ledger.db` (the file's folder must exist) or `postgresql://user@host/database`.
        clock: Dates the idempotency keys; events carry their own moments.
        timeout_s: How long to wait for other writers.

    Raises:
        Invalid: The address or the file is not a ledger's.
        Unavailable: It cannot be opened, is locked for too long, or was written by a newer tasuki.
    """
    engine = open_engine(url, timeout_s)
    try:
        bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, clock)


class Ledger:
    """An open ledger; get one from `open_ledger`. Safe to use from several threads; open one per process."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._keeper = ShelfKeeper(engine)
        self._states = StateKeeper(engine)
        self._starts = StartKeeper(engine)
        self._team = TeamKeeper(engine)
        self._head: Head | None = None

    @property
    def engine(self) -> Engine:
        """The database below, for the store's own tools (backup, restore)."""
        return self._engine

    def head(self) -> Head:
        """How far it has grown."""
        with asking(self._engine) as connection:
            return read_head(connection)

    def as_of(self, head: Head) -> "Ledger":
        """This ledger for one who has just asked for its head, and reads several things of that moment.

        Members, shelf and starts are then those of the head or newer, without a question each. It sees what it writes.
        """
        known = copy(self)
        known._head = head
        return known

    def holding_calendar(self) -> AbstractContextManager[None]:
        """Holds the slots of all ideas for one who reads, decides and writes; others, on any machine, wait."""
        return holding_calendar(self._engine)

    def append(
        self, idea: str, expected_sequence: int, new: Sequence[NewEvent], *, key: str | None = None
    ) -> tuple[Event, ...]:
        """Writes events at the end of a stream, all or none, durable when this returns.

        Args:
            idea: The stream: an idea's id or one of `OWN_STREAMS`.
            expected_sequence: The sequence number of the last event the writer knows; 0 for a new stream.
            new: The events, in order.
            key: Idempotency key. A second append with the same key and the same events (whatever their moments)
                writes nothing and returns the earlier events.

        Raises:
            Stale: The stream has grown since (or, for 0, exists already).
            Refused: The key was used for something else.
            Invalid: An event that JSON, the kinds or the fold do not allow.
            Unavailable: Locked for too long, disk full, or the stream is damaged. Nothing was written.
        """
        wanted = checked(idea, new)
        with writing(self._engine) as connection:
            if key is not None and (known := _used_key(connection, key)) is not None:
                return _same_request(connection, known, digest_of(idea, wanted))
            story = _sound_story(connection, idea)
            if len(story) != expected_sequence:
                raise _stale(idea, expected_sequence, len(story))
            added = _chain(idea, story, wanted)
            _insert(connection, (*story, *added), len(added))
            if key is not None:
                row = {"key": key, "idea": idea, "digest": digest_of(idea, wanted), "at": to_text(self._clock())}
                span = {"first_sequence": added[0].sequence, "last_sequence": added[-1].sequence}
                connection.execute(insert(keys).values(row | span))
        self._head = None
        return added

    def earlier(self, key: str) -> tuple[Event, ...] | None:
        """The events that were written under this idempotency key; None when it has not been used."""
        with reading(self._engine) as connection:
            known = _used_key(connection, key)
            return None if known is None else _under(connection, known)

    def events(self, idea: str) -> tuple[Event, ...]:
        """All events of a stream in order; empty when it is unknown."""
        with reading(self._engine) as connection:
            return story_of(connection, idea)

    def length(self, stream: str) -> int:
        """How many events a stream holds; 0 when it is unknown."""
        query = select(func.coalesce(func.max(events.c.sequence), 0)).where(events.c.idea == stream)
        with asking(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def state(self, idea: str) -> IdeaState:
        """The state of an idea, folded from its events; those asked for last are kept, see `tasuki.store.states`.

        Raises:
            Missing: There is no such idea.
        """
        state = None if idea in OWN_STREAMS else self._states.state(idea)
        if state is None:
            raise Missing(said("there is no idea {idea!r}", idea=idea), next_step="see `tasuki idea list`")
        return state

    def whole(self, outline: IdeaState) -> IdeaState:
        """The state of an idea whose outline the shelf just gave: where that state is kept, nothing is asked again."""
        return self._states.whole(outline) or self.state(outline.idea)

    def ideas(self) -> tuple[IdeaState, ...]:
        """The states of all ideas in the order they were opened, from the stored fold.

        A stored state that this version cannot read is folded anew from the events.
        """
        opened = select(events.c.idea, events.c.position).where(events.c.sequence == 1).subquery()
        query = (
            select(streams.c.idea, streams.c.state)
            .join(opened, opened.c.idea == streams.c.idea)
            .where(streams.c.idea.not_in(OWN_STREAMS))
            .order_by(opened.c.position)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            return tuple(read_state(state) or fold(story_of(connection, idea)) for idea, state in rows)

    def shelf(self) -> Shelf:
        """The outlines of all ideas as of now, kept in memory: what a list of many ideas is made of.

        The first call reads every outline; later ones read what changed since, by whichever process.
        """
        return self._keeper.shelf(self._head)

    def started_models(self) -> Started:
        """The model that each experiment was started on, as of now, by idea and experiment; in the order of the starts.

        The first call reads the events of all runs; later ones what was written since, by whichever process.
        """
        return self._starts.models(self._head)

    def run_events(self, ideas: Collection[str]) -> dict[str, tuple[Event, ...]]:
        """The events of these ideas that tell of runs of experiments (`store.schema.RUN_KINDS`), in order.

        An idea without any is left out. As quick as few events, however many others the ideas have.
        """
        return self._starts.run_events(ideas, self._head)

    def feed(self, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """The next events of all streams, each with its position, in the order they were committed.

        Args:
            after: The last position already seen; 0 for the beginning.
            limit: At most so many.
        """
        query = select(events).where(events.c.position > after).order_by(events.c.position).limit(limit)
        with reading(self._engine) as connection:
            return tuple((row["position"], to_event(dict(row))) for row in connection.execute(query).mappings())

    def looked_back(self, sought: Sought, *, after: int, before: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """Events between two positions, each with its own, the newest first.

        Args:
            sought: Which ones.
            after: Only later ones; it bounds what is looked through where few are sought.
            before: Only earlier ones.
            limit: At most so many.
        """
        query = select(events).where(events.c.position > after, events.c.position < before)
        for column, wanted in (
            (events.c.idea, sought.stream),
            (events.c.actor, sought.actor),
            (events.c.kind, sought.kind),
        ):
            if wanted:
                query = query.where(column == wanted)
        query = query.order_by(events.c.position.desc()).limit(limit)
        with reading(self._engine) as connection:
            return tuple((row["position"], to_event(dict(row))) for row in connection.execute(query).mappings())

    def members(self) -> dict[str, Member]:
        """The team's members by name, folded from the team's stream when that has grown."""
        return self._team.members(self._head)

    def new_idea_id(self) -> str:
        """The next free id: `idea-1`, `idea-2` … Two who ask at once get the same; the slower one's append is Stale."""
        with reading(self._engine) as connection:
            known = connection.execute(select(streams.c.idea).where(streams.c.idea.like("idea-%"))).scalars()
            numbers = [int(match[1]) for idea in known if (match := _IDEA_ID.fullmatch(idea))]
        return f"idea-{max(numbers, default=0) + 1}"

    def cursor(self, name: str) -> int:
        """The position that the reader of this name has reached; 0 when it has not begun."""
        with reading(self._engine) as connection:
            return connection.execute(select(cursors.c.position).where(cursors.c.name == name)).scalar() or 0

    def move_cursor(self, name: str, position: int) -> None:
        """Remembers that the reader has dealt with everything up to `position`. A cursor never moves backward."""
        with writing(self._engine) as connection:
            known = connection.execute(select(cursors.c.position).where(cursors.c.name == name)).scalar()
            if known is None:
                connection.execute(insert(cursors).values(name=name, position=position))
            elif position > known:
                connection.execute(update(cursors).where(cursors.c.name == name).values(position=position))

    def verify(self) -> tuple[Finding, ...]:
        """Everything that is wrong with the ledger; empty when it is healthy. Never fails on a tampered row."""
        return examine(self._engine)

    def size(self) -> tuple[int, int]:
        """How many events it holds, in how many streams."""
        count = select(func.count(), func.count(events.c.idea.distinct())).select_from(events)
        with reading(self._engine) as connection:
            held, told = connection.execute(count).one()
        return held, told

    def rebuild(self) -> int:
        """Makes the stored fold anew from the events and returns how many streams it covers.

        The stored heads show when the newest events were removed: `verify` first, this makes them forget.

        Raises:
            Invalid: Events that cannot be folded. Nothing was changed.
            Unavailable: Events that cannot be read. Nothing was changed.
        """
        with writing(self._engine) as connection:
            return rebuild_streams(connection)

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()


def rebuild_streams(connection: Connection) -> int:
    """Makes the stored fold of every stream anew, within the caller's transaction; gives the number of streams."""
    connection.execute(delete(streams))
    connection.execute(delete(outlines))
    opened = select(events.c.idea, events.c.position).where(events.c.sequence == 1).order_by(events.c.idea)
    ideas = connection.execute(opened).all()
    for idea, position in ideas:
        _keep_fold(connection, story_of(connection, idea), position)
    return len(ideas)


def _sound_story(connection: Connection, idea: str) -> tuple[Event, ...]:
    """The events so far, provided that they end where the stored head says: nothing is built on a damaged stream."""
    story = story_of(connection, idea)
    head = connection.execute(select(streams.c.sequence, streams.c.hash).where(streams.c.idea == idea)).one_or_none()
    last = (story[-1].sequence, story[-1].hash) if story else None
    if last != (tuple(head) if head else None) or (last and last[0] != len(story)):
        raise Unavailable(
            said("the events of {idea} do not end where the ledger's stored head says; nothing was written", idea=idea),
            next_step="run `tasuki doctor`, which names what is wrong",
        )
    return story


def _chain(idea: str, story: Sequence[Event], wanted: Sequence[NewEvent]) -> tuple[Event, ...]:
    added: list[Event] = []
    previous = story[-1].hash if story else ""
    for sequence, event in enumerate(wanted, len(story) + 1):
        added.append(chained(idea, sequence, event, previous))
        previous = added[-1].hash
    return tuple(added)


def _insert(connection: Connection, story: tuple[Event, ...], count: int) -> None:
    """Writes the last `count` events of the story and its stored fold."""
    last = connection.execute(select(func.max(events.c.position))).scalar() or 0
    connection.execute(insert(events), [to_row(last + n, one) for n, one in enumerate(story[-count:], 1)])
    _keep_fold(connection, story, last + 1 if count == len(story) else None)


def _keep_fold(connection: Connection, story: tuple[Event, ...], opened: int | None) -> None:
    """Stores the head, the state and the outline of a stream; `opened` is the position of one that is new here."""
    last, kept = story[-1], stored_fold(story[-1].idea, story)
    head = {"sequence": last.sequence, "hash": last.hash, "state": kept.state}
    if opened is not None:
        connection.execute(insert(streams).values(idea=last.idea, **head))
    else:
        connection.execute(update(streams).where(streams.c.idea == last.idea).values(head))
    if kept.outline is None:
        return
    if opened is not None:
        connection.execute(insert(outlines).values(idea=last.idea, opened=opened, outline=kept.outline))
    else:
        connection.execute(update(outlines).where(outlines.c.idea == last.idea).values(outline=kept.outline))


def _used_key(connection: Connection, key: str) -> RowMapping | None:
    return connection.execute(select(keys).where(keys.c.key == key)).mappings().one_or_none()


def _under(connection: Connection, known: RowMapping) -> tuple[Event, ...]:
    story = story_of(connection, known["idea"])
    return tuple(event for event in story if known["first_sequence"] <= event.sequence <= known["last_sequence"])


def _same_request(connection: Connection, known: RowMapping, digest: str) -> tuple[Event, ...]:
    if known["digest"] != digest:
        raise Refused(
            said(
                "the idempotency key {key!r} was used for something else (on {idea})",
                key=known["key"],
                idea=known["idea"],
            ),
            rule="a key stands for one request",
            next_step="use a new key for a new request",
        )
    return _under(connection, known)


def _stale(idea: str, expected: int, found: int) -> Stale:
    what = f"{idea} has {found} event(s) by now" if found else f"there is no {idea!r} yet"
    return Stale(
        what, expected=f"{expected}", next_step=said("read {idea} again and decide on its present state", idea=idea)
    )
