"""CUPED: variance that was already there before the experiment is taken out with covariates."""

from dataclasses import dataclass
from math import nan

from tasuki.stats.moments import Moments, Vector

_SINGULAR = 1e-12


@dataclass(frozen=True)
class Adjusted:
    """The mean of the first variable after adjustment, and its variance per unit.

    Args:
        n: How many units.
        mean: The adjusted mean.
        variance: The variance of a unit's adjusted value.
    """

    n: int
    mean: float
    variance: float


def unadjusted(sample: Moments) -> Adjusted:
    """The first variable as it is."""
    return Adjusted(sample.n, sample.means[0], sample.covariances[0][0] if sample.n > 1 else nan)


def coefficients(pooled: Moments) -> Vector:
    """How much of the first variable goes along with each of the others; 0 for one that adds nothing.

    Formula: θ solves S_cc·θ = S_cy over all arms together; a covariate that the earlier ones explain gets 0.
    Source: Deng, Xu, Kohavi & Walker (2013), "Improving the Sensitivity of Online Controlled Experiments by Utilizing
        Pre-Experiment Data", eq. 4, for several covariates as in its appendix.
    Checked against: tea-tasting 1.14 (one covariate, 1e-9); numpy.linalg.lstsq (several).
    """
    size = len(pooled.means) - 1
    rows = [[pooled.covariances[i + 1][j + 1] for j in range(size)] for i in range(size)]
    right = [pooled.covariances[i + 1][0] for i in range(size)]
    scale = [rows[i][i] for i in range(size)]
    solved: list[int] = []
    for i in range(size):
        if scale[i] <= 0 or rows[i][i] <= _SINGULAR * scale[i]:
            continue
        solved.append(i)
        for k in range(size):
            factor = rows[k][i] / rows[i][i] if k != i else 0.0
            right[k] -= factor * right[i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return tuple(right[i] / rows[i][i] if i in solved else 0.0 for i in range(size))


def adjusted(sample: Moments, theta: Vector, covariate_means: Vector) -> Adjusted:
    """The first variable of one arm less what the covariates explain.

    Args:
        sample: The arm: first the metric, then its covariates.
        theta: What `coefficients` gave for all arms together.
        covariate_means: The covariates' means over all arms together.

    Formula: ȳ − θᵀ(c̄ − c̄_all), with variance S_yy − 2θᵀS_cy + θᵀS_ccθ.
    Source: Deng, Xu, Kohavi & Walker (2013), eq. 2.
    Checked against: tea-tasting 1.14 (one covariate, 1e-9).
    """
    away = [mean - overall for mean, overall in zip(sample.means[1:], covariate_means, strict=True)]
    weights = (1.0, *(-one for one in theta))
    span = range(len(weights))
    variance = sum(weights[i] * weights[j] * sample.covariances[i][j] for i in span for j in span)
    mean = sample.means[0] - sum(one * gap for one, gap in zip(theta, away, strict=True))
    return Adjusted(sample.n, mean, max(variance, 0.0) if sample.n > 1 else nan)
