"""Two proportions by the score test: one test, turned into both intervals, right for few successes and unequal arms."""

from collections.abc import Callable
from math import acos, copysign, cos, exp, inf, isfinite, log, pi, sqrt

from tasuki.stats.contrast import Contrast, Limit, share
from tasuki.stats.distributions import normal_cdf, normal_quantile

SMALL_COUNT = 100
"""Below so many successes or failures in an arm its proportion is skewed by more than 1/√100 = 0.1: see `TOO_SKEWED`
of the bootstrap, beyond which Student's interval misses to one side."""

FEW_EVENTS = 5
"""With fewer successes or failures in an arm no interval can be trusted to hold the truth as often as it says: the next
count is too far away. The limit of Cochran (1954), "Some methods for strengthening the common χ² tests"."""

Count = tuple[int, int]
"""Successes and units."""

_FARTHEST = 40.0
_STEPS, _CLOSE = 200, 1e-12
_NO_VARIANCE = 1e-28
_EDGE = 1e-13


def scored(control: Count, treatment: Count, alpha: float = 0.05) -> Contrast:
    """Treatment less control, with intervals and a p-value of one and the same test.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        alpha: One less the coverage of the intervals, in (0, 1).

    Formula: see `score_of_difference` and `score_of_ratio`, which are the same test at no difference: both intervals
        hold "no difference" exactly when p ≥ alpha.
    Source: Laud (2017), "Equal-tailed confidence intervals for comparison of rates", eq. 4 and 5.
    Checked against: the figures that the author's R package `ratesci` prints; exact coverage, summed over all counts.
    """
    (c, n_c), (t, n_t) = control, treatment
    low, high = difference_interval(control, treatment, alpha)
    relative_low, relative_high = ratio_interval(control, treatment, alpha)
    p_value = 2 * normal_cdf(-abs(score_of_difference(control, treatment, 0.0)))
    return Contrast(t / n_t - c / n_c, low, high, share(c / n_c, t / n_t), relative_low, relative_high, p_value)


def difference_interval(control: Count, treatment: Count, alpha: float = 0.05) -> tuple[float, float]:
    """The differences of two proportions that are not rejected.

    Formula: the δ with |score_of_difference(δ)| ≤ z.
    Source: see `scored`.
    Checked against: `ratesci` (5 of 56 less 0 of 29: −0.0186 to 0.1867); without the correction for skewness
        statsmodels confint_proportions_2indep(method="score"); exact coverage.
    """
    z = normal_quantile(1 - alpha / 2)
    seen = treatment[0] / treatment[1] - control[0] / control[1]
    low = _crossing(lambda one: score_of_difference(control, treatment, one) - z, (-1.0, seen))
    high = _crossing(lambda one: score_of_difference(control, treatment, one) + z, (seen, 1.0))
    return low, high


def ratio_interval(control: Count, treatment: Count, alpha: float = 0.05) -> tuple[float, float]:
    """The ratios of treatment's proportion to control's that are not rejected, less 1.

    Returns:
        Both bounds: infinite above without a success in control, −1 below without any in treatment.

    Formula: the θ with |score_of_ratio(θ)| ≤ z.
    Source: see `scored`.
    Checked against: `ratesci` (5 of 56 over 0 of 29: 0.7696 to infinity); without the correction for skewness
        statsmodels confint_proportions_2indep(compare="ratio", method="score"); exact coverage.
    """
    (c, n_c), (t, n_t) = control, treatment
    z = normal_quantile(1 - alpha / 2)
    end, start = (log(t / n_t * n_c / c),) * 2 if c and t else (_FARTHEST, -_FARTHEST)

    def score(log_ratio: float) -> float:
        return score_of_ratio(control, treatment, exp(log_ratio))

    low = exp(_crossing(lambda one: score(one) - z, (-_FARTHEST, end))) if t else 0.0
    high = exp(_crossing(lambda one: score(one) + z, (start, _FARTHEST))) if c else inf
    return low - 1, high - 1


def score_of_difference(control: Count, treatment: Count, difference: float) -> float:
    """How many standard errors treatment is above what a difference says, corrected for skewness.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        difference: Of the proportions, in [−1, 1].

    Formula: S = p̂_t − p̂_c − δ, V = (q_t/n_t + q_c/n_c)·n/(n − 1) and μ₃ = q_t(1 − 2p_t)/n_t² − q_c(1 − 2p_c)/n_c²,
        where q = p(1 − p), n = n_c + n_t, and p_t = p_c + δ are the most likely proportions under δ: p_c is a root of
        np³ + ((n_t + 2n_c)δ − n − k)p² + ((n_cδ − n − 2c)δ + k)p + cδ(1 − δ) with k = c + t; then see `_corrected`.
    Source: Miettinen & Nurminen (1985), "Comparative analysis of two rates", eq. 8 and its appendix; Gart & Nam (1990),
        "Approximate interval estimation of the difference in binomial parameters: correction for skewness and
        extension to multiple tables".
    Checked against: `ratesci` (p = 0.08199729 for 5 of 56 and 0 of 29); scipy's maximum of the likelihood.
    """
    (c, n_c), (t, n_t) = control, treatment
    p_c = _likeliest(control, treatment, difference)
    p_t = min(max(p_c + difference, 0.0), 1.0)
    q_c, q_t, n = p_c * (1 - p_c), p_t * (1 - p_t), n_c + n_t
    variance = (q_t / n_t + q_c / n_c) * n / (n - 1)
    third = q_t * (1 - 2 * p_t) / n_t**2 - q_c * (1 - 2 * p_c) / n_c**2
    return _corrected(t / n_t - c / n_c - difference, variance, third)


def score_of_ratio(control: Count, treatment: Count, ratio: float) -> float:
    """How many standard errors treatment is above so many times control, corrected for skewness.

    Args:
        control: Successes and units.
        treatment: Successes and units.
        ratio: Of the proportions, above 0.

    Formula: as `score_of_difference` with S = p̂_t − θp̂_c, V = (q_t/n_t + θ²q_c/n_c)·n/(n − 1) and
        μ₃ = q_t(1 − 2p_t)/n_t² − θ³q_c(1 − 2p_c)/n_c², where p_c is the smaller root of
        nθp² − (θ(n_t + c) + n_c + t)p + c + t and p_t = θp_c.
    Source: Miettinen & Nurminen (1985), eq. 8; Gart & Nam (1988), "Approximate interval estimation of the ratio of
        binomial parameters: a review and corrections for skewness".
    Checked against: as `ratio_interval`.
    """
    (c, n_c), (t, n_t) = control, treatment
    n, k = n_c + n_t, c + t
    b = ratio * (n_t + c) + n_c + t
    p_c = min(2 * k / (b + sqrt(max(b * b - 4 * n * ratio * k, 0.0))), 1.0)
    p_t = min(ratio * p_c, 1.0)
    q_c, q_t = p_c * (1 - p_c), p_t * (1 - p_t)
    variance = (q_t / n_t + ratio**2 * q_c / n_c) * n / (n - 1)
    third = q_t * (1 - 2 * p_t) / n_t**2 - ratio**3 * q_c * (1 - 2 * p_c) / n_c**2
    return _corrected(t / n_t - ratio * c / n_c, variance, third)


def score_non_inferiority(control: Count, treatment: Count, limit: Limit) -> float:
    """The one-sided p-value of "treatment is worse by the limit or more".

    Args:
        control: Successes and units.
        treatment: Successes and units.
        limit: What is still accepted.

    Formula: 1 − Φ of the score at the limit (Φ where less is better): below alpha/2 exactly when the interval keeps
        clear of the limit.
    Source: Farrington & Manning (1990), "Test statistics and sample size formulae for comparative binomial trials with
        null hypothesis of non-zero risk difference or non-unity relative risk"; Laud (2017).
    Checked against: the intervals themselves; exact size, summed over all counts.
    """
    moved = -limit.amount if limit.higher_is_better else limit.amount
    if not limit.is_relative:
        score = score_of_difference(control, treatment, min(max(moved, -1.0), 1.0))
    elif moved > -1:
        score = score_of_ratio(control, treatment, 1 + moved)
    else:
        score = inf if treatment[0] else 0.0  # every success is more than none
    return normal_cdf(-score if limit.higher_is_better else score)


def _corrected(score: float, variance: float, third: float) -> float:
    """A score in standard errors, as the normal that is as far out.

    Formula: the z with z + g(z² − 1) = S/√V, where g = μ₃/(6V^{3/2}). Where the parabola does not reach S/√V, beyond
        z = −1/(2g), the score counts as it is, but as no less than that.
    Source: Gart & Nam (1988), eq. 3.5; the Cornish–Fisher expansion up to the skewness.
    """
    if variance < _NO_VARIANCE:
        return copysign(inf, score) if score else 0.0
    error = sqrt(variance)
    z, g = score / error, third / (6 * variance * error)
    inside = 1 + 4 * g * (z + g)
    if inside < 0:
        return copysign(max(abs(z), 1 / (2 * abs(g))), z)
    return 2 * (z + g) / (1 + sqrt(inside))


def _likeliest(control: Count, treatment: Count, difference: float) -> float:
    """Control's most likely proportion where treatment's is so much higher."""
    (c, n_c), (t, n_t) = control, treatment
    n, k, d = n_c + n_t, c + t, difference
    a, b = ((n_t + 2 * n_c) * d - n - k) / (3 * n), ((n_c * d - n - 2 * c) * d + k) / n
    half = a**3 - a * b / 2 + c * d * (1 - d) / (2 * n)
    radius = copysign(sqrt(max(a * a - b / 3, 0.0)), half)
    angle = (pi + acos(min(half / radius**3, 1.0) if radius else 0.0)) / 3
    low, high = max(0.0, -d), min(1.0, 1 - d)
    p = min(max(2 * radius * cos(angle) - a, low), high)
    for _ in range(2):  # where proportions are tiny, two roots of the cubic are close and digits are lost
        if min(p - low, high - p) < _EDGE:
            return low if p - low < _EDGE else high
        slope = c / p - (n_c - c) / (1 - p) + t / (p + d) - (n_t - t) / (1 - p - d)
        bend = c / p**2 + (n_c - c) / (1 - p) ** 2 + t / (p + d) ** 2 + (n_t - t) / (1 - p - d) ** 2
        p = min(max(p + slope / bend, low), high)
    return p


def _crossing(height: Callable[[float], float], between: tuple[float, float]) -> float:
    """Where a falling function is 0, or the nearer end: the secant and the middle in turn."""
    (low, high), tops = between, [height(one) for one in between]
    if tops[0] <= 0 or tops[1] > 0:
        return low if tops[0] <= 0 else high
    for step in range(_STEPS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if step % 2 and isfinite(tops[0] - tops[1]):
            secant = high - tops[1] * (high - low) / (tops[1] - tops[0])
            middle = secant if low < secant < high else middle
        top = height(middle)
        if abs(top) < _CLOSE:
            return middle
        low, high, tops = (middle, high, [top, tops[1]]) if top > 0 else (low, middle, [tops[0], top])
    return high
