"""Two versions of a model scored on held-out, mature rows of a workspace, and the report that an idea carries."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasuki.actions.members import add_member
from tasuki.actions.models import train_model
from tasuki.actions.offline import Contest, validate_offline
from tasuki.actions.relay import open_idea, record_rule
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.offline.recommend import OfflineRule
from tasuki.settings.workspace import init_workspace, open_workspace

START = datetime(2026, 4, 1, tzinfo=UTC)
CUT, END = START + timedelta(days=6), START + timedelta(days=9)
MODEL = """
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category
model = Model(
    name="ctr", table="impressions", unit="user", time="at", target=Target("clicked", delay_hours=24),
    features=({features},), estimator=LogisticRegression(), buckets=1024, segments=("app",),
    intended_use="a", unsuitable_use="b", baseline="c",
)
"""


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    init_workspace(folder).close()
    rng = np.random.default_rng(3)
    count = 9_000
    app, slot = rng.integers(0, 4, count), rng.integers(0, 6, count)
    clicked = rng.random(count) < 0.05 + 0.03 * app + 0.09 * slot
    at = np.datetime64(START.replace(tzinfo=None), "us") + np.sort(rng.integers(0, 9 * 86_400_000_000, count))
    table = {
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "user": pa.array([f"u{one}" for one in rng.integers(0, 900, count)]),
        "app": pa.array(app.astype(str)),
        "slot": pa.array(slot.astype(str)),
        "clicked": pa.array(clicked),
    }
    (folder / "logs" / "impressions").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / "logs" / "impressions" / "all.parquet")
    for name, features in (("champion", 'category("app")'), ("challenger", 'category("app"), category("slot")')):
        (folder / "models" / f"{name}.py").write_text(MODEL.format(features=features))
    opened = open_workspace(folder)
    add_member(opened, "ren", actor="ren", roles=["analyst", "data_scientist"])
    yield opened
    opened.close()


def trained(workspace):
    return [
        train_model(workspace, workspace.folder / "models" / f"{name}.py", until=CUT, actor="ren").version
        for name in ("champion", "challenger")
    ]


def idea_of(workspace):
    return open_idea(workspace, "Slots matter", actor="ren", estimate_days=1).idea


def test_the_report_speaks_of_mature_held_out_rows_only(workspace):
    champion, challenger = trained(workspace)
    idea = idea_of(workspace)
    record_rule(workspace, idea, actor="ren", text=OfflineRule().text())
    contest = Contest(Path("models/challenger.py"), champion, challenger, CUT)
    found = validate_offline(workspace, idea, contest, actor="ren")
    at = np.sort(pq.read_table(workspace.folder / "logs" / "impressions" / "all.parquet")["at"].to_numpy())
    cut = np.datetime64(CUT.replace(tzinfo=None))
    mature = (at >= cut) & (at + np.timedelta64(24, "h") <= at[-1])
    assert found.comparison.rows == pytest.approx(mature.sum(), abs=1)
    assert found.comparison.recommendation.decision == "go"
    entry = found.state.latest("offline_report")
    assert entry.record["rule"] == OfflineRule().text()
    assert (entry.record["champion"], entry.record["challenger"]) == (champion, challenger)
    assert {one["segment"] for one in entry.record["metrics"]} == {"", "app=0", "app=1", "app=2", "app=3"}
    assert entry.record["failure_cases"]
    for model, bins in entry.record["calibration_curve"].items():
        assert sum(one["rows"] for one in bins) == found.comparison.rows, model
        assert sum(one["positives"] for one in bins) == found.comparison.positives
        assert all(one["observed_low"] <= one["observed"] <= one["observed_high"] for one in bins)
    assert entry.body["data_window"]["start"].startswith("2026-04-07")


def test_rows_a_version_had_learnt_from_are_refused_and_nothing_is_attached(workspace):
    champion, challenger = trained(workspace)
    idea = idea_of(workspace)
    contest = Contest(Path("models/challenger.py"), champion, challenger, CUT - timedelta(days=1))
    with pytest.raises(Invalid, match="not held out"):
        validate_offline(workspace, idea, contest, actor="ren")
    assert workspace.ledger.state(idea).latest("offline_report") is None


def test_a_held_out_time_without_a_mature_row_is_refused(workspace):
    champion, challenger = trained(workspace)
    idea = idea_of(workspace)
    contest = Contest(Path("models/challenger.py"), champion, challenger, END - timedelta(hours=20))
    with pytest.raises(Invalid):
        validate_offline(workspace, idea, contest, actor="ren")


def test_the_command_validates_and_attaches_the_report(workspace, capsys):
    champion, challenger = trained(workspace)
    idea = idea_of(workspace)
    folder = str(workspace.folder)
    command = ["offline", "validate", idea, f"{folder}/models/challenger.py", "--champion", champion]
    command += ["--challenger", challenger, "--since", f"{CUT:%Y-%m-%dT%H:%M:%S}", "--workspace", folder]
    assert main([*command, "--as", "ren", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "tasuki.offline_compare/1"
    assert [one.kind for one in workspace.ledger.state(idea).evidence] == ["offline_report"]


def test_a_file_comparison_can_be_attached_to_an_idea_and_tables_of_the_workspace_are_known(workspace, capsys):
    idea = idea_of(workspace)
    scored = workspace.folder / "logs" / "scored"
    scored.mkdir()
    rng = np.random.default_rng(1)
    a = rng.uniform(0.1, 0.9, 900)
    pq.write_table(pa.table({"y": rng.random(900) < a, "a": a, "b": a / 2}), scored / "one.parquet")
    command = ["offline", "compare", "scored", "--label", "y", "--champion", "a", "--challenger", "b", "--json"]
    assert main([*command, "--workspace", str(workspace.folder), "--as", "ren", "--idea", idea]) == 0
    assert json.loads(capsys.readouterr().out)["recommendation"]["decision"] == "no_go"
    assert workspace.ledger.state(idea).latest("offline_report").record["challenger"] == "b"
    assert main([*command, "--workspace", str(workspace.folder), "--as", "ren", "--idea", "idea-99"]) == 5
