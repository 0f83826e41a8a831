"""An experiment's metrics on the units that were exposed: from what is kept of earlier days, or from everything."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Literal

from tasuki.actions.daily import path_over
from tasuki.actions.exposed_rows import columns_missing, doubts_about_open_windows, exposed_days, whole_rows_by_day
from tasuki.actions.increments import can_grow, grow
from tasuki.actions.kept_days import Asking, Grown, require_segments
from tasuki.actions.measure import Asked, measure
from tasuki.errors import Fault, Invalid
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.daily_path import daily_effects, doubts_about_days, doubts_about_outside, whole_days
from tasuki.experiments.design import Design
from tasuki.experiments.exposure_doubts import doubts_about_columns, doubts_about_events
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.exposed import ARM, PRESENT, UNIT, dated_exposed_table, exposed_table, link_of
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.moments import no_moments
from tasuki.warehouse import Engine, Warehouse, source_of

Increments = Literal["use", "rebuild", "ignore"]


@dataclass(frozen=True)
class Question:
    """What is asked of an experiment.

    Args:
        experiment: Its name.
        metrics: Declared metrics.
        alpha: The level, for the intervals of quantiles.
        today: The day (UTC) whose rows are not complete yet.
        segments: Columns of the metrics' tables by whose values they are compared as well.
        increments: Whether what is kept of earlier days is used, made anew or ignored.
        ran: When it started, when it stopped (or now), and the present moment; None where that is not known.
    """

    experiment: str
    metrics: tuple[Metric, ...]
    alpha: float
    today: date
    segments: tuple[str, ...] = ()
    increments: Increments = "use"
    ran: tuple[datetime, datetime, datetime] | None = None


@dataclass(frozen=True)
class Seen:
    """What is known of the arms.

    Args:
        statistics: Over everything, in the order of the metrics.
        metrics: The metrics as they were bound.
        paths: For metrics read together, what was known at the end of each day.
        concerns: Doubts about the reading.
    """

    statistics: Statistics
    metrics: tuple[BoundMetric, ...]
    paths: tuple[Grown, ...] = ()
    concerns: tuple[Concern, ...] = ()


def measure_experiment(engine: Engine, folder: Path, tables: Mapping[str, str], question: Question) -> Seen:
    """One grouped query for each table and way of joining it, put together in the order of the metrics.

    Args:
        engine: What is asked. Only DuckDB keeps what it has read.
        folder: Where that is kept.
        tables: The tables of the workspace.
        question: What is asked.

    Raises:
        Invalid: The metrics do not fit the tables.
        Missing: A table is not there.
    """
    faults = [
        Fault(
            f"metric.{metric.name}", "nothing ties its rows to exposures", "exposure = …, or unit = … in metrics.toml"
        )
        for metric in question.metrics
        if not (metric.exposure or metric.unit)
    ]
    if faults:
        raise Invalid("the metrics cannot be compared", faults)
    parts: dict[str, tuple[Statistics, int, BoundMetric]] = {}
    paths = []
    for _, same in groupby(sorted(question.metrics, key=_read_together), key=_read_together):
        group = tuple(same)
        if isinstance(engine, Warehouse) and question.increments != "ignore" and can_grow(group[0], tables):
            asking = Asking(
                question.experiment, group, question.segments, tables, question.today, question.alpha,
                question.increments == "rebuild",
            )  # fmt: skip
            grown = grow(engine, folder / _name(question.experiment, group[0]), asking)
        else:
            grown = _read_whole(engine, question, group)
        paths.append(grown)
        parts.update({one.metric.name: (grown.statistics, i, one) for i, one in enumerate(grown.metrics)})
    chosen = [parts[metric.name] for metric in question.metrics]
    first = chosen[0][0]
    cells = tuple(
        Cell(cell.arm, cell.segment, cell.units, tuple(_sample_of(part, i, cell) for part, i, _ in chosen))
        for cell in first.cells
    )
    doubts = {one: None for grown in paths for one in (*grown.concerns, *doubts_about_columns(grown.missing))}
    varying = {
        name: max(part.varying_segments.get(name, 0) for part, _, _ in chosen) for name in first.varying_segments
    }
    return Seen(
        replace(first, cells=cells, varying_segments=varying),
        tuple(bound for _, _, bound in chosen),
        tuple(paths),
        (*doubts, *_doubts_about_days(paths, question), *_doubts_about_rows(engine, paths, question)),
    )


def _read_whole(engine: Engine, question: Question, group: tuple[Metric, ...]) -> Grown:
    """What every row says, and the path of days by one query more, where the metrics' rows have a time."""
    metric = group[0]
    columns = engine.columns(source_of(metric.table or ""))
    require_segments(question.segments, columns, metric.table or "")
    unit, cluster = (UNIT, None) if metric.cluster is None else (metric.unit, UNIT)
    asked = Asked(ARM, unit, question.segments, group, PRESENT, cluster)
    whole = measure(engine, exposed_table(metric, question.experiment, columns), columns, asked, question.alpha)
    exposed = exposed_days(engine, question.experiment)
    missing = columns_missing(engine, metric.table or "", whole[1], question.segments)
    if metric.time is None:
        return Grown(*whole, (), exposed, (), exposed, missing=missing)
    path = path_over(engine, [dated_exposed_table(metric, question.experiment, columns)], columns, asked, whole)
    rows = whole_rows_by_day(engine, metric, question.experiment, columns)
    return Grown(*whole, path.days, path.seen, path.concerns, exposed, rows, missing)


def _doubts_about_days(paths: Sequence[Grown], question: Question) -> tuple[Concern, ...]:
    days = sorted({day for grown in paths for day in grown.seen})
    if question.ran is None:
        return doubts_about_days(days)
    started, ended, now = question.ran
    exposed = sorted({day for grown in paths for day in grown.exposed})
    outside = doubts_about_outside(exposed, started, ended)
    span = whole_days(started, ended, now)
    return outside if span is None else (*doubts_about_days(days, span), *outside)


def _doubts_about_rows(engine: Engine, paths: Sequence[Grown], question: Question) -> Iterator[Concern]:
    """Rows of other days than the experiment's, and windows that are not over."""
    if question.ran is None:
        return
    started, ended, now = question.ran
    for grown in paths:
        yield from doubts_about_events(grown.rows, grown.metrics[0].metric, (started, ended))
    days = [day for grown in paths for day in grown.seen]
    if days:
        yield from doubts_about_open_windows(engine, question.experiment, question.metrics, (max(days), now))


def with_path(comparison: Comparison, seen: Seen, design: Design) -> Comparison:
    """The comparison with each effect's path, where days are known."""
    arms = [arm.name for arm in comparison.arms]
    daily = [one for grown in seen.paths for one in daily_effects(grown.days, grown.metrics, arms, design)]
    return replace(comparison, daily=tuple(daily))


def _read_together(metric: Metric) -> tuple[str, ...]:
    """What two metrics must share to be asked together: the table, the rows that count, their time, what is a unit."""
    unit = metric.unit if metric.cluster else ""
    hours = "" if metric.window_hours is None else repr(metric.window_hours)
    link = (one or "" for one in link_of(metric))
    return (metric.table or "", *link, unit or "", metric.cluster or "", hours, metric.time or "")


def _name(experiment: str, metric: Metric) -> str:
    """A folder's name for any name of an experiment."""
    told = json.dumps([experiment, *_read_together(metric)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _sample_of(part: Statistics, i: int, cell: Cell) -> Sample:
    same = (one.samples[i] for one in part.cells if (one.arm, one.segment) == (cell.arm, cell.segment))
    return next(same, Sample(no_moments(len(part.cells[0].samples[i].moments.means))))
