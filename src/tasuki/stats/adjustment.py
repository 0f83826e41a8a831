"""CUPED: variance that was already there before the experiment is taken out with covariates."""

from collections.abc import Sequence
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
        shared: The variance of what all arms' means have in common: θᵀc̄_all.
    """

    n: int
    mean: float
    variance: float
    shared: float = 0.0


def unadjusted(sample: Moments) -> Adjusted:
    """The first variable as it is."""
    return Adjusted(sample.n, sample.means[0], sample.covariances[0][0] if sample.n > 1 else nan)


def within_arms(arms: Sequence[Moments]) -> Moments:
    """Units of several arms as one sample, each counted from the means of its own arm.

    An effect is a difference between the arms' means: left in, it would count as spread of the metric, and chance
    differences of covariates as what goes along with it.

    Args:
        arms: At least one with two units.

    Formula: S = Σ (n_a − 1)·S_a / Σ (n_a − 1), and the means over all units.
    Source: Fisher (1932), "Statistical Methods for Research Workers", 4th ed., section 49.1 (analysis of covariance).
    Checked against: numpy.cov of the units less their arm's means (1e-9).
    """
    n, degrees = sum(one.n for one in arms), sum(max(one.n - 1, 0) for one in arms)
    size = range(len(arms[0].means))
    there = [one for one in arms if one.n]
    means = tuple(sum(one.n * one.means[i] for one in there) / n for i in size)
    spread = tuple(
        tuple(sum((one.n - 1) * one.covariances[i][j] for one in there) / degrees for j in size) for i in size
    )
    return Moments(n, means, spread)


def coefficients(sample: Moments) -> Vector:
    """How much of the first variable goes along with each of the others; 0 for one that adds nothing.

    Args:
        sample: First the metric, then its covariates. For several arms see `within_arms`.

    Formula: θ solves S_cc·θ = S_cy; a covariate that the earlier ones explain gets 0.
    Source: Deng, Xu, Kohavi & Walker (2013), "Improving the Sensitivity of Online Controlled Experiments by Utilizing
        Pre-Experiment Data", eq. 4, for several covariates as in its appendix.
    Checked against: numpy.linalg.lstsq; over arms statsmodels OLS on arm and covariates, and tea-tasting 1.14 where the
        arms share the covariate's mean (1e-9).
    """
    size = len(sample.means) - 1
    rows = [[sample.covariances[i + 1][j + 1] for j in range(size)] for i in range(size)]
    right = [sample.covariances[i + 1][0] for i in range(size)]
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


def adjusted(sample: Moments, theta: Vector, everyone: Moments) -> Adjusted:
    """The first variable of one arm less what the covariates explain.

    Args:
        sample: The arm: first the metric, then its covariates.
        theta: What `coefficients` gave within the arms.
        everyone: All arms together, for the covariates' means.

    Formula: ȳ − θᵀ(c̄ − c̄_all), with variance S_yy − 2θᵀS_cy + θᵀS_ccθ; θᵀS_ccθ/n over all units is shared.
    Source: Deng, Xu, Kohavi & Walker (2013), eq. 2.
    Checked against: tea-tasting 1.14 on values adjusted by statsmodels (1e-9).
    """
    away = [mean - overall for mean, overall in zip(sample.means[1:], everyone.means[1:], strict=True)]
    weights = (1.0, *(-one for one in theta))
    span = range(len(weights))
    variance = sum(weights[i] * weights[j] * sample.covariances[i][j] for i in span for j in span)
    mean = sample.means[0] - sum(one * gap for one, gap in zip(theta, away, strict=True))
    shared = sum(theta[i - 1] * theta[j - 1] * everyone.covariances[i][j] for i in span[1:] for j in span[1:])
    return Adjusted(sample.n, mean, max(variance, 0.0) if sample.n > 1 else nan, max(shared, 0.0) / everyone.n)
