"""Student's bootstrap: intervals of means that are too skewed, in arms too small or too unequal, for Student's t."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from typing import TYPE_CHECKING, Any

from tasuki.stats.contrast import Contrast, Estimate, Limit, fieller, share, standard_error
from tasuki.stats.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[Any]

DRAWS = 4_000

TOO_SKEWED = 0.1
"""Beyond this skewness of the difference a tail of 2.5 % is really above 3.3 % (or below 1.7 %)."""

STILL_SKEWED = 0.15
"""Beyond this skewness of the difference the bootstrap's interval, too, may hold the truth less often than 94 times in
100: the draws know only those large values that came (`benchmarks/coverage.py`, gamma and lognormal values)."""

SKEWED_FOR_STUDENT = 0.25
"""Beyond this skewness of the difference a tail of 2.5 % is really above 4.6 %, and Student's interval holds the truth
less than 94 times in 100."""

FEW_UNITS, MOST_UNITS = 2_000, 100_000
"""Up to so many units of all arms values are fetched, to see whether they are skewed, or because someone asked."""

LEAST_UNITS = 10
"""With fewer units in an arm the draws are too few different ones to say anything."""

_CHUNK = 200_000


def skewness_of_difference(control: Sequence[float], treatment: Sequence[float]) -> float:
    """The skewness of the difference of two means: what makes Student's interval miss to one side.

    Args:
        control: One value per unit.
        treatment: One value per unit.

    Formula: (μ₃_t/n_t² − μ₃_c/n_c²)/(σ_t²/n_t + σ_c²/n_c)^{3/2}; a tail of α/2 is off by about γ(2z² + 1)φ(z)/6. In
        arms of one size and shape it is 0, however skewed the values are.
    Source: Hall (1992), "The Bootstrap and Edgeworth Expansion", section 2.6; Kohavi, Deng, Longbotham & Xu (2014),
        "Seven Rules of Thumb for Web Site Experimenters", rule 7.
    Checked against: scipy.stats.skew of one sample, divided by √n.
    """
    third, second = 0.0, 0.0
    means = [fsum(values) / len(values) for values in (treatment, control)]
    away = [[one - mean for one in values] for values, mean in zip((treatment, control), means, strict=True)]
    # A skewness has no unit: in that of the farthest value, cubes can neither overflow nor vanish.
    farthest = max((abs(one) for values in away for one in values), default=0.0)
    for values, sign in zip(away, (1, -1), strict=True):
        n, scaled = len(values), [one / farthest for one in values] if farthest else []
        third += sign * fsum(one**3 for one in scaled) / n**3
        second += fsum(one**2 for one in scaled) / n**2
    return third / second**1.5 if second > 0 else 0.0


def guessed_skewness(control: Moments, treatment: Moments, highest: tuple[float, float]) -> float:
    """The skewness of the difference of two means where only moments are known: on the high side, for a doubt.

    Args:
        control: Of values that are 0 or more.
        treatment: Of values that are 0 or more.
        highest: The highest value of control and of treatment.

    Formula: both arms are taken to have one shape, s = max min(3v + v³, (x_max − x̄)/σ) with v = σ/x̄; then, as
        `skewness_of_difference`, s·(σ_t³/n_t² − σ_c³/n_c²)/(σ_t²/n_t + σ_c²/n_c)^{3/2}.
    Source: the skewness of the lognormal distribution, which is above that of gamma distributions with the same v
        (Johnson, Kotz & Balakrishnan 1994, "Continuous Univariate Distributions", 14.2); no sample is more skewed than
        its farthest value is deviations away, as Σ d³ ≤ d_max·Σ d² for d ≤ d_max.
    Checked against: scipy.stats.skew of the units; simulated coverage (`benchmarks/coverage.py`).
    """
    shape, third, second = 0.0, 0.0, 0.0
    for sample, top, sign in ((control, highest[0], -1), (treatment, highest[1], 1)):
        mean, deviation = sample.means[0], sqrt(sample.covariances[0][0])
        if not (mean > 0 and deviation > 0):
            return 0.0
        share = deviation / mean
        shape = max(shape, min(3 * share + share**3, (top - mean) / deviation))
        third += sign * deviation**3 / sample.n**2
        second += deviation**2 / sample.n
    return shape * third / (second * sqrt(second))


@dataclass(frozen=True)
class Pivot:
    """How the studentised difference really scatters, in place of Student's t.

    Args:
        statistics: (d* − d)/s* of every draw, ascending.
    """

    statistics: "Values"

    def quantile(self, p: float) -> float:
        """The value below which the next draw lies with probability p, whatever the distribution."""
        import numpy as np

        return float(np.quantile(self.statistics, p, method="weibull"))

    def tail(self, statistic: float, *, above: bool) -> float:
        """The share of draws at or beyond a value; never 0, since more draws might reach it."""
        import numpy as np

        below = int(np.searchsorted(self.statistics, statistic, side="left" if above else "right"))
        count = len(self.statistics)
        return ((count - below if above else below) + 1) / (count + 1)


def studentised(
    control: Sequence[float], treatment: Sequence[float], draws: int = DRAWS, seed: int | None = None
) -> Pivot:
    """Draws both arms anew, unit by unit with replacement, and studentises each difference by its own error.

    Args:
        control: One value per unit.
        treatment: One value per unit.
        draws: How many.
        seed: Of the draws; made from the values when None, so that the same values give the same interval, in any
            order, and one unlucky seed does not lean all comparisons to the same side.

    Formula: t* = (d* − d)/s*, with d* and s* of units drawn with replacement within each arm.
    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", section 12.5.
    """
    import numpy as np

    rng = np.random.default_rng(_seed_of(control, treatment) if seed is None else seed)
    means, variances = np.zeros(draws), np.zeros(draws)
    for values, sign in ((control, -1.0), (treatment, 1.0)):
        ordered, n = np.sort(np.asarray(values) - np.mean(values)), len(values)
        most = max(1, _CHUNK // n)
        for start in range(0, draws, most):
            size = min(most, draws - start)
            picked = ordered[rng.integers(0, n, (size, n), dtype=np.int32)]
            first, second = picked.mean(axis=1), np.einsum("ij,ij->i", picked, picked) / n
            means[start : start + size] += sign * first
            variances[start : start + size] += (second - first**2) / (n - 1)
    known = variances > 0
    return Pivot(np.sort(means[known] / np.sqrt(variances[known])))


def _seed_of(*arms: Sequence[float]) -> int:
    """From sizes and means to five digits: what engines add up in another order is the same."""
    from zlib import crc32

    return crc32(" ".join(f"{len(one)} {fsum(one) / len(one):.5g}" for one in arms).encode())


def bootstrapped(control: Estimate, treatment: Estimate, pivot: Pivot, alpha: float = 0.05) -> Contrast:
    """The difference with an interval as lopsided as the values are.

    Args:
        control: The estimate of control.
        treatment: The estimate of treatment.
        pivot: What `studentised` gave for the units' values.
        alpha: One less the coverage, in (0, 1).

    Formula: [d − t*₁₋α/₂·s, d − t*α/₂·s] and p = 2·min(P(t* ≥ d/s), P(t* ≤ d/s)); the share's bounds are Fieller's,
        each with the draws' own critical value.
    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", section 12.5 (the bootstrap-t interval).
    Checked against: scipy.stats.bootstrap (percentiles of the same draws' statistic); simulated coverage.
    """
    effect, error = treatment.value - control.value, standard_error(control, treatment)
    down, up = max(pivot.quantile(1 - alpha / 2), 0.0), max(-pivot.quantile(alpha / 2), 0.0)
    statistic = effect / error
    p_value = 2 * min(pivot.tail(statistic, above=True), pivot.tail(statistic, above=False))
    low, high = fieller(control, treatment, down)[0], fieller(control, treatment, up)[1]
    known = share(control.value, treatment.value)
    return Contrast(effect, effect - down * error, effect + up * error, known, low, high, min(p_value, 1.0))


def bootstrapped_non_inferiority(control: Estimate, treatment: Estimate, limit: Limit, pivot: Pivot) -> float:
    """The one-sided p-value of "treatment is worse by the limit or more", as `non_inferiority`.

    Formula: the share of draws t* at or beyond (t̄ − c̄ₗ)/√(v_cₗ + v_t), with control moved to the limit.
    Source: the bootstrap-t of `bootstrapped`, turned into a test as there.
    """
    worst, _ = limit.moved(control)
    error = sqrt(worst.variance + treatment.variance)
    statistic = (treatment.value - worst.value) / error if error else inf
    return pivot.tail(statistic, above=limit.higher_is_better)
