"""The quantiles of a metric for each arm and segment, asked of the engine; all values of a group are held at once."""

from collections.abc import Mapping
from dataclasses import replace
from math import nan

from tasuki.experiments.design import MOST_ARMS
from tasuki.metrics.compile import Reading, quantile_tree
from tasuki.metrics.statistics import Cell, Statistics
from tasuki.stats.quantile import Levels, levels
from tasuki.warehouse import Engine

Place = tuple[int, tuple[str, str] | None, str]
"""Metric, segment and arm."""

Found = Mapping[Place, tuple[float, float, float]]
"""The quantiles at the lower end of the interval, in the middle and at its upper end."""


def wanted_quantiles(reading: Reading, statistics: Statistics) -> list[int]:
    """The metrics whose quantiles are asked for; none where there are too many arms and segments to tell them all."""
    if len(statistics.cells) > MOST_ARMS * 100:
        return []
    return [i for i, bound in enumerate(reading.metrics) if bound.metric.kind == "quantile"]


def levels_of(reading: Reading, i: int, cell: Cell, alpha: float) -> Levels | None:
    """The levels that a cell's quantile and its interval lie at; None without values."""
    n = cell.samples[i].moments.n
    return levels(reading.metrics[i].metric.quantile or 0.5, n, alpha) if n else None


def with_quantiles(engine: Engine, reading: Reading, statistics: Statistics, alpha: float) -> Statistics:
    """The statistics with the quantiles of each arm and segment."""
    found: dict[Place, tuple[float, float, float]] = {}
    for i in wanted_quantiles(reading, statistics):
        for segment in dict.fromkeys(cell.segment for cell in statistics.cells):
            cells = [cell for cell in statistics.cells if cell.segment == segment]
            asked = {cell.arm: one for cell in cells if (one := levels_of(reading, i, cell, alpha)) is not None}
            if not asked:
                continue
            at = None if segment is None else (reading.segments.index(segment[0]), segment[1])
            for row in engine.rows(quantile_tree(reading, i, asked, at)):
                low, middle, high = (nan if row[one] is None else float(row[one]) for one in ("low", "at", "high"))
                found[i, segment, row["arm"]] = (low, middle, high)
    return told(statistics, found) if found else statistics


def told(statistics: Statistics, found: Found) -> Statistics:
    """The statistics with these quantiles."""
    cells = tuple(
        replace(
            cell,
            samples=tuple(
                replace(sample, quantiles=found.get((i, cell.segment, cell.arm), sample.quantiles))
                for i, sample in enumerate(cell.samples)
            ),
        )
        for cell in statistics.cells
    )
    return replace(statistics, cells=cells)
