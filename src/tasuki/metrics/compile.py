"""From bound metrics to one SQL tree per table whose answer is a row of sufficient statistics per arm and segment.

The levels below it are those of `tasuki.metrics.levels`. Rows never leave the engine.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.farthest import reach_columns
from tasuki.metrics.levels import clean_tree, cluster_tree, is_off, quantile_of, units_tree
from tasuki.metrics.reading import NO_UNIT, SEVERAL_ARMS, Reading
from tasuki.metrics.trees import column, finite, is_known, is_null, named, number, total
from tasuki.stats.quantile import Levels

__all__ = ["NO_UNIT", "NO_VALUE", "SEVERAL_ARMS", "Reading", "clean_tree", "quantile_tree", "statistics_tree",
           "types_tree", "units_tree", "values_tree"]  # fmt: skip

NO_VALUE = "(none)"
"""How a segment of nulls is called."""
_EXTREMES = ((exp.Min, "low"), (exp.Max, "high"))


def types_tree(table: exp.Expr, metrics: Sequence[BoundMetric]) -> exp.Select:
    """A query without rows whose column types are those of the variables, named `v{metric}_{position}`."""
    chosen = [
        named(variable.tree.copy(), f"v{i}_{j}")
        for i, bound in enumerate(metrics)
        for j, variable in enumerate(bound.variables)
    ]
    return exp.select(*chosen).from_(table.copy()).limit(0)


def statistics_tree(reading: Reading) -> exp.Select:
    """The one grouped query for all metrics of a table.

    Its columns: `arm`, `mixed` (see `SEVERAL_ARMS`), `s{k}` and `g{k}` (1 where segment k is not told apart), `units`,
    `events`, `t{k}` (units with more than one value of segment k), and per metric i
    `m{i}_n`, `m{i}_lost`, `m{i}_varying`, `m{i}_off`, `m{i}_held`, units that lack a
    covariate `m{i}_u{j}` (with clusters also those that have it, `m{i}_h{j}`), means `m{i}_a{j}` and
    covariances `m{i}_c{j}_{k}`, of a mean its smallest and largest value `m{i}_low` and `m{i}_high`, and of a ratio
    what `tasuki.metrics.farthest.reach_columns` names. Means are those of the values less the reading's origins.
    With clusters, "units" are clusters: what was randomised.
    """
    clean = clean_tree(reading) if reading.cluster is None else cluster_tree(reading)
    keys = [column("arm"), *([column("mixed")] if reading.is_grouped else [])]
    segments = [column(f"s{k}") for k in range(len(reading.segments))]
    grouped = [named(exp.Grouping(expressions=[one.copy()]), f"g{k}") for k, one in enumerate(segments)]
    units: exp.Expr = exp.Count(this=exp.Star())
    counts = [named(units, "units"), named(units.copy(), "events")]
    if reading.is_grouped:
        counts[1] = named(exp.Sum(this=column("events")), "events")
    else:
        counts.append(named(exp.Literal.number(0), "mixed"))
    if reading.tells_varying:
        counts += [named(exp.Sum(this=column(f"t{k}")), f"t{k}") for k in range(len(segments))]
    told = [one for i, bound in enumerate(reading.metrics) for one in _statistics(reading, i, bound)]
    # Chosen at once: each further choice would copy the whole tree.
    tree = exp.select(*keys, *segments, *grouped, *counts, *told).from_(clean.subquery("c", copy=False), copy=False)
    if not segments:
        return tree.group_by(*(key.copy() for key in keys))
    sets = [
        exp.Tuple(expressions=[key.copy() for key in (*keys, *more)]) for more in ([], *([one] for one in segments))
    ]
    tree.set("group", exp.Group(grouping_sets=[exp.GroupingSets(expressions=sets)]))
    return tree


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
    value = column(f"y{i}_0")
    clean = clean_tree(reading).subquery("c")
    parts = []
    for arm, one in levels.items():
        asked = (("low", one.low), ("at", one.at), ("high", one.high))
        quantiles = [named(quantile_of(value, at), name) for name, at in asked]
        where: list[exp.Expr] = [exp.EQ(this=column("arm"), expression=exp.Literal.string(arm))]
        if reading.unit is not None:
            where.append(_equals(column("mixed"), 0))
        if segment is not None:
            where.append(_in_segment(*segment))
        where.append(is_known(value))
        parts.append(exp.select(named(exp.Literal.string(arm), "arm"), *quantiles).from_(clean.copy()).where(*where))
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)  # type: ignore[return-value]


def values_tree(reading: Reading, i: int) -> exp.Select:
    """The clean numbers of one metric, unit by unit: columns `arm` and `y0`, `y1`, … For few units only."""
    names = [f"y{i}_{j}" for j in range(len(reading.metrics[i].variables))]
    where: list[exp.Expr] = [is_known(column(names[0]))]
    if reading.unit is not None:
        where.append(_equals(column("mixed"), 0))
    chosen = [named(column(name), f"y{j}") for j, name in enumerate(names)]
    return exp.select(column("arm"), *chosen).from_(clean_tree(reading).subquery("c")).where(*where)


def _in_segment(k: int, value: str) -> exp.Expr:
    is_value = exp.EQ(this=column(f"s{k}"), expression=exp.Literal.string(value))
    return exp.or_(is_value, is_null(column(f"s{k}"))) if value == NO_VALUE else is_value


def _statistics(reading: Reading, i: int, bound: BoundMetric) -> list[exp.Expr]:
    values: list[exp.Expr] = [column(f"y{i}_{j}") for j in range(len(bound.variables))]
    is_binary = bound.metric.kind == "proportion"
    chosen: list[exp.Expr] = [
        named(exp.Count(this=values[0].copy()), f"m{i}_n"),
        named(_lost(reading, i, bound), f"m{i}_lost"),
        named(_varying(reading, i, bound), f"m{i}_varying"),
    ]
    if is_binary:
        off = is_off(values[0]) if reading.cluster is None else column(f"o{i}")
        chosen.append(named(exp.Sum(this=off), f"m{i}_off"))
    if bound.metric.kind == "mean" and reading.cluster is None:
        chosen += [named(kind(this=values[0].copy()), f"m{i}_{name}") for kind, name in _EXTREMES]
    chosen += reach_columns(i, bound)
    if i in reading.limits:
        chosen.append(named(exp.Sum(this=column(f"k{i}")), f"m{i}_held"))
    letters = "u" if reading.cluster is None else "uh"
    for j in (j for j, variable in enumerate(bound.variables) if variable.role == "covariate"):
        chosen += [named(exp.Sum(this=column(f"{one}{i}_{j}")), f"m{i}_{one}{j}") for one in letters]
    values = [_from_origin(reading, i, j, value) for j, value in enumerate(values)]
    chosen += [named(exp.Avg(this=value.copy()), f"m{i}_a{j}") for j, value in enumerate(values)]
    if is_binary and len(values) == 1:
        return chosen  # the variance of 0 and 1 follows from their mean
    for j, k in combinations_with_replacement(range(len(values)), 2):
        if j == k:
            spread: exp.Expr = exp.Variance(this=values[j].copy())
        else:
            spread = exp.CovarSamp(this=values[j].copy(), expression=values[k].copy())
        chosen.append(named(spread, f"m{i}_c{j}_{k}"))
    return chosen


def _from_origin(reading: Reading, i: int, j: int, value: exp.Expr) -> exp.Expr:
    origin = reading.origins.get((i, j))
    if origin is None:
        return value
    away = exp.cast(number(origin), exp.DType.DOUBLE)
    return exp.Paren(this=exp.Sub(this=exp.cast(value, exp.DType.DOUBLE), expression=away))


def _lost(reading: Reading, i: int, bound: BoundMetric) -> exp.Expr:
    """How many of the metric's own numbers were NaN or infinite."""
    is_own = [variable.role != "covariate" for variable in bound.variables]
    positions = [j for j in range(len(bound.variables)) if is_own[j] and not reading.is_whole(i, j)]
    if reading.is_grouped:
        return total([exp.Sum(this=column(f"l{i}_{j}")) for j in positions])
    return total(
        [
            exp.Sub(this=exp.Count(this=column(f"v{i}_{j}")), expression=exp.Count(this=finite(column(f"v{i}_{j}"))))
            for j in positions
        ]
    )


def _varying(reading: Reading, i: int, bound: BoundMetric) -> exp.Expr:
    """How many units have more than one value of a covariate."""
    if reading.unit is None:
        return exp.Literal.number(0)
    covariates = [j for j, variable in enumerate(bound.variables) if variable.role == "covariate"]
    return total([exp.Sum(this=column(f"w{i}_{j}")) for j in covariates])


def _equals(value: exp.Expr, wanted: int) -> exp.Expr:
    return exp.EQ(this=value, expression=exp.Literal.number(wanted))
