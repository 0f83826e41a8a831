"""Where averages are at risk of losing the digits that arms differ in, and what to count from instead.

An engine adds values up before it divides. Where values lie far from zero for how little they vary, the sum has no room
for what tells two arms apart: at 5 million units and a mean of 10⁹ deviations, averages were off by 5 % of their
standard error in DuckDB and by more in Spark. Counted from somewhere near the mean, they are right again.
"""

from collections.abc import Mapping
from math import sqrt

from tasuki.metrics.statistics import Statistics

RISK = 1e12
"""Units times |mean| over the deviation, beyond which a rounded sum may move a mean by 10⁻⁴ of its standard error."""

Origins = Mapping[tuple[int, int], float]
"""By metric and position, what values are counted from."""


def origins_of(statistics: Statistics) -> Origins:
    """A mean, for each variable that some cell puts at risk; nothing for ordinary data.

    Formula: a sum of n values of size m is off by at most n·m·ε, its mean by m·ε·n; the standard error is s/√n. Errors
        of rounding mostly cancel, leaving about √n of n: |mean|·ε·√n < 10⁻⁴·s/√n, so n·|mean|/s < 10⁻⁴/ε ≈ 10¹².
    Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", 4.2.
    Checked against: exact sums in fractions at |mean|/s from 1 to 10⁹, 20 thousand and 5 million units.
    """
    worst: dict[tuple[int, int], tuple[float, float]] = {}
    for cell in statistics.cells:
        for i, sample in enumerate(cell.samples):
            for j, mean in enumerate(sample.moments.means):
                variance = sample.moments.covariances[j][j]
                risk = sample.moments.n * abs(mean) / sqrt(variance) if variance > 0 else 0.0
                if risk > max(RISK, worst.get((i, j), (0.0, 0.0))[0]):
                    worst[i, j] = risk, mean
    return {place: mean for place, (_, mean) in worst.items()}
