"""The levels of a query below its statistics, each a row finer than the next.

Rows (arm, segments, the raw numbers), units (when rows are events: sums per unit), clean numbers (what is no number
becomes null, together for all variables of a metric; winsorised ones are held within their limits) and clusters (when
what was randomised is coarser than a unit: sums per cluster).
"""

from collections.abc import Mapping

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Limits
from tasuki.metrics.reading import NO_UNIT, SEVERAL_ARMS, WHOLE, Reading
from tasuki.metrics.trees import column, finite, flag, is_finite, is_known, is_null, named, number, when

_FRACTIONS = ("FLOAT", "DOUBLE", "REAL")


def clean_tree(reading: Reading) -> exp.Select:
    """A row for each unit: `arm`, `s{k}`, the numbers of each metric as `y{i}_{j}`, and with a unit `mixed`."""
    return _clean(reading, raw_tree(reading))


def raw_tree(reading: Reading) -> exp.Select:
    """A row for each unit with its raw numbers, `v{i}_{j}`: what `Reading.units` may hold instead."""
    if reading.units is not None:
        return exp.select(exp.Star()).from_(reading.units.copy())
    rows = rows_level(reading)
    return exp.select(exp.Star()).from_(rows.subquery("r")) if reading.unit is None else _units(reading, rows)


def units_tree(reading: Reading) -> exp.Select:
    """The numbers of each unit, before they are summed up: `unit` (only for a table of events), and `y{i}_{j}`.

    For methods that need the units themselves; units of no arm, or of several, are left out.
    """
    if reading.unit is None:
        return exp.select(exp.Star()).from_(clean_tree(reading).subquery("c"))
    units = _units(reading, rows_level(reading)).select(named(exp.cast(column("unit"), exp.DType.TEXT), "unit"))
    alone = exp.EQ(this=column("mixed"), expression=exp.Literal.number(0))
    return exp.select(exp.Star()).from_(_clean(reading, units).subquery("c")).where(alone)


def cluster_tree(reading: Reading) -> exp.Select:
    """A row for each cluster: the sums over its units, under the names that they have in `clean_tree`."""
    arm, last = column("arm"), column("arm" if reading.unit is None else "arm_last")
    events: exp.Expr = exp.Count(this=exp.Star()) if reading.unit is None else exp.Sum(this=column("events"))
    chosen: list[exp.Expr] = [
        named(exp.Min(this=arm.copy()), "arm"),
        named(_state("cluster", exp.Min(this=arm.copy()), exp.Max(this=last)), "mixed"),
        named(events, "events"),
    ]
    chosen += [named(exp.Min(this=column(f"s{k}")), f"s{k}") for k in range(len(reading.segments))]
    if reading.tells_varying:
        chosen += [named(exp.Sum(this=column(f"t{k}")), f"t{k}") for k in range(len(reading.segments))]
    for i, bound in enumerate(reading.metrics):
        chosen += _cluster_sums(reading, i, bound)
    return exp.select(*chosen).from_(clean_tree(reading).subquery("k")).group_by(column("cluster"))


def text_of(name: str, types: Mapping[str, str]) -> exp.Expr:
    """A column's values as text; whole numbers kept as fractions (1.0) read as whole (1), NaN as null."""
    value = column(name)
    text = exp.cast(value, exp.DType.TEXT)
    if not types.get(name, "").startswith(_FRACTIONS):
        return text
    # An engine may take NaN for small (`is_finite` says why); tried, the cast makes it null instead of an error.
    tried = exp.TryCast(this=value.copy(), to=exp.DataType(this=exp.DType.BIGINT), safe=True)
    whole = exp.cast(tried, exp.DType.TEXT)
    is_whole = exp.EQ(this=value.copy(), expression=exp.Floor(this=value.copy()))
    small = exp.LTE(this=exp.Abs(this=value.copy()), expression=exp.Literal.number("1E15"))
    case = exp.Case().when(exp.and_(small, is_whole), whole).when(is_finite(value), text)
    return case.else_(exp.Null())


def rows_level(reading: Reading) -> exp.Select:
    """Rows with their arm, segments, unit, cluster and the raw numbers `v{metric}_{position}`."""
    arm = column(reading.variant) if _is_late(reading) else text_of(reading.variant, reading.types)
    chosen: list[exp.Expr] = [named(arm, "arm")]
    chosen += [named(text_of(name, reading.types), f"s{k}") for k, name in enumerate(reading.segments)]
    if reading.unit is not None:
        chosen.append(named(column(reading.unit), "unit"))
    if reading.cluster is not None:
        chosen.append(named(column(reading.cluster), "cluster"))
    for i, bound in enumerate(reading.metrics):
        for j, variable in enumerate(bound.variables):
            value: exp.Expr = exp.cast(variable.tree.copy(), exp.DType.DOUBLE)
            if bound.condition is not None and variable.role != "covariate":
                value = when(bound.condition.copy(), value)
            if reading.present is not None:
                value = when(is_known(column(reading.present)), value)
            chosen.append(named(value, f"v{i}_{j}"))
    return exp.select(*chosen).from_(reading.table.copy())


def _is_late(reading: Reading) -> bool:
    """Whether the arm becomes text after events are summed: text takes the engine several times as long to compare."""
    return reading.unit is not None and reading.types.get(reading.variant, "").startswith(WHOLE)


def _units(reading: Reading, rows: exp.Select) -> exp.Select:
    """Events summed to units. A unit without a counted event has 0 of them, not nothing."""
    arm = column("arm")
    first: exp.Expr = exp.Min(this=arm.copy())
    last: exp.Expr = exp.Max(this=arm.copy())
    if _is_late(reading):
        first, last = exp.cast(first, exp.DType.TEXT), exp.cast(last, exp.DType.TEXT)
    chosen: list[exp.Expr] = [
        named(first, "arm"),
        named(_state("unit", exp.Min(this=arm.copy()), exp.Max(this=arm.copy())), "mixed"),
        named(exp.Count(this=exp.Star()), "events"),
    ]
    for k in range(len(reading.segments)):
        least, most = exp.Min(this=column(f"s{k}")), exp.Max(this=column(f"s{k}"))
        chosen += [named(least, f"s{k}"), named(flag(exp.NEQ(this=least.copy(), expression=most)), f"t{k}")]
    for i, bound in enumerate(reading.metrics):
        chosen += _unit_numbers(reading, i, bound)
    tree = exp.select(*chosen).from_(rows.subquery("r"))
    if reading.cluster is None:
        return tree.group_by(column("unit"))
    tree = tree.select(column("cluster"), named(last, "arm_last"))
    return tree.group_by(column("cluster"), column("unit"))


def _state(key: str, first: exp.Expr, last: exp.Expr) -> exp.Expr:
    several = exp.NEQ(this=first, expression=last)
    state = exp.Case().when(is_null(column(key)), exp.Literal.number(NO_UNIT))
    return state.when(several, exp.Literal.number(SEVERAL_ARMS)).else_(exp.Literal.number(0))


def _unit_numbers(reading: Reading, i: int, bound: BoundMetric) -> list[exp.Expr]:
    chosen: list[exp.Expr] = []
    # Within a cluster the row that stands for no unit at all (exposed, without events) is none.
    is_unit = is_known(column("unit"))
    for j, variable in enumerate(bound.variables):
        raw = column(f"v{i}_{j}")
        counted = raw if reading.is_whole(i, j) else finite(raw)
        if variable.role == "covariate":
            chosen.append(named(exp.Max(this=counted.copy()), f"v{i}_{j}"))
            varies = exp.NEQ(this=exp.Min(this=counted.copy()), expression=exp.Max(this=counted.copy()))
            chosen.append(named(flag(varies), f"w{i}_{j}"))
            continue
        if variable.role == "rows":
            value: exp.Expr = exp.Literal.number(1)
        else:
            function = exp.Max if bound.metric.kind == "proportion" else exp.Sum
            value = exp.func("coalesce", function(this=counted), exp.Literal.number(0))
            lost = exp.Sub(this=exp.Count(this=raw.copy()), expression=exp.Count(this=counted.copy()))
            chosen.append(named(lost if reading.cluster is None else when(is_unit, lost), f"l{i}_{j}"))
        chosen.append(named(value if reading.cluster is None else when(is_unit, value), f"v{i}_{j}"))
    return chosen


def _clean(reading: Reading, level: exp.Select) -> exp.Select:
    """Each metric's variables as numbers that are there for the same units, `y{i}_{j}`."""
    chosen: list[exp.Expr] = []
    for i, bound in enumerate(reading.metrics):
        columns = [column(f"v{i}_{j}") for j in range(len(bound.variables))]
        usable = [
            is_known(one) if reading.is_whole(i, j) else is_finite(one)
            for j, one in enumerate(columns)
            if bound.variables[j].role != "covariate"
        ]
        for j, one in enumerate(columns):
            value: exp.Expr = one
            if bound.variables[j].role == "covariate":
                known = one if reading.is_whole(i, j) else finite(one)
                fill = reading.fills.get((i, j))
                zero = exp.Literal.number(0) if fill is None else exp.cast(number(fill), exp.DType.DOUBLE)
                value = exp.func("coalesce", known.copy(), zero)
                chosen.append(named(flag(exp.and_(*usable, is_null(known))), f"u{i}_{j}"))
                if reading.cluster is not None:
                    chosen.append(named(flag(exp.and_(*usable, is_known(known))), f"h{i}_{j}"))
            elif j == 0 and i in reading.limits:
                value = _held(one, reading.limits[i])
                chosen.append(named(flag(exp.and_(*usable, _is_beyond(one, reading.limits[i]))), f"k{i}"))
            needed = usable if len(columns) > 1 or not reading.is_whole(i, j) else []
            chosen.append(named(when(exp.and_(*usable), value) if needed else value.copy(), f"y{i}_{j}"))
    return exp.select(exp.Star(), *chosen).from_(level.subquery("l"))


def _held(value: exp.Expr, limits: Limits) -> exp.Expr:
    low, high = limits
    case = exp.Case()
    if low is not None:
        case = case.when(exp.LT(this=value.copy(), expression=number(low)), number(low))
    if high is not None:
        case = case.when(exp.GT(this=value.copy(), expression=number(high)), number(high))
    return case.else_(value.copy()) if limits != (None, None) else value


def _is_beyond(value: exp.Expr, limits: Limits) -> exp.Expr:
    low, high = limits
    beyond: list[exp.Expr] = [] if low is None else [exp.LT(this=value.copy(), expression=number(low))]
    beyond += [] if high is None else [exp.GT(this=value.copy(), expression=number(high))]
    return exp.or_(*beyond) if beyond else exp.false()


def _cluster_sums(reading: Reading, i: int, bound: BoundMetric) -> list[exp.Expr]:
    chosen: list[exp.Expr] = []
    for j, variable in enumerate(bound.variables):
        chosen.append(named(exp.Sum(this=column(f"y{i}_{j}")), f"y{i}_{j}"))
        if variable.role == "covariate":
            chosen += [named(exp.Sum(this=column(f"{letter}{i}_{j}")), f"{letter}{i}_{j}") for letter in "uh"]
        if reading.unit is not None and variable.role != "rows":
            letter = "w" if variable.role == "covariate" else "l"
            chosen.append(named(exp.Sum(this=column(f"{letter}{i}_{j}")), f"{letter}{i}_{j}"))
        elif not reading.is_whole(i, j):
            raw = column(f"v{i}_{j}")
            lost = exp.Sub(this=exp.Count(this=raw.copy()), expression=exp.Count(this=finite(raw)))
            chosen.append(named(lost, f"l{i}_{j}"))
    if bound.metric.kind == "proportion":
        chosen.append(named(exp.Sum(this=is_off(column(f"y{i}_0"))), f"o{i}"))
    if i in reading.limits:
        chosen.append(named(exp.Sum(this=column(f"k{i}")), f"k{i}"))
    return chosen


def is_off(value: exp.Expr) -> exp.Expr:
    """1 where a proportion's value is neither 0 nor 1."""
    return flag(exp.not_(exp.In(this=value.copy(), expressions=[exp.Literal.number(0), exp.Literal.number(1)])))


def quantile_of(value: exp.Expr, q: float) -> exp.Expr:
    """The quantile of all values, between the two nearest of them."""
    ordered = exp.Order(expressions=[exp.Ordered(this=value.copy())])
    return exp.WithinGroup(this=exp.PercentileCont(this=exp.Literal.number(repr(q))), expression=ordered)
