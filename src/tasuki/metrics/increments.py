"""Sums per unit that grow: what is kept of the days that were read, and how new days are added to it.

Moments over units cannot be added up over days, since a unit comes back; the sums inside a unit can. So what is kept is
one row per unit with, for each variable, what merges exactly: a sum, a largest value, or a range.
"""

from collections.abc import Sequence

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric, Variable
from tasuki.metrics.levels import rows_level
from tasuki.metrics.reading import NO_UNIT, SEVERAL_ARMS, Reading
from tasuki.metrics.trees import column, finite, flag, named


def partial_tree(reading: Reading) -> exp.Select:
    """The rows of a table summed to what is kept: `unit`, `events` and the parts of each variable.

    A segment has its range, `s{k}` and `z{k}`. A value has `v{i}_{j}` (null without a counted row) and `l{i}_{j}` (how
    many were not finite); a covariate has its range, `lo{i}_{j}` and `hi{i}_{j}`.
    """
    chosen = [column("unit"), named(exp.Count(this=exp.Star()), "events"), *_segments(reading, "s")]
    for i, j, bound, variable in _variables(reading.metrics):
        raw = column(f"v{i}_{j}")
        counted = raw if reading.is_whole(i, j) else finite(raw)
        if variable.role == "covariate":
            chosen.append(named(exp.Min(this=counted.copy()), f"lo{i}_{j}"))
            chosen.append(named(exp.Max(this=counted.copy()), f"hi{i}_{j}"))
            continue
        lost = exp.Sub(this=exp.Count(this=raw.copy()), expression=exp.Count(this=counted.copy()))
        chosen.append(named(_total(bound)(this=counted.copy()), f"v{i}_{j}"))
        chosen.append(named(lost, f"l{i}_{j}"))
    return exp.select(*chosen).from_(rows_level(reading).subquery("r")).group_by(column("unit"))


def merged_tree(parts: Sequence[exp.Expr], reading: Reading) -> exp.Select:
    """What was kept and what is new, as one: the same columns as each of the parts."""
    whole: exp.Expr = exp.select(exp.Star()).from_(parts[0].copy())
    for part in parts[1:]:
        more = exp.select(exp.Star()).from_(part.copy())
        whole = exp.Union(this=whole, expression=more, distinct=False, by_name=True)
    chosen = [column("unit"), named(exp.Sum(this=column("events")), "events"), *_segments(reading, "z")]
    for i, j, bound, variable in _variables(reading.metrics):
        if variable.role == "covariate":
            chosen.append(named(exp.Min(this=column(f"lo{i}_{j}")), f"lo{i}_{j}"))
            chosen.append(named(exp.Max(this=column(f"hi{i}_{j}")), f"hi{i}_{j}"))
            continue
        chosen.append(named(_total(bound)(this=column(f"v{i}_{j}")), f"v{i}_{j}"))
        chosen.append(named(exp.Sum(this=column(f"l{i}_{j}")), f"l{i}_{j}"))
    return exp.select(*chosen).from_(exp.Subquery(this=whole, alias=_alias("p"))).group_by(column("unit"))


def exposed_units_tree(exposures: exp.Expr) -> exp.Select:
    """Every exposed unit with its arm, and whether it is mixed: `unit`, `arm`, `mixed`, `exposures`.

    Args:
        exposures: A table with `unit` and `arm`.
    """
    arm = exp.cast(column("arm"), exp.DType.TEXT)
    several = exp.NEQ(this=exp.Min(this=arm.copy()), expression=exp.Max(this=arm.copy()))
    nameless = exp.Is(this=column("unit"), expression=exp.Null())
    state = exp.Case().when(nameless, exp.Literal.number(NO_UNIT)).when(several, exp.Literal.number(SEVERAL_ARMS))
    return (
        exp.select(
            column("unit"),
            named(exp.Min(this=arm.copy()), "arm"),
            named(state.else_(exp.Literal.number(0)), "mixed"),
            named(exp.Count(this=exp.Star()), "exposures"),
        )
        .from_(exposures.copy())
        .group_by(column("unit"))
    )


def kept_units_tree(exposures: exp.Expr, sums: exp.Expr, reading: Reading) -> exp.Subquery:
    """The level of units that `tasuki.metrics.compile` makes of rows, made of exposures and kept sums instead.

    A unit without a counted event has 0 of them, not nothing.
    """
    chosen: list[exp.Expr] = [_of("arm", "u"), _of("mixed", "u")]
    for k in range(len(reading.segments)):
        varies = exp.NEQ(this=_of(f"s{k}", "p"), expression=_of(f"z{k}", "p"))
        chosen += [_of(f"s{k}", "p"), named(flag(varies), f"t{k}")]
    events = exp.func("coalesce", _of("events", "p"), _of("exposures", "u"))
    chosen.append(named(events, "events"))
    zero = exp.Literal.number(0)
    for i, j, _, variable in _variables(reading.metrics):
        if variable.role == "covariate":
            varies = exp.NEQ(this=_of(f"lo{i}_{j}", "p"), expression=_of(f"hi{i}_{j}", "p"))
            chosen.append(named(_of(f"hi{i}_{j}", "p"), f"v{i}_{j}"))
            chosen.append(named(flag(varies), f"w{i}_{j}"))
            continue
        chosen += [
            named(exp.func("coalesce", _of(f"{part}{i}_{j}", "p"), zero.copy()), f"{part}{i}_{j}") for part in "vl"
        ]
    same = exp.EQ(this=_of("unit", "u"), expression=_of("unit", "p"))
    units = exposed_units_tree(exposures).subquery("u")
    kept = exp.select(exp.Star()).from_(sums.copy()).subquery("p")
    return exp.select(*chosen).from_(units).join(kept, on=same, join_type="left").subquery("units")


def _segments(reading: Reading, largest: str) -> list[exp.Expr]:
    """The range of each segment's values; the largest is found in columns of this letter."""
    chosen: list[exp.Expr] = []
    for k in range(len(reading.segments)):
        chosen.append(named(exp.Min(this=column(f"s{k}")), f"s{k}"))
        chosen.append(named(exp.Max(this=column(f"{largest}{k}")), f"z{k}"))
    return chosen


def _variables(metrics: Sequence[BoundMetric]) -> list[tuple[int, int, BoundMetric, Variable]]:
    return [(i, j, bound, one) for i, bound in enumerate(metrics) for j, one in enumerate(bound.variables)]


def _total(bound: BoundMetric) -> type[exp.Max] | type[exp.Sum]:
    return exp.Max if bound.metric.kind == "proportion" else exp.Sum


def _of(name: str, table: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table))


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
