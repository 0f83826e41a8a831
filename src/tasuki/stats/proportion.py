"""One proportion, and two put together from it: closed formulas that stay right next to 0 and 1."""

from math import sqrt

from tasuki.stats.distributions import normal_quantile


def wilson(successes: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of one proportion.

    Formula: (p̂ + z²/2n ± z·√(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n).
    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    Checked against: scipy.stats.binomtest(...).proportion_ci("wilson") (1e-9).
    """
    z = normal_quantile(1 - alpha / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def newcombe(control: tuple[int, int], treatment: tuple[int, int], alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a difference of two proportions, good at small counts and at 0 or all.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        alpha: One less the coverage, in (0, 1).

    Formula: with Wilson bounds (l, u) of each, d̂ − √((p̂_t − l_t)² + (u_c − p̂_c)²) and
        d̂ + √((u_t − p̂_t)² + (p̂_c − l_c)²).
    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
    Checked against: the paper's Table II, and Wilson bounds of scipy.
    """
    (c, n_c), (t, n_t) = control, treatment
    p_c, p_t = c / n_c, t / n_t
    (low_c, high_c), (low_t, high_t) = wilson(c, n_c, alpha), wilson(t, n_t, alpha)
    down = sqrt((p_t - low_t) ** 2 + (high_c - p_c) ** 2)
    up = sqrt((high_t - p_t) ** 2 + (p_c - low_c) ** 2)
    return p_t - p_c - down, p_t - p_c + up
