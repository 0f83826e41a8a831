"""The SQL that a metric is counted with, written in the dialect of any engine, for people to read or run elsewhere."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, get_args

from sqlglot import exp

from tasuki.actions.measure import Asked, read
from tasuki.errors import Fault, Invalid
from tasuki.metrics.compile import quantile_tree, statistics_tree
from tasuki.metrics.exposed import ARM, PRESENT, UNIT, exposed_table
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import read_statistics
from tasuki.metrics.winsor import read_limits
from tasuki.stats.quantile import levels
from tasuki.warehouse import Warehouse, source_of

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


def comparison_sql(
    data: Any, dialect: Dialect, asked: Asked, alpha: float = 0.05, tables: Mapping[str, str] | None = None
) -> str:
    """The queries that a comparison asks of a table, in an engine's words: one for all metrics, one for each quantile.

    Args:
        data: A file or table with the columns; how many units it has decides between which quantiles an interval lies.
        dialect: In whose words.
        asked: The question.
        alpha: The level, for the intervals of quantiles.
        tables: Tables of a workspace that `data` may name.

    Raises:
        Missing: There is no such file or table.
        Invalid: The question does not fit the data, an expression means something else in that engine, or an end of a
            winsorised metric is a quantile, which is known only after another query.
    """
    faults = [
        Fault(f"winsor.{one.name}", "its ends are found by a query of their own", "ends as amounts")
        for one in asked.metrics
        if one.winsor is not None and one.winsor.needs_quantiles
    ]
    if faults:
        raise Invalid("the comparison is not one query", faults)
    with closing(Warehouse(tables)) as warehouse:
        source = source_of(data)
        wanted = [asked.variant, *filter(None, (asked.unit, asked.cluster)), *asked.segments]
        warehouse.require_columns(source, wanted)
        columns, here = warehouse.columns(source), warehouse.table(source)
        reading = read(warehouse, here, columns, asked)
        reading = reading.within(read_limits(reading, {}))
        quantiles = [i for i, one in enumerate(asked.metrics) if one.kind == "quantile"]
        counted = read_statistics(reading, warehouse.rows(statistics_tree(reading))).cells if quantiles else ()
    everyone = [cell for cell in counted if cell.segment is None]
    trees: list[tuple[str, exp.Expr]] = [("all metrics, and units by arm", statistics_tree(reading))]
    for i in quantiles:
        q = asked.metrics[i].quantile or 0.5
        at = {cell.arm: levels(q, cell.samples[i].moments.n, alpha) for cell in everyone}
        note = APPROXIMATE.get(dialect, "")
        trees.append((f"{asked.metrics[i].name}: the quantile and the ends of its interval{note}",
                      quantile_tree(reading, i, at, None)))  # fmt: skip
    name = Path(source.paths[0]).name.split(".")[0] if source.paths else source.label
    for _, tree in trees:
        for table in tree.find_all(exp.Table):
            if table.name == here.name:
                table.set("this", exp.to_identifier(name, quoted=True))
    return "\n\n".join(f"-- {note}\n{write_sql(tree, dialect, columns)};" for note, tree in trees)


APPROXIMATE = {"trino": "; Trino has only an approximation of it, so expect other digits"}
"""Engines without an exact quantile over groups, and what that means."""


def _quantile(node: exp.WithinGroup, dialect: Dialect) -> exp.Expr:
    """The quantile between the two nearest values, where the engine writes it in another way.

    BigQuery has the exact one over a window only, the same in each row; ClickHouse calls it `quantileExactInclusive`.
    """
    value, q = node.expression.expressions[0].this.copy(), node.this.this.copy()
    match dialect:
        case "bigquery":
            return exp.Window(this=exp.PercentileCont(this=value, expression=q))
        case "clickhouse":
            return exp.ParameterizedAgg(this="quantileExactInclusive", expressions=[q], params=[value])
        case "trino":
            return exp.Anonymous(this="approx_percentile", expressions=[value, q])
    return node


def _with_quantiles(tree: exp.Expr, dialect: Dialect) -> exp.Expr:
    copy = tree.copy()
    for node in [one for one in copy.find_all(exp.WithinGroup) if isinstance(one.this, exp.PercentileCont)]:
        select = node.find_ancestor(exp.Select)
        new = _quantile(node, dialect)
        if new is not node:
            node.replace(new)
        if isinstance(new, exp.Window) and select is not None:
            select.set("distinct", exp.Distinct())
    return copy


def write_sql(tree: exp.Expr, dialect: Dialect, kinds: Mapping[str, str]) -> str:
    """A tree in the words of an engine.

    Raises:
        Invalid: An expression means something else there.
    """
    if dialect == "spark":
        from tasuki.warehouse.spark_dialect import in_spark

        tree = in_spark(tree, kinds)
    return _with_quantiles(tree, dialect).sql(dialect=dialect, pretty=True)
