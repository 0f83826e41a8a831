"""Post-stratification: arms are compared within strata, and the strata weighed by their share of all units."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasuki.stats.adjustment import coefficients
from tasuki.stats.contrast import Estimate
from tasuki.stats.moments import Matrix, Moments, Vector

LEAST_UNITS = 20
"""A stratum with fewer units in either arm is put together with others: its variance would hardly be known."""

Stratum = tuple[Moments, Moments]
"""Control and treatment in one stratum."""


@dataclass(frozen=True)
class Stratified:
    """Both arms' weighted means side by side, as if they were one sample with twice the variables.

    Args:
        joint: First control's variables, then treatment's; covariance / n is that of the weighted means.
        units: Of control and of treatment.
        degrees: Degrees of freedom of each arm's variance (Satterthwaite over the strata, of the first variable).
    """

    joint: Moments
    units: tuple[int, int]
    degrees: tuple[float, float]

    def ratios(self, pairs: Sequence[tuple[int, int | None]]) -> "Stratified":
        """As `Moments.ratios`, for both arms."""
        size = len(self.joint.means) // 2
        shifted = [(over + size, None if under is None else under + size) for over, under in pairs]
        return Stratified(self.joint.ratios([*pairs, *shifted]), self.units, self.degrees)

    def estimates(self) -> tuple[Estimate, Estimate, float]:
        """Control and treatment of the first variable, less what the others explain, and their covariance.

        Formula: θ minimises the variance of the difference: Cov(Δc)·θ = Cov(Δc, Δy); c̄_all is over both arms.
        Source: Deng, Xu, Kohavi & Walker (2013), eq. 2 and 4, with weighted means in place of means.
        Checked against: least squares on stratum dummies and covariates (numpy); simulated coverage.
        """
        size, joint = len(self.joint.means) // 2, self.joint
        theta = coefficients(self._difference())
        weights = self._weights(theta, 0), self._weights(theta, 1)

        def spread(a: Vector, b: Vector) -> float:
            span = range(2 * size)
            return sum(a[i] * b[j] * joint.covariances[i][j] for i in span for j in span) / joint.n

        control, treatment = (
            Estimate(sum(w * one for w, one in zip(mine, joint.means, strict=True)), max(spread(mine, mine), 0.0), n, d)
            for mine, n, d in zip(weights, self.units, self.degrees, strict=True)
        )
        return control, treatment, spread(*weights)

    def _weights(self, theta: Vector, arm: int) -> Vector:
        """What an arm's adjusted mean is made of: ȳ − θᵀ(c̄ − c̄_all), where c̄_all is of both arms and varies too."""
        size = len(self.joint.means) // 2
        found = [0.0] * (2 * size)
        found[arm * size] = 1.0
        for j, one in enumerate(theta, 1):
            for other in (0, 1):
                found[other * size + j] += one * (self.units[other] / sum(self.units) - (other == arm))
        return tuple(found)

    def _difference(self) -> Moments:
        size, c = len(self.joint.means) // 2, self.joint.covariances
        means = tuple(self.joint.means[size + i] - self.joint.means[i] for i in range(size))
        spread = tuple(
            tuple(c[i][j] + c[size + i][size + j] - c[i][size + j] - c[size + i][j] for j in range(size))
            for i in range(size)
        )
        return Moments(self.joint.n, means, spread)


def post_stratified(strata: Sequence[Stratum]) -> Stratified:
    """The arms' means as they would be if both had the strata's shares of all units.

    Args:
        strata: Each with at least two units in either arm (see `put_together`).

    Formula: ȳ_a = Σ w_h·ȳ_ah with w_h = n_h/n; Cov(ȳ_a) = Σ w_h²·S_ah/n_ah + B_aa and Cov(ȳ_c, ȳ_t) = B_ct, where
        B_ab = Σ w_h·(ȳ_ah − ȳ_a)(ȳ_bh − ȳ_b)ᵀ/n: units are a sample of those to come, so the shares are estimates too.
    Source: Miratrix, Sekhon & Yu (2013), "Adjusting treatment effect estimates by post-stratification in randomized
        experiments", eq. 4 (the difference); Cochran (1977), "Sampling Techniques", section 5A.9 (the weights).
    Checked against: least squares on strata × arm (numpy), one stratum (Welch); simulated coverage.
    """
    n = sum(c.n + t.n for c, t in strata)
    shares = [(c.n + t.n) / n for c, t in strata]
    size = len(strata[0][0].means)
    tall = [(*c.means, *t.means) for c, t in strata]
    means = tuple(sum(w * row[i] for w, row in zip(shares, tall, strict=True)) for i in range(2 * size))
    within = [_within(strata, shares, arm) for arm in (0, 1)]
    between = [
        [
            sum(w * (row[i] - means[i]) * (row[j] - means[j]) for w, row in zip(shares, tall, strict=True))
            for j in range(2 * size)
        ]
        for i in range(2 * size)
    ]

    def spread(i: int, j: int) -> float:
        same = i // size == j // size
        return between[i][j] + (n * within[i // size][i % size][j % size] if same else 0.0)

    covariances = tuple(tuple(spread(i, j) for j in range(2 * size)) for i in range(2 * size))
    units = (sum(c.n for c, _ in strata), sum(t.n for _, t in strata))
    degrees = (_degrees(strata, shares, 0), _degrees(strata, shares, 1))
    return Stratified(Moments(n, means, covariances), units, degrees)


def put_together(strata: Sequence[Stratum], least: int = LEAST_UNITS) -> tuple[tuple[Stratum, ...], int]:
    """Strata that both arms fill; those that are too thin become one, together with the thinnest other if need be.

    Returns:
        The strata, and how many of the given ones were too thin.
    """
    thin = [one for one in strata if min(one[0].n, one[1].n) < least]
    sound = sorted((one for one in strata if min(one[0].n, one[1].n) >= least), key=_units)
    if not thin:
        return tuple(sound), 0
    rest = thin
    while sound and min(sum(one[arm].n for one in rest) for arm in (0, 1)) < least:
        rest = [*rest, sound.pop(0)]
    merged = rest[0]
    for one in rest[1:]:
        merged = (merged[0] + one[0], merged[1] + one[1])
    return (*sound, merged), len(thin)


def _degrees(strata: Sequence[Stratum], shares: Sequence[float], arm: int) -> float:
    """As Welch's: (Σ v_h)²/Σ v_h²/(n_h − 1) with v_h the stratum's part of the variance of the mean."""
    parts = [
        (w * w * one[arm].covariances[0][0] / one[arm].n, one[arm].n) for w, one in zip(shares, strata, strict=True)
    ]
    weights = sum(v * v / (n - 1) for v, n in parts)
    return sum(v for v, _ in parts) ** 2 / weights if weights else float(sum(n - 1 for _, n in parts))


def _units(stratum: Stratum) -> int:
    return stratum[0].n + stratum[1].n


def _within(strata: Sequence[Stratum], shares: Sequence[float], arm: int) -> Matrix:
    size = range(len(strata[0][arm].means))

    def summed(i: int, j: int) -> float:
        return sum(w * w * one[arm].covariances[i][j] / one[arm].n for w, one in zip(shares, strata, strict=True))

    rows: list[Vector] = [tuple(summed(i, j) for j in size) for i in size]
    return tuple(rows)
