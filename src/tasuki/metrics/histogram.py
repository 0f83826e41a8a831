"""How the values of units are spread in each arm: one query for a robust range, one that counts into fixed bins.

The range is made of quantiles, so that one extreme unit does not press all others into one bin. What lies outside is
counted below and above. Where many units are exactly 0 they are counted apart, and values that span magnitudes are
binned on a logarithmic scale.
"""

from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite, log
from typing import Any

from sqlglot import exp as sql

from tasuki.metrics.bins import ArmBins, Histogram, Scale
from tasuki.metrics.compile import Reading, clean_tree

BINS = 30
TAIL = 0.005
"""The share of units that may lie beyond either end of the range."""

SKEWED = 20.0
"""With an upper end so many times the median of what is above 0, a linear scale would show one bar."""

MANY_ZEROS = 0.2
"""With a larger share of zeros one bar would hold them all and hide the rest."""

_ZERO, _BELOW = -2, -1


def drawn_metrics(reading: Reading) -> tuple[int, ...]:
    """The metrics whose values have a spread worth drawing, each set of values once; proportions are only 0 and 1."""
    found: dict[tuple[object, ...], int] = {}
    for i, bound in enumerate(reading.metrics):
        metric = bound.metric
        if metric.kind != "proportion":
            found.setdefault((metric.numerator, metric.denominator, metric.filter, metric.winsor), i)
    return tuple(found.values())


def range_tree(reading: Reading, metrics: Sequence[int]) -> sql.Select:
    """One row with the ends and the middle of each metric's values.

    Its columns by metric: `r{i}_low` and `r{i}_high` (quantiles), `r{i}_least` (the minimum), `r{i}_first`,
    `r{i}_middle` and `r{i}_last` (the same ends and the median of what is above 0), `r{i}_known` (how many values),
    `r{i}_zeros` (how many are 0) and `r{i}_parted` (how many are no whole numbers).
    """
    chosen: list[sql.Expr] = []
    for i in metrics:
        value = _value(reading, i)
        above = sql.Case().when(sql.GT(this=value.copy(), expression=_number(0)), value.copy())
        zero = sql.EQ(this=value.copy(), expression=_number(0))
        parted = sql.NEQ(this=value.copy(), expression=sql.Floor(this=value.copy()))
        columns: dict[str, sql.Expr] = {
            "low": _quantile(value, TAIL),
            "high": _quantile(value, 1 - TAIL),
            "least": sql.Min(this=value.copy()),
            "first": _quantile(above, TAIL),
            "middle": _quantile(above, 0.5),
            "last": _quantile(above, 1 - TAIL),
            "known": sql.Count(this=value.copy()),
            "zeros": sql.Sum(this=_flag(zero)),
            "parted": sql.Sum(this=_flag(parted)),
        }
        chosen += [_named(column, f"r{i}_{name}") for name, column in columns.items()]
    return sql.select(*chosen).from_(clean_tree(reading).subquery("c")).where(*_counted(reading))


def scales_of(metrics: Sequence[int], row: Mapping[str, Any]) -> dict[int, Scale]:
    """The scale of each metric that has a spread at all."""
    scales = {i: _scale({name: row[f"r{i}_{name}"] for name in _ENDS}) for i in metrics}
    return {i: scale for i, scale in scales.items() if scale is not None and scale.is_sound}


_ENDS = ("low", "high", "least", "first", "middle", "last", "known", "zeros", "parted")


def _scale(ends: Mapping[str, Any]) -> Scale | None:
    if any(ends[name] is None or not isfinite(ends[name]) for name in ("low", "high", "least")):
        return None
    low, high, is_whole = float(ends["low"]), float(ends["high"]), not ends["parted"]
    first, middle, last = (None if ends[name] is None else float(ends[name]) for name in ("first", "middle", "last"))
    if ends["least"] >= 0 and first and middle and last:
        if last > SKEWED * middle and last > first:
            return _log_scale(first, last, is_whole=is_whole)
        if ends["zeros"] > MANY_ZEROS * ends["known"]:
            return None if last <= first else _even_scale(first, last, is_whole=is_whole, zeros_apart=True)
    return None if high <= low else _even_scale(low, high, is_whole=is_whole, zeros_apart=False)


def _log_scale(first: float, last: float, *, is_whole: bool) -> Scale:
    if is_whole:
        # Finer bins would leave gaps between whole numbers: each bin is twice as wide as the one before.
        return Scale(1.0, log(2), floor(log(last, 2)) + 1, is_log=True, zeros_apart=True)
    return Scale(first, (log(last) - log(first)) / BINS, BINS, is_log=True, zeros_apart=True)


def _even_scale(low: float, high: float, *, is_whole: bool, zeros_apart: bool) -> Scale:
    if is_whole:
        step = max(1, ceil((high - low + 1) / BINS))
        return Scale(floor(low), step, ceil((high - low + 1) / step), zeros_apart=zeros_apart)
    return Scale(low, (high - low) / BINS, BINS, zeros_apart=zeros_apart)


def histogram_tree(reading: Reading, scales: Mapping[int, Scale]) -> sql.Select:
    """One pass that counts every metric into its bins.

    Its columns: `arm`, `b{i}` (the bin), `g{i}` (0 where the row is of metric i) and `n`.
    """
    binned = sql.select(_column("arm"), *(_named(_bin(_value(reading, i), one), f"b{i}") for i, one in scales.items()))
    binned = binned.from_(clean_tree(reading).subquery("c")).where(*_counted(reading))
    bins = [_column(f"b{i}") for i in scales]
    grouped = [_named(sql.Grouping(expressions=[one.copy()]), f"g{i}") for i, one in zip(scales, bins, strict=True)]
    counts = _named(sql.Count(this=sql.Star()), "n")
    tree = sql.select(_column("arm"), *bins, *grouped, counts).from_(binned.subquery("b"))
    sets = [sql.Tuple(expressions=[_column("arm"), one.copy()]) for one in bins]
    tree.set("group", sql.Group(grouping_sets=[sql.GroupingSets(expressions=sets)]))
    return tree


def read_histograms(
    reading: Reading, scales: Mapping[int, Scale], rows: Sequence[Mapping[str, Any]]
) -> tuple[Histogram, ...]:
    """What the rows of `histogram_tree` say."""
    found = []
    for i, scale in scales.items():
        counts: dict[str, dict[int, int]] = {}
        for row in rows:
            if int(row[f"g{i}"]) == 0 and row[f"b{i}"] is not None:
                counts.setdefault(str(row["arm"]), {})[int(row[f"b{i}"])] = int(row["n"])
        arms = tuple(_arm(arm, counts[arm], scale) for arm in sorted(counts))
        found.append(Histogram(reading.metrics[i].metric.name, scale.edges, scale.is_log, arms))
    return tuple(found)


def _arm(arm: str, counts: Mapping[int, int], scale: Scale) -> ArmBins:
    inside = tuple(counts.get(k, 0) for k in range(scale.count))
    return ArmBins(arm, inside, counts.get(_ZERO, 0), counts.get(_BELOW, 0), counts.get(scale.count, 0))


def _bin(value: sql.Expr, scale: Scale) -> sql.Expr:
    """The number of a value's bin, whole but kept as a fraction; no value has none. An end belongs to the last bin."""
    distance: sql.Expr = sql.Sub(this=value.copy(), expression=_number(scale.low))
    top = scale.edges[-1]
    if scale.is_log:
        distance = sql.Sub(this=sql.Ln(this=value.copy()), expression=_number(log(scale.low)))
    place = sql.Floor(this=sql.Div(this=sql.Paren(this=distance), expression=_number(scale.step)))
    held = sql.Least(this=place, expressions=[_number(scale.count - 1)])
    case = sql.Case().when(sql.Is(this=value.copy(), expression=sql.Null()), sql.Null())
    if scale.zeros_apart:
        case = case.when(sql.EQ(this=value.copy(), expression=_number(0)), _number(_ZERO))
    case = case.when(sql.LT(this=value.copy(), expression=_number(scale.low)), _number(_BELOW))
    case = case.when(sql.GT(this=value.copy(), expression=_number(top)), _number(scale.count))
    inner = sql.Greatest(this=held, expressions=[_number(0)])
    return case.else_(inner)


def _value(reading: Reading, i: int) -> sql.Expr:
    """A unit's own value: of a ratio, its numerator over its denominator."""
    value = _column(f"y{i}_0")
    if reading.metrics[i].metric.kind != "ratio":
        return value
    return sql.Div(this=value, expression=sql.Nullif(this=_column(f"y{i}_1"), expression=_number(0)))


def _counted(reading: Reading) -> list[sql.Expr]:
    there: list[sql.Expr] = [sql.not_(sql.Is(this=_column("arm"), expression=sql.Null()))]
    if reading.unit is not None:
        there.append(sql.EQ(this=_column("mixed"), expression=_number(0)))
    return there


def _flag(condition: sql.Expr) -> sql.Expr:
    return sql.Case().when(condition, _number(1)).else_(_number(0))


def _quantile(value: sql.Expr, q: float) -> sql.Expr:
    return sql.ApproxQuantile(this=value.copy(), quantile=_number(q))


def _number(value: float) -> sql.Expr:
    literal = sql.Literal.number(repr(abs(value)))
    return sql.Neg(this=literal) if value < 0 else literal


def _named(value: sql.Expr, name: str) -> sql.Alias:
    return sql.Alias(this=value, alias=sql.to_identifier(name, quoted=True))


def _column(name: str) -> sql.Column:
    return sql.Column(this=sql.to_identifier(name, quoted=True))
