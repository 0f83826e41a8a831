"""Twenty writers at once, each a process of its own: nothing lost, nothing doubled, the slower one is Stale."""

import contextlib
import os
import random
import time
from datetime import timedelta

import pytest
from sqlalchemy import text
from stories import MOMENT, comment, opening, tell, together, words_of

from tasuki.errors import Stale, Unavailable
from tasuki.store.database import WRITER_LOCK
from tasuki.store.ledger import open_ledger

WRITERS, APPENDS = 20, 12
IDEAS = ("idea-1", "idea-2", "idea-3")


def insist(ledger, idea, words, key):
    """Appends on whatever the present head is, however often somebody else is faster; gives the lost races."""
    for lost in range(10_000):
        head = len(ledger.events(idea))
        new = comment(words) if head else opening()
        with contextlib.suppress(Stale):
            ledger.append(idea, head, [new], key=key)
            return lost
    raise AssertionError("a writer never got through")


def test_twenty_writers_lose_and_double_nothing(ledger_url, capsys):
    for idea in IDEAS:
        with contextlib.closing(open_ledger(ledger_url)) as ledger:
            tell(ledger, idea, 0)

    def write(writer: int) -> dict[str, object]:
        chance, acknowledged, lost = random.Random(writer), [], 0
        with contextlib.closing(open_ledger(ledger_url)) as own:
            for number in range(APPENDS):
                idea, words = chance.choice(IDEAS), f"{writer}.{number}"
                lost += insist(own, idea, words, words)
                acknowledged.append([idea, words])
        return {"acknowledged": acknowledged, "lost": lost}

    results = together([lambda writer=writer: write(writer) for writer in range(WRITERS)])

    acknowledged = sorted(tuple(one) for result in results for one in result["acknowledged"])
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        written = sorted((idea, words) for idea in IDEAS for words in words_of(ledger, idea))
        assert written == acknowledged
        assert len(written) == WRITERS * APPENDS
        assert [position for position, _ in ledger.feed(0, 10_000)] == list(range(1, len(written) + len(IDEAS) + 1))
        assert ledger.verify() == ()
    assert sum(result["lost"] for result in results) > 0, "they must have met"


def test_one_key_from_many_processes_at_once_writes_once(ledger_url):
    open_ledger(ledger_url).close()

    def ask(number: int) -> list[object]:
        with contextlib.closing(open_ledger(ledger_url)) as own:
            moment = MOMENT + timedelta(seconds=number)
            return [event.hash for event in own.append("idea-1", 0, [opening(at=moment)], key="once")]

    results = together([lambda number=number: ask(number) for number in range(WRITERS)])
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        assert results == [[event.hash for event in ledger.events("idea-1")]] * WRITERS
        assert len(ledger.feed(0, 10)) == 1


def test_of_writers_who_open_the_same_idea_one_wins_and_the_others_are_stale(ledger_url):
    open_ledger(ledger_url).close()

    def race(number: int) -> str:
        with contextlib.closing(open_ledger(ledger_url)) as own:
            try:
                own.append("idea-1", 0, [opening(f"of {number}")])
            except Stale:
                return "stale"
            return "won"

    results = together([lambda number=number: race(number) for number in range(8)])
    assert sorted(results) == ["stale"] * 7 + ["won"]


def test_a_reader_of_the_feed_misses_nothing_while_many_write(ledger_url):
    open_ledger(ledger_url).close()
    writers, each = 6, 8

    def write(writer: int) -> int:
        with contextlib.closing(open_ledger(ledger_url)) as own:
            for number in range(each):
                own.append(f"idea-{writer}", number, [comment(f"{number}") if number else opening()])
        return writer

    def read() -> list[object]:
        seen, after, deadline = [], 0, time.monotonic() + 60
        with contextlib.closing(open_ledger(ledger_url)) as own:
            while len(seen) < writers * each and time.monotonic() < deadline:
                page = own.feed(after, 3)
                seen += [[event.idea, event.sequence] for _, event in page]
                after = page[-1][0] if page else after
        return seen

    *_, seen = together([*(lambda writer=writer: write(writer) for writer in range(writers)), read])
    assert sorted(map(tuple, seen)) == [(f"idea-{w}", n) for w in range(writers) for n in range(1, each + 1)]


def test_a_writer_that_waits_too_long_is_told_so(ledger_url):
    holder = open_ledger(ledger_url)
    waiting = open_ledger(ledger_url, timeout_s=0.2)
    with holder.engine.connect() as connection:
        if holder.engine.dialect.name == "sqlite":
            connection.execution_options(tasuki_writes=True)
            connection.begin()
        else:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"))
        with pytest.raises(Unavailable, match="busy") as caught:
            waiting.append("idea-1", 0, [opening()])
        assert caught.value.next_step
        assert waiting.ideas() == (), "reading does not wait for writers"
        connection.rollback()
    assert waiting.append("idea-1", 0, [opening()])
    holder.close()
    waiting.close()


def test_twenty_processes_may_open_a_new_ledger_at_once(ledger_url):
    def open_it() -> int:
        with contextlib.closing(open_ledger(ledger_url)) as own:
            return insist(own, "idea-1", f"{os.getpid()}", None)

    together([open_it] * WRITERS)
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        assert len(ledger.events("idea-1")) == WRITERS
        assert ledger.verify() == ()
