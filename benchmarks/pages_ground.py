"""The ground of `benchmarks/pages.py`: a ledger of ten thousand ideas, written in bulk, as sound as one that grew.

Every idea is one of the sample team's forty past ideas (`tasuki.samples.history`), whose events were decided by the
flow's own rules, moved in time, under another name, with comments between its events. Hash chains, positions, stored
folds and outlines are those that single appends would have left: `tasuki doctor` finds nothing.
"""

import hashlib
import json
import os
import random
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from tasuki.cases.case import case_of, case_to_body
from tasuki.clock import to_text
from tasuki.flow.event import TEAM_STREAM, Event, NewEvent, canonical_json
from tasuki.flow.fold import apply, fold, state_to_json
from tasuki.flow.plan import CASE
from tasuki.flow.state import IdeaState
from tasuki.samples.history import team_history
from tasuki.samples.team import MEMBERS
from tasuki.store.artifacts import MANIFEST
from tasuki.store.database import writing
from tasuki.store.ledger import Ledger
from tasuki.store.rows import outline_text
from tasuki.store.schema import events, outlines, streams

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PER_IDEA = 100
LONG = 500
"""One idea of so many events, to look at the page of a long story."""
ACTIVE_SHARE = 0.03
MODELS = ("ctr", "cvr", "bid")
AT_ONCE = 100
"""Streams in one transaction."""
AHEAD = 6
"""Parts that are made before they can be written; so many are held in memory."""
WORDS = (
    "遅延ラベルの締め切りを 72 時間にすると、夜間の判定が 3 % 変わります。集計をやり直して置きました。",
    "The holdout looks fine to me; see the note in the data report about the two missing hours.",
    "実装側の確認は済みました。キャッシュの更新は 10 分おきで、応答時間は 1.2 ms のままです。",
    "ここは来週の会議で決めましょう。候補は二つ、どちらも戻せます。",
)


@dataclass(frozen=True)
class Told:
    """The rows of one stream."""

    events: list[dict[str, Any]]
    stream: dict[str, Any]
    outline: dict[str, Any] | None


@dataclass(frozen=True)
class Written:
    """An event to be, with its body's canonical text: that of a past idea's evidence is made once for all copies."""

    event: NewEvent
    body: str


class History:
    """The forty past ideas, to be told again under other names.

    Args:
        ideas: How many ideas there will be; the newest are the active ones, the others ended over the two years before.
    """

    def __init__(self, ideas: int) -> None:
        self.ideas = ideas
        past = team_history(1, NOW)
        told = (tuple(e for e in one.events if e.kind != "case_filed") for one in past)
        self._past = [tuple(map(_written, one)) for one in told]
        self._names = [one.idea for one in past]

    def stream(self, number: int) -> tuple[str, list[Written], IdeaState | None]:
        """A stream with its events and their fold; the team's own stream is number 0."""
        if number == 0:
            return TEAM_STREAM, [_written(event) for event in _members()], None
        name, chance = f"idea-{number}", random.Random(number)
        past = self._past[number % len(self._past)]
        active = number > self.ideas * (1 - ACTIVE_SHARE)
        told = self._moved(past, number, chance.randint(3, _last(past)) if active else len(past))
        told = _own_experiments(told, self._names[number % len(self._past)], number)
        length = LONG if number == 1 else PER_IDEA
        story = _commented(told, length - len(told) - (not active), chance)
        state = _folded(name, [one.event for one in story])
        if active:
            return name, story, state
        filed = NewEvent("case_filed", state.owner, story[-1].event.at, {"case": case_to_body(case_of(state))})
        event = Event(name, len(story) + 1, filed.kind, filed.actor, filed.at, filed.body, "", "")
        return name, [*story, _written(filed)], apply(state, event)

    def _moved(self, past: Sequence[Written], number: int, length: int) -> list[Written]:
        days_ago = (self.ideas - number) / self.ideas * 700
        shift = NOW - timedelta(days=days_ago, hours=1) - past[length - 1].event.at
        told = [Written(replace(one.event, at=one.event.at + shift), one.body) for one in past[:length]]
        opened = told[0].event
        body = {**opened.body, "title": f"{opened.body['title']} {number}"}
        return [_written(replace(opened, body=body)), *told[1:]]


def seed(ledgers: Sequence[Ledger], ideas: int) -> int:
    """Writes the same history into empty ledgers; gives how many events each holds then.

    Other processes make the rows, some parts ahead of this one, which writes them.
    """
    position, ahead = 0, deque[Future[list[Told]]]()
    parts = iter([range(n, min(n + AT_ONCE, ideas + 1)) for n in range(0, ideas + 1, AT_ONCE)])
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as makers:
        ahead.extend(makers.submit(_part, ideas, part) for part in islice(parts, AHEAD))
        while ahead:
            told = ahead.popleft().result()
            ahead.extend(makers.submit(_part, ideas, part) for part in islice(parts, 1))
            for one in told:
                _place(one, position)
                position += len(one.events)
            for ledger in ledgers:
                with writing(ledger.engine) as connection:
                    _write(connection, events, [row for one in told for row in one.events])
                    _write(connection, streams, [one.stream for one in told])
                    _write(connection, outlines, [one.outline for one in told if one.outline is not None])
    for ledger in ledgers:
        if ledger.engine.dialect.name == "postgresql":
            with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")
    return position


@cache
def _history(ideas: int) -> History:
    return History(ideas)


def _part(ideas: int, numbers: range) -> list[Told]:
    return [_told(*_history(ideas).stream(number)) for number in numbers]


def _members() -> list[NewEvent]:
    joined = NOW - timedelta(days=900)
    return [
        NewEvent(
            "member_added",
            "aoi",
            joined,
            {
                "name": one.name,
                "roles": list(one.roles),
                "language": one.language,
                "display_name": one.display_name,
            },
        )
        for one in MEMBERS
    ]


def _own_experiments(told: Sequence[Written], past: str, number: int) -> list[Written]:
    """The story with experiments of its own names, started on a model, and booked for days of its own time."""
    hashes, own = dict[str, str](), list[Written]()
    for one in told:
        text = one.body.replace(f'"{past}-', f'"idea-{number}-')
        if one.event.kind == "handoff_offered":
            for before, after in hashes.items():
                text = text.replace(before, after)
        if text == one.body and one.event.kind != "experiment_booked":
            own.append(one)
            continue
        body = json.loads(text)
        if one.event.kind == "evidence_attached":
            before = body["content_hash"]
            body["content_hash"] = hashlib.sha256(canonical_json(body["evidence"]).encode()).hexdigest()
            hashes[before] = body["content_hash"]
        elif one.event.kind == "experiment_started":
            arms = [{"name": name, "share": 0.5} for name in ("control", "treatment")]
            body |= {"model": MODELS[number % len(MODELS)], "salt": body["name"], "arms": arms}
            body |= {"treatment_location": "artifacts"}
        elif one.event.kind == "experiment_booked":
            body["from"] = (one.event.at + timedelta(days=1)).date().isoformat()
        own.append(_written(replace(one.event, body=body)))
    return own


def store_models(folder: Path) -> None:
    """Models with some versions each, as far as a list of them looks."""
    for model in MODELS:
        for version in range(5):
            place = folder / "artifacts" / model / "versions" / f"{version:064}"
            place.mkdir(parents=True, exist_ok=True)
            (place / MANIFEST).write_text("{}")


def _commented(told: Sequence[Written], count: int, chance: random.Random) -> list[Written]:
    """The story with so many comments between its events, each at the moment of the event before it."""
    after = Counter(chance.randrange(len(told)) for _ in range(count))
    story: list[Written] = []
    for place, one in enumerate(told):
        story.append(one)
        for _ in range(after[place]):
            words = f"{chance.choice(WORDS)}{chance.choice(WORDS)} #{chance.randrange(1000)}"
            story.append(
                _written(NewEvent("comment_added", chance.choice(MEMBERS).name, one.event.at, {"text": words}))
            )
    return story


def _written(event: NewEvent) -> Written:
    return Written(event, canonical_json(event.body))


def _last(past: Sequence[Written]) -> int:
    """How many events there are before the one that ends the idea."""
    offered = ""
    for place, one in enumerate(past):
        if one.event.kind == "handoff_offered":
            offered = one.event.body["to_stage"]
        if one.event.kind == "idea_killed" or (one.event.kind == "handoff_accepted" and offered == CASE):
            return place
    return len(past)


def _folded(idea: str, new: Sequence[NewEvent]) -> IdeaState:
    return fold(Event(idea, n, one.kind, one.actor, one.at, one.body, "", "") for n, one in enumerate(new, 1))


def _told(name: str, story: Sequence[Written], state: IdeaState | None) -> Told:
    """The rows of a stream, but for their positions. `tasuki doctor` holds the hashes made here to the ledger's own."""
    rows: list[dict[str, Any]] = []
    previous = ""
    for sequence, one in enumerate(story, 1):
        at = to_text(one.event.at)
        head = canonical_json([name, sequence, one.event.kind, one.event.actor, at])
        said = f"{head[:-1]},{one.body},{canonical_json(previous)}]"  # the list that `event_hash` hashes
        row = {"position": 0, "idea": name, "sequence": sequence, "kind": one.event.kind, "actor": one.event.actor}
        row |= {"at": at, "body": one.body, "previous_hash": previous}
        previous = hashlib.sha256(said.encode()).hexdigest()
        rows.append(row | {"hash": previous})
    kept = None if state is None else canonical_json(state_to_json(state))
    stream = {"idea": name, "sequence": len(story), "hash": previous, "state": kept}
    return Told(rows, stream, None if state is None else {"idea": name, "opened": 0, "outline": outline_text(state)})


def _place(told: Told, position: int) -> None:
    """Gives a stream its place in the ledger, which its maker did not know."""
    for number, row in enumerate(told.events, position + 1):
        row["position"] = number
    if told.outline is not None:
        told.outline["opened"] = position + 1


def _write(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    names = [column.name for column in table.columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])
