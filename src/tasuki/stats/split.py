"""Sample ratio mismatch: are the arms as large as planned?"""

from collections.abc import Sequence
from math import nan

from tasuki.stats.distributions import chi_squared_tail

SRM_THRESHOLD = 0.001
"""A split less likely than this is a fault of the experiment, not chance; the looser 0.05 would stop one in twenty."""


def split_p_value(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value of the observed split under the planned shares.

    Args:
        counts: Units seen in each arm.
        shares: The planned share of each, adding up to 1.

    Returns:
        The p-value; NaN without units or with a single arm.

    Formula: X² = Σ(observed − expected)²/expected with one degree of freedom less than arms.
    Source: Fabijan et al. (2019), "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments".
    Checked against: scipy.stats.chisquare (1e-9).
    """
    total = sum(counts)
    if not total or len(counts) < 2:
        return nan
    statistic = sum((seen - share * total) ** 2 / (share * total) for seen, share in zip(counts, shares, strict=True))
    return chi_squared_tail(statistic, len(counts) - 1)
