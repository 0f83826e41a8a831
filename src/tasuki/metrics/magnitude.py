"""Values too large or too small to reckon with: their squares, or the squares of these, are no longer numbers."""

from collections.abc import Sequence

from tasuki.errors import Fault, Invalid, said
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell, Sample, Statistics

LARGEST, SMALLEST = 1e60, 1e-60
"""Means and deviations between these keep their fourth powers, which intervals are made of, within 10⁻³⁰⁸ to 10³⁰⁸."""


def require_magnitudes(statistics: Statistics, metrics: Sequence[BoundMetric]) -> None:
    """Raises `Invalid` where means or deviations are beyond reckoning: what came of them would be made up."""
    faults: dict[str, Fault] = {}
    for cell in statistics.cells:
        for bound, sample in zip(metrics, cell.samples, strict=True):
            what = _beyond(cell, sample, bound)
            if what:
                faults.setdefault(bound.metric.name, Fault(bound.metric.name, what, "magnitudes of 1e-60 to 1e60"))
    if faults:
        raise Invalid(
            "values are too large or too small to reckon with",
            list(faults.values()),
            next_step="make values that stand for none null (NULLIF), cap them (--winsor), or take a larger unit",
        )


def _beyond(cell: Cell, sample: Sample, bound: BoundMetric) -> str:
    if not sample.moments.n:
        return ""
    middles = list(sample.moments.means)
    squares = [sample.moments.covariances[j][j] for j in range(len(middles))]
    if bound.metric.kind == "quantile":
        # Of its values only the quantile and its ends are squared.
        middles = list(sample.quantiles or ())
        squares = [0.0] * len(middles)
    # An overflow came from the engine as NaN, which is within no limit.
    if not all(abs(mean) <= LARGEST and square <= LARGEST**2 for mean, square in zip(middles, squares, strict=True)):
        return said("its values in {arm!r} are too large to square and add up", arm=cell.arm)
    if any(
        0 < square < SMALLEST**2 or (square == 0 and 0 < abs(mean) < SMALLEST)
        for mean, square in zip(middles, squares, strict=True)
    ):
        return said("its values in {arm!r} are too small to square and add up", arm=cell.arm)
    return ""
