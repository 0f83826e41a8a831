"""A/B 1 of a model whose columns have Japanese names, quotes and backslashes: all is seen, and so are faults."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import check_world
from check_world import SHARES, START, Row, draw, idea_for, make_template, opened, request_of, write_outcomes
from tasuki.actions import observation
from tasuki.actions.check import ClientSaid, check_experiment, start_experiment, stop_experiment
from tasuki.actions.logged_names import path_of
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.experiments.assignment import assign
from tasuki.flow.records import CheckReport
from tasuki.models.artifact import Artifact, score_rows

NAMES = {"app": "店舗", "place": 'place "a\\b"', "at": "来店時刻", "minutes": "滞在/分~"}
COUNT = "会員の来店回数"
MODEL = """\
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category, count_over, hour_of_day, number
model = Model(
    name="ctr", table="impressions", unit="user", time={at!r},
    target=Target("clicked", delay_hours={{delay}}, time="clicked_at"),
    features=(
        category({app!r}), category({place!r}), hour_of_day({at!r}),
        count_over("7d", by="user", name={count!r}, bins=(5, 10, 15)){{more}}
    ),
    estimator=LogisticRegression(C={{c}}, max_iter=50),
    buckets=2**10, intended_use="bids", unsuitable_use="billing", baseline="the click rate",
)
""".format(**NAMES, count=COUNT)


def renamed(row: Row) -> Row:
    return {NAMES[name]: value for name, value in row.items()}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, plainly = tmp_path_factory.mktemp("names") / "workspace", check_world.write_impressions

    def impressions(where: Path) -> None:
        plainly(where)
        path = where / "part-0.parquet"
        table = pq.read_table(path)
        pq.write_table(table.rename_columns([NAMES.get(name, name) for name in table.column_names]), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_world, "MODEL", MODEL)
        patch.setattr(check_world, "MINUTES", f", number({NAMES['minutes']!r})")
        patch.setattr(check_world, "write_impressions", impressions)
        make_template(folder)
    return folder


@pytest.fixture
def workspace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(observation, "LOG_DELAY_S", 0.0)
    shutil.copytree(template, tmp_path / "workspace")
    with closing(opened(tmp_path / "workspace", MovableClock(START + timedelta(hours=1)))) as found:
        yield found


ROWS = draw(3_000, 2, 48)
COUNTS = np.random.default_rng(5).integers(0, 20, len(ROWS)).tolist()


def scores_of(artifact: Artifact, rows: list[Row]) -> list[float]:
    found: list[float] = score_rows(artifact, {name: [one[name] for one in rows] for name in artifact.inputs}).tolist()
    return found


def answers(workspace: Workspace) -> list[Row]:
    """The exposures of a service that behaves."""
    versions = check_world.versions_of(workspace)
    of = {"control": versions.champion, "treatment": versions.challenger}
    rows = [{**renamed(one), COUNT: count} for one, count in zip(ROWS, COUNTS, strict=True)]
    scores = {arm: scores_of(artifact, rows) for arm, artifact in of.items()}
    found = []
    for number, features in enumerate(rows):
        unit = f"u{number % 900}"
        arm = assign(unit, "e1", SHARES)[0]
        at = datetime.fromisoformat(features[NAMES["at"]])
        row = {"exposure": f"x{number}", "at": at, "experiment": "e1", "model": "ctr", "unit": unit, "arm": arm}
        row |= {"version": of[arm].version, "score": scores[arm][number], "fallback": False, "reason": None}
        found.append({**row, "latency_us": 800, "features": features})
    return found


def check(workspace: Workspace, rows: list[Row]) -> CheckReport:
    idea = idea_for(workspace)
    start_experiment(workspace, idea, request_of(workspace, "e1"), actor="yui")
    workspace.clock.advance(days=2)  # type: ignore[attr-defined]
    table = pa.Table.from_pylist([{**one, "features": json.dumps(one["features"])} for one in rows])
    logs = workspace.folder / "logs"
    (logs / "exposures").mkdir(parents=True)
    pq.write_table(table, logs / "exposures" / "segment-0.parquet")
    write_outcomes(logs / "outcomes", "day-0", ROWS, [f"x{number}" for number in range(len(ROWS))])
    stop_experiment(workspace, idea, "e1", actor="yui")
    return check_experiment(workspace, idea, "e1", actor="yui", said=ClientSaid({"all": len(ROWS)}, failed=0))


def failed(report: CheckReport) -> dict[str, str]:
    return {one.name: one.explanation for one in report.probes if not one.passed}


def test_names_of_any_letters_pass_and_every_input_is_held_against_training(workspace: Workspace) -> None:
    report = check(workspace, answers(workspace))
    assert failed(report) == {}
    told = {one.name: one.explanation for one in report.probes}
    assert "3 inputs" in told["features_as_trained"]
    assert report.passed


def every(row: Row, **changes: Any) -> Row:
    return {**row, "features": {**row["features"], **changes}}


def later(row: Row) -> Row:
    name = NAMES["at"]
    return every(row, **{name: (datetime.fromisoformat(row["features"][name]) + timedelta(hours=9)).isoformat()})


FAULTS: dict[str, tuple[Callable[[Row], Row], str, str]] = {
    "a category is always the same": (lambda row: every(row, 店舗="app0"), "features_as_trained", "店舗"),
    "a category is null": (lambda row: every(row, 店舗=None), "features_present", "店舗"),
    "a name with quotes is not sent": (
        lambda row: {**row, "features": {k: v for k, v in row["features"].items() if k != NAMES["place"]}},
        "features_present", NAMES["place"],
    ),
    "a count is null": (lambda row: every(row, **{COUNT: None}), "features_present", COUNT),
    "a number has no value at all": (
        lambda row: every(row, **{NAMES["minutes"]: None}), "features_as_trained", NAMES["minutes"]
    ),
    "a number is stuck": (lambda row: every(row, **{NAMES["minutes"]: 7.0}), "features_as_trained", NAMES["minutes"]),
    "times are nine hours ahead": (later, "time_zone", "来店時刻"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_inputs_of_any_name_are_found(workspace: Workspace, fault: str) -> None:
    change, probe, name = FAULTS[fault]
    told = failed(check(workspace, [change(one) for one in answers(workspace)]))
    assert name in told[probe]


@given(st.text(st.characters(codec="utf-8"), max_size=12), st.booleans())
def test_the_path_of_any_name_finds_its_value_and_no_other(name: str, escaped: bool) -> None:
    document = json.dumps({name + "x": 1, name: 2, "x" + name: 3}, ensure_ascii=escaped)
    found, absent = (path_of(one).sql("duckdb") for one in (name, "no" + name))
    sql = f"select json_extract_string(?, {found}), json_type(?, {absent})"
    assert duckdb.execute(sql, [document, document]).fetchall() == [("2", None)]
