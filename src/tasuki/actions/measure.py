"""Asking a warehouse for the sufficient statistics of an experiment: types first, then one query, then quantiles."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasuki.actions.farthest import with_farthest
from tasuki.actions.quantiles import with_quantiles
from tasuki.errors import Fault, Invalid, said
from tasuki.metrics.bound import BoundMetric, bind_all
from tasuki.metrics.compile import Reading, statistics_tree, types_tree, values_tree
from tasuki.metrics.fills import fills_of
from tasuki.metrics.magnitude import require_magnitudes
from tasuki.metrics.metric import Metric
from tasuki.metrics.origins import origins_of
from tasuki.metrics.statistics import Cell, Sample, Statistics, added, read_statistics
from tasuki.metrics.window import IN_WINDOW, MOST_HOURS, Window, windowed_table
from tasuki.metrics.winsor import limits_tree, read_limits
from tasuki.warehouse import Engine

if TYPE_CHECKING:
    from sqlglot import exp

_TEXTS = ("VARCHAR", "ENUM", "BLOB", "UUID")
_TRUTHS = {"off": "on", "no": "yes", "n": "y", "false": "true", "f": "t"}
_THOUSANDS = re.compile(r"\s*-?\d{1,3}(,\d{3})+(\.\d*)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*-?\d+,\d+\s*")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", '"NULL"')  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is asked of a table.

    Args:
        variant: The column of the arm.
        unit: The column of the unit, when rows are events.
        segments: Columns whose values are compared separately as well.
        metrics: What is measured.
        present: A column that is null where a unit has no row (see `tasuki.metrics.reading.Reading`).
        cluster: The column of what was randomised, where that is coarser than a unit.
        window: How long events count; it needs `unit`.
        most_values: Up to so many units the values of means and ratios are fetched as well.
    """

    variant: str
    unit: str | None
    segments: tuple[str, ...]
    metrics: tuple[Metric, ...]
    present: str | None = None
    cluster: str | None = None
    window: Window | None = None
    most_values: int = 0


def measure(
    warehouse: Engine, table: "exp.Expr", columns: Mapping[str, str], asked: Asked, alpha: float
) -> tuple[Statistics, tuple[BoundMetric, ...]]:
    """What is known of every arm, and the metrics as they were bound.

    Raises:
        Invalid: A column that is not there, an expression that is not allowed, text where numbers are needed, a
            proportion of values other than 0 and 1, a covariate that changes: every fault of a kind at once.
    """
    reading = read(warehouse, table, columns, asked)
    # Over clusters the units' own values are no independent draws.
    most = 0 if asked.cluster else asked.most_values
    return statistics_of(warehouse, reading, alpha, most), reading.metrics


def statistics_of(warehouse: Engine, reading: Reading, alpha: float, most_values: int = 0) -> Statistics:
    """The answer to a question, with the values of each unit when there are no more than `most_values`.

    Raises:
        Invalid: As `measure`, for what the rows show.
    """
    reading = limited(warehouse, reading)
    statistics = counted(warehouse, reading)
    require_sound(statistics, reading.metrics)
    statistics = with_farthest(warehouse, [reading], statistics)
    statistics = with_quantiles(warehouse, reading, statistics, alpha)
    return _with_values(warehouse, reading, statistics, most_values)


def counted(warehouse: Engine, reading: Reading) -> Statistics:
    """What the grouped query says of one table (see `counted_over`)."""
    return counted_over(warehouse, [reading])


def counted_over(warehouse: Engine, readings: Sequence[Reading]) -> Statistics:
    """What the grouped query says of a table's parts together.

    Where units lack a covariate it is asked once more, with the covariate's mean over all parts in its place.
    """
    statistics = added([_asked(warehouse, one) for one in readings])
    fills = fills_of(statistics, readings[0].metrics)
    return added([_asked(warehouse, one.filled(fills)) for one in readings]) if fills else statistics


def _asked(warehouse: Engine, reading: Reading) -> Statistics:
    """The answer for one part; asked once more, around the mean, where averages would lose digits that matter."""
    statistics = read_statistics(reading, warehouse.rows(statistics_tree(reading)))
    origins = origins_of(statistics)
    if not origins:
        return statistics
    reading = reading.around(origins)
    return read_statistics(reading, warehouse.rows(statistics_tree(reading)))


def read(warehouse: Engine, table: "exp.Expr", columns: Mapping[str, str], asked: Asked) -> Reading:
    """The question as trees over the table, its types known; nothing is counted yet.

    Raises:
        Invalid: As `measure`, for all that shows before anything is counted.
    """
    faults: list[Fault] = []
    bound = bind_all(asked.metrics, columns, faults, clustered=asked.cluster is not None)
    faults += _key_faults(asked, columns)
    if asked.window is not None:
        faults += _window_faults(asked, columns)
    if faults:
        raise Invalid("the metrics do not fit the data", faults)
    types = _variable_types(warehouse, table, bound)
    present = asked.present
    if asked.window is not None and asked.unit is not None:
        table, present = windowed_table(table, asked.cluster or asked.unit, asked.window), IN_WINDOW
    reading = Reading(table, bound, asked.variant, asked.unit, asked.segments, present, columns, types)
    return replace(reading, cluster=asked.cluster) if asked.cluster else reading


def _key_faults(asked: Asked, columns: Mapping[str, str]) -> list[Fault]:
    """Columns that name an arm, unit or segment and hold several values in one."""
    named = {"variant": asked.variant, "unit": asked.unit, "cluster": asked.cluster}
    keys = [*named.items(), *(("segment", name) for name in asked.segments)]
    return [
        Fault(where, said("{name!r} is {kind}", name=name, kind=columns[name]), "one value in each row")
        for where, name in keys
        if name is not None and is_nested(columns.get(name, ""))
    ]


def _window_faults(asked: Asked, columns: Mapping[str, str]) -> list[Fault]:
    window = asked.window
    assert window is not None
    faults = []
    if asked.unit is None:
        faults.append(Fault("window", "each row is a unit", "a table of events, and the column of the unit"))
    faults += moment_faults(window.time, columns)
    if not 0 < window.hours < MOST_HOURS:
        faults.append(
            Fault("window", said("{hours:g} hours are no window", hours=window.hours), "hours above 0, as 168")
        )
    return faults


def moment_faults(time: str, columns: Mapping[str, str], where: str = "time") -> list[Fault]:
    """What is wrong with a column of moments that is there."""
    kind = columns.get(time, "TIMESTAMP")
    if kind.startswith(("TIMESTAMP", "DATE")):
        return []
    return [Fault(where, said("{time!r} is {kind}", time=time, kind=kind), "moments, as 2026-01-31 12:00:00")]


def limited(warehouse: Engine, reading: Reading) -> Reading:
    """With the ends that winsorised metrics are held within: the same for all arms, so found before anything else."""
    if all(bound.metric.winsor is None for bound in reading.metrics):
        return reading
    tree = limits_tree(reading)
    row = warehouse.rows(tree)[0] if tree is not None else {}
    return replace(reading, limits=read_limits(reading, row))


def _variable_types(warehouse: Engine, table: "exp.Expr", metrics: Sequence[BoundMetric]) -> dict[tuple[int, int], str]:
    if not metrics:
        return {}
    names = warehouse.types(types_tree(table, metrics))
    types = {tuple(map(int, name[1:].split("_"))): kind for name, kind in names.items()}
    faults, hints = [], []
    for i, bound in enumerate(metrics):
        for j, variable in enumerate(bound.variables):
            kind = types[i, j]
            if not is_number(kind):
                is_text = kind.startswith(_TEXTS) and not is_nested(kind)
                seen = _some_text(warehouse, table, variable.tree) if is_text else ""
                if is_nested(kind):
                    hints.append(said("name a column that holds one number in each row"))
                elif seen:
                    hints.append(_hint(_shown(variable.tree), seen))
                faults.append(
                    Fault(
                        bound.metric.name,
                        said("{shown} is {kind}{seen}", shown=_shown(variable.tree), kind=kind, seen=seen),
                        "numbers",
                    )
                )
    if faults:
        hint = next(filter(None, hints), "")
        raise Invalid(
            "a metric needs numbers",
            faults,
            next_step=hint or "mend the values, or write an expression: CAST(… AS DOUBLE)",
        )
    return {(i, j): kind for (i, j), kind in types.items()}


def is_number(kind: str) -> bool:
    """Whether an engine's type holds numbers (or true and false)."""
    return kind.startswith(_NUMBERS) and not is_nested(kind)


def is_nested(kind: str) -> bool:
    """Whether an engine's type holds several values in one: lists, structs and maps."""
    return kind.endswith("]") or kind.upper().startswith(("STRUCT", "MAP", "UNION", "ARRAY", "LIST"))


def _some_text(warehouse: Engine, table: "exp.Expr", tree: "exp.Expr") -> str:
    from sqlglot import exp

    number = exp.TryCast(this=tree.copy(), to=exp.DataType(this=exp.DType.DOUBLE), safe=True)
    is_text = exp.and_(
        exp.Is(this=number, expression=exp.Null()), exp.not_(exp.Is(this=tree.copy(), expression=exp.Null()))
    )
    query = exp.select(exp.alias_(tree.copy(), "seen")).from_(table.copy()).where(is_text).limit(1)
    rows = warehouse.rows(query)
    if rows:
        return f", as {rows[0]['seen']!r}"
    counted = exp.select(exp.alias_(exp.Count(this=tree.copy()), "n")).from_(table.copy())
    return "" if warehouse.rows(counted)[0]["n"] else ": no row has a value"


def _hint(shown: str, seen: str) -> str:
    """The expression that makes numbers of a text, where the text tells; empty otherwise."""
    text, column = seen.removeprefix(", as ").strip("'"), shown.strip("'")
    column = column if column.isidentifier() or shown == column else f'"{column}"'
    known = text.strip().lower()
    if known in _TRUTHS or known in _TRUTHS.values():
        true = _TRUTHS.get(known, known)
        text = true.upper() if text.isupper() else true.capitalize() if text.istitle() else true
        return said("write the condition as the metric: {column} = '{text}'", column=column, text=text)
    if _THOUSANDS.fullmatch(text):
        return said("write CAST(REPLACE({column}, ',', '') AS DOUBLE) as the metric", column=column)
    if _DECIMAL_COMMA.fullmatch(text):
        return said("write CAST(REPLACE({column}, ',', '.') AS DOUBLE) as the metric", column=column)
    return ""


def _shown(tree: "exp.Expr") -> str:
    from sqlglot import exp

    return repr(tree.name) if isinstance(tree, exp.Column) else tree.sql(dialect="duckdb")


def require_sound(statistics: Statistics, metrics: Sequence[BoundMetric]) -> None:
    """Raises `Invalid` where the values are not what the metrics say, or there is nothing to compare."""
    faults = []
    for i, bound in enumerate(metrics):
        samples = [cell.samples[i] for cell in statistics.cells if cell.segment is None]
        off, varying = sum(one.off for one in samples), sum(one.varying for one in samples)
        if off:
            faults.append(
                Fault(
                    bound.metric.name, said("{off:,} value(s) are neither 0 nor 1", off=off), "a proportion of 0 and 1"
                )
            )
        if varying:
            what = f"a covariate changes within {varying:,} unit(s)"
            faults.append(Fault(bound.metric.name, what, "one value per unit, known before the experiment"))
    if faults:
        raise Invalid("the values are not what the metrics say", faults)
    require_magnitudes(statistics, metrics)
    if not statistics.cells:
        raise Invalid(_nothing_left(statistics), expected="at least one unit in each arm")


def _nothing_left(statistics: Statistics) -> str:
    noun = "cluster" if statistics.clusters else "unit"
    if statistics.units_in_several_arms:
        return f"all {statistics.units_in_several_arms:,} {noun}(s) were seen in more than one arm"
    if statistics.events_without_unit:
        return f"there is no row to compare: the {noun} is missing in {statistics.events_without_unit:,} row(s)"
    if statistics.units_without_arm:
        return f"there is no row to compare: {statistics.units_without_arm:,} {noun}(s) have no arm"
    return "there is no row to compare"


def _with_values(warehouse: Engine, reading: Reading, statistics: Statistics, most: int) -> Statistics:
    """The statistics with every unit's values of means and ratios, where there are no more than `most` units."""
    if sum(cell.units for cell in statistics.cells if cell.segment is None) > most:
        return statistics
    found: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    for i, bound in enumerate(reading.metrics):
        if bound.metric.kind in ("mean", "ratio"):
            names = [f"y{j}" for j in range(len(bound.variables))]
            for row in warehouse.rows(values_tree(reading, i)):
                found.setdefault((i, str(row["arm"])), []).append(tuple(float(row[name]) for name in names))
    cells = tuple(
        cell if cell.segment is not None else replace(cell, samples=_with_own(cell, found)) for cell in statistics.cells
    )
    return replace(statistics, cells=cells)


def _with_own(cell: Cell, found: Mapping[tuple[int, str], list[tuple[float, ...]]]) -> tuple[Sample, ...]:
    return tuple(
        replace(sample, values=tuple(found[i, cell.arm])) if (i, cell.arm) in found else sample
        for i, sample in enumerate(cell.samples)
    )
