"""Opening a ledger: the migrations, crashes in them, and everything that may lie at the address instead."""

import contextlib
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from stories import comment, fork, opening, tell

from tasuki.errors import Invalid, TasukiError, Unavailable
from tasuki.store.database import open_engine
from tasuki.store.ledger import open_ledger
from tasuki.store.migrate import HEAD, MIGRATIONS
from tasuki.store.schema import APPEND_ONLY_TRIGGERS, VERSION_TABLE, metadata


def test_the_migrations_make_exactly_the_tables_that_the_queries_use(ledger):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_code_names():
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_the_guards_that_doctor_looks_for_are_the_ones_the_migrations_make(ledger):
    backend = ledger.engine.dialect.name
    table = {"sqlite": "sqlite_master WHERE type = 'trigger'", "postgresql": "pg_trigger WHERE NOT tgisinternal"}
    column = {"sqlite": "name", "postgresql": "tgname"}
    with ledger.engine.connect() as connection:
        there = connection.execute(text(f"SELECT {column[backend]} FROM {table[backend]}")).scalars()
        assert sorted(there) == sorted(APPEND_ONLY_TRIGGERS[backend])


@pytest.mark.parametrize("steps", range(1, 8))
def test_a_crash_in_the_middle_of_the_migration_leaves_nothing_half_made(ledger_url, steps):
    def crash() -> None:
        from alembic.operations import Operations

        done = 0

        def counted(step):
            def run(*arguments, **options):
                nonlocal done
                done += 1
                if done == steps:
                    os.kill(os.getpid(), signal.SIGKILL)
                return step(*arguments, **options)

            return run

        Operations.create_table = counted(Operations.create_table)
        Operations.execute = counted(Operations.execute)
        open_ledger(ledger_url)

    child, reader = fork(crash)
    status = os.waitpid(child, 0)[1]
    os.close(reader)
    if os.WIFSIGNALED(status):
        engine = open_engine(ledger_url, 5)
        assert inspect(engine).get_table_names() == []
        engine.dispose()
    else:
        assert steps > 6, "PostgreSQL has one guard less than SQLite"
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        tell(ledger, "idea-1", 1)
        assert ledger.verify() == ()


def test_opening_again_changes_nothing(ledger, ledger_url):
    tell(ledger, "idea-1", 2)
    open_ledger(ledger_url).close()
    with contextlib.closing(open_ledger(ledger_url)) as again:
        assert again.events("idea-1") == ledger.events("idea-1")


def test_a_ledger_of_a_newer_version_is_left_alone(ledger, ledger_url):
    with ledger.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    with pytest.raises(Unavailable, match="newer") as caught:
        open_ledger(ledger_url)
    assert "0999" in caught.value.what
    assert "update" in caught.value.next_step


def test_a_database_of_something_else_is_left_alone(ledger_url):
    engine = open_engine(ledger_url, 5)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE events (id INTEGER)"))
    with pytest.raises(Invalid, match="events"):
        open_ledger(ledger_url)
    assert inspect(engine).get_table_names() == ["events"]
    engine.dispose()


@pytest.mark.parametrize(
    "content", [b"these are no pages of a database at all, only words" * 40, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_invalid_and_untouched(tmp_path, content):
    file = tmp_path / "ledger.db"
    file.write_bytes(content)
    with pytest.raises(TasukiError) as caught:
        open_ledger(f"sqlite:///{file}")
    assert isinstance(caught.value, Invalid | Unavailable)
    assert caught.value.next_step
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "url",
    ["ledger.db", "mysql://host/x", "sqlite://", "sqlite:///:memory:", "nonsense://x", "", "postgresql://h:port/x"],
)
def test_an_address_that_is_none_is_invalid(url):
    with pytest.raises(Invalid, match="no address") as caught:
        open_ledger(url)
    assert "sqlite:///" in caught.value.expected


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(Unavailable, match="cannot be opened") as caught:
        open_ledger(f"sqlite:///{tmp_path}/nowhere/ledger.db")
    assert "folder" in caught.value.next_step


def test_a_server_that_does_not_answer_is_unavailable(tmp_path):
    with pytest.raises(Unavailable) as caught:
        open_ledger(f"postgresql://postgres@/x?host={tmp_path}")
    assert caught.value.next_step


def test_a_postgresql_database_that_is_not_there_is_named(postgresql):
    with pytest.raises(Unavailable, match="no_such"):
        open_ledger(postgresql.replace("/postgres?", "/no_such?"))


def test_a_read_only_ledger_can_be_read_and_says_that_it_cannot_be_written(new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        tell(ledger, "idea-1", 1)
    read_only = open_ledger(url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true")
    assert len(read_only.events("idea-1")) == 2
    assert read_only.verify() == ()
    with pytest.raises(Unavailable, match="only be read"):
        read_only.append("idea-1", 2, [comment("no")])
    read_only.close()


def test_a_full_disk_is_named_and_nothing_is_half_written(new_database):
    with contextlib.closing(open_ledger(new_database("sqlite"))) as ledger:
        tell(ledger, "idea-1", 0)
        with ledger.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(Unavailable, match="full"):
            ledger.append("idea-1", 1, [comment("short"), comment("x" * 100_000)], key="k")
        assert len(ledger.events("idea-1")) == 1
        assert ledger.earlier("k") is None
        assert ledger.append("idea-1", 1, [comment("short")])
        assert ledger.verify() == ()


def test_a_file_damaged_in_the_middle_is_reported_and_not_a_crash(new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        for number in range(30):
            tell(ledger, f"idea-{number}", 20)
    file = Path(url.removeprefix("sqlite:///"))
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 4096] = b"\xa5" * 4096
    file.write_bytes(raw)
    with contextlib.closing(open_ledger(url)) as ledger:
        findings = ledger.verify()
    assert findings
    assert findings[0].problem == "file"


def test_the_embedded_ledger_is_one_plain_sqlite_file(new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        ledger.append("idea-1", 0, [opening("較正")])
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as plain:
        assert "較正" in plain.execute("SELECT body FROM events").fetchone()[0]
