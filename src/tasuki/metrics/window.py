"""The attribution window: which events of a table count because they came soon enough after a unit's first row."""

from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from tasuki.metrics.trees import column, flag, is_known, named, when

IN_WINDOW = "tasuki in window"
"""The column of the windowed table that is null where an event came too late."""

MOST_HOURS = 1e6
"""About a century; more is a slip of the pen."""


@dataclass(frozen=True)
class Window:
    """Events count within so many hours from the unit's first row.

    Args:
        time: The column of the moment of an event.
        hours: How long.
    """

    time: str
    hours: float


def windowed_table(table: exp.Expr, unit: str, window: Window) -> exp.Subquery:
    """The table with a column more, `IN_WINDOW`: 1 where an event counts, null where it came too late."""
    first = exp.Window(this=exp.Min(this=column(window.time)), partition_by=[column(unit)])
    within = exp.LT(this=column(window.time), expression=moment_later(first, window.hours))
    here = named(when(within, exp.Literal.number(1)), IN_WINDOW)
    return exp.select(exp.Star(), here).from_(table.copy()).subquery("windowed")


def moment_later(moment: exp.Expr, hours: float) -> exp.Expr:
    """The moment so many hours later."""
    seconds = exp.Literal.string(str(round(hours * 3600)))
    return exp.Add(this=moment, expression=exp.Interval(this=seconds, unit=exp.Var(this="SECOND")))


def open_units_tree(table: exp.Expr, unit: str, window: Window) -> exp.Select:
    """One row: `units` in all, and those whose window ends after the last row, `open`: more may still come."""
    firsts = exp.select(
        named(exp.Min(this=column(window.time)), "first"), named(exp.Max(this=column(window.time)), "last")
    )
    by_unit = firsts.from_(table.copy()).where(is_known(column(unit))).group_by(column(unit)).subquery("u")
    ends = moment_later(column("first"), window.hours)
    newest = exp.Window(this=exp.Max(this=column("last")))
    dated = exp.select(named(ends, "ends"), named(newest, "newest")).from_(by_unit).subquery("w")
    is_open = flag(exp.GT(this=column("ends"), expression=column("newest")))
    counts = [named(exp.Count(this=exp.Star()), "units"), named(exp.Sum(this=is_open), "open")]
    return exp.select(*counts).from_(dated)


def exposed_open_tree(exposures: exp.Expr, hours: float, newest: datetime) -> exp.Select:
    """One row: exposed `units` in all, and those whose window ends after a moment, `open`.

    Args:
        exposures: A table with `unit`, `arm` and `at`.
        hours: How long the window is.
        newest: The moment that rows are known until.
    """
    first = named(exp.Min(this=column("at")), "first")
    by_unit = exp.select(first).from_(exposures).where(is_known(column("unit"))).group_by(column("unit"), column("arm"))
    known = exp.cast(exp.Literal.string(newest.strftime("%Y-%m-%d %H:%M:%S")), exp.DType.TIMESTAMP)
    is_open = flag(exp.GT(this=moment_later(column("first"), hours), expression=known))
    counts = [named(exp.Count(this=exp.Star()), "units"), named(exp.Sum(this=is_open), "open")]
    return exp.select(*counts).from_(by_unit.subquery("u"))
