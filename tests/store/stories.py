"""Small true events for ledger tests, and processes that are forked (fast: everything is loaded) and ended for sure."""

import json
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from tasuki.flow.event import NewEvent
from tasuki.store.ledger import Ledger

MOMENT = datetime(2026, 4, 1, 9, 30, 0, 123456, tzinfo=UTC)


def opening(title: str = "遅延ラベルを直す", at: datetime = MOMENT) -> NewEvent:
    body = {"title": title, "flow": "analysis", "formation": "all_in_one", "stages": ["hypothesis", "evaluation"]}
    return NewEvent("idea_opened", "aoi", at, body)


def comment(words: str, actor: str = "ren", at: datetime = MOMENT) -> NewEvent:
    return NewEvent("comment_added", actor, at, {"text": words})


def joining(name: str) -> NewEvent:
    return NewEvent(
        "member_added", "aoi", MOMENT, {"name": name, "roles": ["analyst"], "language": "ja", "display_name": "葵"}
    )


def tell(ledger: Ledger, idea: str, comments: int) -> None:
    """Opens an idea and says something about it so many times."""
    ledger.append(idea, 0, [opening(), *(comment(f"{idea} {n}") for n in range(comments))])


def words_of(ledger: Ledger, idea: str) -> list[str]:
    return [event.body["text"] for event in ledger.events(idea) if event.kind == "comment_added"]


def tamper(ledger: Ledger, *statements: str) -> None:
    """Changes rows as somebody with the database password could: the guards are taken off first."""
    with ledger.engine.connect() as connection:
        if ledger.engine.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            taken_off = [f"DROP TRIGGER {name}" for name in names]
        else:
            taken_off = ["ALTER TABLE events DISABLE TRIGGER USER"]
        for statement in (*taken_off, *statements):
            connection.exec_driver_sql(statement)
        connection.commit()


def fork(work: Callable[[], Any]) -> tuple[int, int]:
    """Starts `work` in a forked process; gives its id and a pipe that carries its result as JSON."""
    reader, writer = os.pipe()
    if (child := os.fork()) != 0:
        os.close(writer)
        return child, reader
    status = 1
    try:
        os.close(reader)
        os.write(writer, json.dumps(work()).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def together(works: list[Callable[[], Any]]) -> list[Any]:
    """Runs all of them in processes of their own at the same time and gives their results."""
    gate_reader, gate_writer = os.pipe()

    def waiting(work: Callable[[], Any]) -> Callable[[], Any]:
        def begin() -> Any:
            os.close(gate_writer)
            os.read(gate_reader, 1)  # opens for everybody when the parent closes its end
            return work()

        return begin

    children = [fork(waiting(work)) for work in works]
    os.close(gate_writer)
    os.close(gate_reader)
    results = []
    for child, reader in children:
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        assert os.waitpid(child, 0)[1] == 0, "a process of the test failed; its traceback is on stderr"
        results.append(json.loads(said))
    return results
