"""The slow, obvious engine: rows in plain Python, one at a time. It judges the fast ones."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
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


@dataclass(frozen=True)
class Question:
    """How the rows are put together: columns of the arm, the unit, a segment, what was randomised, and what counts."""

    variant: str
    unit: str | None = None
    segment: str | None = None
    cluster: str | None = None
    present: str | None = None


def cells_of(
    rows: list[Row], metrics: tuple[BoundMetric, ...], variant: str, unit: str | None, segment: str | None
) -> tuple[dict[tuple[str, tuple[str, str] | None], Cell], int, int]:
    """Each arm in all and by segment; units in several arms; units (rows) without an arm."""
    return answer(rows, metrics, Question(variant, unit, segment))


def answer(
    rows: list[Row], metrics: tuple[BoundMetric, ...], asked: Question
) -> tuple[dict[tuple[str, tuple[str, str] | None], Cell], int, int]:
    """Each arm in all and by segment; what was randomised and seen in several arms; and what has no arm."""
    key, segment = asked.cluster or asked.unit, asked.segment
    groups: dict[Any, list[Row]] = defaultdict(list)
    for at, row in enumerate(rows):
        groups[at if key is None else row[key]].append(row)
    if key is not None:
        groups.pop(None, None)
    by_cell: dict[tuple[str, tuple[str, str] | None], list[list[Row]]] = defaultdict(list)
    several = nameless = 0
    for mine in groups.values():
        arms = {row[asked.variant] for row in mine} - {None}
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
    limits = [_limits(rows, bound, asked) for bound in metrics]
    everyone = [mine for (_, at), several_rows in by_cell.items() if at is None for mine in several_rows]
    fills = [_fills(everyone, bound, asked) for bound in metrics]
    cells = {}
    for (arm, at), mine in by_cell.items():
        samples = [_sample(mine, *one[:1], asked, one[1:]) for one in zip(metrics, limits, fills, strict=True)]
        cells[arm, at] = Cell(arm, at, len(mine), tuple(samples))
    return cells, several, nameless


def _units_in(rows: list[Row], asked: Question) -> list[list[Row]]:
    """The rows of each unit among these; rows without a unit are none where there is one."""
    if asked.unit is None:
        return [[row] for row in rows]
    units: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        units[(row[asked.cluster] if asked.cluster else None), row[asked.unit]].append(row)
    return [mine for (_, unit), mine in units.items() if unit is not None]


def _limits(rows: list[Row], bound: BoundMetric, asked: Question) -> tuple[float | None, float | None]:
    """The ends of a winsorised metric, from the units of all arms together."""
    winsor = bound.metric.winsor
    if winsor is None:
        return None, None
    units = [mine for mine in _units_in(rows, asked) if len({row[asked.variant] for row in mine} - {None}) == 1]
    known = [values[0] for values, _ in (_unit(mine, bound, asked) for mine in units) if values is not None]
    ends = []
    for cap in (winsor.lower, winsor.upper):
        if cap is None or (cap.is_quantile and not known):
            ends.append(None)
        else:
            ends.append(interpolated(known, cap.amount) if cap.is_quantile else cap.amount)
    return ends[0], ends[1]


def _fills(groups: list[list[Row]], bound: BoundMetric, asked: Question) -> list[float]:
    """What stands for a missing covariate: the mean of those units of all arms that have it."""
    units = [values for rows in groups for unit in _units_in(rows, asked) if (values := _unit(unit, bound, asked)[0])]
    columns = [[row[j] for row in units if not math.isnan(row[j])] for j in range(len(bound.variables))]
    return [float(sum(map(Fraction, one)) / len(one)) if one else 0.0 for one in columns]


def _unit(rows: list[Row], bound: BoundMetric, asked: Question) -> tuple[list[float] | None, int]:
    """The numbers of one unit, None where one is missing, and how many were lost."""
    values, missing, lost = [], False, 0
    for variable in bound.variables:
        raw = [_counted(variable.tree, variable.role, bound, row) for row in rows if _is_there(row, asked)]
        finite = [one for one in raw if one is not None and math.isfinite(one)]
        if variable.role != "covariate":
            lost += sum(one is not None and not math.isfinite(one) for one in raw)
        if variable.role == "covariate":
            values.append(max(finite) if finite else math.nan)
        elif variable.role == "rows" and asked.unit is not None:
            values.append(1.0)
        elif asked.unit is not None:
            values.append((max if bound.metric.kind == "proportion" else sum)(finite) if finite else 0.0)
        elif finite:
            values.append(finite[0])
        else:
            missing = True
    return (None if missing else [float(one) for one in values]), lost


def _is_there(row: Row, asked: Question) -> bool:
    return asked.present is None or row[asked.present] is not None


def _sample(groups: list[list[Row]], bound: BoundMetric, asked: Question, treated: tuple[Any, list[float]]) -> Sample:
    limits, fills = treated
    kept, lost, held = [], 0, 0
    low, high = (-math.inf if limits[0] is None else limits[0]), (math.inf if limits[1] is None else limits[1])
    for rows in groups:
        mine = []
        for unit in _units_in(rows, asked):
            values, gone = _unit(unit, bound, asked)
            lost += gone
            if values is not None:
                values = [fills[j] if math.isnan(one) else one for j, one in enumerate(values)]
                held += not low <= values[0] <= high
                mine.append([low if values[0] < low else high if values[0] > high else values[0], *values[1:]])
        if mine:
            kept.append([math.fsum(column) for column in zip(*mine, strict=True)])
    moments = exact_moments(kept, len(bound.variables))
    quantiles = None
    if bound.metric.kind == "quantile" and kept:
        at = levels(bound.metric.quantile or 0.5, len(kept), 0.05)
        below, middle, above = (interpolated([row[0] for row in kept], q) for q in (at.low, at.at, at.high))
        quantiles = (below, middle, above)
    return Sample(moments, lost, quantiles=quantiles, held=held, values=tuple(map(tuple, kept)))


def farthest_pull(sample: Sample, over: int, under: int) -> float:
    """How far the farthest unit of an oracle's sample lies from the arm's ratio."""
    ratio = sample.moments.means[over] / sample.moments.means[under]
    return max(abs(one[over] - ratio * one[under]) for one in sample.values or ())


def in_window(rows: list[Row], key: str, time: str, hours: float) -> list[Row]:
    """The rows with `present`: 1 where a row came within so many hours of its unit's first, else None."""
    first: dict[Any, Any] = {}
    for row in rows:
        if row[time] is not None and (row[key] not in first or row[time] < first[row[key]]):
            first[row[key]] = row[time]
    window = timedelta(hours=hours)
    is_in = [row[time] is not None and row[time] < first[row[key]] + window for row in rows]
    return [{**row, "present": 1 if here else None} for row, here in zip(rows, is_in, strict=True)]


def exposed(exposures: list[Row], events: list[Row], metric: Metric) -> list[Row]:
    """Events under the arm and unit that they followed from; every exposed unit once more without an event.

    Exposures have `unit`, `arm`, `at` and `exposure`. The rows have `unit`, `arm`, the event's columns and `present`.
    """
    first: dict[tuple[Any, Any], Any] = {}
    for one in exposures:
        key = (one["unit"], one["arm"])
        first[key] = min(first.get(key, one["at"]), one["at"])
    blank = dict.fromkeys(events[0]) if events else {}
    rows = [{**blank, "unit": unit, "arm": arm, "present": None} for unit, arm in first]
    known = {(one["exposure"], one["unit"], one["arm"]) for one in exposures}
    for event in events:
        for (unit, arm), at in first.items():
            if metric.exposure:
                matches = (event[metric.exposure], unit, arm) in known
            else:
                link = event[metric.cluster or metric.unit or ""]
                matches = link is not None and str(link) == unit and _in_time(event, at, metric)
            if matches:
                rows.append({**event, "unit": unit, "arm": arm, "present": 1})
    return rows


def _in_time(event: Row, first_at: Any, metric: Metric) -> bool:
    if metric.time is None:
        return True
    at = event[metric.time]
    if at is None or at < first_at:
        return False
    return metric.window_hours is None or at < first_at + timedelta(hours=metric.window_hours)


def interpolated(values: list[float], q: float) -> float:
    """The quantile between the two nearest order statistics."""
    ordered, at = sorted(values), q * (len(values) - 1)
    below = math.floor(at)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _counted(tree: exp.Expr, role: str, bound: BoundMetric, row: Row) -> float | None:
    if role != "covariate" and bound.condition is not None and evaluate(bound.condition, row) is not True:
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
