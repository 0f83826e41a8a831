"""Proportions where counts are too small for the normal approximation."""

from collections.abc import Callable
from math import copysign, exp, inf, lgamma, log, sqrt

from tasuki.stats.contrast import Limit
from tasuki.stats.distributions import normal_quantile

SMALL_COUNT = 10
"""Below so many successes or failures in an arm the normal approximation is left for exact and score methods."""

_FARTHEST = 40.0


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


def score_ratio(control: tuple[int, int], treatment: tuple[int, int], alpha: float = 0.05) -> tuple[float, float]:
    """The interval of treatment's proportion over control's, less 1, good at small counts.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        alpha: One less the coverage, in (0, 1).

    Returns:
        Both bounds: infinite above without a success in control, −1 below without any in treatment.

    Formula: the θ with (p̂_t − θp̂_c)² ≤ z²(p_t(1 − p_t)/n_t + θ²p_c(1 − p_c)/n_c), where p_t = θp_c are the most likely
        proportions under θ: with n = n_c + n_t and k successes, p_c is the smaller root of
        nθp² − (θ(n_t + c) + n_c + t)p + k = 0.
    Source: Koopman (1984), "Confidence intervals for the ratio of two binomial proportions"; Miettinen & Nurminen
        (1985), "Comparative analysis of two rates", eq. 8.
    Checked against: statsmodels confint_proportions_2indep(compare="ratio", method="score", correction=False) (1e-6);
        simulated coverage.
    """
    (c, n_c), (t, n_t) = control, treatment
    z = normal_quantile(1 - alpha / 2)
    if c == 0 and t == 0:
        return -1.0, inf

    def away(log_ratio: float) -> float:
        """How many standard errors the ratio is below (above 0) or above what was seen."""
        ratio = exp(log_ratio)
        b = ratio * (n_t + c) + n_c + t
        a = (n_c + n_t) * ratio
        p_c = 2 * (c + t) / (b + sqrt(max(b * b - 4 * a * (c + t), 0.0)))
        p_t = min(ratio * p_c, 1.0)
        spread = p_t * (1 - p_t) / n_t + ratio**2 * p_c * (1 - p_c) / n_c
        gap = t / n_t - ratio * c / n_c
        return gap / sqrt(spread) if spread > 0 else copysign(inf, gap) if gap else 0.0

    low = exp(_where(lambda one: away(one) <= z)) if t else 0.0
    high = exp(_where(lambda one: away(one) <= -z)) if c else inf
    return low - 1, high - 1


def small_non_inferiority(control: tuple[int, int], treatment: tuple[int, int], limit: Limit) -> float:
    """The one-sided p-value of "treatment is worse by the limit or more", good at small counts.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        limit: What is still accepted.

    Formula: half the level at which the interval (Newcombe's of the difference, the score interval of the ratio for a
        share of control) just reaches the limit.
    Source: Newcombe (2001), "Logit confidence intervals and the inverse sinh transformation", on inverting intervals;
        Miettinen & Nurminen (1985).
    Checked against: the intervals themselves; simulated size.
    """
    interval = score_ratio if limit.is_relative else newcombe
    wanted = -limit.amount if limit.higher_is_better else limit.amount

    def is_inside(alpha: float) -> bool:
        low, high = interval(control, treatment, alpha)
        return low <= wanted <= high

    low, high = log(1e-12), log(0.999_999)
    if not is_inside(exp(low)):
        half = exp(low) / 2
    else:
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if is_inside(exp(middle)) else (low, middle)
        half = exp(low) / 2
    (c, n_c), (t, n_t) = control, treatment
    worst = c / n_c * (1 + wanted) if limit.is_relative else c / n_c + wanted
    fine = t / n_t > worst if limit.higher_is_better else t / n_t < worst
    return half if fine else 1 - half


def _where(reached: Callable[[float], bool]) -> float:
    """The logarithm of the ratio from which on something is so, by halving."""
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return (low + high) / 2


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
