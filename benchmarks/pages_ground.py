"""The ground of `benchmarks/pages.py`: a ledger of ten thousand ideas, written in bulk, as sound as one that grew.

Every idea is one of the sample team's forty past ideas (`tasuki.samples.history`), whose events were decided by the
flow's own rules, moved in time, under another name, with comments between its events. Hash chains, positions, stored
folds and outlines are those that single appends would have left: `tasuki doctor` finds nothing.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from tasuki.cases.case import case_of, case_to_body
from tasuki.flow.event import TEAM_STREAM, Event, NewEvent, chained
from tasuki.flow.fold import fold
from tasuki.flow.state import IdeaState
from tasuki.samples.history import PastIdea, team_history
from tasuki.samples.team import MEMBERS
from tasuki.store.database import writing
from tasuki.store.ledger import Ledger
from tasuki.store.rows import stored_fold, to_row
from tasuki.store.schema import events, outlines, streams

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
PER_IDEA = 100
LONG = 500
"""One idea of so many events, to look at the page of a long story."""
ACTIVE_SHARE = 0.03
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


def seed(ledgers: Sequence[Ledger], ideas: int) -> int:
    """Writes the same history into empty ledgers; gives how many events each holds then."""
    position = 0
    for part in _parts(_streams(ideas), 100):
        told = []
        for name, new in part:
            told.append(_told(name, new, position))
            position += len(new)
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


def _streams(ideas: int) -> Iterator[tuple[str, list[NewEvent]]]:
    joined = ("name", "roles", "language", "display_name")
    yield (
        TEAM_STREAM,
        [
            NewEvent(
                "member_added",
                "aoi",
                NOW - timedelta(days=900),
                dict(zip(joined, (one.name, list(one.roles), one.language, one.display_name), strict=True)),
            )
            for one in MEMBERS
        ],
    )
    past, chance = team_history(1, NOW), random.Random(1)
    for number in range(1, ideas + 1):
        one = past[number % len(past)]
        length = LONG if number == 1 else PER_IDEA
        # The newest are the active ones; the others ended over the two years before.
        days_ago = (ideas - number) / ideas * 700
        yield f"idea-{number}", _story(one, number, length, days_ago, number > ideas * (1 - ACTIVE_SHARE), chance)


def _story(
    past: PastIdea, number: int, length: int, days_ago: float, active: bool, chance: random.Random
) -> list[NewEvent]:
    told = [one for one in past.events if one.kind != "case_filed"]
    if active:
        last = next((n for n, one in enumerate(told) if one.kind == "idea_killed" or _concludes(told, n)), len(told))
        told = told[: chance.randint(3, last)]
    shift = NOW - timedelta(days=days_ago, hours=1) - told[-1].at
    title = f"{told[0].body['title']} {number}"
    told[0] = replace(told[0], body={**told[0].body, "title": title})
    told = [replace(one, at=one.at + shift) for one in told]
    spare = length - len(told) - (not active)
    after = sorted(chance.randrange(len(told)) for _ in range(spare))
    commented: list[NewEvent] = []
    for place, one in enumerate(told):
        commented.append(one)
        for _ in range(after.count(place)):
            words = f"{chance.choice(WORDS)}{chance.choice(WORDS)} #{chance.randrange(1000)}"
            commented.append(NewEvent("comment_added", chance.choice(MEMBERS).name, one.at, {"text": words}))
    if active:
        return commented
    state = _folded(f"idea-{number}", commented)
    case = case_to_body(case_of(state))
    return [*commented, NewEvent("case_filed", state.owner, commented[-1].at, {"case": case})]


def _concludes(told: Sequence[NewEvent], place: int) -> bool:
    offers = [one.body["to_stage"] for one in told[:place] if one.kind == "handoff_offered"]
    return told[place].kind == "handoff_accepted" and bool(offers) and offers[-1] == "case"


def _folded(idea: str, new: Sequence[NewEvent]) -> IdeaState:
    return fold(Event(idea, n, one.kind, one.actor, one.at, one.body, "", "") for n, one in enumerate(new, 1))


def _told(idea: str, new: Sequence[NewEvent], position: int) -> Told:
    story: list[Event] = []
    for sequence, one in enumerate(new, 1):
        story.append(chained(idea, sequence, one, story[-1].hash if story else ""))
    kept, last = stored_fold(idea, story), story[-1]
    outline = None if kept.outline is None else {"idea": idea, "opened": position + 1, "outline": kept.outline}
    rows = [to_row(position + n, one) for n, one in enumerate(story, 1)]
    return Told(rows, {"idea": idea, "sequence": last.sequence, "hash": last.hash, "state": kept.state}, outline)


def _write(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    names = [column.name for column in table.columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


def _parts(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    part: list[Any] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
