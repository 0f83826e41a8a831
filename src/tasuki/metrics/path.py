"""One query for a whole path of days: what each day adds to what is known, and what it takes away.

Moments over units cannot be added up over days where units come back. But a unit's sums stand from the day of one of
its rows to the day of its next: a unit that comes back takes its earlier sums away (it "leaves" with them) and comes
in with its new ones. So two grouped sets of one query, by the day of coming and by that of leaving, are enough for
every day (see `tasuki.experiments.daily_path`).
"""

from dataclasses import replace

from sqlglot import exp

from tasuki.metrics.levels import rows_level
from tasuki.metrics.reading import NO_UNIT, SEVERAL_ARMS, Reading
from tasuki.metrics.trees import column, finite, flag, is_null, named

COMES, LEAVES = "comes", "leaves"
"""How the two sets are called: the segments of the answer."""

DAY = "tasuki day"
"""The column of a row's day, as the number of days since 1970-01-01."""

NO_DAY = -1_000_000
"""The day of a row without a time: it counts from before any other."""


def day_tree(moment: exp.Expr) -> exp.Expr:
    """The day (UTC) of a moment, as a number; `NO_DAY` without one."""
    epoch = exp.cast(exp.Literal.string("1970-01-01"), exp.DType.DATE)
    day = exp.cast(moment.copy(), exp.DType.DATE)
    days = exp.DateDiff(this=day, expression=epoch, unit=exp.Var(this="DAY"))
    return exp.func("coalesce", days, exp.Literal.number(NO_DAY))


def with_day(table: exp.Expr, time: str) -> exp.Subquery:
    """The table with the day of each row as a column more, `DAY`."""
    return exp.select(exp.Star(), named(day_tree(column(time)), DAY)).from_(table.copy()).subquery("dated")


def path_question(reading: Reading) -> Reading:
    """The question whose answer tells what comes and what leaves on each day.

    Args:
        reading: Over a table with the column `DAY`, without clusters. Where rows are units, none of them leaves.
    """
    plain = replace(reading, segments=(DAY,), types={**reading.types, DAY: "BIGINT"})
    if reading.unit is None:
        return plain
    return replace(plain, segments=(COMES, LEAVES), units=_standing(plain).subquery("units"))


def _standing(reading: Reading) -> exp.Select:
    """A row for each unit and day with a row of it: its sums up to that day, and the day that they end."""
    text = exp.DType.TEXT
    several = exp.NEQ(this=column("arm_low"), expression=column("arm_high"))
    state = exp.Case().when(is_null(column("unit")), exp.Literal.number(NO_UNIT))
    state = state.when(several, exp.Literal.number(SEVERAL_ARMS)).else_(exp.Literal.number(0))
    chosen: list[exp.Expr] = [
        named(exp.cast(column("arm_low"), text), "arm"),
        named(state, "mixed"),
        column("events"),
        named(exp.cast(column("day"), text), "s0"),
        named(exp.cast(column("until"), text), "s1"),
    ]
    for i, j, _, role in _variables(reading):
        if role == "covariate":
            varies = exp.NEQ(this=column(f"lo{i}_{j}"), expression=column(f"hi{i}_{j}"))
            chosen += [named(column(f"hi{i}_{j}"), f"v{i}_{j}"), named(flag(varies), f"w{i}_{j}")]
        else:
            value = exp.func("coalesce", column(f"v{i}_{j}"), exp.Literal.number(0))
            chosen += [named(value, f"v{i}_{j}"), column(f"l{i}_{j}")]
    return exp.select(*chosen).from_(_running(reading).subquery("g"))


def _running(reading: Reading) -> exp.Select:
    """The sums of each unit and day, run up to the end of that day."""
    until = exp.Window(this=exp.Lead(this=column("day")), **_over())
    chosen: list[exp.Expr] = [column("unit"), column("day"), named(until, "until")]
    chosen += [_up_to(kind, name) for kind, name in _parts(reading)]
    return exp.select(*chosen).from_(_by_day(reading).subquery("d"))


def _up_to(kind: type[exp.AggFunc], name: str) -> exp.Expr:
    return named(exp.Window(this=kind(this=column(name)), **_over(), spec=_UP_TO_HERE.copy()), name)


def _over() -> dict[str, exp.Expr | list[exp.Expr]]:
    order = exp.Order(expressions=[exp.Ordered(this=column("day"))])
    return {"partition_by": [column("unit")], "order": order}


_UP_TO_HERE = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")


def _by_day(reading: Reading) -> exp.Select:
    arm = column("arm")
    chosen: list[exp.Expr] = [column("unit"), column("day"), named(exp.Min(this=arm), "arm_low")]
    chosen += [named(exp.Max(this=arm.copy()), "arm_high"), named(exp.Count(this=exp.Star()), "events")]
    for i, j, total, role in _variables(reading):
        raw = column(f"v{i}_{j}")
        counted = raw if reading.is_whole(i, j) else finite(raw)
        if role == "covariate":
            chosen.append(named(exp.Min(this=counted.copy()), f"lo{i}_{j}"))
            chosen.append(named(exp.Max(this=counted.copy()), f"hi{i}_{j}"))
            continue
        lost = exp.Sub(this=exp.Count(this=raw.copy()), expression=exp.Count(this=counted.copy()))
        chosen += [named(total(this=counted.copy()), f"v{i}_{j}"), named(lost, f"l{i}_{j}")]
    rows = rows_level(replace(reading, segments=())).select(named(column(DAY), "day"))
    return exp.select(*chosen).from_(rows.subquery("r")).group_by(column("unit"), column("day"))


def _parts(reading: Reading) -> list[tuple[type[exp.AggFunc], str]]:
    """How each part of a day runs up over days."""
    found: list[tuple[type[exp.AggFunc], str]] = [(exp.Min, "arm_low"), (exp.Max, "arm_high"), (exp.Sum, "events")]
    for i, j, total, role in _variables(reading):
        if role == "covariate":
            found += [(exp.Min, f"lo{i}_{j}"), (exp.Max, f"hi{i}_{j}")]
        else:
            found += [(total, f"v{i}_{j}"), (exp.Sum, f"l{i}_{j}")]
    return found


def _variables(reading: Reading) -> list[tuple[int, int, type[exp.AggFunc], str]]:
    return [
        (i, j, exp.Max if bound.metric.kind == "proportion" else exp.Sum, variable.role)
        for i, bound in enumerate(reading.metrics)
        for j, variable in enumerate(bound.variables)
    ]
