"""What stands for a covariate that a unit lacks: its mean over all units that have it.

A fixed value such as 0 would make the adjustment depend on where the covariate is counted from: far from zero, "has
none" would be all that the covariate says. At the mean of all arms together a unit without it adds nothing.
"""

from collections.abc import Mapping, Sequence

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Statistics

Fills = Mapping[tuple[int, int], float]
"""By metric and position, what stands for a missing covariate."""


def fills_of(statistics: Statistics, metrics: Sequence[BoundMetric], is_filled: bool = False) -> Fills:
    """A mean for each covariate that some unit lacks; nothing where every unit has its covariates.

    Args:
        statistics: Counted with 0 for what is missing, or with these very means.
        metrics: The metrics, in the order of the statistics' samples.
        is_filled: Whether the means stand for what is missing already.

    Formula: Σ n·x̄ over the arms, divided by the units that have the covariate. The fill is the same in all arms, so
        that the adjusted difference stays unbiased whatever it is.
    Checked against: units filled one by one in plain Python; adding a number to the covariate changes nothing.
    """
    fills = {}
    totals = [cell for cell in statistics.cells if cell.segment is None]
    for i, bound in enumerate(metrics):
        samples = [cell.samples[i] for cell in totals if cell.samples[i].moments.n]
        for j, variable in enumerate(bound.variables):
            if variable.role != "covariate" or not any(one.lacking[j] for one in samples if one.lacking):
                continue
            known = sum(one.having[j] + (one.lacking[j] if is_filled else 0) for one in samples)
            summed = sum(one.moments.n * one.moments.means[j] for one in samples)
            fills[i, j] = summed / known if known else 0.0
    return fills
