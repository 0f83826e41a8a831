"""The slow, obvious engine: rows in plain Python, one at a time. It judges the fast ones."""

import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.moments import Moments, no_moments
from tasuki.stats.quantile import levels

Row = dict[str, Any]


def evaluate(tree: exp.Expr, row: Row) -> Any:
    """SQL's three-valued logic over one row."""
    match tree:
        case exp.Paren():
            return evaluate(tree.this, row)
        case exp.Column():
            return row[tree.name]
        case exp.Literal():
            return tree.this if tree.is_string else float(tree.this)
        case exp.Is():
            return evaluate(tree.this, row) is None
        case exp.Not():
            inside = evaluate(tree.this, row)
            return None if inside is None else not inside
        case exp.Coalesce():
            values = [evaluate(one, row) for one in (tree.this, *tree.expressions)]
            return next((one for one in values if one is not None), None)
        case exp.And():
            sides = [evaluate(tree.this, row), evaluate(tree.expression, row)]
            return False if False in sides else None if None in sides else True
    left, right = evaluate(tree.this, row), evaluate(tree.expression, row)
    if left is None or right is None:
        return None
    match tree:
        case exp.Add():
            return left + right
        case exp.Sub():
            return left - right
        case exp.Mul():
            return left * right
        case exp.GT():
            return _greater(left, right)
        case exp.EQ():
            return left == right
    raise AssertionError(f"the oracle does not know {type(tree).__name__}")


def _greater(left: float, right: float) -> bool:
    # NaN is above everything, as in DuckDB, Spark and PostgreSQL.
    return (math.isnan(left) and not math.isnan(right)) or left > right


def cells_of(
    rows: list[Row], metrics: tuple[BoundMetric, ...], variant: str, unit: str | None, segment: str | None
) -> tuple[dict[tuple[str, tuple[str, str] | None], Cell], int, int]:
    """Each arm in all and by segment; units in several arms; units (rows) without an arm."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for at, row in enumerate(rows):
        groups[at if unit is None else row[unit]].append(row)
    if unit is not None:
        groups.pop(None, None)
    by_cell: dict[tuple[str, tuple[str, str] | None], list[list[Row]]] = defaultdict(list)
    several = nameless = 0
    for mine in groups.values():
        arms = {row[variant] for row in mine} - {None}
        if len(arms) > 1:
            several += 1
        elif not arms:
            nameless += 1
        else:
            arm = arms.pop()
            by_cell[arm, None].append(mine)
            if segment is not None:
                values = [row[segment] for row in mine if row[segment] is not None]
                by_cell[arm, (segment, min(values) if values else "(none)")].append(mine)
    cells = {
        key: Cell(key[0], key[1], len(units), tuple(_sample(units, bound, unit is not None) for bound in metrics))
        for key, units in by_cell.items()
    }
    return cells, several, nameless


def _sample(units: list[list[Row]], bound: BoundMetric, are_events: bool) -> Sample:
    kept, lost = [], 0
    for rows in units:
        values, missing = [], False
        for variable in bound.variables:
            raw = [_counted(variable.tree, variable.role, bound, row) for row in rows]
            finite = [one for one in raw if one is not None and math.isfinite(one)]
            if variable.role == "value" or not are_events:
                lost += sum(one is not None and not math.isfinite(one) for one in raw)
            if variable.role == "covariate":
                values.append(max(finite) if finite else 0.0)
            elif are_events:
                values.append((max if bound.metric.kind == "proportion" else sum)(finite) if finite else 0.0)
            elif finite:
                values.append(finite[0])
            else:
                missing = True
        if not missing:
            kept.append([float(one) for one in values])
    moments = exact_moments(kept, len(bound.variables))
    quantiles = None
    if bound.metric.kind == "quantile" and kept:
        at = levels(bound.metric.quantile or 0.5, len(kept), 0.05)
        low, middle, high = (interpolated([row[0] for row in kept], q) for q in (at.low, at.at, at.high))
        quantiles = (low, middle, high)
    return Sample(moments, lost, quantiles=quantiles)


def interpolated(values: list[float], q: float) -> float:
    """The quantile between the two nearest order statistics."""
    ordered, at = sorted(values), q * (len(values) - 1)
    below = math.floor(at)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _counted(tree: exp.Expr, role: str, bound: BoundMetric, row: Row) -> float | None:
    if role == "value" and bound.condition is not None and evaluate(bound.condition, row) is not True:
        return None
    value = evaluate(tree, row)
    return None if value is None else float(value)


def exact_moments(rows: list[list[float]], size: int) -> Moments:
    """Without any rounding, in fractions."""
    n = len(rows)
    if not n:
        return no_moments(size)
    columns = [[Fraction(row[j]) for row in rows] for j in range(size)]
    means = [sum(column) / n for column in columns]
    covariances = tuple(
        tuple(
            float(sum((x - means[j]) * (y - means[k]) for x, y in zip(columns[j], columns[k], strict=True)) / (n - 1))
            if n > 1
            else 0.0
            for k in range(size)
        )
        for j in range(size)
    )
    return Moments(n, tuple(map(float, means)), covariances)
