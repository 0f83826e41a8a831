"""The checks that run something, on a real table, a real training and a real artifact store."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay_play import evidence_body
from tasuki.actions import checks
from tasuki.actions.models import train_model
from tasuki.actions.publication import publish_model
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow.evidence import to_body
from tasuki.flow.plan import Contract
from tasuki.flow.state import EvidenceEntry, IdeaState
from tasuki.titles import Titles

MODEL = """\
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category
model = Model(
    name="ctr", table="impressions", unit="user", time="at", target=Target("clicked", delay_hours=1),
    features=(category("app"),), estimator=LogisticRegression(C=1.0, max_iter=200), buckets=2**10, training_days=3,
    segments=("app",), seed=1, intended_use="bids", unsuitable_use="billing", baseline="none",
)
"""


@pytest.fixture(scope="module")
def logs() -> bytes:
    import io

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(1)
    rows = 3000
    start = np.datetime64("2026-03-01T00:00:00", "us")
    app = draw.integers(0, 5, rows)
    table = pa.table(
        {
            "at": pa.array(start + np.arange(rows) * np.timedelta64(100, "s"), pa.timestamp("us", "UTC")),
            "user": [f"u{n % 50}" for n in range(rows)],
            "app": [f"a{n}" for n in app],
            "clicked": draw.random(rows) < 0.1 + 0.1 * app,
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


@pytest.fixture
def there(workspace: Workspace, logs: bytes) -> Workspace:
    folder = workspace.folder / "logs" / "impressions"
    folder.mkdir()
    (folder / "a.parquet").write_bytes(logs)
    (workspace.folder / "models" / "ctr.py").write_text(MODEL, encoding="utf-8")
    return replace(workspace, tables={"impressions": str(folder / "*.parquet")})


def holding(*bodies: dict) -> IdeaState:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    entries = tuple(
        EvidenceEntry(number, "h", body["kind"], "modeling", "ren", at, body) for number, body in enumerate(bodies, 2)
    )
    return IdeaState(
        "idea-1", "x", "model", "all_in_one", ("modeling",), "ren", at, "active", "modeling", "ren", evidence=entries
    )


def queries(*said: dict) -> IdeaState:
    return holding(evidence_body("data_report", queries=list(said)))


GOOD = {
    "name": "apps",
    "sql": "select app, count(*) as n from impressions group by app",
    "rows": 5,
    "columns": ["app", "n"],
}


def test_a_query_that_gives_what_it_gave_passes(there):
    limited = {"name": "top", "sql": "select app from impressions order by at limit 7", "rows": 7, "columns": ["app"]}
    joined = {
        "name": "all",
        "sql": "with a as (select * from impressions) select 1 as one from a union all select 2",
        "rows": 3001,
        "columns": ["one"],
    }
    assert checks.queries_rerun(there, queries(GOOD, limited, joined)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 4}, "gives 5 rows, not 4"),
        ({"columns": ["app", "count"]}, "gives the columns app, n, not app, count"),
        ({"sql": "selec app frm impressions"}, "apps"),
        ({"sql": "select nothing from impressions"}, "apps does not run"),
        ({"sql": "select 1 from elsewhere"}, "apps does not run"),
        ({"sql": "drop table impressions"}, "not one query that only reads"),
        ({"sql": "select 1; select 2"}, "not one query that only reads"),
        ({"sql": "copy (select 1) to 'x.csv'"}, "not one query that only reads"),
        ({"sql": ";"}, "not one query that only reads"),
    ],
)
def test_a_query_that_gives_something_else_is_named(there, changes, words):
    (fault,) = checks.queries_rerun(there, queries(GOOD | changes))
    assert words in fault


def test_every_query_that_fails_is_named(there):
    faults = checks.queries_rerun(
        there, queries(GOOD | {"name": "a", "rows": 1}, GOOD, GOOD | {"name": "b", "sql": "x y z"})
    )
    assert [fault[0] for fault in faults] == ["a", "b"]


def trained(there: Workspace):
    return train_model(there, there.folder / "models" / "ctr.py", actor="ren")


def test_a_training_on_the_same_inputs_reproduces_its_version(there):
    card = to_body(trained(there).card)
    assert checks.training_reproduces(there, holding(card)) == []


def test_a_training_that_gives_another_version_says_what_changed(there, logs):
    card = to_body(trained(there).card)
    path = there.folder / "models" / "ctr.py"
    path.write_text(MODEL.replace("C=1.0", "C=0.01"), encoding="utf-8")
    (fault,) = checks.training_reproduces(there, holding(card))
    assert "model_file_hash was" in fault
    assert "data_hash" not in fault


def test_a_training_whose_file_is_gone_is_a_finding_and_no_crash(there):
    card = to_body(trained(there).card)
    (there.folder / "models" / "ctr.py").unlink()
    contract = Contract("modeling", "offline_validation", (), ("training_reproduces",), Titles("?", "?"))
    result = checks.run_checks(there, holding(card), contract, checks.RUNNERS)["training_reproduces"]
    assert not result.passed
    assert "ctr.py" in result.seen


def test_golden_examples_are_scored_with_the_stored_version(there):
    run = trained(there)
    golden = to_body(run.golden)
    assert checks.golden_examples_pass(there, holding(golden)) == []
    golden["record"]["examples"][1]["score"] += 1e-6
    faults = checks.golden_examples_pass(there, holding(golden))
    assert len(faults) == 2
    assert all(fault.startswith("example 1 scores") for fault in faults)


def test_golden_examples_without_an_input_are_named(there):
    golden = to_body(trained(there).golden)
    golden["record"]["examples"] = [{"features": {}, "score": 0.5}]
    assert checks.golden_examples_pass(there, holding(golden)) == ["example 0 lacks app"]


def test_a_corrupt_artifact_fails_the_golden_examples(there):
    run = trained(there)
    weights = next(Path(there.folder).rglob(f"{run.version}/weights.npy"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(bytes(content))
    contract = Contract("x", "y", (), ("golden_examples_pass",), Titles("?", "?"))
    result = checks.run_checks(there, holding(to_body(run.golden)), contract, checks.RUNNERS)["golden_examples_pass"]
    assert not result.passed
    assert "weights.npy" in result.seen


def test_what_is_published_scores_as_what_was_handed_over(there):
    run = trained(there)
    published = publish_model(there, "ctr", run.version, channel="challenger", actor="sota")
    state = holding(to_body(run.golden), to_body(published.evidence))
    assert checks.golden_parity(there, state) == []


def test_a_channel_that_points_elsewhere_fails_parity(there):
    run = trained(there)
    published = publish_model(there, "ctr", run.version, channel="challenger", actor="sota")
    path = there.folder / "models" / "ctr.py"
    path.write_text(MODEL.replace("C=1.0", "C=0.01"), encoding="utf-8")
    publish_model(there, "ctr", trained(there).version, channel="challenger", actor="sota")
    (fault,) = checks.golden_parity(there, holding(to_body(run.golden), to_body(published.evidence)))
    assert f"not to {run.version}" in fault


def test_a_publication_to_a_place_that_is_not_there_fails_parity(there):
    run = trained(there)
    published = to_body(publish_model(there, "ctr", run.version, channel="challenger", actor="sota").evidence)
    published["record"]["location"] = "elsewhere"
    contract = Contract("x", "y", (), ("golden_parity",), Titles("?", "?"))
    result = checks.run_checks(there, holding(to_body(run.golden), published), contract, checks.RUNNERS)
    assert "elsewhere" in result["golden_parity"].seen


def test_the_job_runs_dry_on_the_data_of_today(there):
    card, note = to_body(trained(there).card), evidence_body("readiness_note")
    assert checks.job_dry_run(there, holding(card, note)) == []
    failed = evidence_body("readiness_note", dry_run_succeeded=False)
    assert "did not succeed" in checks.job_dry_run(there, holding(card, failed))[0]


def test_a_job_that_cannot_run_any_more_fails_the_dry_run(there):
    card, note = to_body(trained(there).card), evidence_body("readiness_note")
    (there.folder / "logs" / "impressions" / "a.parquet").unlink()
    contract = Contract("x", "y", (), ("job_dry_run",), Titles("?", "?"))
    result = checks.run_checks(there, holding(card, note), contract, checks.RUNNERS)["job_dry_run"]
    assert not result.passed


def test_a_check_whose_evidence_is_not_there_is_not_run(there, clock: MovableClock):
    contract = Contract("x", "y", (), tuple(checks.RUNNERS), Titles("?", "?"))
    assert checks.run_checks(there, holding(), contract, checks.RUNNERS) == {}
    assert set(checks.RUNNERS) == set(checks.RUNNING)
