"""Real logs in a workspace: prepared, learnt from, and replayed through the inference service over HTTP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tasuki.actions.members import add_member
from tasuki.actions.models import publish_model, score_versions, train_model
from tasuki.actions.real_logs import ReplayPart, mapping_for, package_files, prepare_real_log, replay
from tasuki.demo.service_process import running_service
from tasuki.errors import Invalid, Missing, Refused, Unavailable
from tasuki.experiments.routing import RoutedArm, Routing, routing_to_json
from tasuki.metrics.declared import read_metrics
from tasuki.samples.client import ServiceAddress, ServiceClient
from tasuki.samples.scoring import Answers
from tasuki.settings.workspace import init_workspace, open_workspace

TALKINGDATA = Path(__file__).parents[3] / "shared" / "data" / "talkingdata_100k.csv.gz"
MODEL = """
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category
model = Model(
    name="{name}", table="impressions", unit="user", time="at", target=Target("clicked"), features=(category("{app}"),),
    estimator=LogisticRegression(), intended_use="a", unsuitable_use="b", baseline="c",
)
"""
MAPPING = """
name = "shop"
[time]
column = "when"
[unit]
columns = ["who"]
[label]
what = "click"
column = "hit"
time = "hit_at"
delay_hours = 2
[models]
champion = "a.py"
challenger = "b.py"
[replay]
held_out_hours = 6
[[features]]
name = "app"
"""


@pytest.fixture
def workspace(tmp_path):
    opened = init_workspace(tmp_path / "workspace")
    add_member(opened, "ren", actor="ren", roles=["data_scientist"])
    yield opened
    opened.close()


@pytest.fixture
def shop(tmp_path):
    """A small log with its mapping and model files beside it; half of its labels come three hours late."""
    rng = np.random.default_rng(1)
    start = datetime(2026, 4, 1, tzinfo=UTC)
    lines = ["when,who,hit,hit_at,app"]
    for number in rng.permutation(600):
        at = start + timedelta(minutes=2 * int(number))
        hit = rng.random() < 0.2
        known = (at + timedelta(hours=3 if number % 2 else 1)).isoformat() if hit else ""
        lines.append(f"{at.isoformat()},u{number % 50},{int(hit)},{known},{'ab'[number % 2]}")
    log = tmp_path / "shop.csv"
    log.write_text("\n".join(lines))
    (tmp_path / "shop.csv.toml").write_text(MAPPING)
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(MODEL.format(name="click", app="app"))
    return log


class Local:
    """Answers in this process: everybody in control, later rows score higher."""

    def score(self, question):
        count = len(question)
        arms, scores = np.full(count, "control"), np.linspace(0, 1, count)
        return Answers([f"e{number}" for number in range(count)], arms, scores, np.zeros(count, dtype=bool))


def test_a_prepared_log_lies_in_the_workspace_in_its_own_columns(workspace, shop):
    log = prepare_real_log(workspace, shop)
    table = pq.read_table(workspace.folder / "logs" / "impressions" / "shop.parquet")
    assert table.column_names == ["at", "user", "app", "clicked", "clicked_at"]
    assert table["at"].to_pylist() == sorted(table["at"].to_pylist())
    assert (log.contents.rows, log.contents.units, log.model, log.inputs) == (600, 50, "click", ("app",))
    assert log.held_out_until == log.contents.end - timedelta(hours=2)
    assert log.held_out_since == log.held_out_until - timedelta(hours=6)
    assert (workspace.folder / log.champion_file).is_file()


def test_only_labels_within_their_window_count_and_only_held_out_rows_are_played(workspace, shop):
    log = prepare_real_log(workspace, shop)
    summary = replay(workspace, log, Local())
    table = pq.read_table(workspace.folder / "logs" / "impressions" / "shop.parquet").to_pylist()
    played = [row for row in table if log.held_out_since <= row["at"] < log.held_out_until]
    in_time = [row for row in played if row["clicked"] and row["clicked_at"] - row["at"] <= timedelta(hours=2)]
    assert summary.sent == len(played) == 180
    assert summary.arms["control"].positives == len(in_time) < sum(row["clicked"] for row in played)
    outcomes = pq.read_table(workspace.folder / "logs" / "outcomes" / "shop-replay.parquet")
    assert outcomes.num_rows == 180
    assert summary.arms["control"].bought == outcomes["bought"].to_numpy().sum() == 36


def test_a_part_of_the_held_out_time_has_its_own_file_and_an_empty_one_is_refused(workspace, shop):
    log = prepare_real_log(workspace, shop)
    hour = timedelta(hours=1)
    assert (
        replay(workspace, log, Local(), ReplayPart("check", log.held_out_since, log.held_out_since + hour)).sent == 30
    )
    assert (workspace.folder / "logs" / "outcomes" / "check.parquet").is_file()
    with pytest.raises(Invalid, match="nothing to replay"):
        replay(workspace, log, Local(), ReplayPart("none", log.contents.end + hour, log.contents.end + 2 * hour))


def test_the_metrics_of_a_replay_are_declared_once_beside_the_teams_own(workspace, shop):
    team = '[metric.m]\nkind = "mean"\nnumerator = "value"\ntable = "outcomes"\nunit = "unit"\n'
    team += 'title = {en = "m", ja = "m"}\n'
    (workspace.folder / "metrics.toml").write_text(team)
    prepare_real_log(workspace, shop)
    once = (workspace.folder / "metrics.toml").read_text()
    assert set(read_metrics(workspace.folder)) == {"m", "captured_share", "captured_per_row", "spend_per_row"}
    prepare_real_log(workspace, shop)
    assert (workspace.folder / "metrics.toml").read_text() == once


def test_preparing_twice_changes_nothing_and_keeps_what_the_team_changed(workspace, shop):
    first = prepare_real_log(workspace, shop)
    changed = workspace.folder / first.challenger_file
    changed.write_text(changed.read_text() + "# ours\n")
    assert prepare_real_log(workspace, shop) == first
    assert changed.read_text().endswith("# ours\n")


def test_a_second_log_in_the_same_workspace_is_refused(workspace, shop):
    prepare_real_log(workspace, shop)
    (shop.parent / "shop.csv.toml").write_text(MAPPING.replace('"shop"', '"other"'))
    with pytest.raises(Refused, match="another log"):
        prepare_real_log(workspace, shop)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("shop.csv.toml", MAPPING.replace("6", "60"), "too short"),
        ("shop.csv.toml", MAPPING.replace('"who"', '"whom"'), "whom"),
        ("b.py", MODEL.format(name="other", app="app"), "different models"),
        ("b.py", MODEL.format(name="click", app="slot"), "no column 'slot'"),
        ("b.py", "raise ValueError('no')", "ValueError"),
    ],
)
def test_a_log_that_does_not_fit_writes_nothing(workspace, shop, file, content, said):
    (shop.parent / file).write_text(content)
    with pytest.raises(Invalid, match=said):
        prepare_real_log(workspace, shop)
    assert not list((workspace.folder / "logs").rglob("*.parquet"))
    assert not list((workspace.folder / "models").glob("*.py"))


def test_a_log_whose_columns_nobody_knows_asks_for_a_mapping(shop):
    (shop.parent / "shop.csv.toml").unlink()
    with pytest.raises(Missing, match="who"):
        mapping_for(shop)


def test_talkingdata_is_known_by_its_columns(tmp_path):
    header = "ip,app,device,os,channel,click_time,attributed_time,is_attributed\n"
    (tmp_path / "clicks.csv").write_text(header + "1,2,1,13,4,2017-11-07 09:30:38,,0\n")
    assert mapping_for(tmp_path / "clicks.csv").stem == "talkingdata"


def test_a_package_that_is_not_installed_is_unavailable():
    with pytest.raises(Unavailable, match="are not there") as caught:
        package_files("no-such-package-here", ("a.csv",))
    assert "pip install" in caught.value.next_step


def published(workspace, log):
    """Both models trained on what came before the held-out time, published, and their versions."""
    versions = {}
    for channel, file in (("champion", log.champion_file), ("challenger", log.challenger_file)):
        trained = train_model(workspace, workspace.folder / file, until=log.held_out_since, actor="ren")
        publish_model(workspace, log.model, trained.version, channel=channel, actor="ren")
        versions[channel] = trained.version
    return versions


def replayed_over_http(workspace, log):
    arms = (
        RoutedArm("control", 0.5, "champion", "artifacts"),
        RoutedArm("treatment", 0.5, "challenger", "artifacts"),
    )
    routing = Routing(log.model, "replay", "comparison", "salt", arms)
    (workspace.folder / "serving" / "routing.json").write_bytes(routing_to_json(routing))
    with running_service(workspace.folder, log.model) as address:
        port = int(address.rsplit(":", 1)[1])
        with ServiceClient(ServiceAddress(log.model, port=port)) as client:
            return replay(workspace, log, client)


def require_exposures_match(workspace, summary):
    """Every answer is one exposure of the service's log, of the same unit and arm."""
    logs = workspace.folder / "logs"
    same = f"""
        select count(*), count(distinct exposure), sum((e.unit = o.unit and e.arm = o.arm and e.score = o.bid)::int)
        from '{logs}/exposures/*.parquet' e join '{logs}/outcomes/*.parquet' o using (exposure)"""
    assert duckdb.sql(same).fetchall() == [(summary.sent,) * 3]
    assert sum(arm.fallbacks for arm in summary.arms.values()) == 0


def reopened(workspace):
    """The workspace again: tables are what lay in its folders when it was opened."""
    workspace.close()
    return open_workspace(workspace.folder)


def test_the_open_bandit_logs_run_through_the_service(workspace):
    try:
        log = prepare_real_log(workspace, "obd")
    except Unavailable as error:
        pytest.skip(str(error))
    assert (log.contents.rows, log.contents.positives) == (30_000, 130)
    again = reopened(workspace)
    published(again, log)
    summary = replayed_over_http(again, log)
    assert summary.sent == sum(arm.opportunities for arm in summary.arms.values()) > 8_000
    require_exposures_match(again, summary)
    for arm in summary.arms.values():
        assert arm.bought == int(0.2 * arm.opportunities)
    again.close()


@pytest.mark.skipif(not TALKINGDATA.exists(), reason=f"the real file {TALKINGDATA.name} is not there")
def test_the_talkingdata_file_is_learnt_validated_and_replayed(workspace):
    log = prepare_real_log(workspace, TALKINGDATA)
    assert (log.contents.rows, log.contents.positives, log.contents.units) == (100_000, 227, 77_616)
    again = reopened(workspace)
    versions = published(again, log)
    window = {"since": log.held_out_since, "until": log.held_out_until}
    rows = score_versions(again, again.folder / log.champion_file, versions, **window)
    summary = replayed_over_http(again, log)
    require_exposures_match(again, summary)
    assert summary.sent == len(rows.labels) == 34_513
    assert sum(arm.positives for arm in summary.arms.values()) == rows.labels.sum() == 73
    for arm in summary.arms.values():
        assert arm.captured > 0.5 * arm.positives
    again.close()
