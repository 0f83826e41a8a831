"""Two arms against each other: the difference, its interval, the relative difference and the p-value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import copysign, inf, isfinite, nan, sqrt

from tasuki.stats.distributions import t_cdf, t_quantile, t_two_sided


@dataclass(frozen=True)
class Estimate:
    """A value of one arm and how sure it is.

    Args:
        value: The estimate.
        variance: The variance of the estimate itself (not of a unit).
        n: The units behind it.
        degrees: Degrees of freedom of the variance; n − 1 when None.
        shared: The variance, not in `variance`, of a part that control and treatment have in common, as CUPED's mean of
            the covariates over all units: their difference does not have it, but their ratio does.
    """

    value: float
    variance: float
    n: int
    degrees: float | None = None
    shared: float = 0.0


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


@dataclass(frozen=True)
class Yardstick:
    """How wide an interval is and what a difference means, in standard errors.

    Args:
        critical: How many standard errors the interval spans to each side.
        p_value: The two-sided p-value of a difference of so many standard errors.
    """

    critical: float
    p_value: Callable[[float], float]


def welch(control: Estimate, treatment: Estimate, alpha: float = 0.05, covariance: float = 0.0) -> Contrast:
    """The difference of two estimates whose variances may differ.

    Args:
        control: With at least two units.
        treatment: With at least two units.
        alpha: One less the coverage of the intervals, in (0, 1).
        covariance: Of the two estimates; 0 for independent arms.

    Formula: t = (t̄ − c̄)/√(v_c + v_t) with (v_c + v_t)²/(v_c²/(n_c − 1) + v_t²/(n_t − 1)) degrees of freedom.
    Source: Welch (1947), "The generalization of 'Student's' problem when several different population variances are
        involved"; degrees of freedom by Satterthwaite (1946), eq. 17.
    Checked against: scipy.stats.ttest_ind(equal_var=False) and tea-tasting 1.14 (1e-9).
    """
    return spanned(control, treatment, by_student(control, treatment, alpha), covariance)


def by_student(control: Estimate, treatment: Estimate, alpha: float) -> Yardstick:
    """The yardstick of a single look: Student's t with Welch's degrees of freedom.

    Source: see `welch`.
    """
    degrees = satterthwaite(control, treatment)
    return Yardstick(t_quantile(1 - alpha / 2, degrees), lambda statistic: t_two_sided(statistic, degrees))


def spanned(control: Estimate, treatment: Estimate, yardstick: Yardstick, covariance: float = 0.0) -> Contrast:
    """The difference and the share with intervals as wide as a yardstick says; the two agree on whether 0 is inside."""
    effect, error = treatment.value - control.value, standard_error(control, treatment, covariance)
    known = share(control.value, treatment.value)
    if not (isfinite(effect) and isfinite(error)) or error == 0:
        # No spread was seen, so nothing says how far the effect may be off: no interval, not one of width 0.
        return Contrast(effect, -inf, inf, known, -inf, inf, nan)
    half = yardstick.critical * error
    low, high = fieller(control, treatment, yardstick.critical, covariance)
    return Contrast(effect, effect - half, effect + half, known, low, high, yardstick.p_value(effect / error))


def standard_error(control: Estimate, treatment: Estimate, covariance: float = 0.0) -> float:
    """The standard error of the difference; NaN where it is not known."""
    together = control.variance + treatment.variance - 2 * covariance
    together += (sqrt(treatment.shared) - sqrt(control.shared)) ** 2
    return sqrt(together) if together >= 0 else nan


def satterthwaite(control: Estimate, treatment: Estimate) -> float:
    """Degrees of freedom of a difference; infinite where no variance has any.

    Formula: (v_c + v_t)²/(v_c²/ν_c + v_t²/ν_t).
    Source: Satterthwaite (1946), "An approximate distribution of estimates of variance components", eq. 17.
    """
    together = control.variance + treatment.variance
    if not together > 0:
        return inf
    weights = sum(
        (one.variance / together) ** 2 / degrees for one in (control, treatment) if (degrees := _degrees(one)) > 0
    )
    return 1 / weights if weights else inf


def _degrees(one: Estimate) -> float:
    return one.n - 1 if one.degrees is None else one.degrees


def fieller(control: Estimate, treatment: Estimate, critical: float, covariance: float = 0.0) -> tuple[float, float]:
    """The interval of treatment/control − 1. It excludes 0 exactly when the interval of the difference does.

    Args:
        control: The estimate below the line.
        treatment: The estimate above the line.
        critical: How many standard errors the interval spans to each side.
        covariance: Of the two estimates; 0 for independent arms.

    Returns:
        Both bounds; infinite when control is not clearly away from zero, so that any ratio may be true.

    Formula: the θ with (t̄ − θc̄)² ≤ z²(v_t − 2θv_ct + θ²v_c), which is
        (t̄c̄ − z²v_ct ± z·√(c̄²v_t − 2t̄c̄v_ct + t̄²v_c − z²(v_t·v_c − v_ct²))) / (c̄² − z²v_c).
    Source: Fieller (1954), "Some problems in interval estimation", eq. 9.
    Checked against: the quadratic solved by numpy.roots; simulated coverage.
    """
    v_c, v_t = control.variance + control.shared, treatment.variance + treatment.shared
    v_ct = covariance + sqrt(control.shared * treatment.shared)
    reach, square = critical**2 * v_c, control.value**2
    if reach >= square:
        return -inf, inf
    c, t = control.value, treatment.value
    inside = c * c * v_t - 2 * t * c * v_ct + t * t * v_c - critical**2 * (v_c * v_t - v_ct**2)
    middle, half = t * c - critical**2 * v_ct, critical * sqrt(max(inside, 0.0))
    return (middle - half) / (square - reach) - 1, (middle + half) / (square - reach) - 1


def share(control: float, treatment: float) -> float:
    """The difference as a share of control; NaN when control is 0."""
    return treatment / control - 1 if control else nan


@dataclass(frozen=True)
class Limit:
    """How much worse treatment may be.

    Args:
        amount: The loss that is still accepted, above 0: in the metric's own unit, or as a share of control.
        is_relative: Whether it is a share of control.
        higher_is_better: Whether a loss is a fall.
    """

    amount: float
    is_relative: bool = False
    higher_is_better: bool = True

    def moved(self, control: Estimate) -> tuple[Estimate, float]:
        """Control at the limit, and what it was multiplied with: a share of an uncertain control is uncertain too."""
        towards = -1.0 if self.higher_is_better else 1.0
        if not self.is_relative:
            return replace(control, value=control.value + towards * self.amount), 1.0
        scale = 1 + towards * copysign(self.amount, control.value)
        variance, shared = control.variance * scale**2, control.shared * scale**2
        return replace(control, value=control.value * scale, variance=variance, shared=shared), scale


def non_inferiority(
    control: Estimate, treatment: Estimate, limit: Limit, yardstick: Yardstick | None = None, covariance: float = 0.0
) -> float:
    """The one-sided p-value of "treatment is worse by the limit or more".

    Args:
        control: The estimate of control.
        treatment: The estimate of treatment.
        limit: What is still accepted.
        yardstick: What a difference means; Student's t at a single look when None. One that is made for many looks
            gives a p-value that is valid at all of them.
        covariance: Of the two estimates; 0 for independent arms.

    Formula: t = ±(t̄ − s·c̄ ± margin)/√(v_t − 2s·v_ct + s²v_c), one-sided, with Welch's degrees of freedom; s = 1 for
        a margin in the metric's unit, and for a share m of control s = 1 ∓ m with no margin beside it.
    Source: CPMP/EWP/482/99 (2000), "Points to consider on switching between superiority and non-inferiority"; for a
        share of control Hauschke, Kieser, Diletti & Burke (1999), "Sample size determination for proving equivalence
        based on the ratio of two means for normally distributed data", eq. 2.
    Checked against: scipy.stats.ttest_ind(alternative="greater") on the shifted or scaled sample (1e-9).
    """
    worst, scale = limit.moved(control)
    error = standard_error(worst, treatment, scale * covariance)
    if not error > 0:
        return nan
    gain = treatment.value - worst.value if limit.higher_is_better else worst.value - treatment.value
    if yardstick is None:
        return t_cdf(-gain / error, satterthwaite(worst, treatment))
    both = yardstick.p_value(gain / error)
    return both / 2 if gain > 0 else 1 - both / 2
