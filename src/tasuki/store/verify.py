"""What `tasuki doctor` looks for in a ledger. Reads raw rows, so that a tampered one is named and never stops it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from tasuki.clock import from_text, to_text
from tasuki.errors import Invalid, TasukiError
from tasuki.flow.event import Event, NewEvent, canonical_json, event_hash
from tasuki.store.database import reading
from tasuki.store.rows import kinds_of, stored_fold, to_event
from tasuki.store.schema import APPEND_ONLY_TRIGGERS, events, keys, outlines, streams

Row = Mapping[str, Any]

RESTORE = "keep a copy of the ledger, then `tasuki restore` the newest backup from before"
REBUILD = "`tasuki doctor --rebuild` makes the stored fold anew from the events"
GUARD = "find out who did it; `tasuki backup` and `tasuki restore` it into a new ledger, which has its guards"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the ledger.

    Args:
        idea: The stream; empty when it is about the ledger as a whole.
        sequence: The event's number in its stream; None when it is about the stream as a whole.
        problem: One word for scripts. What was recorded: `content`, `link`, `gap`, `kind`, `order`, `key`, `position`,
            `file`. What is kept beside it: `head` (the stored end of a stream is another), `fold`, `guard`.
        what: What is wrong.
        next_step: What to do about it.
    """

    idea: str
    sequence: int | None
    problem: str
    what: str
    next_step: str


def examine(engine: Engine) -> tuple[Finding, ...]:
    """All findings, on one consistent state of the ledger."""
    try:
        with reading(engine) as connection:
            return tuple(_findings(connection))
    except Invalid as damaged:  # the file itself cannot be read to its end
        return (Finding("", None, "file", damaged.what, RESTORE),)


def examine_story(idea: str, story: Sequence[Row]) -> Iterator[Finding]:
    """What is wrong within one stream: its rows in the order of their sequence."""
    previous = ""
    for expected, row in enumerate(story, 1):
        yield from _event_findings(row)
        gone = _whole(row["sequence"]) - (_whole(story[expected - 2]["sequence"]) if expected > 1 else 0) - 1
        if gone > 0:
            yield Finding(idea, row["sequence"], "gap", f"{gone} event(s) before it are gone", RESTORE)
        elif row["previous_hash"] != previous:
            what = "it does not follow the event before it (the hashes do not link)"
            yield Finding(idea, row["sequence"], "link", what, RESTORE)
        previous = row["hash"]
    positions = [_whole(row["position"]) for row in story]
    for row, before, here in zip(story[1:], positions, positions[1:], strict=False):
        if here <= before:
            yield Finding(idea, row["sequence"], "order", "it stands before its predecessor in the feed", RESTORE)


def examine_positions(count: int, newest: int) -> Iterator[Finding]:
    """Whether as many events are there as the newest position says."""
    if newest != count:
        what = f"{newest - count} event(s) of the ledger are gone: its positions run to {newest}, but it holds {count}"
        yield Finding("", None, "position", what, RESTORE)


def examine_keys(rows: Iterable[Row], spans: Mapping[str, int]) -> Iterator[Finding]:
    """Which idempotency keys stand for events that are not there; `spans` has each stream's last sequence number."""
    for row in rows:
        first, last = _whole(row["first_sequence"]), _whole(row["last_sequence"])
        if not 1 <= first <= last <= spans.get(row["idea"], 0):
            what = f"the idempotency key {row['key']!r} stands for events {first} to {last}, which are not there"
            yield Finding(row["idea"], first, "key", what, RESTORE)


def _findings(connection: Connection) -> Iterator[Finding]:
    yield from _file_findings(connection)
    yield from _guard_findings(connection)
    heads = dict(connection.execute(select(streams.c.idea, streams.c.sequence)).all())
    ordered = select(events).order_by(events.c.idea, events.c.sequence).execution_options(yield_per=1000)
    spans: dict[str, int] = {}
    for idea, group in groupby(connection.execute(ordered).mappings(), lambda row: row["idea"]):
        story: list[Row] = [dict(row) for row in group]
        spans[idea] = story[-1]["sequence"]
        broken = list(examine_story(idea, story))
        yield from broken
        heads.pop(idea, None)
        yield from _fold_findings(idea, story, _head(connection, idea), broken)
    for idea, known in heads.items():
        what = f"all its events are gone; the stored head knew {known}"
        yield Finding(idea, None, "gap", what, RESTORE)
    count, newest = connection.execute(select(func.count(), func.max(events.c.position)).select_from(events)).one()
    yield from examine_positions(count, newest or 0)
    known = connection.execute(select(keys).order_by(keys.c.key)).mappings()
    yield from examine_keys((dict(row) for row in known), spans)


def _head(connection: Connection, idea: str) -> Row | None:
    """What is stored of a stream. Read one by one: all states together are larger than all events."""
    kept = select(streams, outlines.c.opened, outlines.c.outline).outerjoin(outlines, outlines.c.idea == streams.c.idea)
    row = connection.execute(kept.where(streams.c.idea == idea)).mappings().one_or_none()
    return None if row is None else dict(row)


def _event_findings(row: Row) -> Iterator[Finding]:
    try:
        body, at = json.loads(row["body"]), from_text(row["at"])
        new = NewEvent(row["kind"], row["actor"], at, body)
        sound = event_hash(row["idea"], row["sequence"], new, row["previous_hash"]) == row["hash"]
        same_text = canonical_json(body) == row["body"] and to_text(at) == row["at"]
    except (ValueError, TypeError, AttributeError, RecursionError) as fault:
        yield Finding(row["idea"], row["sequence"], "content", f"it was changed and cannot be read ({fault})", RESTORE)
        return
    if not sound:
        what = "it was changed after it was written (its hash does not fit what it says)"
        yield Finding(row["idea"], row["sequence"], "content", what, RESTORE)
    elif not same_text:
        what = "its text was changed, though it says the same"
        yield Finding(row["idea"], row["sequence"], "content", what, RESTORE)
    if row["kind"] not in kinds_of(row["idea"]):
        what = f"{row['kind']!r} is no kind of event of this stream"
        yield Finding(row["idea"], row["sequence"], "kind", what, "update tasuki if a newer one wrote it")


def _fold_findings(idea: str, story: list[Row], head: Row | None, broken: list[Finding]) -> Iterator[Finding]:
    last = story[-1]
    if head is None:
        yield Finding(idea, None, "fold", "the stored fold does not know this stream", REBUILD)
        return
    if head["sequence"] > last["sequence"]:
        what = f"the newest event(s) are gone: the stored head knew {head['sequence']}, the last is {last['sequence']}"
        yield Finding(idea, last["sequence"] + 1, "gap", what, RESTORE)
        return
    if (head["sequence"], head["hash"]) != (last["sequence"], last["hash"]):
        what = f"the stored head ({head['sequence']}) is not the last event ({last['sequence']})"
        yield Finding(
            idea, last["sequence"], "head", what, f"{RESTORE}; add --force to rebuild if the events are right"
        )
        return
    if not broken:
        yield from _state_findings(idea, [to_event(row) for row in story], head)
    if head["opened"] not in (None, story[0]["position"]):
        what = f"its outline stands at position {head['opened']}, though it was opened at {story[0]['position']}"
        yield Finding(idea, None, "fold", what, REBUILD)


def _state_findings(idea: str, story: list[Event], head: Row) -> Iterator[Finding]:
    try:
        kept = stored_fold(idea, story)
    except TasukiError as fault:
        yield Finding(idea, None, "fold", f"its events do not fold to a state: {fault.what}", RESTORE)
        return
    if kept.state != head["state"]:
        where = _where(head["state"], kept.state)
        yield Finding(idea, None, "fold", f"its stored fold differs from its events{where}", REBUILD)
    if kept.outline != head["outline"]:
        where = _where(head["outline"], kept.outline)
        yield Finding(idea, None, "fold", f"its stored outline differs from its events{where}", REBUILD)


def _where(kept: str, state: str | None) -> str:
    try:
        stored, folded = json.loads(kept), json.loads(state or "{}")
        names = sorted(name for name in {*stored, *folded} if stored.get(name) != folded.get(name))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return " (it cannot be read)"
    return f" in {', '.join(names)}" if names else ""


def _guard_findings(connection: Connection) -> Iterator[Finding]:
    backend = connection.dialect.name
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled <> 'D'",
    }[backend]
    there = set(connection.execute(text(query)).scalars())
    for name in APPEND_ONLY_TRIGGERS[backend]:
        if name not in there:
            what = f"the trigger {name}, which keeps events from being changed, was removed"
            yield Finding("", None, "guard", what, GUARD)


def _file_findings(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    said = [row[0] for row in connection.execute(text("PRAGMA integrity_check(20)"))]
    for problem in said if said != ["ok"] else ():
        yield Finding("", None, "file", f"the file is damaged: {problem}", RESTORE)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
