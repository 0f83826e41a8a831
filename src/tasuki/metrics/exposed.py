"""Events joined to the exposures of an experiment: the table that a declared metric is compared on."""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from tasuki.metrics.metric import Metric
from tasuki.metrics.path import DAY, day_tree
from tasuki.metrics.window import moment_later

ARM, UNIT, PRESENT = "tasuki arm", "tasuki unit", "tasuki row"
"""The columns that the joined table has besides those of the metric's own table."""

EXPOSURES = "exposures"


def link_of(metric: Metric) -> tuple[str | None, str | None, str | None]:
    """What ties a metric's rows to exposures: its exposure column, or the one of what was randomised, and its time."""
    return (metric.exposure, None, None) if metric.exposure else (None, metric.cluster or metric.unit, metric.time)


def exposed_table(metric: Metric, experiment: str, columns: Mapping[str, str]) -> exp.Subquery:
    """The metric's table with the arm and unit of the exposure that each row followed from.

    Every exposed unit is there, also one without any row: it has 0 events, not none. A unit exposed in two arms is
    there under both, so that it is recognised and left out.

    Args:
        metric: With a table and either an exposure column or a unit column.
        experiment: Whose exposures count.
        columns: The columns of the metric's table.
    """
    exposure, unit, time = link_of(metric)
    chosen = [_column("unit", "e"), _column("arm", "e")]
    key = _column("exposure", "e") if exposure else _named(exp.Min(this=_column("at", "e")), "first_at")
    exposures = (
        exp.select(*chosen, key)
        .from_(_table(EXPOSURES, "e"))
        .where(exp.EQ(this=_column("experiment", "e"), expression=exp.Literal.string(experiment)))
    )
    # An exposure that was logged twice counts once.
    exposures = exposures.distinct() if exposure else exposures.group_by(_column("unit", "e"), _column("arm", "e"))
    condition: exp.Expr
    if exposure:
        condition = exp.EQ(this=_column(exposure, "m"), expression=_column("exposure", "x"))
    else:
        mine = exp.cast(_column(unit or UNIT, "m"), exp.DType.TEXT)
        condition = exp.EQ(this=mine, expression=_column("unit", "x"))
    if time:
        later = exp.GTE(this=_column(time, "m"), expression=_column("first_at", "x"))
        condition = exp.and_(condition, later)
        if metric.window_hours is not None:
            end = moment_later(_column("first_at", "x"), metric.window_hours)
            condition = exp.and_(condition, exp.LT(this=_column(time, "m"), expression=end))
    named = [_named(_column("unit", "x"), UNIT), _named(_column("arm", "x"), ARM)]
    values = [_column(name, "m") for name in columns]
    here = _named(exp.Literal.number(1), PRESENT)
    events = exp.select(exp.Star(), here).from_(exp.Table(this=exp.to_identifier(metric.table or "", quoted=True)))
    joined = (
        exp.select(*named, *values, _column(PRESENT, "m"))
        .from_(exposures.subquery("x"))
        .join(events.subquery("m"), on=condition, join_type="left")
    )
    return joined.subquery("joined")


def dated_exposed_table(metric: Metric, experiment: str, columns: Mapping[str, str]) -> exp.Subquery:
    """The same with the day that each row counts from, as `tasuki.metrics.path.DAY`, and a row more for each exposure.

    A unit is there from the day of its first exposure on, with 0 events; an event counts from its own day, but not
    before the unit is there.

    Args:
        metric: As for `exposed_table`, with a column of time.
        experiment: Whose exposures count.
        columns: The columns of the metric's table.
    """
    names = [UNIT, ARM, *columns, PRESENT]
    own = day_tree(_column(metric.time or "", "j"))
    there = day_tree(_column("there", "f"))
    from_day = exp.Greatest(this=own, expressions=[there])
    same = exp.NullSafeEQ(this=_column(UNIT, "j"), expression=_column("unit", "f"))
    of_units = _firsts(experiment, ("unit",)).subquery("f")
    events = (
        exp.select(*(_column(name, "j") for name in names), _named(from_day, DAY))
        .from_(_aliased(exposed_table(metric, experiment, columns), "j"))
        .join(of_units, on=same, join_type="inner")
    )
    blank = [_named(exp.Null(), name) for name in (*columns, PRESENT)]
    coming = [_named(_column("unit", "f"), UNIT), _named(_column("arm", "f"), ARM), *blank, _named(there.copy(), DAY)]
    exposures = exp.select(*coming).from_(_firsts(experiment, ("unit", "arm")).subquery("f"))
    return exp.union(events, exposures, distinct=False).subquery("dated")


def _firsts(experiment: str, keys: Sequence[str]) -> exp.Select:
    """The first exposure of each unit (and arm), as `there`."""
    chosen = [_column(name, "e") for name in keys]
    first = _named(exp.Min(this=_column("at", "e")), "there")
    mine = exp.EQ(this=_column("experiment", "e"), expression=exp.Literal.string(experiment))
    return (
        exp.select(*chosen, first).from_(_table(EXPOSURES, "e")).where(mine).group_by(*(one.copy() for one in chosen))
    )


def _aliased(table: exp.Subquery, alias: str) -> exp.Subquery:
    table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return table


def _table(name: str, alias: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True), alias=exp.TableAlias(this=exp.to_identifier(alias)))


def _column(name: str, table: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table))


def _named(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))
