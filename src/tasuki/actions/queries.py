"""The SQL that a metric is counted with, written in the dialect of any engine, for people to read or run elsewhere."""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Literal, get_args

from tasuki.actions.measure import Asked, read
from tasuki.errors import Fault, Invalid
from tasuki.metrics.compile import statistics_tree
from tasuki.metrics.exposed import ARM, PRESENT, UNIT, exposed_table
from tasuki.metrics.metric import Metric
from tasuki.metrics.winsor import read_limits
from tasuki.warehouse import Warehouse, source_of

if TYPE_CHECKING:
    from sqlglot import exp

Dialect = Literal["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


def metric_sql(metric: Metric, experiment: str, tables: Mapping[str, str], dialect: Dialect) -> str:
    """The grouped query that counts a declared metric on an experiment's exposures.

    Args:
        metric: A declared metric.
        experiment: Whose exposures are joined.
        tables: The workspace's tables; they say the types of the columns, nothing is counted.
        dialect: In whose words.

    Raises:
        Missing: The metric's table is not there.
        Invalid: The metric does not fit its table, an expression means something else in that engine, or an end of a
            winsorised metric is a quantile, which is known only after another query.
    """
    if metric.winsor is not None and metric.winsor.needs_quantiles:
        fault = Fault(f"metric.{metric.name}.winsor", "its ends are found by a query of their own", "ends as amounts")
        raise Invalid("the metric is not one query", [fault])
    if metric.table is None:
        raise Invalid("the metric has no table", [Fault(f"metric.{metric.name}.table", "missing", "a table")])
    with closing(Warehouse(tables)) as warehouse:
        source = source_of(metric.table)
        columns = warehouse.columns(source)
        unit, cluster = (UNIT, None) if metric.cluster is None else (metric.unit, UNIT)
        # The types of expressions are asked of the metric's own table: exposures need not be there yet.
        reading = read(warehouse, warehouse.table(source), columns, Asked(ARM, unit, (), (metric,), PRESENT, cluster))
    reading = reading.within(read_limits(reading, {})).of(exposed_table(metric, experiment, columns))
    return write_sql(statistics_tree(reading), dialect, columns)


def write_sql(tree: "exp.Expr", dialect: Dialect, kinds: Mapping[str, str]) -> str:
    """A tree in the words of an engine.

    Raises:
        Invalid: An expression means something else there.
    """
    if dialect == "spark":
        from tasuki.warehouse.spark_dialect import in_spark

        tree = in_spark(tree, kinds)
    return tree.sql(dialect=dialect, pretty=True)
