"""The path of each effect: what was known at the end of each day, by one more query for all days and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from tasuki.actions.measure import Asked, read
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.daily_path import (
    daily_effects,
    day_of,
    doubts_about_step,
    is_day,
    states_by_day,
    step_days,
    thinned,
)
from tasuki.experiments.design import MOST_ARMS, Design
from tasuki.experiments.exposure_doubts import window_open
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.compile import statistics_tree
from tasuki.metrics.fills import fills_of
from tasuki.metrics.path import DAY, path_question, with_day
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Cell, Sample, Statistics, added, limits_in, read_statistics
from tasuki.metrics.window import open_units_tree
from tasuki.stats.concern import Concern
from tasuki.warehouse import Engine

if TYPE_CHECKING:
    from sqlglot import exp

Days = tuple[tuple[date, Statistics], ...]

Whole = tuple[Statistics, tuple[BoundMetric, ...]]
"""What is known of all rows, and the metrics as they were bound."""


@dataclass(frozen=True)
class Path:
    """What was known day by day.

    Args:
        days: The day, and everything that was known at its end; the last one is everything there is.
        metrics: The metrics, in the order of the statistics' samples: all but quantiles, which do not add up.
        seen: Every day that has rows.
        concerns: That the path is not told day by day.
    """

    days: Days
    metrics: tuple[BoundMetric, ...]
    seen: tuple[date, ...]
    concerns: tuple[Concern, ...]

    def on(self, comparison: Comparison, design: Design) -> Comparison:
        """The comparison with each effect's path."""
        arms = [arm.name for arm in comparison.arms]
        return replace(comparison, daily=daily_effects(self.days, self.metrics, arms, design))


NO_PATH = Path((), (), (), ())


def measure_path(
    engine: Engine,
    tables: Sequence["exp.Expr"],
    columns: Mapping[str, str],
    asked: tuple[Asked, str],
    whole: Whole,
) -> Path:
    """What was known at the end of each day.

    Args:
        engine: Who is asked.
        tables: The table, or the parts of it that are read one after the other; no unit is in two of them.
        columns: Its columns and their types.
        asked: What is measured, and the column of a row's moment.
        whole: What is known of all rows.
    """
    question, time = asked
    return path_over(engine, [with_day(one, time) for one in tables], columns, question, whole)


def path_over(
    engine: Engine, dated: Sequence["exp.Expr"], columns: Mapping[str, str], question: Asked, whole: Whole
) -> Path:
    """As `measure_path`, over tables whose rows have their day as a column (`tasuki.metrics.path.DAY`)."""
    statistics, bound = whole
    if len({cell.arm for cell in statistics.cells}) > MOST_ARMS:
        return NO_PATH
    kept = [i for i, one in enumerate(bound) if one.metric.kind != "quantile"]
    plain = replace(question, segments=(), metrics=tuple(bound[i].metric for i in kept), most_values=0)
    limits = {kept.index(i): one for i, one in limits_in(statistics).items()}
    overall = fills_of(statistics, bound, is_filled=True)
    fills = {(kept.index(i), j): fill for (i, j), fill in overall.items()}
    readings = [read(engine, one, {**columns, DAY: "BIGINT"}, plain).within(limits).filled(fills) for one in dated]
    known = _day_by_day(engine, readings) if question.cluster else _at_once(engine, readings)
    seen = tuple(day for day, _ in known)
    step = step_days(seen)
    points = thinned(known, step)
    if points:
        cells = [cell for cell in statistics.cells if cell.segment is None]
        everything = Statistics(tuple(_without_values(cell, kept) for cell in cells))
        points = (*points[:-1], (points[-1][0], everything))
    return Path(points, readings[0].metrics, seen, doubts_about_step(seen, step))


def doubts_about_window(engine: Engine, table: "exp.Expr", asked: Asked) -> tuple[Concern, ...]:
    """That the window of some units is not over at the last row: what they will still do is not counted."""
    key, window = asked.cluster or asked.unit, asked.window
    if window is None or key is None:
        return ()
    row = engine.rows(open_units_tree(table, key, window))[0]
    units, still_open = int(row["units"]), int(row["open"] or 0)
    if not still_open:
        return ()
    return (window_open(still_open, units, window.hours),)


def _at_once(engine: Engine, readings: Sequence[Reading]) -> Days:
    questions = [path_question(one) for one in readings]
    return states_by_day(added([read_statistics(one, engine.rows(statistics_tree(one))) for one in questions]))


def _day_by_day(engine: Engine, readings: Sequence[Reading]) -> Days:
    """Each day by a query of its own: sums of a cluster are sums of its units, which come back as well."""
    from sqlglot import exp

    from tasuki.metrics.trees import column, named

    days: set[int] = set()
    for one in readings:
        chosen = exp.select(named(column(DAY), "day")).distinct().from_(one.table.copy())
        days |= {int(row["day"]) for row in engine.rows(chosen)}
    every = [day for day in sorted(days) if is_day(day)]
    step = step_days([day_of(day) for day in every])
    # Only the last day of each span is asked for; the days between are known to have rows.
    ends = {(every[-1] - day) // step: day for day in every}
    return tuple(
        (day_of(day), _until(engine, readings, day) if day in ends.values() else Statistics(())) for day in every
    )


def _until(engine: Engine, readings: Sequence[Reading], day: int) -> Statistics:
    from sqlglot import exp

    from tasuki.metrics.trees import column

    so_far = exp.LTE(this=column(DAY), expression=exp.Literal.number(day))
    parts = []
    for one in readings:
        rows = exp.select(exp.Star()).from_(one.table.copy()).where(so_far.copy()).subquery("so_far")
        parts.append(read_statistics(one, engine.rows(statistics_tree(one.of(rows)))))
    return added(parts)


def _without_values(cell: Cell, kept: Sequence[int]) -> Cell:
    return replace(cell, samples=tuple(Sample(cell.samples[i].moments) for i in kept))
