"""How many units an effect needs, and what effect so many units can show."""

from dataclasses import dataclass
from math import ceil, sqrt

from tasuki.stats.distributions import normal_cdf, normal_quantile


@dataclass(frozen=True)
class Sizing:
    """What a comparison of one treatment with control rests on.

    Args:
        variance_control: Variance of a unit in control.
        variance_treatment: Variance of a unit in treatment.
        share_control: Control's share of the units of both arms, in (0, 1).
        alpha: Two-sided chance of a false alarm, in (0, 1).
        power: Chance to find the effect when it is there, in (0, 1).
    """

    variance_control: float
    variance_treatment: float
    share_control: float = 0.5
    alpha: float = 0.05
    power: float = 0.8

    @property
    def unit_variance(self) -> float:
        """The variance of the difference times the units of both arms: σ_c²/s + σ_t²/(1 − s).

        Source: the variance of a difference of independent means, as in `units_needed`.
        """
        return self.variance_control / self.share_control + self.variance_treatment / (1 - self.share_control)


def units_needed(sizing: Sizing, effect: float) -> int:
    """Units of both arms together that find the effect with the power asked for.

    Args:
        sizing: What the comparison rests on.
        effect: The absolute difference, not 0.

    Formula: n = (z₁₋α/₂ + z_power)²·(σ_c²/s + σ_t²/(1 − s))/δ².
    Source: Chow, Shao & Wang (2008), "Sample Size Calculations in Clinical Research", eq. 3.2.3 (unequal variances).
    Checked against: simulated power; statsmodels-level tables (16σ²/δ² per arm at 80 %, van Belle 2008).
    """
    return ceil(_reach(sizing) ** 2 * sizing.unit_variance / effect**2)


def detectable_effect(sizing: Sizing, units: int) -> float:
    """The smallest absolute difference that so many units of both arms find with the power asked for.

    Formula: δ = (z₁₋α/₂ + z_power)·√((σ_c²/s + σ_t²/(1 − s))/n).
    Source: `units_needed`, solved for the effect.
    """
    return _reach(sizing) * sqrt(sizing.unit_variance / units)


def power_of(sizing: Sizing, effect: float, units: int) -> float:
    """The chance that so many units of both arms find the effect.

    Formula: Φ(|δ|/σ_d − z₁₋α/₂) + Φ(−|δ|/σ_d − z₁₋α/₂) with σ_d² = (σ_c²/s + σ_t²/(1 − s))/n.
    Source: the power of the two-sided z-test, of which `units_needed` leaves out the far tail.
    """
    critical = normal_quantile(1 - sizing.alpha / 2)
    signal = abs(effect) / sqrt(sizing.unit_variance / units)
    return normal_cdf(signal - critical) + normal_cdf(-signal - critical)


def _reach(sizing: Sizing) -> float:
    return normal_quantile(1 - sizing.alpha / 2) + normal_quantile(sizing.power)
