"""Events summed to units within bounded memory: units are split by a hash into passes, whose counts add up.

The split only has to be the same within one process, so the engine's own hash serves. A unit is in one pass with all of
its events, and so is a cluster with all of its units: sums per unit are whole, and moments of passes add up exactly as
those of shards do. Quantiles do not add up, and are refused in passes rather than approximated.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

from tasuki.actions.measure import Asked, counted_over, measure, read, require_sound
from tasuki.errors import Fault, Invalid, said
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Statistics
from tasuki.metrics.winsor import read_limits
from tasuki.warehouse import Engine

if TYPE_CHECKING:
    from sqlglot import exp

LEAST_MB = 200
BASE_MB = 150
"""What Python, the engine and its readers take before a unit is held; measured on DuckDB 2.0."""

MOST_PASSES = 256
_BYTES_PER_UNIT, _BYTES_PER_NUMBER = 160, 24
"""What a unit takes in a hash table of groups: its key, arm and counts, and each sum. Measured, rounded up."""


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
    key = asked.cluster or asked.unit
    if memory_mb is None or key is None:
        return measure(engine, table, columns, asked, alpha)
    tables = parts_of(engine, table, asked, memory_mb)
    if len(tables) == 1:
        return measure(engine, table, columns, asked, alpha)
    _require_additive(asked.metrics, len(tables))
    parts = []
    for one in tables:
        reading = read(engine, one, columns, asked)
        reading = reading.within(read_limits(reading, {}))
        parts.append(reading)
    statistics = counted_over(engine, parts)
    require_sound(statistics, reading.metrics)
    return statistics, reading.metrics


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
    needed_mb = units * (_BYTES_PER_UNIT + _BYTES_PER_NUMBER * (numbers + 2 * len(asked.segments))) / 2**20
    passes = max(1, ceil(needed_mb / (memory_mb - BASE_MB)))
    if passes > MOST_PASSES:
        least = ceil(needed_mb / MOST_PASSES) + BASE_MB
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


def _require_additive(metrics: Sequence[Metric], passes: int) -> None:
    faults = [
        Fault(one.name, what, "more memory, or none said")
        for one in metrics
        for what in (
            ["a quantile does not add up over passes"] * (one.kind == "quantile")
            + ["ends at a quantile are not known in one pass; an amount is"]
            * (one.winsor is not None and one.winsor.needs_quantiles)
        )
    ]
    if faults:
        raise Invalid(said("the units fit in the memory only in {passes} passes", passes=passes), faults)
