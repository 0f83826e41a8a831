"""The attribution window: which events of a table count because they came soon enough after a unit's first row."""

from dataclasses import dataclass

from sqlglot import exp

from tasuki.metrics.trees import column, named, when

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
