"""Values so skewed that no interval of their mean holds the truth as often as it says."""

from collections.abc import Iterator, Sequence

from tasuki.experiments.effects import Pair, skewness_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell
from tasuki.stats.bootstrap import STILL_SKEWED
from tasuki.stats.concern import Concern


def doubts_about_skewness(metrics: Sequence[BoundMetric], totals: Sequence[Cell]) -> Iterator[Concern]:
    """The doubt that a few large values leave even the bootstrap too sure.

    Args:
        metrics: The metrics, in the order of the cells' samples.
        totals: Control and the treatment arms over all units; only where the units' values were fetched is it known.
    """
    for i, bound in enumerate(metrics):
        for cell in totals[1:]:
            skewness = skewness_of(Pair(totals[0], cell), i, bound)
            if skewness is not None and abs(skewness) > STILL_SKEWED:
                name = bound.metric.name
                yield Concern(
                    "too_skewed",
                    "warning",
                    f"{name}: the difference between {cell.arm} and {totals[0].arm} hangs on few large values "
                    f"(skewness {skewness:+.2f}): its interval may hold the truth less often than it says. Wait for "
                    "more units, or cap the values in the metric's declaration.",
                    {"metric": name, "arms": [totals[0].arm, cell.arm], "skewness": skewness},
                )
