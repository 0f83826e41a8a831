"""How far a distribution has moved from the one that was expected."""

from collections.abc import Sequence
from itertools import accumulate
from math import log, nan

SMALLEST_SHARE = 1e-4
"""An empty bin counts as this share, so that one empty bin is a large number and not infinity."""


def population_stability(counts: Sequence[int], expected: Sequence[float]) -> float:
    """The population stability index of counts in bins against the expected share of each bin.

    Args:
        counts: What was seen in each bin.
        expected: The expected share of each bin, adding up to 1.

    Returns:
        The index: 0 for the same distribution; below 0.1 is usually called stable, above 0.25 moved. NaN without
        counts.

    Formula: PSI = Σ (seen − expected)·ln(seen/expected), shares below 1e-4 taken as 1e-4.
    Source: Siddiqi (2006), "Credit Risk Scorecards", ch. 8; it is the symmetric Kullback–Leibler divergence of
        Jeffreys (1946), "An invariant form for the prior probability in estimation problems".
    Checked against: the two Kullback–Leibler divergences of scipy.stats.entropy, added up.
    """
    total = sum(counts)
    if not total:
        return nan
    pairs = [
        (max(count / total, SMALLEST_SHARE), max(share, SMALLEST_SHARE))
        for count, share in zip(counts, expected, strict=True)
    ]
    return sum((seen - wanted) * log(seen / wanted) for seen, wanted in pairs)


def kolmogorov_smirnov(counts: Sequence[int], expected: Sequence[float]) -> float:
    """The largest distance between the cumulative shares of counts in bins and those expected.

    Says what the stability index does not: how much of the traffic moved past one point, in either direction.

    Args:
        counts: What was seen in each bin, the bins in ascending order.
        expected: The expected share of each bin, adding up to 1.

    Returns:
        From 0 to 1; NaN without counts. Within a bin nothing is known, so it is at most the distance of the rows.

    Formula: D = max over bin edges of |F̂(edge) − F(edge)|.
    Source: Kolmogorov (1933), "Sulla determinazione empirica di una legge di distribuzione"; Smirnov (1948), "Table for
        estimating the goodness of fit of empirical distributions".
    Checked against: scipy.stats.ks_2samp on rows that lie on the bins.
    """
    total = sum(counts)
    if not total:
        return nan
    pairs = zip(accumulate(counts), accumulate(expected), strict=True)
    return max(abs(seen / total - wanted) for seen, wanted in pairs)
