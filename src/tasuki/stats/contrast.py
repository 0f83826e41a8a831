"""Two arms against each other: the difference, its interval, the relative difference and the p-value."""

from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

from tasuki.stats.distributions import t_cdf, t_quantile, t_two_sided


@dataclass(frozen=True)
class Estimate:
    """A value of one arm and how sure it is.

    Args:
        value: The estimate.
        variance: The variance of the estimate itself (not of a unit).
        n: The units behind it.
    """

    value: float
    variance: float
    n: int


@dataclass(frozen=True)
class Contrast:
    """Treatment less control. What cannot be known is NaN, or infinite for a bound.

    Args:
        effect: The difference.
        low: Lower bound of the difference.
        high: Upper bound of the difference.
        relative: The difference as a share of control.
        relative_low: Lower bound of the share.
        relative_high: Upper bound of the share.
        p_value: Two-sided, of no difference.
    """

    effect: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p_value: float


def welch(control: Estimate, treatment: Estimate, alpha: float = 0.05) -> Contrast:
    """The difference of two independent estimates whose variances may differ.

    Args:
        control: With at least two units.
        treatment: With at least two units.
        alpha: One less the coverage of the intervals, in (0, 1).

    Formula: t = (t̄ − c̄)/√(v_c + v_t) with (v_c + v_t)²/(v_c²/(n_c − 1) + v_t²/(n_t − 1)) degrees of freedom.
    Source: Welch (1947), "The generalization of 'Student's' problem when several different population variances are
        involved"; degrees of freedom by Satterthwaite (1946), eq. 17.
    Checked against: scipy.stats.ttest_ind(equal_var=False) and tea-tasting 1.14 (1e-9).
    """
    effect = treatment.value - control.value
    error = sqrt(control.variance + treatment.variance) if control.variance + treatment.variance >= 0 else nan
    if not (isfinite(effect) and isfinite(error)):
        return Contrast(effect, -inf, inf, share(control.value, treatment.value), -inf, inf, nan)
    if error == 0:
        known = share(control.value, treatment.value)
        return Contrast(effect, effect, effect, known, known, known, nan)
    degrees = satterthwaite(control, treatment)
    critical = t_quantile(1 - alpha / 2, degrees)
    low, high = fieller(control, treatment, critical)
    return Contrast(
        effect,
        effect - critical * error,
        effect + critical * error,
        share(control.value, treatment.value),
        low,
        high,
        t_two_sided(effect / error, degrees),
    )


def satterthwaite(control: Estimate, treatment: Estimate) -> float:
    """Degrees of freedom of a difference (see `welch`)."""
    together = control.variance + treatment.variance
    parts = (one.variance / together for one in (control, treatment))
    weights = sum(part**2 / (one.n - 1) for part, one in zip(parts, (control, treatment), strict=True) if one.n > 1)
    return 1 / weights if weights else inf


def fieller(control: Estimate, treatment: Estimate, critical: float) -> tuple[float, float]:
    """The interval of treatment/control − 1. It excludes 0 exactly when the interval of the difference does.

    Args:
        control: The estimate below the line.
        treatment: The estimate above the line.
        critical: How many standard errors the interval spans to each side.

    Returns:
        Both bounds; infinite when control is not clearly away from zero, so that any ratio may be true.

    Formula: the θ with (t̄ − θc̄)² ≤ z²(v_t + θ²v_c), which is, with g = z²v_c/c̄²,
        (θ̂ ± (z/|c̄|)·√(v_t(1 − g) + θ̂²v_c)) / (1 − g).
    Source: Fieller (1954), "Some problems in interval estimation", eq. 9.
    Checked against: the quadratic solved by numpy.roots; simulated coverage.
    """
    reach, square = critical**2 * control.variance, control.value**2
    if reach >= square:
        return -inf, inf
    g = reach / square
    ratio = treatment.value / control.value
    half = critical / abs(control.value) * sqrt(treatment.variance * (1 - g) + ratio**2 * control.variance)
    return (ratio - half) / (1 - g) - 1, (ratio + half) / (1 - g) - 1


def share(control: float, treatment: float) -> float:
    """The difference as a share of control; NaN when control is 0."""
    return treatment / control - 1 if control else nan


def non_inferiority(control: Estimate, treatment: Estimate, margin: float, *, higher_is_better: bool = True) -> float:
    """The one-sided p-value of "treatment is worse by the margin or more".

    Args:
        control: The estimate of control.
        treatment: The estimate of treatment.
        margin: The loss that is still accepted, above 0, in the metric's own unit.
        higher_is_better: Whether a loss is a fall.

    Formula: t = (±(t̄ − c̄) + margin)/√(v_c + v_t), one-sided, with Welch's degrees of freedom.
    Source: CPMP/EWP/482/99 (2000), "Points to consider on switching between superiority and non-inferiority".
    Checked against: scipy.stats.ttest_ind(alternative="greater") on the shifted sample (1e-9).
    """
    error = sqrt(control.variance + treatment.variance)
    gain = treatment.value - control.value if higher_is_better else control.value - treatment.value
    if not error:
        return nan
    return t_cdf(-(gain + margin) / error, satterthwaite(control, treatment))
