"""How many units a ratio really rests on, and what so few of them do to its variance."""

from dataclasses import replace

from tasuki.stats.contrast import Estimate
from tasuki.stats.moments import Moments

FEW_CARRY = 30.0
"""Below so many units of equal weight an interval of skewed values may miss to one side."""
TOO_FEW_CARRY = 10.0
"""Below so many nothing may be decided."""
RARE = 0.5
"""Where the effective number is a smaller share of the units than this, it counts instead of them."""
SMALL = 100.0
"""From so many effective units on the correction is below 1 % of the variance and is left out."""


def effective_units(moments: Moments, under: int) -> float:
    """How many units of equal denominators know as much as these: those with one, where it is 0 or 1.

    Args:
        moments: Of one arm.
        under: The denominator's position among the variables.

    Formula: (Σd)²/Σd² = n·d̄²/(d̄² + s²·(n − 1)/n).
    Source: Kish (1965), "Survey Sampling", section 8.2 (the effective number of units with unequal weights).
    Checked against: the definition over units (Hypothesis).
    """
    n, mean, variance = moments.n, moments.means[under], moments.covariances[under][under]
    square = mean * mean
    return n * square / (square + variance * (n - 1) / n) if n and square > 0 else 0.0


def are_rare(effective: float, n: int) -> bool:
    """Whether so few of n units carry the denominator that the number of units says nothing of how sure a ratio is."""
    return effective < min(SMALL, RARE * n)


def carried_by(one: Estimate, effective: float) -> Estimate:
    """A ratio's estimate where few units have a denominator: a wider variance with fewer degrees of freedom.

    Args:
        one: The ratio by the delta method, over all units.
        effective: See `effective_units`.

    Formula: v·((n − 1)/n)·k/(k − 1) with k − 1 degrees of freedom. With denominators of 0 and 1 that is the mean of the
        k units and its usual variance: the delta method divides the same squares by n/(n − 1)·k² instead of k(k − 1).
    Source: Kish (1965), as above; for the residuals' shrinkage Cochran (1977), "Sampling Techniques", section 6.4.
    Checked against: scipy.stats.ttest_ind(equal_var=False) of the units with a denominator (1e-9); simulated coverage.
    """
    if not are_rare(effective, one.n):
        return one
    if effective <= 1 + 1e-9:
        return replace(one, variance=float("nan"), degrees=0.0)
    wider = (one.n - 1) / one.n * effective / (effective - 1)
    degrees = effective - 1 if one.degrees is None else min(one.degrees, effective - 1)
    return replace(one, variance=one.variance * wider, degrees=degrees)
