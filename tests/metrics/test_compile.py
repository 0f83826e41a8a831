"""One query per table, in the words of every engine."""

import pytest
import sqlglot
from sqlglot import exp

from tasuki.metrics.bound import bind_all
from tasuki.metrics.compile import Reading, quantile_tree, statistics_tree
from tasuki.metrics.metric import Covariate, Metric
from tasuki.stats.quantile import levels

COLUMNS = {"arm": "VARCHAR", "user id": "VARCHAR", "revenue": "DOUBLE", "views": "BIGINT", "app": "VARCHAR"}
METRICS = (
    Metric("revenue", "mean", "revenue", covariates=(Covariate("views"),)),
    Metric("per view", "ratio", "revenue", "views", filter="app = 'it''s'"),
    Metric("any", "proportion", "views > 0"),
    Metric("revenue@0.9", "quantile", "revenue", quantile=0.9),
)
DIALECTS = ["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"]


def reading(unit: str | None, segments: tuple[str, ...] = ()) -> Reading:
    faults: list = []
    bound = bind_all(METRICS, COLUMNS, faults)
    assert faults == []
    return Reading(exp.to_table('"it\'s a table"'), bound, "arm", unit, segments, None, COLUMNS)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("unit", [None, "user id"])
@pytest.mark.parametrize("segments", [(), ("app",)])
def test_every_dialect_can_read_its_own_query_back(dialect: str, unit: str | None, segments: tuple[str, ...]) -> None:
    sql = statistics_tree(reading(unit, segments)).sql(dialect=dialect)
    back = sqlglot.parse_one(sql, read=dialect)
    assert back.sql(dialect=dialect) == sql
    assert len(list(back.find_all(exp.Table))) == 1


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "snowflake", "postgres"])
def test_quantiles_are_asked_for_in_every_dialect_that_has_them(dialect: str) -> None:
    asked = {"a'b": levels(0.9, 100), "c": levels(0.9, 200)}
    sql = quantile_tree(reading(None, ("app",)), 3, asked, (0, "news")).sql(dialect=dialect)
    assert sqlglot.parse_one(sql, read=dialect)


def test_all_metrics_are_one_grouped_query() -> None:
    tree = statistics_tree(reading(None))
    assert len(list(tree.find_all(exp.Group))) == 1
    assert len(list(tree.find_all(exp.Table))) == 1
