"""Count, means and covariances of a sample: what an engine hands over instead of rows, and what adds up over shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

Vector = tuple[float, ...]
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Moments:
    """A sample of one or more variables, summed up.

    Sums of squares are never kept: at a mean of 10⁸ standard deviations they have lost the variance.

    Args:
        n: How many units.
        means: The mean of each variable; NaN without units.
        covariances: The sample covariance (divisor n − 1) of each pair; 0 with fewer than two units.
    """

    n: int
    means: Vector
    covariances: Matrix

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both samples as one.

        Formula: with d = m₂ − m₁ and n = n₁ + n₂, mean = m₁ + d·n₂/n and
            (n − 1)·S = (n₁ − 1)·S₁ + (n₂ − 1)·S₂ + d·dᵀ·n₁·n₂/n.
        Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", eq. 2.1.
        Checked against: numpy.cov of the joined sample; any grouping gives the same (Hypothesis).
        """
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        n = self.n + other.n
        apart = [b - a for a, b in zip(self.means, other.means, strict=True)]
        share = other.n / n
        means = tuple(a + d * share for a, d in zip(self.means, apart, strict=True))
        left, right, between = (self.n - 1) / (n - 1), (other.n - 1) / (n - 1), self.n * share / (n - 1)
        covariances = tuple(
            tuple(
                left * self.covariances[i][j] + right * other.covariances[i][j] + between * apart[i] * apart[j]
                for j in range(len(means))
            )
            for i in range(len(means))
        )
        return Moments(n, means, covariances)

    def less(self, other: "Moments") -> "Moments":
        """The moments of those units that are not in the other sample, which is a part of this one.

        Formula: `__add__` turned round: mean = m + (m − m₂)·n₂/(N − n₂) and, with d = m₂ − mean,
            (n − 1)·S = (N − 1)·S_N − (n₂ − 1)·S₂ − d·dᵀ·n·n₂/N.
        Checked against: the moments of the units that are left (Hypothesis).
        """
        n = self.n - other.n
        if other.n == 0 or n <= 0:
            return self if other.n == 0 else no_moments(len(self.means))
        means = tuple(a + (a - b) * other.n / n for a, b in zip(self.means, other.means, strict=True))
        apart = [b - a for a, b in zip(means, other.means, strict=True)]

        def left(i: int, j: int) -> float:
            both = (self.n - 1) * self.covariances[i][j] - (other.n - 1) * other.covariances[i][j]
            rest = (both - apart[i] * apart[j] * n * other.n / self.n) / (n - 1) if n > 1 else 0.0
            return max(rest, 0.0) if i == j else rest

        size = range(len(means))
        return Moments(n, means, tuple(tuple(left(i, j) for j in size) for i in size))

    def without(self, value: float) -> "Moments":
        """The moments of the first variable without one unit of this value.

        Formula: mean − (x − mean)/(n − 1) and ((n − 1)S − (x − mean)²·n/(n − 1))/(n − 2): `__add__` turned round.
        Checked against: the moments of the other units (Hypothesis).
        """
        away, n = value - self.means[0], self.n
        spread = (n - 1) * self.covariances[0][0] - away * away * n / (n - 1)
        rest = max(spread, 0.0) / (n - 2) if n > 2 else 0.0
        return Moments(n - 1, (self.means[0] - away / (n - 1),), ((rest,),))

    def ratios(self, pairs: Sequence[tuple[int, int | None]]) -> "Moments":
        """The moments of ratios of means, each linearised around the sample's own means.

        Args:
            pairs: Numerator and denominator of each ratio, as positions of variables; no denominator means the
                numerator itself.

        Formula: for R = X̄/Ȳ the unit's contribution is (x − R·y)/Ȳ, so that Cov(R₁, R₂)·n is the covariance of the
            contributions.
        Source: Deng, Knoblich & Lu (2018), "Applying the Delta Method in Metric Analytics", eq. 3.
        Checked against: tea-tasting 1.14, `RatioOfMeans` (1e-9).
        """
        weights = [self._contribution(over, under) for over, under in pairs]
        values = tuple(
            self.means[over] if under is None else _divide(self.means[over], self.means[under]) for over, under in pairs
        )
        covariances = tuple(tuple(self._bilinear(a, b) for b in weights) for a in weights)
        return Moments(self.n, values, covariances)

    def _contribution(self, over: int, under: int | None) -> dict[int, float]:
        if under is None:
            return {over: 1.0}
        ratio = _divide(self.means[over], self.means[under])
        weights = {over: _divide(1.0, self.means[under])}
        weights[under] = weights.get(under, 0.0) - _divide(ratio, self.means[under])
        return weights

    def _bilinear(self, left: dict[int, float], right: dict[int, float]) -> float:
        return sum(a * b * self.covariances[i][j] for i, a in left.items() for j, b in right.items())


def moments_of(rows: Sequence[Sequence[float]]) -> Moments:
    """The moments of units given one by one: each row is one unit with the same number of variables."""
    total = Moments(0, (), ())
    for row in rows:
        total = total + Moments(1, tuple(row), tuple(tuple(0.0 for _ in row) for _ in row))
    return total


def no_moments(variables: int) -> Moments:
    """The moments of no unit at all."""
    return Moments(0, (nan,) * variables, ((0.0,) * variables,) * variables)


def _divide(over: float, under: float) -> float:
    return over / under if under else nan
