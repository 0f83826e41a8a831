"""What is asked of an experiment's rows besides the numbers: their days, windows that are open, columns they lack."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlglot import exp

from tasuki.experiments.exposure_doubts import ColumnsMissing, window_open
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.exposed import EXPOSURES, PRESENT, exposed_table
from tasuki.metrics.metric import Metric
from tasuki.metrics.trees import column, is_known, named
from tasuki.metrics.window import exposed_open_tree
from tasuki.stats.concern import Concern
from tasuki.warehouse import Engine, Source
from tasuki.warehouse.engine import quoted


def exposed_days(engine: Engine, experiment: str) -> tuple[date, ...]:
    """Every day (UTC) that has exposures of the experiment, in order."""
    rows = engine.rows(exp.select(_day("at")).distinct().from_(_mine(engine, experiment)))
    return tuple(sorted(row["day"] for row in rows if row["day"] is not None))


def rows_by_day(engine: Engine, table: exp.Expr, metric: Metric) -> dict[date, int]:
    """How many rows that follow from an exposure each day has.

    Args:
        engine: Who is asked.
        table: Rows joined to exposures (see `tasuki.metrics.exposed.exposed_table`).
        metric: Whose column of time is meant.
    """
    counted = named(exp.Count(this=exp.Star()), "rows")
    tree = exp.select(_day(metric.time or ""), counted).from_(table).where(is_known(column(PRESENT)))
    found = engine.rows(tree.group_by(column("day")))
    return {row["day"]: int(row["rows"]) for row in found if row["day"] is not None}


def whole_rows_by_day(engine: Engine, metric: Metric, experiment: str, columns: Mapping[str, str]) -> dict[date, int]:
    """The same of everything there is."""
    return rows_by_day(engine, exposed_table(metric, experiment, columns), metric)


def doubts_about_open_windows(
    engine: Engine, experiment: str, metrics: Sequence[Metric], known: tuple[date, datetime]
) -> tuple[Concern, ...]:
    """That the window of units exposed last is not over: what they will still do is not counted.

    Args:
        engine: Who is asked.
        experiment: Whose exposures count.
        metrics: What is compared.
        known: The last day that has rows, and the present moment: what came later is not known.
    """
    last, now = known
    # The day of the last row is taken as complete, but for today.
    newest = min(now, datetime.combine(last + timedelta(days=1), time(), UTC))
    concerns = []
    for hours in dict.fromkeys(one.window_hours for one in metrics if one.window_hours is not None):
        row = engine.rows(exposed_open_tree(_mine(engine, experiment), hours, newest))[0]
        if row["open"]:
            concerns.append(window_open(int(row["open"]), int(row["units"]), hours))
    return tuple(concerns)


def columns_missing(
    engine: Engine, table: str, metrics: Sequence[BoundMetric], segments: Sequence[str]
) -> ColumnsMissing:
    """Files of a metric's table, and of the exposures, that lack a column which is read."""
    asked = {EXPOSURES: exposure_columns(metrics), table: row_columns(metrics, segments)}
    found = {name: engine.lacking(Source("table", name), columns) for name, columns in asked.items()}
    return {name: (lacking, of) for name, (lacking, of) in found.items() if lacking}


def exposure_columns(metrics: Sequence[BoundMetric]) -> list[str]:
    """The columns of exposures that a comparison reads."""
    linked = any(one.metric.exposure for one in metrics)
    return ["experiment", "unit", "arm", "at", *(["exposure"] if linked else [])]


def row_columns(metrics: Sequence[BoundMetric], segments: Sequence[str]) -> list[str]:
    """The columns of the metrics' table that a comparison reads."""
    named = [name for one in metrics for name in one.columns]
    for bound in metrics:
        one = bound.metric
        named += filter(None, (one.exposure, None if one.exposure else one.unit, one.cluster, one.time))
    return list(dict.fromkeys([*named, *segments]))


def _mine(engine: Engine, experiment: str) -> exp.Subquery:
    mine = exp.EQ(this=quoted("experiment"), expression=exp.Literal.string(experiment))
    return exp.select(exp.Star()).from_(engine.table(Source("table", EXPOSURES))).where(mine).subquery("mine")


def _day(time: str) -> exp.Alias:
    return named(exp.cast(quoted(time), exp.DType.DATE), "day")
