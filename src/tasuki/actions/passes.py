"""Events summed to units within bounded memory: units are split by a hash into passes, whose counts add up.

The split only has to be the same within one process, so the engine's own hash serves. A unit is in one pass with all of
its events, and so is a cluster with all of its units: sums per unit are whole, and moments of passes add up exactly as
those of shards do. Quantiles do not add up: for them each pass leaves its units on the disk (`spilled`).
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tasuki.actions.farthest import with_farthest
from tasuki.actions.measure import Asked, counted_over, measure, read, require_sound
from tasuki.actions.spilled import spill, spilled_limits, spilled_quantiles
from tasuki.errors import Invalid, said
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Statistics
from tasuki.metrics.winsor import read_limits
from tasuki.warehouse import Engine, Warehouse

if TYPE_CHECKING:
    from sqlglot import exp

LEAST_MB = 200
BASE_MB = 150
"""What Python, the engine and its readers take before a unit is held; measured on DuckDB 2.0."""

MOST_PASSES = 256
_BYTES_PER_UNIT, _BYTES_PER_NUMBER = 160, 24
"""What a unit takes in a hash table of groups: its key, arm and counts, and each sum. Measured, rounded up."""
_FOR_UNITS = 0.85
"""The share of the engine's memory that units may take; its readers take the rest."""
_BYTES_PER_VALUE = 24
"""What a value takes where all of them are held to find a quantile."""


def engine_share(memory_mb: int | None) -> int | None:
    """What the engine may use of the whole process's memory before it spills to disk.

    Raises:
        Invalid: The whole is less than what any comparison takes.
    """
    if memory_mb is None:
        return None
    if memory_mb < LEAST_MB:
        raise Invalid(
            said("{memory_mb} MB are too few for a comparison", memory_mb=memory_mb),
            expected=said("at least {least_mb} MB", least_mb=LEAST_MB),
        )
    return memory_mb - BASE_MB


def measure_within(
    engine: Engine, table: "exp.Expr", columns: Mapping[str, str], asked: Asked, bounds: tuple[float, int | None]
) -> tuple[Statistics, tuple[BoundMetric, ...]]:
    """As `tasuki.actions.measure.measure`, in as many passes over the units as the memory needs.

    Args:
        engine: Who is asked; only DuckDB needs passes.
        table: The table.
        columns: Its columns and their types.
        asked: The question.
        bounds: Alpha, and the memory of the whole process in MB; None for one pass.
    """
    alpha, memory_mb = bounds
    tables = parts_of(engine, table, asked, memory_mb)
    in_order = _is_in_order(engine, table, asked, memory_mb) if len(tables) == 1 else _needs_order(asked.metrics) > 0
    if len(tables) == 1 and not in_order:
        return measure(engine, table, columns, asked, alpha)
    readings = [read(engine, one, columns, asked) for one in tables]
    metrics = readings[0].metrics
    if in_order and isinstance(engine, Warehouse):
        with TemporaryDirectory(prefix="tasuki-") as folder:
            return _measure_in_order(engine, readings, Path(folder), alpha), metrics
    readings = [one.within(read_limits(one, {})) for one in readings]
    statistics = counted_over(engine, readings)
    require_sound(statistics, metrics)
    return with_farthest(engine, readings, statistics), metrics


def _measure_in_order(engine: Warehouse, readings: Sequence[Reading], folder: Path, alpha: float) -> Statistics:
    """The statistics where a quantile is asked of more units than fit in the memory."""
    spilled = spill(engine, readings, folder)
    spilled = spilled.within(spilled_limits(spilled))
    statistics = counted_over(engine, spilled.parts)
    require_sound(statistics, spilled.whole.metrics)
    return spilled_quantiles(spilled, with_farthest(engine, spilled.parts, statistics), alpha)


def _needs_order(metrics: Sequence[Metric]) -> int:
    """How many metrics need the units' values in order: quantiles, and ends at a quantile."""
    return sum(one.kind == "quantile" or (one.winsor is not None and one.winsor.needs_quantiles) for one in metrics)


def _is_in_order(engine: Engine, table: "exp.Expr", asked: Asked, memory_mb: int | None) -> bool:
    """Whether rows that are units have more values than can be put in order within the memory."""
    wanted = _needs_order(asked.metrics)
    if memory_mb is None or (asked.cluster or asked.unit) is not None or not wanted:
        return False
    from sqlglot import exp

    rows = engine.rows(exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_(table.copy()))[0]["n"]
    return int(rows) * _BYTES_PER_VALUE * wanted / 2**20 > memory_mb - BASE_MB


def parts_of(engine: Engine, table: "exp.Expr", asked: Asked, memory_mb: int | None) -> list["exp.Expr"]:
    """The table, or the parts of it that fit in the memory one after the other; no unit is in two of them."""
    key = asked.cluster or asked.unit
    passes = 1 if memory_mb is None or key is None else _passes(engine, table, asked, memory_mb)
    return [table] if passes == 1 or key is None else [_part(table, key, one, passes) for one in range(passes)]


def _passes(engine: Engine, table: "exp.Expr", asked: Asked, memory_mb: int) -> int:
    from sqlglot import exp

    from tasuki.metrics.trees import column, named

    key = column(asked.unit or asked.cluster or "")
    counted = named(exp.ApproxDistinct(this=key), "units")
    units = int(engine.rows(exp.select(counted).from_(table.copy()))[0]["units"])
    numbers = sum(2 + len(one.covariates) + (one.denominator is not None) for one in asked.metrics)
    numbers += _needs_order(asked.metrics)
    needed_mb = units * (_BYTES_PER_UNIT + _BYTES_PER_NUMBER * (numbers + 2 * len(asked.segments))) / 2**20
    passes = max(1, ceil(needed_mb / (_FOR_UNITS * (memory_mb - BASE_MB))))
    if passes > MOST_PASSES:
        least = ceil(needed_mb / (_FOR_UNITS * MOST_PASSES)) + BASE_MB
        raise Invalid(
            said("{units:,} units do not fit in {memory_mb} MB", units=units, memory_mb=memory_mb),
            expected=said("about {least:,} MB or more", least=least),
        )
    return passes


def _part(table: "exp.Expr", key: str, number: int, passes: int) -> "exp.Expr":
    from sqlglot import exp

    from tasuki.metrics.trees import column

    place = exp.Mod(this=exp.Anonymous(this="hash", expressions=[column(key)]), expression=exp.Literal.number(passes))
    mine = exp.EQ(this=place, expression=exp.Literal.number(number))
    return exp.select(exp.Star()).from_(table.copy()).where(mine).subquery("pass")
