"""Proportions where counts are too small for the normal approximation."""

from math import exp, inf, lgamma, sqrt

from tasuki.stats.distributions import normal_quantile

SMALL_COUNT = 10
"""Below so many successes or failures in an arm the normal approximation is left for exact and score methods."""


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


def mover_ratio(control: tuple[int, int], treatment: tuple[int, int], alpha: float = 0.05) -> tuple[float, float]:
    """The interval of treatment's proportion over control's, less 1, good at small counts.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        alpha: One less the coverage, in (0, 1).

    Formula: with Wilson bounds (l, u), low = (p_t·p_c − √((p_t·p_c)² − l_t·u_c(2p_t − l_t)(2p_c − u_c)))/(u_c(2p_c −
        u_c)), and high with u_t, l_c and + in their places.
    Source: Donner & Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard
        deviation", eq. 9 (MOVER-R).
    Checked against: simulated coverage at 95 %.
    """
    (c, n_c), (t, n_t) = control, treatment
    if c == 0:
        return -inf, inf
    p_c, p_t = c / n_c, t / n_t
    (low_c, high_c), (low_t, high_t) = wilson(c, n_c, alpha), wilson(t, n_t, alpha)
    product, below, above = p_t * p_c, high_c * (2 * p_c - high_c), low_c * (2 * p_c - low_c)
    down = sqrt(max(0.0, product**2 - low_t * (2 * p_t - low_t) * below))
    up = sqrt(max(0.0, product**2 - high_t * (2 * p_t - high_t) * above))
    low = (product - down) / below - 1 if below > 0 else -inf
    return low, (product + up) / above - 1 if above > 0 else inf


def fisher_exact(control: tuple[int, int], treatment: tuple[int, int]) -> float:
    """The two-sided p-value of equal proportions, exact.

    Args:
        control: Successes and units.
        treatment: Successes and units.

    Formula: the sum of the hypergeometric probabilities that are at most the observed one.
    Source: Fisher (1935), "The logic of inductive inference".
    Checked against: scipy.stats.fisher_exact (1e-9).
    """
    (c, n_c), (t, n_t) = control, treatment
    successes = c + t
    span = range(max(0, successes - n_c), min(successes, n_t) + 1)
    weights = [_log_choose(n_t, k) + _log_choose(n_c, successes - k) for k in span]
    top = max(weights)
    observed = _log_choose(n_t, t) + _log_choose(n_c, c)
    total = sum(exp(weight - top) for weight in weights)
    # scipy's tolerance: outcomes as likely as the observed one count, whatever the rounding.
    return min(1.0, sum(exp(weight - top) for weight in weights if weight <= observed + 1e-7) / total)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
