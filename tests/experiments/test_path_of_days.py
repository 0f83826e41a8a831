"""`time` tells each effect day by day, as always-valid intervals on the data up to each day would."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.actions import passes
from tasuki.actions.compare import compare
from tasuki.errors import Invalid
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.daily import DayEffect
from tasuki.experiments.daily_path import MOST_DAYS
from tasuki.stats.moments import moments_of

FIRST = datetime(2026, 3, 1)
ASKED: dict[str, Any] = {
    "variant": "arm",
    "control": "c",
    "means": ["x"],
    "ratios": [("k", "v")],
    "proportions": ["k"],
    "covariates": {"x": ["before"]},
}
SAME = [one.name for one in fields(DayEffect) if one.name not in ("day", "metric", "treatment_arm")]


def events(seed: int, rows: int = 600, users: int = 80, days: int = 6) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    user = draw.integers(0, users, rows)
    seconds = draw.integers(0, days * 86_400, rows)
    return pl.DataFrame(
        {
            "user": user,
            "town": user // 4,
            "arm": np.where(user % 2, "t", "c"),
            "at": [FIRST + timedelta(seconds=int(one)) for one in seconds],
            "x": draw.gamma(2, 3, rows) - 1,
            "v": draw.integers(1, 4, rows),
            "k": draw.integers(0, 2, rows),
            "before": (user * 7919) % 13 / 2,
        }
    )


def is_same(seen: float | None, wanted: float | None) -> bool:
    if seen is None or wanted is None:
        return seen == wanted
    return abs(seen - wanted) <= 1e-9 * max(1.0, abs(wanted))


def assert_as_if_stopped(found: Comparison, data: pl.DataFrame, asked: dict[str, Any], last: int = 9) -> None:
    """Each day of the path says what an always-valid comparison of the rows until its end says."""
    assert found.daily
    for day in sorted({one.day for one in found.daily})[-last:]:
        end = datetime.fromisoformat(day) + timedelta(days=1)
        stopped = compare(data.filter(pl.col("at") < end), **asked, time="at", sequential=True)
        right = {(one.metric, one.treatment_arm): one for one in stopped.results if one.kind != "quantile"}
        there = {(one.metric, one.treatment_arm): one for one in found.daily if one.day == day}
        assert there.keys() == right.keys()
        for key, one in there.items():
            for name in SAME:
                assert is_same(getattr(one, name), getattr(right[key], name)), (day, key, name)


@pytest.mark.parametrize(("seed", "more"), [(8, {"unit": "user"}), (9, {}), (10, {"unit": "user", "window_hours": 30})])
def test_each_day_says_what_stopping_there_would(seed: int, more: dict[str, Any]) -> None:
    data = events(seed, rows=150, users=40, days=4)
    asked = {**ASKED, **more}
    assert_as_if_stopped(compare(data, **asked, time="at"), data, asked)


def test_units_that_change_their_arm_count_until_they_do() -> None:
    switched = (pl.col("user") % 10 == 3) & (pl.col("at") > FIRST + timedelta(days=3))
    data = events(1).with_columns(arm=pl.when(switched).then(pl.lit("c")).otherwise(pl.col("arm")))
    asked = {**ASKED, "unit": "user"}
    found = compare(data, **asked, time="at")
    assert "units_in_several_arms" in {one.code for one in found.concerns}
    assert_as_if_stopped(found, data, asked)


def test_clusters_are_told_day_by_day_as_well() -> None:
    data = events(2).with_columns(arm=pl.when(pl.col("town") % 2 == 0).then(pl.lit("c")).otherwise(pl.lit("t")))
    asked = {
        "variant": "arm",
        "control": "c",
        "unit": "user",
        "cluster": "town",
        "means": ["x"],
        "ratios": [("k", "v")],
    }
    assert_as_if_stopped(compare(data, **asked, time="at"), data, asked)


def test_the_last_day_is_the_whole_also_with_rows_without_a_time_and_numbers_that_are_none() -> None:
    nowhere = pl.when(pl.int_range(pl.len()) % 17 == 0).then(None).otherwise(pl.col("at"))
    broken = pl.when(pl.int_range(pl.len()) % 13 == 0).then(float("nan")).otherwise(pl.col("x"))
    data = events(3).with_columns(at=nowhere, x=broken)
    asked = {**ASKED, "unit": "user", "winsor": {"x": "95%"}}
    found, whole = compare(data, **asked, time="at"), compare(data, **asked, sequential=True)
    last = {one.metric: one for one in found.daily if one.day == max(each.day for each in found.daily)}
    for result in whole.results:
        for name in SAME:
            assert is_same(getattr(last[result.metric], name), getattr(result, name)), name


def test_passes_over_the_units_tell_the_same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    data = events(4)
    asked = {**ASKED, "unit": "user", "time": "at"}
    once = compare(data, **asked).daily
    monkeypatch.setattr(passes, "_passes", lambda *_: 3)
    again = compare(data, **asked, memory_limit_mb=400).daily
    for one, other in zip(once, again, strict=True):
        assert (one.day, one.metric, one.n_control) == (other.day, other.metric, other.n_control)
        for name in SAME:
            assert is_same(getattr(one, name), getattr(other, name)), (one.day, name)


def test_spark_tells_the_same_path(spark: str) -> None:
    data = events(11).to_pandas()
    asked = {**ASKED, "unit": "user", "time": "at", "window_hours": 30}
    found, right = compare(data, **asked, engine=spark), compare(data, **asked)
    assert len(found.daily) == len(right.daily) == 3 * 6
    for one, other in zip(found.daily, right.daily, strict=True):
        assert (one.day, one.metric) == (other.day, other.metric)
        for name in SAME:
            assert is_same(getattr(one, name), getattr(other, name)), (one.day, one.metric, name)
    assert [one.code for one in found.concerns] == [one.code for one in right.concerns]


def test_a_day_without_rows_is_a_concern() -> None:
    data = events(5).filter(pl.col("at").dt.day() != 3)
    found = compare(data, **ASKED, unit="user", time="at")
    (concern,) = [one for one in found.concerns if one.code == "missing_days"]
    assert concern.values["days"] == ["2026-03-03"]


def test_more_than_three_months_are_told_by_weeks_and_that_is_said() -> None:
    data = events(6, rows=4_000, days=200)
    asked = {"variant": "arm", "control": "c", "unit": "user", "means": ["x"]}
    found = compare(data, **asked, time="at")
    days = sorted({date.fromisoformat(one.day) for one in found.daily})
    assert len(days) <= MOST_DAYS
    assert {(b - a).days for a, b in pairwise(days)} == {7}
    assert days[-1] == data["at"].max().date()  # type: ignore[union-attr]  # there are rows
    assert "path_thinned" in {one.code for one in found.concerns}
    assert_as_if_stopped(found, data, asked, last=2)


def test_a_moment_with_a_zone_belongs_to_its_day_in_utc() -> None:
    at = [datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 2, 1, tzinfo=UTC)] * 4
    data = pl.DataFrame({"at": at, "arm": ["c", "t", "t", "c"] * 2, "x": [1.0, 2, 3, 4, 5, 6, 7, 8]})
    tokyo = data.with_columns(pl.col("at").dt.convert_time_zone("Asia/Tokyo"))
    days = [{one.day for one in compare(one, variant="arm", means=["x"], time="at").daily} for one in (data, tokyo)]
    assert days == [{"2026-03-01", "2026-03-02"}] * 2


@pytest.mark.parametrize("texts", [["2026-03-01", "03/02/2026", "March 3"], ["1", "2", "3"]])
def test_a_time_that_is_text_is_refused(texts: list[str]) -> None:
    data = pl.DataFrame({"arm": ["c", "t", "c"], "x": [1.0, 2, 3], "at": texts})
    with pytest.raises(Invalid, match="moment"):
        compare(data, variant="arm", means=["x"], time="at")


def test_a_window_without_a_time_is_refused() -> None:
    with pytest.raises(Invalid, match="a window counts from moments"):
        compare(events(7), **ASKED, unit="user", window_hours=24)


def test_units_whose_window_is_not_over_are_a_concern() -> None:
    first = {"user": [1, 2, 3, 4], "arm": ["c", "t", "c", "t"], "x": [1.0, 2, 3, 4]}
    data = pl.DataFrame({**first, "at": [FIRST + timedelta(hours=one) for one in (0, 1, 40, 50)]})
    asked = {"variant": "arm", "control": "c", "unit": "user", "means": ["x"], "time": "at"}
    (concern,) = [one for one in compare(data, **asked, window_hours=24).concerns if one.code == "window_open"]
    assert concern.values == {"open": 2, "units": 4, "hours": 24}
    assert concern.severity == "warning"
    later = pl.DataFrame({"user": [1], "arm": ["c"], "x": [1.0], "at": [FIRST + timedelta(hours=99)]})
    over = compare(pl.concat([data, later]), **asked, window_hours=24)
    assert "window_open" not in {one.code for one in over.concerns}


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-9, 9)), min_size=2, max_size=30), st.data())
def test_moments_of_a_part_can_be_taken_away(rows: list[tuple[float, float]], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(rows)))
    left = moments_of(rows).less(moments_of(rows[at:]))
    right = moments_of(rows[:at])
    assert left.n == right.n
    assert left.means == pytest.approx(right.means, rel=1e-9, abs=1e-6)
    for one, other in zip(left.covariances, right.covariances, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-2)
