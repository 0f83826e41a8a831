"""Always-valid inference: intervals and p-values that stay right however often people look."""

from dataclasses import dataclass
from math import exp, inf, log, sqrt

from tasuki.stats.contrast import Contrast, Estimate, Yardstick, spanned

DEFAULT_TUNING = 5_000
"""The number of units (both arms) at which the intervals are narrowest, when no plan says another."""


@dataclass(frozen=True)
class Boundary:
    """How many standard errors an always-valid interval spans at a number of units.

    Args:
        units: Units of both arms so far.
        alpha: One less the coverage at all times together, in (0, 1).
        tuning: The number of units at which the interval is to be narrowest; fixed before the first look.
    """

    units: int
    alpha: float
    tuning: int = DEFAULT_TUNING

    @property
    def scale(self) -> float:
        """N·ρ²: how far along the experiment is, in units of the tuning."""
        spread = -2 * log(self.alpha)
        return self.units * (spread + log(spread + 1)) / self.tuning

    @property
    def critical(self) -> float:
        """The half-width of the interval in standard errors.

        Formula: √(2(k + 1)/k · log(√(k + 1)/α)) with k = N·ρ² and ρ² = (−2·log α + log(−2·log α + 1))/N*.
        Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and
            asymptotic confidence sequences", Theorem 2.2, with ρ from its appendix on optimising the width.
        Checked against: simulated experiments with a look after every 1 % of the data (false positives ≤ 5 %).
        """
        k = self.scale
        return sqrt(2 * (k + 1) / k * log(sqrt(k + 1) / self.alpha))

    def p_value(self, statistic: float) -> float:
        """The always-valid p-value of a difference of so many standard errors: the alpha whose interval ends at 0.

        The tuning stays that of the experiment's alpha, as it must be fixed beforehand.

        Formula: √(k + 1)·exp(−z²·k/(2(k + 1))): `critical` solved for alpha.
        Source: see `critical`.
        """
        k = self.scale
        return min(1.0, sqrt(k + 1) * exp(-(statistic**2) * k / (2 * (k + 1))))


def always_valid(
    control: Estimate, treatment: Estimate, alpha: float = 0.05, tuning: int = DEFAULT_TUNING, covariance: float = 0.0
) -> Contrast:
    """The difference of two estimates, valid at every look.

    Args:
        control: The estimate of control.
        treatment: The estimate of treatment.
        alpha: One less the coverage at all looks together, in (0, 1).
        tuning: See `Boundary`.
        covariance: Of the two estimates; 0 for independent arms.
    """
    return spanned(control, treatment, by_boundary(Boundary(control.n + treatment.n, alpha, tuning)), covariance)


def by_boundary(boundary: Boundary) -> Yardstick:
    """The yardstick of any number of looks.

    Source: see `Boundary.critical`.
    """
    return Yardstick(boundary.critical if boundary.units else inf, boundary.p_value)
