"""Values far from zero for how little they vary: every way of counting leaves the p-value right, at 10⁹ deviations too.

The judge takes the distance off first, which is exact, so that nothing is left to round.
"""

from datetime import date, datetime
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from oracle import exact_moments
from scipy import stats

from tasuki.actions.compare import compare
from tasuki.actions.exposed import Question, measure_experiment
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.design import Design
from tasuki.metrics.bound import bind_all
from tasuki.metrics.metric import Covariate, Metric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.moments import Moments
from tasuki.warehouse import Warehouse

FEW, MANY = 20_000, 1_000_000
FAR = 1e9
NEAR_ENOUGH = 0.01
"""Of the p-value. Rounding a mean of 10⁹ to 53 bits alone moves it by 6e-8, at a million units 0.3 % of p here."""


def drawn(units: int, far: float = FAR) -> dict[str, np.ndarray]:
    """Units with deviations of about 1, so far from zero, whose arms differ by 4.2 standard errors."""
    random = np.random.default_rng(11)
    arm = np.arange(units) % 2
    before = random.normal(size=units)
    y = random.normal(size=units) + 0.5 * before + np.where(arm == 1, 4.2 * 2 * sqrt(1.25 / units), 0.0)
    return {
        "user": np.arange(units),
        "arm": arm,
        "x": y + far,
        "before": before + far,
        "z": random.normal(size=units) + far,
    }


def judged(table: dict[str, np.ndarray], far: float, name: str) -> float:
    """The p-value of what is left when the distance is taken off; for a ratio in 64 bits of mantissa."""
    arm = table["arm"]
    near = {one: table[one] - far for one in ("x", "before", "z")}
    match name:
        case "x":
            return float(stats.ttest_ind(near["x"][arm == 1], near["x"][arm == 0], equal_var=False).pvalue)
        case "adjusted":
            parts = [np.cov(np.stack([near["x"][arm == k], near["before"][arm == k]])) for k in (0, 1)]
            slope = (parts[0] + parts[1])[0, 1] / (parts[0] + parts[1])[1, 1]
            rest = near["x"] - slope * near["before"]
            return float(stats.ttest_ind(rest[arm == 1], rest[arm == 0], equal_var=False).pvalue)
    ratios, variances = [], []
    for k in (0, 1):
        over, under = (near[one][arm == k].astype(np.longdouble) for one in ("x", "z"))
        top, bottom = over.mean() + np.longdouble(far), under.mean() + np.longdouble(far)
        ratios.append(top / bottom)
        away = ((over - over.mean()) - ratios[k] * (under - under.mean())) / bottom
        variances.append((away**2).sum() / (len(away) - 1) / len(away))
    return float(2 * stats.norm.sf(abs(float(ratios[1] - ratios[0])) / sqrt(float(sum(variances)))))


def write(table: dict[str, np.ndarray], path: Path) -> str:
    pl.DataFrame(table).write_parquet(path)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    folder = tmp_path_factory.mktemp("far")
    return {units: write(drawn(units), folder / f"{units}.parquet") for units in (FEW, MANY)}


QUESTION: dict[str, Any] = {
    "variant": "arm", "control": "0", "means": ["x", "x + 0"], "ratios": [("x", "z")],
    "covariates": {"x + 0": ["before"]}, "adjust": "none",
}  # fmt: skip
NAMES = ("x", "adjusted", "ratio")


def assert_right(found: Any, units: int, far: float = FAR) -> None:
    table = drawn(units, far)
    for result, name in zip(found.results, NAMES, strict=True):
        assert result.p_value == pytest.approx(judged(table, far, name), rel=NEAR_ENOUGH), name
        assert result.p_value < 0.05, name


@pytest.mark.parametrize("units", [FEW, MANY])
def test_rows_in_duckdb(files: dict[int, str], units: int) -> None:
    assert_right(compare(files[units], **QUESTION), units)


def test_rows_in_spark(spark: str, tmp_path: Path) -> None:
    path = write(drawn(200_000), tmp_path / "far.parquet")
    assert_right(compare(path, engine=spark, **QUESTION), 200_000)


def test_units_counted_in_passes(files: dict[int, str]) -> None:
    assert_right(compare(files[MANY], unit="user", memory_limit_mb=200, **QUESTION), MANY)


def bound() -> Any:
    asked = (
        Metric("x", "mean", "x"),
        Metric("adjusted", "mean", "x", covariates=(Covariate("before"),)),
        Metric("ratio", "ratio", "x", "z"),
    )
    return bind_all(asked, dict.fromkeys(("x", "before", "z"), "DOUBLE"), [])


def moments_of_arms(table: dict[str, np.ndarray], places: np.ndarray) -> list[list[Moments]]:
    """By arm the exact moments of x, of x and before, and of x and z, of the units at these places."""
    found = []
    for arm in (0, 1):
        mine = places[table["arm"][places] == arm]
        rows = [[table[one][mine].tolist() for one in names] for names in (("x",), ("x", "before"), ("x", "z"))]
        found.append([exact_moments([list(row) for row in zip(*one, strict=True)], len(one)) for one in rows])
    return found


def test_shards_that_are_added_and_the_oracle() -> None:
    table = drawn(FEW)
    shards = [moments_of_arms(table, part) for part in np.array_split(np.arange(FEW), 50)]
    cells = []
    for arm in (0, 1):
        whole = shards[0][arm]
        for shard in shards[1:]:
            whole = [one + other for one, other in zip(whole, shard[arm], strict=True)]
        cells.append(Cell(str(arm), None, FEW // 2, tuple(map(Sample, whole))))
    assert_right(compare_arms(Statistics(tuple(cells)), bound(), Design(control="0", adjust="none")), FEW)
    oracle = [Cell(str(arm), None, FEW // 2, tuple(map(Sample, one)))
              for arm, one in enumerate(moments_of_arms(table, np.arange(FEW)))]  # fmt: skip
    assert_right(compare_arms(Statistics(tuple(oracle)), bound(), Design(control="0", adjust="none")), FEW)


def test_days_that_were_kept(tmp_path: Path) -> None:
    table = drawn(FEW)
    tables = {name: str(tmp_path / name / "*.parquet") for name in ("exposures", "events")}
    for name in tables:
        (tmp_path / name).mkdir()
    user, at = table["user"].astype(str), datetime(2026, 4, 1)
    exposures = {"exposure": user, "at": [at] * FEW, "experiment": ["ab2"] * FEW, "unit": user, "arm": table["arm"]}
    pl.DataFrame({**exposures, "arm": table["arm"].astype(str)}).write_parquet(tmp_path / "exposures" / "1.parquet")
    tied: dict[str, Any] = {"table": "events", "time": "at", "unit": "user"}
    asked = (
        Metric("x", "mean", "x", **tied),
        Metric("adjusted", "mean", "x", covariates=(Covariate("before"),), **tied),
        Metric("ratio", "ratio", "x", "z", **tied),
    )
    # Half of a unit's value comes on each of two days; halves of numbers are exact.
    for day in (2, 3):
        events = {one: table[one] / (1 if one == "before" else 2) for one in ("x", "before", "z")}
        rows = pl.DataFrame({"user": user, "at": [datetime(2026, 4, day)] * FEW, **events})
        rows.write_parquet(tmp_path / "events" / f"{day}.parquet")
        warehouse = Warehouse(tables)
        question = Question("ab2", asked, 0.05, date(2026, 4, day + 1), (), "use")
        seen = measure_experiment(warehouse, tmp_path / "kept", tables, question)
        warehouse.close()
    assert_right(compare_arms(seen.statistics, bound(), Design(control="0", adjust="none")), FEW)


@pytest.mark.parametrize(("far", "scale"), [(1e9, -1e-6), (1e9, 1e6), (1e6, 1.0), (10.0, 1.0)])
def test_at_any_distance_and_scale(far: float, scale: float) -> None:
    question = {**QUESTION, "ratios": []}
    near, away = (
        compare(pl.DataFrame({one: values * (scale if values.dtype == float else 1) for one, values in table.items()}),
                **question)
        for table in (drawn(3_000, 0.0), drawn(3_000, far))
    )  # fmt: skip
    for right, found in zip(near.results, away.results, strict=True):
        assert found.p_value == pytest.approx(right.p_value, rel=NEAR_ENOUGH)
        assert found.effect == pytest.approx(right.effect, rel=NEAR_ENOUGH)


def test_ordinary_data_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows = Warehouse.rows
    monkeypatch.setattr(Warehouse, "rows", lambda self, tree: asked.append(tree.sql()) or rows(self, tree))
    compare(pl.DataFrame(drawn(FEW, 1_000.0)), **QUESTION)
    assert sum("AVG(" in one for one in asked) == 1
    asked.clear()
    compare(pl.DataFrame(drawn(FEW)), **QUESTION)
    assert sum("AVG(" in one for one in asked) == 2
