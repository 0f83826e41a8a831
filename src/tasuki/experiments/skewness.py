"""Values so skewed that no interval of their mean holds the truth as often as it says."""

from collections.abc import Iterator, Sequence

from tasuki.experiments.effects import Pair, skewness_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell
from tasuki.stats.bootstrap import LEAST_UNITS, SKEWED_FOR_STUDENT, STILL_SKEWED, guessed_skewness
from tasuki.stats.concern import Concern


def doubts_about_skewness(metrics: Sequence[BoundMetric], totals: Sequence[Cell]) -> Iterator[Concern]:
    """The doubt that a few large values leave the interval too sure.

    Args:
        metrics: The metrics, in the order of the cells' samples.
        totals: Control and the treatment arms over all units.
    """
    for i, bound in enumerate(metrics):
        for cell in totals[1:]:
            skewness = _skewness(totals[0], cell, i, bound)
            if skewness is not None:
                name = bound.metric.name
                yield Concern(
                    "too_skewed",
                    "warning",
                    f"{name}: the difference between {cell.arm} and {totals[0].arm} hangs on few large values "
                    f"(skewness about {skewness:+.2f}): its interval may hold the truth less often than it says. Wait "
                    "for more units, or cap the values in the metric's declaration.",
                    {"metric": name, "arms": [totals[0].arm, cell.arm], "skewness": skewness},
                )


def _skewness(control: Cell, treatment: Cell, i: int, bound: BoundMetric) -> float | None:
    """The skewness of the difference where it is too much: that of the units' values, or guessed from the highest."""
    seen = skewness_of(Pair(control, treatment), i, bound)
    if seen is not None:
        return seen if abs(seen) > STILL_SKEWED else None
    samples = (control.samples[i], treatment.samples[i])
    ends = [one.extremes for one in samples if one.extremes is not None and one.moments.n >= LEAST_UNITS]
    if bound.metric.kind != "mean" or len(ends) < 2 or min(low for low, _ in ends) < 0:
        return None
    guessed = guessed_skewness(samples[0].moments, samples[1].moments, (ends[0][1], ends[1][1]))
    return guessed if abs(guessed) > SKEWED_FOR_STUDENT else None
