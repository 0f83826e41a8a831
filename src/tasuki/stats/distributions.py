"""The distributions that tests and intervals need.

scipy has all of them, but loading `scipy.special` takes longer than comparing five million units, and every short
command would wait for it. These are checked against scipy to 1e-9 over the whole range that tests can reach.
"""

from collections.abc import Callable
from math import erfc, exp, gamma, inf, isinf, isnan, lgamma, log, log1p, nan, pi, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300
_PRECISION = 1e-16
_MOST_TERMS = 100_000
_MANY, _CLOSE = 20_000, 0.002


def normal_cdf(z: float) -> float:
    """P(Z ≤ z) of the standard normal.

    Formula: erfc(−z/√2)/2.
    Source: Abramowitz & Stegun (1964), 26.2.29 with 7.1.2.
    Checked against: scipy.special.ndtr (1e-9).
    """
    return 0.5 * erfc(-z / sqrt(2))


def normal_quantile(p: float) -> float:
    """The z with P(Z ≤ z) = p.

    Source: Wichura (1988), "Algorithm AS 241: the percentage points of the normal distribution", which Python's
        `statistics.NormalDist.inv_cdf` is made by.
    Checked against: scipy.special.ndtri (1e-9).
    """
    return _NORMAL.inv_cdf(p)


def t_two_sided(statistic: float, degrees: float) -> float:
    """P(|T| ≥ |statistic|) of Student's t; the normal when the degrees are infinite.

    Formula: I_x(ν/2, 1/2) at x = ν/(ν + t²).
    Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", 26.7.1 with 26.5.27.
    Checked against: scipy.special.stdtr (1e-9).
    """
    if isnan(statistic) or isnan(degrees):
        return nan
    if isinf(degrees):
        return erfc(abs(statistic) / sqrt(2))
    if isinf(statistic):
        return 0.0
    if degrees > _MANY and statistic**4 < _CLOSE * degrees:
        return _near_normal(abs(statistic), degrees)
    return _half_beta(degrees / 2, statistic * statistic / degrees)


def t_cdf(statistic: float, degrees: float) -> float:
    """P(T ≤ statistic) of Student's t; the normal when the degrees are infinite.

    Formula: half of the two-sided tail below 0, and one less it above, since the density is symmetric.
    Source: see `t_two_sided`.
    """
    tail = t_two_sided(statistic, degrees) / 2
    return tail if statistic < 0 else 1 - tail


def t_quantile(p: float, degrees: float) -> float:
    """The t with P(T ≤ t) = p; the normal's when the degrees are infinite.

    Formula: the root of the cumulative distribution, by Newton steps from the normal quantile inside a bracket.
    Source: see `t_two_sided`, whose root this is.
    Checked against: scipy.special.stdtrit (1e-9).
    """
    if isinf(degrees):
        return normal_quantile(p)
    wanted = 2 * min(p, 1 - p)
    if wanted == 1:
        return 0.0
    low, high = 0.0, 2.0
    while t_two_sided(high, degrees) > wanted:
        low, high = high, high * 2
    size = _root(lambda t: t_two_sided(t, degrees) - wanted, (low, high), lambda t: -2 * _t_density(t, degrees))
    return -size if p < 0.5 else size


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """P(X ≥ statistic) of the chi-squared distribution with a whole number of degrees.

    Formula: Q(x|ν) = Σ e^(−x/2)(x/2)ᵏ/Γ(k + 1) over k = ν/2 − 1, ν/2 − 2, … ≥ 0, plus erfc(√(x/2)) for odd ν.
    Source: Abramowitz & Stegun (1964), 26.4.4 and 26.4.5.
    Checked against: scipy.special.chdtrc (1e-9).
    """
    half = statistic / 2
    if half <= 0:
        return 1.0
    total = erfc(sqrt(half)) if degrees % 2 else 0.0
    power = degrees / 2 - 1
    while power >= 0:
        total += exp(power * log(half) - half - lgamma(power + 1)) if power else exp(-half)
        power -= 1
    return min(total, 1.0)


def _near_normal(t: float, degrees: float) -> float:
    """P(|T| ≥ t) for many degrees and t⁴ far below them, where a continued fraction would be slow and rounded.

    Formula: 2Q(t) + 2φ(t)·(g₁/ν + g₂/ν²) with g₁ = t(t² + 1)/4 and g₂ = t(3t⁶ − 7t⁴ − 5t² − 3)/96.
    Source: Fisher (1925), "Expansion of Student's integral in powers of n⁻¹".
    """
    density = exp(-t * t / 2) / sqrt(2 * pi)
    first, second = t * (t * t + 1) / 4, t * (3 * t**6 - 7 * t**4 - 5 * t * t - 3) / 96
    return erfc(t / sqrt(2)) + 2 * density * (first + second / degrees) / degrees


def _half_beta(a: float, odds: float) -> float:
    """I_x(a, 1/2) at x = 1/(1 + odds), where odds is exact also when x is next to 1."""
    if odds == 0:
        return 1.0
    x, y = 1 / (1 + odds), odds / (1 + odds)
    front = exp(-a * log1p(odds) + 0.5 * log(y)) / (sqrt(pi) * _gamma_ratio(a))
    if x < (a + 1) / (a + 2.5):
        return min(1.0, front * _fraction(a, 0.5, x) / a)
    return 1.0 - front * _fraction(0.5, a, y) / 0.5


def _gamma_ratio(a: float) -> float:
    """Γ(a)/Γ(a + 1/2), without subtracting large logarithms.

    Formula: for large a, a^(−1/2)·exp(1/(8a) − 1/(192a³) + 1/(640a⁵) − 17/(14336a⁷)).
    Source: the asymptotic series of ln Γ, DLMF 5.11.8 with h = 0 and 1/2.
    """
    if a < 20:
        return gamma(a) / gamma(a + 0.5)
    return exp(1 / (8 * a) - 1 / (192 * a**3) + 1 / (640 * a**5) - 17 / (14336 * a**7)) / sqrt(a)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22)."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _MOST_TERMS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + factor * d
            c = 1 + factor / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            value *= d * c
        if abs(d * c - 1) < _PRECISION * 4:
            break
    return value


def _t_density(t: float, degrees: float) -> float:
    a = degrees / 2
    return exp(-(a + 0.5) * log1p(t * t / degrees)) / (sqrt(degrees * pi) * _gamma_ratio(a))


def _root(function: Callable[[float], float], bracket: tuple[float, float], slope: Callable[[float], float]) -> float:
    """The root of a falling function by Newton's method, halving the bracket where a step leaves it."""
    low, high = bracket
    at = (low + high) / 2
    for _ in range(200):
        value = function(at)
        low, high = (at, high) if value > 0 else (low, at)
        step = slope(at)
        following = at - value / step if step else inf
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - at) <= 1e-15 * max(1.0, abs(at)):
            return following
        at = following
    return at
