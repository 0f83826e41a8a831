"""Runs of experiments are found by an index of their own: a list of models does not look through every event."""

import contextlib

import pytest
from sqlalchemy import inspect, text
from stories import comment, opening

from tasuki.flow.event import NewEvent
from tasuki.store.ledger import open_ledger
from tasuki.store.schema import VERSION_TABLE
from tasuki.store.starts import told_since

INDEX = "events_of_runs"


def run(ledger, idea: str, name: str, model: str) -> None:
    at, arms = opening().at, [{"name": one, "share": 0.5} for one in ("control", "treatment")]
    body = {"name": name, "kind": "check", "model": model, "salt": name, "arms": arms, "treatment_location": "a"}
    told = [NewEvent("experiment_started", "aoi", at, body), NewEvent("experiment_stopped", "aoi", at, {"name": name})]
    ledger.append(idea, ledger.length(idea), told)


@pytest.fixture
def told(ledger):
    for idea in ("idea-1", "idea-2"):
        ledger.append(idea, 0, [opening(), comment("one"), comment("two")])
        run(ledger, idea, f"check-{idea}", "ctr")
    return ledger


def test_the_query_is_answered_by_the_index(told):
    query = str(told_since(0).compile(told.engine, compile_kwargs={"literal_binds": True}))
    with told.engine.connect() as connection:
        if told.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = connection.execute(text(f"EXPLAIN {query}")).scalars().all()
        else:
            plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    assert any(INDEX in line for line in plan), plan


def test_each_run_is_told_with_its_model_and_by_its_events(told):
    assert told.started_models() == {("idea-1", "check-idea-1"): "ctr", ("idea-2", "check-idea-2"): "ctr"}
    assert [event.kind for event in told.run_events(["idea-2"])["idea-2"]] == [
        "experiment_started",
        "experiment_stopped",
    ]


def test_one_that_begins_later_is_told_as_well(told):
    told.started_models()
    run(told, "idea-1", "again", "cvr")
    assert told.started_models()["idea-1", "again"] == "cvr"
    assert told.as_of(told.head()).started_models()["idea-1", "again"] == "cvr"


def test_a_ledger_of_before_gets_the_index_and_keeps_its_events(told, ledger_url):
    with told.engine.begin() as connection:
        connection.execute(text(f"DROP INDEX {INDEX}"))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0003'"))
    before = told.feed(0, 100)
    with contextlib.closing(open_ledger(ledger_url)) as later:
        assert INDEX in {one["name"] for one in inspect(later.engine).get_indexes("events")}
        assert later.feed(0, 100) == before
        assert later.started_models() == told.started_models()
        assert later.verify() == ()
