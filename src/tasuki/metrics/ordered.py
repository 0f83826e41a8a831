"""The values of units in order, so that a quantile is a row's position: nothing has to be held in memory at once."""

from math import floor

from sqlglot import exp

from tasuki.metrics.levels import clean_tree
from tasuki.metrics.reading import Reading
from tasuki.metrics.trees import column, is_known, named

ARM, SEGMENT, VALUE, POSITION = "arm", "segment", "value", "file_row_number"


def ordered_tree(reading: Reading, i: int, segment: int | None, by_arm: bool = True) -> exp.Select:
    """The values of a metric's units in order: by arm, segment and value, or by value alone.

    Args:
        reading: As for `tasuki.metrics.compile.statistics_tree`, without clusters where arms are told apart.
        i: Which metric.
        segment: The segment column that is told apart too.
        by_arm: Whether arms are told apart.
    """
    value = column(f"y{i}_0")
    keys = [named(column("arm"), ARM)] if by_arm else []
    keys += [] if segment is None else [named(column(f"s{segment}"), SEGMENT)]
    where = [is_known(column("arm")), is_known(value)]
    if reading.unit is not None:
        where.append(exp.EQ(this=column("mixed"), expression=exp.Literal.number(0)))
    order = [exp.Ordered(this=column(one.alias)) for one in keys]
    return (
        exp.select(*keys, named(value, VALUE))
        .from_(clean_tree(reading).subquery("c"))
        .where(*where)
        .order_by(*order, exp.Ordered(this=column(VALUE)))
    )


def groups_tree(table: exp.Expr, segment: int | None, by_arm: bool = True) -> exp.Select:
    """Where each group begins in the ordered values, and how many it has: `arm`, `segment`, `first`, `n`."""
    keys = [column(ARM)] if by_arm else []
    keys += [] if segment is None else [column(SEGMENT)]
    counts = [named(exp.Min(this=column(POSITION)), "first"), named(exp.Count(this=exp.Star()), "n")]
    tree = exp.select(*keys, *counts).from_(table.copy())
    return tree.group_by(*(one.copy() for one in keys)) if keys else tree


def picked_tree(table: exp.Expr, positions: list[int]) -> exp.Select:
    """The values at some positions: `file_row_number`, `value`."""
    here = exp.In(this=column(POSITION), expressions=[exp.Literal.number(one) for one in positions])
    return exp.select(column(POSITION), column(VALUE)).from_(table.copy()).where(here)


def neighbours(first: int, n: int, q: float) -> tuple[int, int, float]:
    """The positions of the two values that a quantile lies between, and how far it is on the way from one to the other.

    Formula: h = q·(n − 1); between the values of rank ⌊h⌋ and ⌊h⌋ + 1 (from 0), at h − ⌊h⌋.
    Source: Hyndman & Fan (1996), "Sample Quantiles in Statistical Packages", definition 7.
    Checked against: the engine's own quantile of the same values, and plain Python.
    """
    at = q * (n - 1)
    below = floor(at)
    return first + below, first + min(below + 1, n - 1), at - below
