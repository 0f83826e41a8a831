"""From bound metrics to one SQL tree per table whose answer is a row of sufficient statistics per arm and segment.

The tree has up to four levels: rows (arm, segments, the raw numbers), units (when rows are events: sums per unit),
clean numbers (what is no number becomes null, together for all variables of a metric), and the grouped statistics.
Rows never leave the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.stats.quantile import Levels

LARGEST = "1.7976931348623157E308"
SEVERAL_ARMS, NO_UNIT = 1, 2
"""What `mixed` says of units that belong to no arm; 0 for those that do."""
NO_VALUE = "(none)"
_EXTREMES = ((exp.Min, "low"), (exp.Max, "high"))
"""How a segment of nulls is called."""

_WHOLE = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FRACTIONS = ("FLOAT", "DOUBLE", "REAL")


@dataclass(frozen=True)
class Reading:
    """What is read from one table.

    Args:
        table: The table, or any tree that can stand in FROM.
        metrics: What is measured.
        variant: The column of the arm.
        unit: The column of the unit, when rows are events.
        segments: Columns whose values are compared separately as well.
        types: The engine's type of each column.
        present: A column that is null where there is no row at all (a unit without events): nothing counts there.
        variable_types: The engine's type of each variable, by metric and position; unknown ones are treated as
            fractions.
    """

    table: exp.Expr
    metrics: tuple[BoundMetric, ...]
    variant: str
    unit: str | None = None
    segments: tuple[str, ...] = ()
    present: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    variable_types: Mapping[tuple[int, int], str] = field(default_factory=dict)

    def is_whole(self, i: int, j: int) -> bool:
        """Whether a variable can be neither NaN nor infinite."""
        return self.variable_types.get((i, j), "").startswith(_WHOLE)


def types_tree(table: exp.Expr, metrics: Sequence[BoundMetric]) -> exp.Select:
    """A query without rows whose column types are those of the variables, named `v{metric}_{position}`."""
    chosen = [
        _named(variable.tree.copy(), f"v{i}_{j}")
        for i, bound in enumerate(metrics)
        for j, variable in enumerate(bound.variables)
    ]
    return exp.select(*chosen).from_(table.copy()).limit(0)


def statistics_tree(reading: Reading) -> exp.Select:
    """The one grouped query for all metrics of a table.

    Its columns: `arm`, `mixed` (see `SEVERAL_ARMS`), `s{k}` and `g{k}` (1 where segment k is not told apart), `units`,
    `events`, and per metric i `m{i}_n`, `m{i}_lost`, `m{i}_varying`, `m{i}_off`, means `m{i}_a{j}`, covariances
    `m{i}_c{j}_{k}`, and of a mean its smallest and largest value `m{i}_low` and `m{i}_high`.
    """
    clean = clean_tree(reading)
    keys = [_column("arm"), *([] if reading.unit is None else [_column("mixed")])]
    segments = [_column(f"s{k}") for k in range(len(reading.segments))]
    grouped = [_named(exp.Grouping(expressions=[one.copy()]), f"g{k}") for k, one in enumerate(segments)]
    units: exp.Expr = exp.Count(this=exp.Star())
    counts = [_named(units, "units"), _named(units.copy(), "events")]
    if reading.unit is None:
        counts.append(_named(exp.Literal.number(0), "mixed"))
    else:
        counts[1] = _named(exp.Sum(this=_column("events")), "events")
    tree = exp.select(*keys, *segments, *grouped, *counts)
    for i, bound in enumerate(reading.metrics):
        tree = tree.select(*_statistics(reading, i, bound))
    tree = tree.from_(clean.subquery("c"))
    if not segments:
        return tree.group_by(*(key.copy() for key in keys))
    sets = [
        exp.Tuple(expressions=[key.copy() for key in (*keys, *more)]) for more in ([], *([one] for one in segments))
    ]
    tree.set("group", exp.Group(grouping_sets=[exp.GroupingSets(expressions=sets)]))
    return tree


def units_tree(reading: Reading) -> exp.Select:
    """The numbers of each unit, before they are summed up: `unit` (only for a table of events), and `y{i}_{j}`.

    For methods that need the units themselves; units of no arm, or of several, are left out.
    """
    rows = _rows(reading)
    if reading.unit is None:
        return exp.select(exp.Star()).from_(
            _clean(reading, exp.select(exp.Star()).from_(rows.subquery("r"))).subquery("c")
        )
    clean = _clean(reading, _units_named(reading, rows)).subquery("c")
    return exp.select(exp.Star()).from_(clean).where(_equals(_column("mixed"), 0))


def _units_named(reading: Reading, rows: exp.Select) -> exp.Select:
    return _units(reading, rows).select(_named(exp.cast(_column("unit"), exp.DType.TEXT), "unit"))


def quantile_tree(
    reading: Reading, i: int, levels: Mapping[str, Levels], segment: tuple[int, str] | None
) -> exp.Select:
    """The three quantiles of one metric for each arm: columns `arm`, `low`, `at`, `high`.

    Args:
        reading: As for `statistics_tree`.
        i: Which metric.
        levels: The levels asked for, by arm; they depend on the arm's size.
        segment: Position and value of the segment that is asked for.
    """
    value = _column(f"y{i}_0")
    clean = clean_tree(reading).subquery("c")
    parts = []
    for arm, one in levels.items():
        quantiles = [
            _named(exp.PercentileCont(this=exp.Literal.number(repr(at))), name)
            for name, at in (("low", one.low), ("at", one.at), ("high", one.high))
        ]
        for quantile in quantiles:
            ordered = exp.Order(expressions=[exp.Ordered(this=value.copy())])
            quantile.set("this", exp.WithinGroup(this=quantile.this, expression=ordered))
        where: list[exp.Expr] = [exp.EQ(this=_column("arm"), expression=exp.Literal.string(arm))]
        if reading.unit is not None:
            where.append(_equals(_column("mixed"), 0))
        if segment is not None:
            where.append(_in_segment(*segment))
        where.append(exp.not_(exp.Is(this=value.copy(), expression=exp.Null())))
        named = _named(exp.Literal.string(arm), "arm")
        parts.append(exp.select(named, *quantiles).from_(clean.copy()).where(*where))
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)  # type: ignore[return-value]


def values_tree(reading: Reading, i: int) -> exp.Select:
    """The clean numbers of one metric, unit by unit: columns `arm` and `y0`, `y1`, … For few units only."""
    rows = _rows(reading)
    level = exp.select(exp.Star()).from_(rows.subquery("r")) if reading.unit is None else _units(reading, rows)
    names = [f"y{i}_{j}" for j in range(len(reading.metrics[i].variables))]
    where: list[exp.Expr] = [exp.not_(exp.Is(this=_column(names[0]), expression=exp.Null()))]
    if reading.unit is not None:
        where.append(_equals(_column("mixed"), 0))
    chosen = [_named(_column(name), f"y{j}") for j, name in enumerate(names)]
    return exp.select(_column("arm"), *chosen).from_(_clean(reading, level).subquery("c")).where(*where)


def _in_segment(k: int, value: str) -> exp.Expr:
    is_value = exp.EQ(this=_column(f"s{k}"), expression=exp.Literal.string(value))
    return exp.or_(is_value, exp.Is(this=_column(f"s{k}"), expression=exp.Null())) if value == NO_VALUE else is_value


def clean_tree(reading: Reading) -> exp.Select:
    """A row for each unit: `arm`, `s{k}`, the numbers of each metric as `y{i}_{j}`, and with a unit `mixed`."""
    rows = _rows(reading)
    level = exp.select(exp.Star()).from_(rows.subquery("r")) if reading.unit is None else _units(reading, rows)
    return _clean(reading, level)


def _rows(reading: Reading) -> exp.Select:
    chosen: list[exp.Expr] = [_named(text_of(reading.variant, reading.types), "arm")]
    chosen += [_named(text_of(name, reading.types), f"s{k}") for k, name in enumerate(reading.segments)]
    if reading.unit is not None:
        chosen.append(_named(_column(reading.unit), "unit"))
    for i, bound in enumerate(reading.metrics):
        for j, variable in enumerate(bound.variables):
            number = _number(variable.tree.copy())
            if bound.condition is not None and variable.role == "value":
                number = _when(bound.condition.copy(), number)
            if reading.present is not None:
                number = _when(exp.not_(exp.Is(this=_column(reading.present), expression=exp.Null())), number)
            chosen.append(_named(number, f"v{i}_{j}"))
    return exp.select(*chosen).from_(reading.table.copy())


def _units(reading: Reading, rows: exp.Select) -> exp.Select:
    """Events summed to units. A unit without a counted event has 0 of them, not nothing."""
    arm = _column("arm")
    several = exp.NEQ(this=exp.Min(this=arm.copy()), expression=exp.Max(this=arm.copy()))
    nameless = exp.Is(this=_column("unit"), expression=exp.Null())
    state = exp.Case().when(nameless, exp.Literal.number(NO_UNIT)).when(several, exp.Literal.number(SEVERAL_ARMS))
    chosen = [
        _named(exp.Min(this=arm.copy()), "arm"),
        _named(state.else_(exp.Literal.number(0)), "mixed"),
        _named(exp.Count(this=exp.Star()), "events"),
    ]
    chosen += [_named(exp.Min(this=_column(f"s{k}")), f"s{k}") for k in range(len(reading.segments))]
    for i, bound in enumerate(reading.metrics):
        for j, variable in enumerate(bound.variables):
            raw = _column(f"v{i}_{j}")
            counted = raw if reading.is_whole(i, j) else _finite(raw)
            if variable.role == "covariate":
                chosen.append(_named(exp.Max(this=counted.copy()), f"v{i}_{j}"))
                varies = exp.NEQ(this=exp.Min(this=counted.copy()), expression=exp.Max(this=counted.copy()))
                chosen.append(_named(_flag(varies), f"w{i}_{j}"))
                continue
            function = exp.Max if bound.metric.kind == "proportion" else exp.Sum
            chosen.append(_named(exp.func("coalesce", function(this=counted), exp.Literal.number(0)), f"v{i}_{j}"))
            lost = exp.Sub(this=exp.Count(this=raw.copy()), expression=exp.Count(this=counted.copy()))
            chosen.append(_named(lost, f"l{i}_{j}"))
    return exp.select(*chosen).from_(rows.subquery("r")).group_by(_column("unit"))


def _clean(reading: Reading, level: exp.Select) -> exp.Select:
    """Each metric's variables as numbers that are there for the same units, `y{i}_{j}`."""
    chosen: list[exp.Expr] = []
    for i, bound in enumerate(reading.metrics):
        columns = [_column(f"v{i}_{j}") for j in range(len(bound.variables))]
        usable = [
            exp.not_(exp.Is(this=column.copy(), expression=exp.Null()))
            if reading.is_whole(i, j)
            else _is_finite(column)
            for j, column in enumerate(columns)
            if bound.variables[j].role == "value"
        ]
        for j, column in enumerate(columns):
            value: exp.Expr = column
            if bound.variables[j].role == "covariate":
                known = column if reading.is_whole(i, j) else _finite(column)
                value = exp.func("coalesce", known.copy(), exp.Literal.number(0))
            needed = usable if len(columns) > 1 or not reading.is_whole(i, j) else []
            chosen.append(_named(_when(exp.and_(*usable), value) if needed else value.copy(), f"y{i}_{j}"))
    return exp.select(exp.Star(), *chosen).from_(level.subquery("l"))


def _statistics(reading: Reading, i: int, bound: BoundMetric) -> list[exp.Expr]:
    values = [_column(f"y{i}_{j}") for j in range(len(bound.variables))]
    is_binary = bound.metric.kind == "proportion"
    chosen: list[exp.Expr] = [
        _named(exp.Count(this=values[0].copy()), f"m{i}_n"),
        _named(_lost(reading, i, bound), f"m{i}_lost"),
        _named(_varying(reading, i, bound), f"m{i}_varying"),
    ]
    if is_binary:
        off = exp.not_(exp.In(this=values[0].copy(), expressions=[exp.Literal.number(0), exp.Literal.number(1)]))
        chosen.append(_named(exp.Sum(this=_flag(off)), f"m{i}_off"))
    if bound.metric.kind == "mean":
        chosen += [_named(kind(this=values[0].copy()), f"m{i}_{name}") for kind, name in _EXTREMES]
    chosen += [_named(exp.Avg(this=value.copy()), f"m{i}_a{j}") for j, value in enumerate(values)]
    if is_binary and len(values) == 1:
        return chosen  # the variance of 0 and 1 follows from their mean
    for j, k in combinations_with_replacement(range(len(values)), 2):
        if j == k:
            spread: exp.Expr = exp.Variance(this=values[j].copy())
        else:
            spread = exp.CovarSamp(this=values[j].copy(), expression=values[k].copy())
        chosen.append(_named(spread, f"m{i}_c{j}_{k}"))
    return chosen


def _lost(reading: Reading, i: int, bound: BoundMetric) -> exp.Expr:
    """How many numbers were NaN or infinite."""
    positions = [j for j in range(len(bound.variables)) if not reading.is_whole(i, j)]
    if reading.unit is not None:
        valued = [j for j in positions if bound.variables[j].role == "value"]
        return _sum([exp.Sum(this=_column(f"l{i}_{j}")) for j in valued])
    return _sum(
        [
            exp.Sub(this=exp.Count(this=_column(f"v{i}_{j}")), expression=exp.Count(this=_finite(_column(f"v{i}_{j}"))))
            for j in positions
        ]
    )


def _varying(reading: Reading, i: int, bound: BoundMetric) -> exp.Expr:
    """How many units have more than one value of a covariate."""
    if reading.unit is None:
        return exp.Literal.number(0)
    covariates = [j for j, variable in enumerate(bound.variables) if variable.role == "covariate"]
    return _sum([exp.Sum(this=_column(f"w{i}_{j}")) for j in covariates])


def text_of(name: str, types: Mapping[str, str]) -> exp.Expr:
    """A column's values as text; whole numbers kept as fractions (1.0) read as whole (1), NaN as null."""
    column = _column(name)
    text = exp.cast(column, exp.DType.TEXT)
    if not types.get(name, "").startswith(_FRACTIONS):
        return text
    whole = exp.cast(exp.cast(column.copy(), exp.DType.BIGINT), exp.DType.TEXT)
    is_whole = exp.EQ(this=column.copy(), expression=exp.Floor(this=column.copy()))
    small = exp.LTE(this=exp.Abs(this=column.copy()), expression=exp.Literal.number("1E15"))
    case = exp.Case().when(exp.and_(small, is_whole), whole).when(_is_finite(column), text)
    return case.else_(exp.Null())


def _number(tree: exp.Expr) -> exp.Expr:
    return exp.cast(tree, exp.DType.DOUBLE)


def _is_finite(value: exp.Expr) -> exp.Expr:
    return exp.LTE(this=exp.Abs(this=value.copy()), expression=exp.Literal.number(LARGEST))


def _finite(value: exp.Expr) -> exp.Expr:
    return _when(_is_finite(value), value)


def _when(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case().when(condition, value.copy())


def _flag(condition: exp.Expr) -> exp.Expr:
    return exp.Case().when(condition, exp.Literal.number(1)).else_(exp.Literal.number(0))


def _sum(parts: list[exp.Expr]) -> exp.Expr:
    total = parts[0] if parts else exp.Literal.number(0)
    for part in parts[1:]:
        total = exp.Add(this=total, expression=part)
    return total


def _equals(value: exp.Expr, number: int) -> exp.Expr:
    return exp.EQ(this=value, expression=exp.Literal.number(number))


def _named(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _column(name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True))
