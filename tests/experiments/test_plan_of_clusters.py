"""Plans for what is randomised in clusters, winsorised or counted in a window find what a simulation of them finds."""

import numpy as np
import polars as pl
import pytest

from tasuki.actions.compare import compare
from tasuki.actions.plan import learn_baseline, plan
from tasuki.errors import Invalid
from tasuki.experiments.sizing import Plan
from tasuki.metrics.metric import Metric
from tasuki.warehouse import Warehouse, source_of


def towns(seed: int, clusters: int = 400, users: int = 12) -> pl.DataFrame:
    """Users of one town are alike: most of the variance lies between towns."""
    draw = np.random.default_rng(seed)
    town = np.repeat(np.arange(clusters), draw.integers(users // 2, users * 3 // 2, clusters))
    spend = 20 + draw.normal(0, 3, clusters)[town] + draw.normal(0, 3, len(town))
    bought = draw.random(len(town)) < draw.beta(2, 6, clusters)[town]
    return pl.DataFrame({"town": town, "user": np.arange(len(town)), "spend": spend, "bought": bought})


def planned(data: pl.DataFrame, kind: str, column: str, cluster: str | None, mde: float) -> Plan:
    return plan(kind=kind, data=data, numerator=column, cluster=cluster, mde=mde)  # type: ignore[arg-type]  # a kind


@pytest.mark.parametrize(("kind", "column", "mde"), [("mean", "spend", 1.0), ("proportion", "bought", 0.06)])
def test_the_plan_has_the_power_it_promises(kind: str, column: str, mde: float) -> None:
    sized = planned(towns(1), kind, column, "town", mde)
    asked = {"means": [column]} if kind == "mean" else {"proportions": [column]}
    found, rounds = 0, 80
    draw = np.random.default_rng(2)
    for seed in range(rounds):
        data = towns(100 + seed, clusters=sized.units)
        is_treated = draw.permutation(sized.units)[data["town"].to_numpy()] % 2 == 1
        lift = draw.random(len(data)) < mde / (1 - sized.baseline)
        grown = data["spend"] + mde * is_treated if kind == "mean" else data["bought"] | pl.Series(lift & is_treated)
        data = data.with_columns(grown.alias(column), arm=np.where(is_treated, "t", "c"))
        result = compare(data, variant="arm", control="c", cluster="town", **asked).results[0]  # type: ignore[arg-type]  # as it says
        found += (result.p_value or 1) < 0.05
    # Binomial of 80 with 0.8: three standard deviations.
    assert 0.66 < found / rounds < 0.94
    assert planned(towns(1), kind, column, None, mde).units != sized.units


def test_units_of_clusters_would_be_too_few_if_they_were_taken_as_independent() -> None:
    data = towns(3)
    per_town = len(data) / data["town"].n_unique()
    assert planned(data, "mean", "spend", None, 1.0).units < 0.4 * per_town * planned(
        data, "mean", "spend", "town", 1.0
    ).units  # fmt: skip


def test_the_simulation_on_clusters_trusts_the_plan_that_knows_them() -> None:
    sized = plan(kind="mean", data=towns(4), numerator="spend", cluster="town", mde=1.0, aa=200)
    assert sized.aa is not None
    assert sized.aa.units == 400
    assert sized.aa.trusted, sized.aa.findings


def test_winsorised_ends_hold_in_the_plan_and_in_its_simulation() -> None:
    draw = np.random.default_rng(5)
    data = pl.DataFrame({"x": draw.pareto(1.5, 4_000)})
    held = plan(kind="mean", data=data, numerator="x", winsor="99%", mde=0.1, aa=50)
    by_hand = data["x"].clip(upper_bound=data["x"].quantile(0.99, "linear")).to_numpy()
    assert held.baseline == pytest.approx(by_hand.mean())
    assert held.variance == pytest.approx(by_hand.var(ddof=1))
    assert held.aa is not None
    assert held.aa.analytic_error == pytest.approx(2 * by_hand.std() / np.sqrt(4_000), rel=0.01)


def test_a_window_counts_in_the_baseline_as_it_does_in_the_comparison() -> None:
    draw = np.random.default_rng(6)
    hours = draw.integers(0, 200, 3_000)
    data = pl.DataFrame({"user": draw.integers(0, 300, 3_000), "x": draw.random(3_000), "hour": hours})
    data = data.with_columns(at=pl.datetime(2026, 3, 1) + pl.duration(hours=pl.col("hour")))
    first = pl.col("at").min().over("user")
    soon = data.filter(pl.col("at") < first + pl.duration(hours=24))
    right = soon.group_by("user").agg(pl.col("x").sum())["x"]
    metric = Metric("m", "mean", "x", unit="user", time="at", window_hours=24)
    warehouse = Warehouse()
    source = source_of(data)
    found = learn_baseline(warehouse, warehouse.table(source), warehouse.columns(source), (metric, "user"))
    assert found.value == pytest.approx(right.mean())
    assert found.variance == pytest.approx(right.var())


def test_a_winsorised_proportion_is_refused() -> None:
    with pytest.raises(Invalid, match="a proportion has no use for it"):
        plan(kind="proportion", data=towns(7), numerator="bought", winsor="99%", mde=0.01)
