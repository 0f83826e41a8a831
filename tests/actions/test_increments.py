"""What is kept of earlier days gives what reading everything gives, and earlier days are not read again."""

import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tasuki
from tasuki.actions import increments
from tasuki.actions.exposed import Increments, Question, Seen, measure_experiment
from tasuki.errors import Invalid
from tasuki.metrics.metric import Cap, Covariate, Metric, Winsor
from tasuki.store.increments import MANIFEST, read_kept
from tasuki.warehouse import Warehouse, open_engine

FIRST = date(2026, 4, 1)
DAYS = 4
EXPOSURES = {
    "exposure": pl.String,
    "at": pl.Datetime("us"),
    "experiment": pl.String,
    "unit": pl.String,
    "arm": pl.String,
}
EVENTS = {"exposure": pl.String, "at": pl.Datetime("us"), "user": pl.String, "x": pl.Float64, "bought": pl.Boolean,
          "age": pl.Int64}  # fmt: skip


def metrics(link: str) -> tuple[Metric, ...]:
    tied = {"exposure": "exposure"} if link == "exposure" else {"unit": "user"}
    every: dict[str, Any] = {"table": "events", "time": "at", **tied}
    return (
        Metric("sum", "mean", "x", **every),
        Metric("ratio", "ratio", "x", "case when bought then 2 else 1 end", filter="x is not null", **every),
        Metric("bought", "proportion", "bought", filter="x > 0 or x is null", **every),
        Metric("middle", "quantile", "x", quantile=0.5, **every),
        Metric("adjusted", "mean", "x", covariates=(Covariate("age"),), **every),
        Metric("held", "mean", "x", winsor=Winsor(Cap(0.2, is_quantile=True), Cap(20.0)), **every),
    )


class Logs:
    """Two log tables in a folder, and what is kept of them."""

    def __init__(self, folder: Path, link: str = "unit") -> None:
        self.folder = folder
        self.metrics = metrics(link)
        self.segments: tuple[str, ...] = ()
        self.tables = {name: str(folder / name / "*.parquet") for name in ("exposures", "events")}

    def add(self, table: str, name: str, rows: list[dict[str, Any]]) -> Path:
        (self.folder / table).mkdir(exist_ok=True)
        path = self.folder / table / f"{name}.parquet"
        pl.DataFrame(rows, schema=EXPOSURES if table == "exposures" else EVENTS).write_parquet(path)
        return path

    def seen(
        self, today: date, use: Increments = "use", ran: tuple[datetime, datetime, datetime] | None = None
    ) -> Seen:
        warehouse = Warehouse(self.tables)
        try:
            question = Question("ab2", self.metrics, 0.05, today, self.segments, use, ran)
            return measure_experiment(warehouse, self.folder / "increments", self.tables, question)
        finally:
            warehouse.close()

    def kept(self) -> Path:
        (found,) = (self.folder / "increments").iterdir()
        return found


def assert_same(found: Seen, right: Seen) -> None:
    assert [(one.arm, one.units) for one in found.statistics.cells] == [
        (o.arm, o.units) for o in right.statistics.cells
    ]
    for name in ("units_in_several_arms", "units_without_arm"):
        assert getattr(found.statistics, name) == getattr(right.statistics, name)
    assert found.statistics.varying_segments == right.statistics.varying_segments
    for one, other in zip(found.statistics.cells, right.statistics.cells, strict=True):
        for mine, judge in zip(one.samples, other.samples, strict=True):
            assert (mine.moments.n, mine.lost, mine.held) == (judge.moments.n, judge.lost, judge.held)
            assert mine.reach == (None if judge.reach is None else pytest.approx(judge.reach, rel=1e-9))
            np.testing.assert_allclose(mine.moments.means, judge.moments.means, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(mine.moments.covariances, judge.moments.covariances, rtol=1e-9, atol=1e-7)
            if judge.quantiles is not None:
                np.testing.assert_allclose(mine.quantiles, judge.quantiles, rtol=1e-9, atol=1e-9)


MOMENTS = st.integers(0, DAYS * 24 - 1).map(lambda hours: datetime(2026, 4, 1) + timedelta(hours=hours))
UNITS = st.sampled_from("abcdef")
DELAYS = st.sampled_from([0, 0, 0, 0, 1, 2])
EXPOSED = st.tuples(
    UNITS, st.sampled_from(["control", "treatment", "by unit", "by unit", "by unit", None]), MOMENTS, DELAYS
)
HAPPENED = st.tuples(
    st.integers(0, 30), UNITS, MOMENTS, DELAYS,
    st.one_of(
        st.none(),
        st.floats(-50, 50).map(lambda one: one if abs(one) > 1e-9 else 0.0),  # smaller ones are refused
        st.sampled_from([float("nan"), float("inf")]),
    ),
    st.booleans(),
)  # fmt: skip


def delivered(logs: Logs, exposed: list[Any], happened: list[Any], run: int) -> None:
    """The files of one day: what happened on it, and what arrives late."""
    arms = {unit: ("control", "treatment")[at % 2] for at, unit in enumerate("abcdef")}
    arrives = lambda at, delay: (at.date() - FIRST).days + delay == run  # noqa: E731
    rows = [
        {"exposure": f"e{k}", "at": at, "experiment": "other" if k % 7 == 6 else "ab2", "unit": unit,
         "arm": arms[unit] if arm == "by unit" else arm}
        for k, (unit, arm, at, delay) in enumerate(exposed) if arrives(at, delay)
    ]  # fmt: skip
    logs.add("exposures", f"{run}", rows)
    rows = [
        {"exposure": f"e{k}", "at": at, "user": unit, "x": x, "bought": bought, "age": ord(unit)}
        for k, unit, at, delay, x, bought in happened
        # What follows from an exposure comes after it.
        if arrives(at, delay) and (k >= len(exposed) or at >= exposed[k][2])
    ]  # fmt: skip
    for half in (0, 1):
        logs.add("events", f"{run}-{half}", rows[half::2])


# Each look asks some twenty queries: shrinking a failure would take minutes.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(EXPOSED, min_size=2, max_size=12), st.lists(HAPPENED, max_size=25), st.sampled_from(["unit", "exposure"]),
    st.sets(st.integers(0, DAYS + 2), min_size=1, max_size=3), st.booleans(),
)  # fmt: skip
def test_days_added_up_are_the_same_as_all_days_at_once(
    exposed: list[Any], happened: list[Any], link: str, looks: set[int], is_noon: bool
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tasuki-increments-"))
    try:
        logs = Logs(folder, link)
        if link == "unit":
            windowed = {"table": "events", "time": "at", "unit": "user", "window_hours": 30}
            logs.metrics = (*logs.metrics, Metric("early", "mean", "x", winsor=Winsor(None, Cap(9.0)), **windowed))
        logs.segments = ("age", "bought") if is_noon else ()
        for run in range(DAYS + 3):
            delivered(logs, exposed, happened, run)
            if run not in looks:
                continue
            today = FIRST + timedelta(days=run + (0 if is_noon else 1))
            try:
                right = logs.seen(today, "ignore")
            except Invalid:
                with pytest.raises(Invalid):
                    logs.seen(today)
                continue
            assert_same(logs.seen(today), right)
    finally:
        shutil.rmtree(folder)


def week(folder: Path, days: int = 6) -> Logs:
    logs = Logs(folder)
    rng = np.random.default_rng(3)
    for day in range(days):
        add_day(logs, day, rng)
    return logs


def add_day(logs: Logs, day: int, rng: np.random.Generator) -> None:
    start = datetime(2026, 4, 1) + timedelta(days=day)
    users = [f"u{one}" for one in rng.integers(0, 300, 120)]
    exposed = [
        {"exposure": f"{day}-{k}", "at": start + timedelta(minutes=k), "experiment": "ab2", "unit": unit,
         "arm": ("control", "treatment")[int(unit[1:]) % 2]} for k, unit in enumerate(users)
    ]  # fmt: skip
    happened = [
        {"exposure": one["exposure"], "at": one["at"] + timedelta(hours=3), "user": one["unit"],
         "x": float(rng.normal(5)), "bought": bool(rng.random() < 0.3), "age": int(one["unit"][1:]) % 50}
        for one in exposed
    ]  # fmt: skip
    logs.add("exposures", f"{day}", exposed)
    logs.add("events", f"{day}", happened)


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def codes(seen: Seen) -> list[str]:
    return [one.code for one in seen.concerns]


def test_days_that_were_read_are_not_read_again(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    add_day(logs, 6, np.random.default_rng(9))
    right = logs.seen(after(7), "ignore")
    for table in ("exposures", "events"):
        for day in range(6):
            path = tmp_path / table / f"{day}.parquet"
            before = path.stat()
            # The same size and time, and nothing in it: whoever opens it fails.
            path.write_bytes(b"\0" * before.st_size)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Invalid):
        logs.seen(after(7), "ignore")
    assert_same(logs.seen(after(7)), right)


def test_files_that_are_gone_stay_counted_and_it_is_said(tmp_path: Path) -> None:
    logs = week(tmp_path)
    right = logs.seen(after(6))
    for path in (tmp_path / "events" / "0.parquet", tmp_path / "exposures" / "0.parquet"):
        path.unlink()
    found = logs.seen(after(6))
    assert_same(found, right)
    assert codes(found) == ["kept_without_source"]
    assert "2 file(s) that were read earlier" in found.concerns[0].message


def test_a_day_that_changed_is_read_again_and_it_is_said(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    path = tmp_path / "events" / "2.parquet"
    pl.read_parquet(path).with_columns(x=pl.col("x") * 3).write_parquet(path)
    found = logs.seen(after(6))
    assert_same(found, logs.seen(after(6), "ignore"))
    assert codes(found) == ["read_anew"]
    assert "2.parquet changed after it was read" in found.concerns[0].message
    assert codes(logs.seen(after(6))) == []


def test_late_exposures_are_counted_and_it_is_said(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    late = {"exposure": "l", "at": datetime(2026, 4, 2), "experiment": "ab2", "unit": "u999", "arm": "control"}
    logs.add("exposures", "late", [late])
    found = logs.seen(after(6))
    assert_same(found, logs.seen(after(6), "ignore"))
    assert "arrived late" in found.concerns[0].message


def test_other_definitions_are_read_anew_and_it_is_said(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    logs.metrics = tuple(
        Metric(one.name, "mean", "x * 2", table="events", unit="user", time="at") for one in logs.metrics
    )
    found = logs.seen(after(6))
    assert_same(found, logs.seen(after(6), "ignore"))
    assert "definitions changed" in found.concerns[0].message


def test_other_columns_are_read_anew(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    path = logs.add("events", "6", [])
    pl.DataFrame(
        {"exposure": ["z"], "at": [datetime(2026, 4, 7)], "user": ["u1"], "x": [1], "bought": [True], "age": [1]}
    ).write_parquet(path)
    found = logs.seen(after(7))
    assert_same(found, logs.seen(after(7), "ignore"))
    assert "columns changed" in found.concerns[0].message


def test_what_must_be_read_anew_and_is_gone_is_never_a_smaller_number(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    (tmp_path / "events" / "0.parquet").unlink()
    logs.metrics = tuple(
        Metric(one.name, "mean", "x * 2", table="events", unit="user", time="at") for one in logs.metrics
    )
    with pytest.raises(Invalid, match="are gone") as caught:
        logs.seen(after(6))
    assert "0.parquet" in str(caught.value)
    assert "--rebuild" in str(caught.value)
    assert_same(logs.seen(after(6), "rebuild"), logs.seen(after(6), "ignore"))


@pytest.mark.parametrize("what", ["manifest", "part", "missing", "form"])
def test_what_is_kept_and_damaged_is_made_anew(tmp_path: Path, what: str) -> None:
    logs = week(tmp_path)
    right = logs.seen(after(6))
    kept = logs.kept()
    units = next(kept.glob("units-*.parquet"))
    match what:
        case "manifest":
            (kept / MANIFEST).write_text("{")
        case "part":
            content = bytearray(units.read_bytes())
            content[len(content) // 2] ^= 1
            units.write_bytes(content)
        case "missing":
            units.unlink()
        case "form":
            document = json.loads((kept / MANIFEST).read_text())
            (kept / MANIFEST).write_text(json.dumps({**document, "form": 99}))
    found = logs.seen(after(6))
    assert_same(found, right)
    assert codes(found) == ["read_anew"]
    assert codes(logs.seen(after(6))) == []


def test_the_path_is_that_of_each_days_end(tmp_path: Path) -> None:
    logs = week(tmp_path, days=3)
    for day in (3, 4, 5):
        logs.seen(after(day))
        add_day(logs, day, np.random.default_rng(day))
    (grown,) = logs.seen(after(6)).paths
    assert [day for day, _ in grown.days] == [after(day) for day in range(6)]
    for at, (_, statistics) in enumerate(grown.days):
        (tmp_path / f"until{at}").mkdir()
        until = Logs(tmp_path / f"until{at}")
        for table in ("exposures", "events"):
            (until.folder / table).mkdir()
            for day in range(at + 1):
                shutil.copy(tmp_path / table / f"{day}.parquet", until.folder / table)
        assert_same(Seen(statistics, ()), until.seen(after(9), "ignore"))


def test_days_without_rows_are_a_concern(tmp_path: Path) -> None:
    logs = week(tmp_path, days=2)
    add_day(logs, 4, np.random.default_rng(1))
    (concern,) = logs.seen(after(5)).concerns
    assert concern.code == "missing_days"
    assert concern.values["days"] == ["2026-04-03", "2026-04-04"]


def test_days_lost_at_the_beginning_and_the_end_of_an_experiment_are_a_concern(tmp_path: Path) -> None:
    logs = week(tmp_path, days=3)  # rows from April 1 to 3
    ran = (moment("03-31T09:00"), moment("04-05T18:00"), moment("04-09T00:00"))
    (concern,) = logs.seen(after(8), ran=ran).concerns
    assert concern.code == "missing_days"
    assert concern.values["days"] == ["2026-03-31", "2026-04-04", "2026-04-05"]


def test_an_experiment_that_runs_need_not_have_rows_of_today_nor_of_the_minutes_around_midnight(tmp_path: Path) -> None:
    logs = week(tmp_path, days=3)
    for ran in (
        (moment("03-31T23:40"), moment("04-04T12:00"), moment("04-04T12:00")),
        (moment("04-01T00:00"), moment("04-04T00:10"), moment("04-09T00:00")),
    ):
        assert logs.seen(after(8), ran=ran).concerns == ()


def test_exposures_on_other_days_than_the_experiments_are_a_concern(tmp_path: Path) -> None:
    logs = week(tmp_path, days=3)
    ran = (moment("04-02T06:00"), moment("04-04T00:00"), moment("04-09T00:00"))
    concern, events = logs.seen(after(8), ran=ran).concerns
    assert events.code == "events_outside_days"
    assert concern.code == "exposures_outside_days"
    assert concern.values["days"] == ["2026-04-01"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


def _die_before_the_pointer(folder: str, before: Any) -> None:
    def stopped(*_: Any) -> None:
        before.set()
        time.sleep(60)

    increments.write_kept = stopped
    Logs(Path(folder)).seen(after(7))


def test_killed_before_the_pointer_moved_the_old_state_is_there(tmp_path: Path) -> None:
    logs = week(tmp_path)
    logs.seen(after(6))
    old = read_kept(logs.kept())
    add_day(logs, 6, np.random.default_rng(9))
    spawn = multiprocessing.get_context("spawn")
    before = spawn.Event()
    process = spawn.Process(target=_die_before_the_pointer, args=(str(tmp_path), before))
    process.start()
    assert before.wait(60)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert read_kept(logs.kept()) == old
    assert len(list(logs.kept().glob("*.parquet"))) == 4
    assert_same(logs.seen(after(7)), logs.seen(after(7), "ignore"))
    assert len(list(logs.kept().glob("*.parquet"))) == 2


def assert_same_path(found: Seen, right: Seen) -> None:
    """The same days, and in each arm the same means and covariances at the end of each."""
    (mine,), (judge,) = found.paths, right.paths
    # Where days are kept, a day has a point as well on which only others than exposed units did something.
    known = dict(judge.days)
    assert {day for day, _ in mine.days} <= set(known)
    names = [one.metric.name for one in judge.metrics]
    for day, one in mine.days:
        other = known[day]
        totals = {cell.arm: cell for cell in other.cells if cell.segment is None}
        assert {cell.arm: cell.units for cell in one.cells} == {arm: cell.units for arm, cell in totals.items()}
        for cell in one.cells:
            for bound, sample in zip(mine.metrics, cell.samples, strict=True):
                moments = totals[cell.arm].samples[names.index(bound.metric.name)].moments
                assert sample.moments.n == moments.n
                np.testing.assert_allclose(sample.moments.means, moments.means, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(sample.moments.covariances, moments.covariances, rtol=1e-9, atol=1e-6)


PLAIN = ("sum", "ratio", "bought")
"""Metrics whose days do not depend on what is known later: no ends at a quantile, no stand-in for a covariate."""


def plainly(folder: Path, link: str) -> Logs:
    logs = Logs(folder, link)
    logs.metrics = tuple(one for one in logs.metrics if one.name in PLAIN)
    return logs


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(EXPOSED, min_size=6, max_size=30),
    st.lists(HAPPENED, max_size=60),
    st.sampled_from(["unit", "exposure"]),
)
def test_the_path_of_days_is_the_same_where_nothing_is_kept(exposed: list[Any], happened: list[Any], link: str) -> None:
    # No file is late and each unit is in one arm: days that were told once stay as they were told where days are kept.
    exposed = [(unit, "by unit", at, 0) for unit, _, at, _ in exposed]
    with tempfile.TemporaryDirectory() as folder:
        logs = plainly(Path(folder), link)
        for run in range(DAYS):
            delivered(logs, exposed, [(*one[:3], 0, *one[4:]) for one in happened], run)
        try:
            right = logs.seen(FIRST + timedelta(days=DAYS + 1))
        except Invalid:
            return
        assert_same_path(logs.seen(FIRST + timedelta(days=DAYS + 1), "ignore"), right)


def test_a_column_that_some_files_lack_is_a_concern_that_names_file_and_column(tmp_path: Path) -> None:
    logs = week(tmp_path)
    for day in (1, 3):
        path = tmp_path / "events" / f"{day}.parquet"
        pl.read_parquet(path).drop("bought").write_parquet(path)
    for use in ("ignore", "use", "use"):
        (said,) = logs.seen(after(6), use).concerns
        assert (said.code, said.severity) == ("columns_missing", "warning")
        assert "2 of 6 files of events have no column bought" in said.message
        assert said.values["first"].endswith("events/1.parquet")
    add_day(logs, 6, np.random.default_rng(9))
    path = tmp_path / "exposures" / "6.parquet"
    pl.read_parquet(path).drop("exposure").write_parquet(path)
    assert [one.values["table"] for one in logs.seen(after(7)).concerns if one.code == "columns_missing"] == ["events"]


def test_a_table_of_the_workspace_is_not_compared_where_files_lack_a_column(tmp_path: Path) -> None:
    week(tmp_path, days=2)
    path = tmp_path / "events" / "1.parquet"
    pl.read_parquet(path).with_columns(arm=pl.lit("a")).write_parquet(path)
    with pytest.raises(Invalid, match=r"1 of 2 files of events lack columns") as raised:
        tasuki.compare("events", variant="arm", means=["x"], tables={"events": str(tmp_path / "events" / "*.parquet")})
    assert "0.parquet: has no column 'arm'" in str(raised.value)


def test_rows_outside_of_the_experiments_days_are_counted(tmp_path: Path) -> None:
    logs = week(tmp_path)
    ran = (moment("04-01T00:00"), moment("04-03T00:00"), moment("04-08T00:00"))
    for use in ("ignore", "use", "use"):
        (said,) = [one for one in logs.seen(after(6), use, ran).concerns if one.code == "events_outside_days"]
        assert said.severity == "warning"
        assert said.values["before"] == 0
        assert 0.3 < said.values["after"] / said.values["rows"] < 0.6
    as_it_ran = (moment("04-01T00:00"), moment("04-07T00:00"), moment("04-08T00:00"))
    assert codes(logs.seen(after(6), ran=as_it_ran)) == []


def test_what_follows_an_exposure_may_come_after_the_end(tmp_path: Path) -> None:
    logs = Logs(tmp_path, "exposure")
    for day in range(3):
        add_day(logs, day, np.random.default_rng(day))
    path = tmp_path / "events" / "2.parquet"
    pl.read_parquet(path).with_columns(pl.col("at") + timedelta(days=5)).write_parquet(path)
    ran = (moment("04-01T00:00"), moment("04-04T00:00"), moment("04-20T00:00"))
    (said,) = [one for one in logs.seen(after(9), ran=ran).concerns if one.code == "events_outside_days"]
    assert said.severity == "info"


def test_windows_that_are_not_over_are_a_concern(tmp_path: Path) -> None:
    logs = week(tmp_path)
    windowed = {"table": "events", "time": "at", "unit": "user", "window_hours": 30}
    logs.metrics = (*logs.metrics, Metric("early", "mean", "x", **windowed))
    ran = (moment("04-01T00:00"), moment("04-07T00:00"), moment("04-08T00:00"))
    for use in ("ignore", "use"):
        (said,) = [one for one in logs.seen(after(6), use, ran).concerns if one.code == "window_open"]
        assert said.values["hours"] == 30
        # Rows are known until the end of the last day that has any; whoever came in its last 30 hours has not finished.
        assert 0 < said.values["open"] < said.values["units"]
    add_day(logs, 9, np.random.default_rng(9))
    late = (moment("04-01T00:00"), moment("04-07T00:00"), moment("04-20T00:00"))
    exposures = pl.read_parquet(tmp_path / "exposures" / "9.parquet")
    exposures.clear().write_parquet(tmp_path / "exposures" / "9.parquet")
    assert "window_open" not in codes(logs.seen(after(12), "ignore", late))


def test_spark_and_clusters_have_a_path_of_days(tmp_path: Path, spark: str) -> None:
    logs = plainly(tmp_path, "unit")
    for day in range(3):
        add_day(logs, day, np.random.default_rng(day))
    right = logs.seen(after(3))
    engine = open_engine(spark, logs.tables)
    try:
        question = Question("ab2", logs.metrics, 0.05, after(3), increments="use")
        found = measure_experiment(engine, tmp_path / "none", logs.tables, question)
    finally:
        engine.close()
    assert_same_path(found, right)
    assert len(found.paths[0].days) == 3
    assert not (tmp_path / "none").exists()
    logs.metrics = tuple(replace(one, unit="exposure", cluster="user") for one in logs.metrics)
    (grown,) = logs.seen(after(3)).paths
    assert [day for day, _ in grown.days] == [day for day, _ in right.paths[0].days]
    units = {cell.arm: cell.units for cell in grown.days[0][1].cells}
    assert units == {cell.arm: cell.units for cell in right.paths[0].days[0][1].cells if cell.segment is None}


def in_segments(logs: Logs, day: int, log: str = "run-1") -> None:
    """A day's exposures as a service writes them: several small segments instead of the day's file."""
    from tasuki.serving.segments import Exposure, table_of, write_segment
    from tasuki.serving.write_ahead import segment_name

    path = logs.folder / "exposures" / f"{day}.parquet"
    rows = pl.read_parquet(path).to_dicts()
    path.unlink()
    told = [
        Exposure(one["exposure"], one["at"].replace(tzinfo=UTC), one["experiment"], "ctr", one["unit"], one["arm"],
                 "v", 0.5, False, None, 1, "{}")
        for one in rows
    ]  # fmt: skip
    for part in range(3):
        path = logs.folder / "exposures" / segment_name(log, 3 * day + part)
        write_segment(path, table_of(told[part::3]))
        moment = told[-1].at.timestamp()
        os.utime(path, (moment, moment))


def compacted(logs: Logs, today: date) -> int:
    from tasuki.serving.compaction import compact

    now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    return len(compact(logs.folder / "exposures", logs.folder / "no-write-ahead", now).made)


def test_compacted_files_are_nothing_new_to_who_counted_the_small_ones(tmp_path: Path) -> None:
    logs = week(tmp_path)
    for day in range(6):
        in_segments(logs, day)
    today = FIRST + timedelta(days=4)
    before = logs.seen(today)
    assert compacted(logs, today) > 3
    again = logs.seen(today)
    assert [one.code for one in again.concerns] == [one.code for one in before.concerns]
    assert_same(again, before)
    # Once more, with the last days: files that hold other files.
    later = FIRST + timedelta(days=7)
    assert compacted(logs, later) > 0
    grown = logs.seen(later)
    assert {"read_anew", "kept_without_source"} & {one.code for one in grown.concerns} == set()
    assert_same(grown, logs.seen(later, "ignore"))


def test_late_segment_inside_a_compacted_file_has_everything_read_anew_and_is_no_error(tmp_path: Path) -> None:
    logs = week(tmp_path)
    in_segments(logs, 1)
    today = FIRST + timedelta(days=5)
    logs.seen(today)
    # A killed service's exposures of that day come to the log days later, and are compacted with the others.
    first = sorted((logs.folder / "exposures").glob("exposures-*"))[0]
    late = pl.read_parquet(first).with_columns(pl.col("exposure") + "-late", pl.col("unit") + "-late")
    path = first.with_name("exposures-run-1-000099.parquet")
    in_table = late.to_arrow().cast(pq.read_schema(first))
    pq.write_table(in_table, path)
    os.utime(path, (0, 0))
    assert compacted(logs, today) == 1
    found = logs.seen(today)
    assert "read_anew" in {one.code for one in found.concerns}
    assert_same(found, logs.seen(today, "ignore"))
