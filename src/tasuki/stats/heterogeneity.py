"""Do effects differ between segments, or only by chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from tasuki.stats.distributions import chi_squared_tail


@dataclass(frozen=True)
class Spread:
    """How far effects of several segments lie apart.

    Args:
        q: Cochran's Q.
        degrees: Segments less one.
        p_value: Of "the effect is the same everywhere"; NaN with fewer than two segments.
        inconsistency: I², the share of the spread that chance does not explain, in [0, 1].
    """

    q: float
    degrees: int
    p_value: float
    inconsistency: float


def heterogeneity(effects: Sequence[float], errors: Sequence[float]) -> Spread:
    """Whether the effects of segments differ by more than chance.

    Args:
        effects: One effect per segment, independent of each other.
        errors: Their standard errors, above 0.

    Formula: Q = Σ (e_i − ē)²/s_i² with ē weighted by 1/s_i², chi-squared with one degree less than segments;
        I² = max(0, (Q − df)/Q).
    Source: Cochran (1954), "The combination of estimates from different experiments"; Higgins & Thompson (2002),
        "Quantifying heterogeneity in a meta-analysis", eq. 9.
    Checked against: statsmodels.stats.meta_analysis.combine_effects (1e-9).
    """
    weights = [1 / error**2 for error in errors]
    if len(effects) < 2:
        return Spread(nan, 0, nan, nan)
    mean = sum(w * one for w, one in zip(weights, effects, strict=True)) / sum(weights)
    q = sum(w * (one - mean) ** 2 for w, one in zip(weights, effects, strict=True))
    degrees = len(effects) - 1
    return Spread(q, degrees, chi_squared_tail(q, degrees), max(0.0, (q - degrees) / q) if q else 0.0)
