"""Random tables × metrics × filters: DuckDB, Spark and the slow oracle say the same."""

import math

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import cells_of

from tasuki.actions.compare import compare
from tasuki.actions.measure import Asked, measure
from tasuki.errors import Invalid
from tasuki.metrics.metric import Covariate, Metric
from tasuki.warehouse import Warehouse, open_engine, source_of

# Values whose squares are no longer numbers are refused by every engine; that is tried elsewhere.
NUMBERS = st.one_of(
    st.none(),
    st.floats(-1e3, 1e3).map(lambda one: one if abs(one) > 1e-9 else 0.0),
    st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf]),
    st.integers(-9, 9),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "arm": st.sampled_from(["control", "treatment", "第三", None]),
            "user id": st.sampled_from(["a", "b", "c", "d", "e", None]),
            'a "x"': NUMBERS.map(lambda one: None if one is None else float(one)),
            "値": st.one_of(st.none(), st.integers(-5, 5)),
            "clicked": st.booleans(),
            "app": st.sampled_from(["news", "games", None]),
        }
    ),
    min_size=1,
    max_size=25,
)
EXPRESSIONS = st.sampled_from(['a "x"', "値", '"a ""x""" + 値', '"a ""x""" * 2 - 1', "coalesce(値, 3)", "値 * 値"])
FILTERS = st.sampled_from([None, "clicked", "値 > 0", "app = 'news' and not clicked", '"a ""x""" is null'])
LEVELS = st.sampled_from([0.1, 0.5, 0.9])
METRICS = st.lists(
    st.one_of(
        st.builds(lambda e, f: Metric("m", "mean", e, filter=f), EXPRESSIONS, FILTERS),
        st.builds(lambda a, b, f: Metric("m", "ratio", a, b, filter=f), EXPRESSIONS, EXPRESSIONS, FILTERS),
        st.builds(lambda f: Metric("m", "proportion", "clicked", filter=f), FILTERS),
        st.builds(lambda e, q, f: Metric("m", "quantile", e, quantile=q, filter=f), EXPRESSIONS, LEVELS, FILTERS),
    ),
    min_size=1,
    max_size=4,
)
SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("user id", pa.string()),
        ('a "x"', pa.float64()),
        ("値", pa.int64()),
        ("clicked", pa.bool_()),
        ("app", pa.string()),
    ]
)


def units_of_one_arm(rows: list[dict], unit: str | None) -> set[object]:
    """The units that are left when those that were seen in several arms are gone."""
    arms: dict[object, set[object]] = {}
    for number, row in enumerate(rows):
        arms.setdefault(number if unit is None else row[unit], set()).add(row["arm"])
    return {unit for unit, seen in arms.items() if unit is not None and len(seen - {None}) == 1}


def assert_agree(
    rows: list[dict], metrics: list[Metric], unit: str | None, segment: str | None, engine: str = "duckdb"
) -> None:
    warehouse = open_engine(engine)
    try:
        source = source_of(pa.Table.from_pylist(rows, schema=SCHEMA))
        columns = warehouse.columns(source)
        asked = Asked("arm", unit, (segment,) if segment else (), tuple(metrics))
        if not units_of_one_arm(rows, unit):
            with pytest.raises(Invalid, match=r"no row to compare|more than one arm"):
                measure(warehouse, warehouse.table(source), columns, asked, 0.05)
            return
        statistics, bound = measure(warehouse, warehouse.table(source), columns, asked, 0.05)
    finally:
        warehouse.close()
    expected, several, nameless = cells_of(rows, bound, "arm", unit, segment)
    assert {(cell.arm, cell.segment) for cell in statistics.cells} == set(expected)
    assert (statistics.units_in_several_arms, statistics.units_without_arm) == (several, nameless)
    for cell in statistics.cells:
        judge = expected[cell.arm, cell.segment]
        assert cell.units == judge.units
        for found, right in zip(cell.samples, judge.samples, strict=True):
            assert (found.moments.n, found.lost) == (right.moments.n, right.lost)
            if right.moments.n:
                np.testing.assert_allclose(found.moments.means, right.moments.means, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(found.moments.covariances, right.moments.covariances, rtol=1e-9, atol=1e-6)
            if right.quantiles is not None:
                np.testing.assert_allclose(found.quantiles, right.quantiles, rtol=1e-9, atol=1e-9)


RUNS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(RUNS, max_examples=10)


@RUNS
@given(ROWS, METRICS, st.sampled_from([None, "app"]))
def test_rows_that_are_units(rows: list[dict], metrics: list[Metric], segment: str | None) -> None:
    assert_agree(rows, metrics, None, segment)


@RUNS
@given(ROWS, METRICS, st.sampled_from([None, "app"]))
def test_events_that_are_summed_to_units(rows: list[dict], metrics: list[Metric], segment: str | None) -> None:
    assert_agree(rows, metrics, "user id", segment)


def test_units_that_were_all_in_two_arms_are_said_to_be(tmp_path) -> None:
    (tmp_path / "events.csv").write_text("user,arm,x\na,control,1\na,treatment,2\n")
    with pytest.raises(Invalid, match="more than one arm"):
        compare(tmp_path / "events.csv", variant="arm", unit="user", means=["x"])


@FEW
@given(ROWS, METRICS, st.sampled_from([None, "user id"]), st.sampled_from([None, "app"]), st.booleans())
def test_spark_says_the_same(
    spark: str, rows: list[dict], metrics: list[Metric], unit: str | None, segment: str | None, covaries: bool
) -> None:
    if covaries and unit is None:
        metrics = [*metrics, Metric("m", "mean", 'a "x"', covariates=(Covariate("値"), Covariate("clicked", "1")))]
    assert_agree(rows, metrics, unit, segment, spark)


@RUNS
@given(ROWS, EXPRESSIONS, EXPRESSIONS)
def test_covariates(rows: list[dict], expression: str, covariate: str) -> None:
    metrics = [Metric("m", "mean", expression, covariates=(Covariate(covariate), Covariate("clicked", "1")))]
    assert_agree(rows, metrics, None, None)


@pytest.mark.parametrize("unit", [None, "user id"])
def test_a_whole_number_and_a_moment_as_arms(unit: str | None) -> None:
    connection = duckdb.connect()
    relation = connection.sql('select (range % 2)::double as arm, range % 50 as "user id", range as x from range(100)')
    warehouse = Warehouse()
    source = source_of(relation)
    columns = warehouse.columns(source)
    asked = Asked("arm", unit, (), (Metric("x", "mean", "x"),))
    statistics, _ = measure(warehouse, warehouse.table(source), columns, asked, 0.05)
    assert [cell.arm for cell in statistics.cells] == ["0", "1"]
