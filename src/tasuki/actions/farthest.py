"""Looking once more at the units of a ratio, only where one of them may carry its effect."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from tasuki.experiments.design import MOST_ARMS
from tasuki.experiments.outliers import could_carry
from tasuki.metrics.farthest import farthest_tree, pulled_pair
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Statistics
from tasuki.warehouse import Engine


def with_farthest(engine: Engine, readings: Sequence[Reading], statistics: Statistics) -> Statistics:
    """The statistics with the farthest unit of each ratio and arm that may lean on one; usually nothing is asked.

    Args:
        engine: Who is asked.
        readings: The table, or its parts; no unit is in two of them.
        statistics: What is known of all parts together.
    """
    totals = [cell for cell in statistics.cells if cell.segment is None]
    if len(totals) > MOST_ARMS:
        return statistics
    found: dict[tuple[int, str], tuple[float, tuple[float, float]]] = {}
    for i, bound in enumerate(readings[0].metrics):
        pair = pulled_pair(bound)
        doubtful = [cell for cell in totals if could_carry(cell.samples[i], bound)]
        if pair is None or not doubtful:
            continue
        means = {cell.arm: cell.samples[i].moments.means for cell in doubtful}
        ratios = {arm: one[pair[0]] / one[pair[1]] for arm, one in means.items() if one[pair[1]]}
        ratios = {arm: ratio for arm, ratio in ratios.items() if isfinite(ratio)}
        for reading in readings if ratios else ():
            for row in engine.rows(farthest_tree(reading, i, ratios)):
                mine = (float(row["pull"]), (float(row["over"]), float(row["under"])))
                key = (i, str(row["arm"]))
                # The smaller of two that pull alike, as within one part.
                found[key] = min(found.get(key, mine), mine, key=lambda one: (-one[0], one[1]))
    cells = tuple(
        cell
        if cell.segment is not None
        else replace(
            cell,
            samples=tuple(
                replace(one, farthest=found[i, cell.arm][1]) if (i, cell.arm) in found else one
                for i, one in enumerate(cell.samples)
            ),
        )
        for cell in statistics.cells
    )
    return replace(statistics, cells=cells)
