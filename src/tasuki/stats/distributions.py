"""The distributions that tests and intervals need, by scipy's special functions (loaded only when asked)."""

from math import isinf


def normal_cdf(z: float) -> float:
    """P(Z ≤ z) of the standard normal."""
    from scipy.special import ndtr

    return float(ndtr(z))


def normal_quantile(p: float) -> float:
    """The z with P(Z ≤ z) = p."""
    from scipy.special import ndtri

    return float(ndtri(p))


def t_two_sided(statistic: float, degrees: float) -> float:
    """P(|T| ≥ |statistic|) of Student's t; the normal when the degrees are infinite."""
    from scipy.special import ndtr, stdtr

    tail = -abs(statistic)
    return float(min(1.0, 2 * (ndtr(tail) if isinf(degrees) else stdtr(degrees, tail))))


def t_cdf(statistic: float, degrees: float) -> float:
    """P(T ≤ statistic) of Student's t; the normal when the degrees are infinite."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(statistic) if isinf(degrees) else stdtr(degrees, statistic))


def t_quantile(p: float, degrees: float) -> float:
    """The t with P(T ≤ t) = p; the normal's when the degrees are infinite."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(p) if isinf(degrees) else stdtrit(degrees, p))


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """P(X ≥ statistic) of the chi-squared distribution."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees, statistic))
