"""The same question in every engine's words: read back from them, DuckDB counts the same numbers."""

from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tasuki.actions.queries import DIALECTS, write_sql
from tasuki.metrics.bound import bind_all
from tasuki.metrics.compile import statistics_tree
from tasuki.metrics.metric import Cap, Covariate, Metric, Winsor
from tasuki.metrics.reading import Reading
from tasuki.metrics.window import IN_WINDOW, Window, windowed_table

ROWS = pa.table(
    {
        "arm": ["control", "treatment"] * 30,
        "user id": [f"u{n // 4}-{n % 2}" for n in range(60)],
        "company": [f"c{n // 12}-{n % 2}" for n in range(60)],
        "spent": [None if n % 11 == 0 else float("nan") if n % 13 == 0 else n * 0.75 for n in range(60)],
        "views": [n % 7 for n in range(60)],
        "app": [["news", "games", None][n % 3] for n in range(60)],
        "at": [datetime(2026, 1, 1) + timedelta(hours=n % 40) for n in range(60)],
    }
)
COLUMNS = {"arm": "VARCHAR", "user id": "VARCHAR", "company": "VARCHAR", "spent": "DOUBLE", "views": "BIGINT",
           "app": "VARCHAR", "at": "TIMESTAMP"}  # fmt: skip
EXPRESSIONS = st.sampled_from(["spent", "views", "spent / 4", "views * 2 - 1", "coalesce(spent, 1)", "abs(spent - 9)"])
FILTERS = st.sampled_from([None, "app = 'news'", "views > 2 and app is not null", "app in ('news', 'it''s')"])
WINSORS = st.sampled_from([None, Winsor(Cap(-0.5), Cap(20.25)), Winsor(upper=Cap(3.0))])
METRICS = st.lists(
    st.one_of(
        st.builds(lambda e, f, w: Metric("m", "mean", e, filter=f, winsor=w), EXPRESSIONS, FILTERS, WINSORS),
        st.builds(lambda a, b, f: Metric("m", "ratio", a, b, filter=f), EXPRESSIONS, EXPRESSIONS, FILTERS),
        st.builds(lambda f: Metric("m", "proportion", "views > 3", filter=f), FILTERS),
        st.builds(
            lambda e: Metric("m", "mean", "spent", covariates=(Covariate(e), Covariate("views", "1"))), EXPRESSIONS
        ),
    ),
    min_size=1,
    max_size=2,
)
Shape = tuple[str | None, str | None]
SHAPES = st.sampled_from([(None, None), ("user id", None), (None, "company"), ("user id", "company")])


def reading(metrics: list[Metric], shape: Shape, segments: tuple[str, ...], window: bool) -> Reading:
    unit, cluster = shape
    faults: list = []
    bound = bind_all(metrics, COLUMNS, faults, clustered=cluster is not None)
    assert faults == []
    limits = {
        i: tuple(None if cap is None else cap.amount for cap in (one.winsor.lower, one.winsor.upper))
        for i, one in enumerate(metrics)
        if one.winsor
    }
    table: exp.Expr = exp.to_table('"the rows"')
    present = None
    if window and unit:
        table, present = windowed_table(table, cluster or unit, Window("at", 12.0)), IN_WINDOW
    return Reading(table, bound, "arm", unit, segments, present, COLUMNS, {}, cluster, limits)


def counted(sql: str) -> list[tuple]:
    connection = duckdb.connect()
    connection.register("the rows", ROWS)
    rows = connection.sql(sql).fetchall()
    return sorted(rows, key=repr)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(METRICS, SHAPES, st.sampled_from([(), ("app",)]), st.booleans())
def test_read_back_from_any_dialect_the_numbers_are_the_same(
    dialect: str, metrics: list[Metric], shape: Shape, segments: tuple[str, ...], window: bool
) -> None:
    tree = statistics_tree(reading(metrics, shape, segments, window))
    sql = write_sql(tree, dialect, COLUMNS)
    back = sqlglot.parse_one(sql, read=dialect)
    assert back.named_selects == tree.named_selects
    found, right = counted(in_duckdb(back)), counted(tree.sql(dialect="duckdb"))
    assert len(found) == len(right)
    for row, other in zip(found, right, strict=True):
        for one, value in zip(row, other, strict=True):
            is_text = isinstance(value, str) or value is None
            assert one == (value if is_text else pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True))


def in_duckdb(back: exp.Expr) -> str:
    """Read back; ClickHouse's own names of two functions are unknown to DuckDB."""
    known = {"varSamp": "var_samp", "covarSamp": "covar_samp"}
    for node in list(back.find_all(exp.Anonymous, exp.AnonymousAggFunc)):
        if node.name in known:
            node.replace(exp.Anonymous(this=known[node.name], expressions=[one.copy() for one in node.expressions]))
    return back.sql(dialect="duckdb")
