"""From the sufficient statistics of two arms to the effect on one metric."""

from dataclasses import dataclass
from math import isfinite, nan

from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.adjustment import Adjusted, adjusted, coefficients, unadjusted
from tasuki.stats.contrast import Contrast, Estimate, non_inferiority, share, welch
from tasuki.stats.proportion import SMALL_COUNT, fisher_exact, mover_ratio, newcombe
from tasuki.stats.quantile import quantile_estimate
from tasuki.stats.sequential import always_valid


@dataclass(frozen=True)
class Pair:
    """Control and one treatment arm, in all or in one segment."""

    control: Cell
    treatment: Cell


@dataclass(frozen=True)
class _Measured:
    control: Estimate
    treatment: Estimate
    method: str
    variance_reduction: float | None = None


def effect_of(pair: Pair, i: int, bound: BoundMetric, design: Design) -> Result:
    """The effect on metric `i`. Without a unit in either arm its numbers are None."""
    metric = bound.metric
    samples = (pair.control.samples[i], pair.treatment.samples[i])
    measured = _measured(bound, samples, design.alpha)
    contrast, method = _contrast(metric, measured, design)
    margin, p_margin = _guarded(metric, measured)
    segment = pair.control.segment
    return Result(
        metric=metric.name,
        kind=metric.kind,
        segment=None if segment is None else f"{segment[0]}={segment[1]}",
        control_arm=pair.control.arm,
        treatment_arm=pair.treatment.arm,
        control=_known(measured.control.value),
        treatment=_known(measured.treatment.value),
        effect=_known(contrast.effect),
        effect_low=_known(contrast.low),
        effect_high=_known(contrast.high),
        relative=_known(contrast.relative),
        relative_low=_known(contrast.relative_low),
        relative_high=_known(contrast.relative_high),
        p_value=_known(contrast.p_value),
        p_value_adjusted=None,
        n_control=samples[0].moments.n,
        n_treatment=samples[1].moments.n,
        method=method,
        variance_reduction=measured.variance_reduction,
        direction=metric.direction,
        margin=margin,
        p_value_margin=p_margin,
    )


def _measured(bound: BoundMetric, samples: tuple[Sample, Sample], alpha: float) -> _Measured:
    if bound.metric.kind == "quantile":
        control, treatment = (
            quantile_estimate(one.quantiles or (nan, nan, nan), one.moments.n, alpha) for one in samples
        )
        return _Measured(control, treatment, "woodruff")
    plain = "delta" if bound.metric.kind == "ratio" else "welch"
    moments = [one.moments.ratios(bound.ratios) for one in samples]
    values = [unadjusted(one) for one in moments]
    if not bound.metric.covariates or min(one.n for one in moments) < 2:
        return _Measured(_estimate(values[0]), _estimate(values[1]), plain)
    pooled = (samples[0].moments + samples[1].moments).ratios(bound.ratios)
    theta = coefficients(pooled)
    better = [adjusted(one, theta, pooled.means[1:]) for one in moments]
    control, treatment = (_estimate(one) for one in better)
    return _Measured(control, treatment, f"cuped+{plain}", _reduction(values, better))


def _estimate(one: Adjusted) -> Estimate:
    return Estimate(one.mean, one.variance / one.n if one.n > 1 else nan, one.n)


def _reduction(before: list[Adjusted], after: list[Adjusted]) -> float | None:
    was, now = (sum(one.variance / one.n for one in arms) for arms in (before, after))
    return 1 - now / was if was else None


def _contrast(metric: Metric, measured: _Measured, design: Design) -> tuple[Contrast, str]:
    control, treatment = measured.control, measured.treatment
    if design.sequential:
        return always_valid(control, treatment, design.alpha, design.tuning), f"sequential+{measured.method}"
    if metric.kind == "proportion" and not metric.covariates and min(control.n, treatment.n) > 0:
        counts = tuple((round(one.value * one.n), one.n) for one in (control, treatment))
        if min(min(k, n - k) for k, n in counts) < SMALL_COUNT:
            return _small(counts[0], counts[1], design.alpha), "newcombe"
    return welch(control, treatment, design.alpha), measured.method


def _small(control: tuple[int, int], treatment: tuple[int, int], alpha: float) -> Contrast:
    low, high = newcombe(control, treatment, alpha)
    relative_low, relative_high = mover_ratio(control, treatment, alpha)
    p_control, p_treatment = (k / n for k, n in (control, treatment))
    p_value = fisher_exact(control, treatment)
    known = share(p_control, p_treatment)
    return Contrast(p_treatment - p_control, low, high, known, relative_low, relative_high, p_value)


def _guarded(metric: Metric, measured: _Measured) -> tuple[float | None, float | None]:
    if metric.margin is None:
        return None, None
    control = measured.control
    margin = metric.margin.amount * (abs(control.value) if metric.margin.is_relative else 1.0)
    if not (isfinite(margin) and isfinite(control.variance) and isfinite(measured.treatment.variance)):
        return _known(margin), None
    p_value = non_inferiority(control, measured.treatment, margin, higher_is_better=metric.direction == "increase")
    return margin, _known(p_value)


def _known(number: float) -> float | None:
    return number if isfinite(number) else None
