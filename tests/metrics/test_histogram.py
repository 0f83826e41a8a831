"""Histograms hold every unit exactly once, in the bin that a slow count by hand gives it."""

from bisect import bisect_right
from collections import Counter
from math import isclose
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tasuki.actions.compare import compare
from tasuki.actions.spread import histograms_of
from tasuki.metrics.bins import Scale
from tasuki.metrics.bound import bind_all
from tasuki.metrics.compile import Reading
from tasuki.metrics.histogram import histogram_tree, range_tree, scales_of
from tasuki.metrics.metric import Metric
from tasuki.warehouse import Warehouse, source_of

values = st.one_of(
    st.floats(-1e5, 1e5, allow_nan=False), st.integers(0, 50).map(float), st.just(0.0), st.floats(1e-3, 1e6)
)


def _histograms(columns: dict[str, list[Any]], *metrics: Metric, unit: str | None = None) -> Any:
    warehouse = Warehouse()
    try:
        source = source_of(pa.table(columns))
        bound = bind_all(metrics, warehouse.columns(source), [])
        return histograms_of(warehouse, Reading(warehouse.table(source), bound, "arm", unit))
    finally:
        warehouse.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.none() | values), min_size=1, max_size=80))
def test_every_value_is_in_the_bin_that_a_count_by_hand_gives_it(rows: list[tuple[str, float | None]]) -> None:
    arms, drawn = [arm for arm, _ in rows], [value for _, value in rows]
    found = _histograms({"arm": arms, "y": pa.array(drawn, pa.float64())}, Metric("y", "mean", "y"))
    if not found:
        return  # nothing to draw: too few different values
    (histogram,) = found
    edges = histogram.edges
    for arm in histogram.arms:
        mine = [value for name, value in rows if name == arm.arm and value is not None]
        assert arm.units == len(mine)
        counts = Counter(_place(value, edges, apart=arm.zeros > 0) for value in mine)
        if any(isclose(value, edge, rel_tol=1e-9) for value in mine for edge in edges):
            continue  # a value on an edge may fall to either side, by the last bit of a logarithm
        assert arm.counts == tuple(counts[k] for k in range(len(edges) - 1))
        assert (arm.below, arm.above, arm.zeros) == (counts[-1], counts[len(edges) - 1], counts[-2])


def _place(value: float, edges: tuple[float, ...], *, apart: bool) -> int:
    if apart and value == 0:
        return -2
    return bisect_right(edges, value) - 1


def test_money_with_many_zeros_and_a_long_tail_is_drawn_on_a_logarithmic_scale_with_zeros_apart() -> None:
    amounts = [0.0] * 600 + [1.5**k + 0.25 for k in range(30)] * 10
    (found,) = _histograms({"arm": ["a", "b"] * 450, "y": amounts}, Metric("y", "mean", "y"))
    assert found.is_log
    assert sum(arm.zeros for arm in found.arms) == 600
    assert all(low < high for low, high in zip(found.edges, found.edges[1:], strict=False))


def test_counts_get_bins_of_whole_numbers() -> None:
    (found,) = _histograms({"arm": ["a", "b"] * 50, "y": [k % 5 for k in range(100)]}, Metric("y", "mean", "y"))
    assert found.edges == (0, 1, 2, 3, 4, 5)
    assert [arm.counts for arm in found.arms] == [(10,) * 5, (10,) * 5]


def test_a_metric_without_spread_and_a_proportion_have_no_histogram() -> None:
    columns = {"arm": ["a", "b"] * 5, "same": [3.0] * 10, "binary": [0, 1] * 5}
    assert _histograms(columns, Metric("same", "mean", "same"), Metric("binary", "proportion", "binary")) == ()


def test_events_are_summed_to_units_and_a_unit_in_two_arms_is_left_out() -> None:
    columns = {
        "arm": ["a", "a", "b", "a", "b", "b"],
        "user": [1, 1, 2, 3, 3, 4],
        "y": [1.0, 2.0, 5.0, 9.0, 9.0, 7.0],
    }
    (found,) = _histograms(columns, Metric("y", "mean", "y"), unit="user")
    assert sum(arm.units for arm in found.arms) == 3


def test_a_quantile_and_a_mean_of_the_same_column_share_one_histogram() -> None:
    columns = {"arm": ["a", "b"] * 50, "y": list(range(100))}
    found = _histograms(columns, Metric("y", "mean", "y"), Metric("y@0.9", "quantile", "y", quantile=0.9))
    assert [one.metric for one in found] == ["y"]


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"])
def test_both_queries_can_be_written_for_every_engine(dialect: str) -> None:
    from sqlglot import parse_one

    bound = bind_all((Metric("y", "mean", "y"), Metric("r", "ratio", "y", "z")), ["arm", "y", "z"], [])
    reading = Reading(exp.to_table("t"), bound, "arm")
    for tree in (
        range_tree(reading, (0, 1)),
        histogram_tree(reading, {0: Scale(-1.0, 0.5, 30), 1: Scale(1.0, 0.7, 9, True, True)}),
    ):
        parse_one(tree.sql(dialect=dialect), dialect=dialect)


def test_a_range_that_is_not_there_makes_no_scale() -> None:
    row = {
        f"r0_{name}": None for name in ("low", "high", "least", "first", "middle", "last", "known", "zeros", "parted")
    }
    assert scales_of((0,), row) == {}


@pytest.mark.parametrize("asked", [{}, {"unit": "user"}, {"cluster": "team"}, {"unit": "user", "cluster": "team"}])
def test_a_winsorised_metric_is_drawn_as_it_is_compared(asked: dict[str, str]) -> None:
    rows = pa.table(
        {"arm": ["a", "b"] * 500, "user": range(1000), "team": [k // 10 * 2 + k % 2 for k in range(1000)],
         "x": [float(k * k % 997) for k in range(1000)]}
    )  # fmt: skip
    found = compare(rows, variant="arm", control="a", means=["x"], winsor={"x": "100:500"}, distributions=True, **asked)
    (histogram,) = found.distributions
    assert histogram.edges[0] == 100
    assert 500 <= histogram.edges[-1] < 510
    assert [(one.units, one.below, one.above) for one in histogram.arms] == [(500, 0, 0)] * 2


@pytest.mark.parametrize("power", [1, 6])
def test_spark_draws_every_unit_once(spark: str, power: int) -> None:
    """On a linear and on a logarithmic scale."""
    rows = pa.table({"arm": ["a", "b"] * 500, "x": [(k * k % 997 / 40) ** power for k in range(1000)]})
    found = compare(rows, variant="arm", control="a", means=["x"], distributions=True, engine=spark)
    (histogram,) = found.distributions
    assert histogram.is_log == (power > 1)
    for one in histogram.arms:
        mine = [x for arm, x in zip(*rows.to_pydict().values(), strict=True) if arm == one.arm]
        counts = Counter(_place(x, histogram.edges, apart=one.zeros > 0) for x in mine)
        # The last bin holds its end too, up to the last bit of it: what is in it follows from the sum.
        assert one.counts[:-1] == tuple(counts[k] for k in range(len(histogram.edges) - 2))
        assert (one.below, one.zeros) == (counts[-1], counts[-2])
        assert one.units == len(mine)
