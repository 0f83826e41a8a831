"""Connections to PostgreSQL that the server has ended, as it does when it is started again."""

import contextlib
import threading
import time

import pytest
from sqlalchemy import text
from stories import opening

from tasuki.store import database
from tasuki.store.ledger import open_ledger


@pytest.fixture
def url(new_database):
    return new_database("postgresql")


@pytest.fixture
def ledger(url):
    with contextlib.closing(open_ledger(url)) as opened:
        yield opened


def end_connections(url: str, expected: int) -> None:
    """Ends every other connection to the database, and waits until the server has said so on each."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with contextlib.closing(open_ledger(url)) as outside, outside.engine.connect() as connection:
        ended = connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).scalars().all()
        assert len(ended) == expected
        while connection.execute(text(f"SELECT count(*) {others}")).scalar():
            connection.rollback()  # each transaction sees the activity of its own beginning
            time.sleep(0.01)


def pings_of(ledger, monkeypatch) -> list[object]:
    asked: list[object] = []
    ping = ledger.engine.dialect.do_ping
    monkeypatch.setattr(ledger.engine.dialect, "do_ping", lambda one: asked.append(one) or ping(one))
    return asked


@pytest.mark.parametrize("ask", ["shelf", "members", "ideas", "size"])
def test_a_reader_does_not_notice_that_the_server_ended_the_connection(ledger, url, ask):
    ledger.append("idea-1", 0, [opening()])
    before = getattr(ledger, ask)()
    end_connections(url, 1)
    after = getattr(ledger, ask)()
    assert getattr(after, "position", after) == getattr(before, "position", before)


def test_a_writer_does_not_notice_either(ledger, url):
    ledger.append("idea-1", 0, [opening()])
    end_connections(url, 1)
    ledger.append("idea-2", 0, [opening()])
    assert len(ledger.ideas()) == 2


def test_all_connections_that_were_kept_are_replaced(ledger, url):
    count = 5
    together = threading.Barrier(count)

    def hold() -> None:
        with ledger.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            together.wait(20)

    threads = [threading.Thread(target=hold) for _ in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    end_connections(url, count)
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            connection = opened.enter_context(ledger.engine.connect())
            assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_connection_that_was_just_used_is_not_asked_whether_it_lives(ledger, monkeypatch):
    ledger.members()
    asked = pings_of(ledger, monkeypatch)
    for _ in range(5):
        ledger.members()
    assert asked == []


def test_one_that_nobody_used_for_long_is(ledger, monkeypatch):
    ledger.members()
    asked = pings_of(ledger, monkeypatch)
    monkeypatch.setattr(database, "_QUIET_S", 0.0)
    ledger.members()
    assert len(asked) == 1
