"""From the sufficient statistics of two arms to the effect on one metric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.experiments.looks import look_of, yardstick_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.adjustment import Adjusted, adjusted, coefficients, unadjusted, within_arms
from tasuki.stats.bootstrap import (
    LEAST_UNITS,
    TOO_SKEWED,
    bootstrapped,
    bootstrapped_non_inferiority,
    skewness_of_difference,
    studentised,
)
from tasuki.stats.contrast import Contrast, Estimate, Limit, non_inferiority, spanned, standard_error
from tasuki.stats.effective import FEW_CARRY, are_rare, carried_by, effective_units
from tasuki.stats.moments import Vector
from tasuki.stats.quantile import quantile_estimate
from tasuki.stats.score import SMALL_COUNT, score_non_inferiority, scored
from tasuki.stats.strata import post_stratified, put_together


@dataclass(frozen=True)
class Pair:
    """Control and one treatment arm, in all or in one segment.

    Args:
        control: What is known of control.
        treatment: What is known of the treatment arm.
        strata: Both arms in each stratum; empty where the arms are compared as they are.
        units: Units of all arms, which say how far along the experiment is; those of the pair when None.
    """

    control: Cell
    treatment: Cell
    strata: tuple[tuple[Cell, Cell], ...] = ()
    units: int | None = None


@dataclass(frozen=True)
class _Measured:
    control: Estimate
    treatment: Estimate
    method: str
    variance_reduction: float | None = None
    covariance: float = 0.0
    units: tuple[list[float], list[float]] | None = None


def effect_of(pair: Pair, i: int, bound: BoundMetric, design: Design) -> Result:
    """The effect on metric `i`. Without a unit in either arm, or with nothing but zeros, its numbers are None."""
    metric = bound.metric
    samples = (pair.control.samples[i], pair.treatment.samples[i])
    measured = _carried(_measured(pair, i, bound, design.alpha), samples, bound)
    contrast, method, p_margin = _contrast(metric, measured, design, _seen(pair))
    segment, error = pair.control.segment, standard_error(measured.control, measured.treatment, measured.covariance)
    if _is_nothing(metric, measured, error):
        contrast = Contrast(nan, nan, nan, nan, nan, nan, nan)
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
        margin=_margin(metric, measured),
        p_value_margin=p_margin,
        standard_error=_known(error),
    )


def skewness_of(pair: Pair, i: int, bound: BoundMetric) -> float | None:
    """How skewed the difference on metric `i` is; None where the units' values were not fetched, or hardly any came."""
    units = _measured(pair, i, bound, 0.05).units
    if units is None or min(len(one) for one in units) < LEAST_UNITS:
        return None
    return skewness_of_difference(*units)


def _is_nothing(metric: Metric, measured: _Measured, error: float) -> bool:
    """Whether every unit of both arms is 0: no data rather than no effect. Of shares, none of n is an answer."""
    return metric.kind != "proportion" and measured.control.value == measured.treatment.value == error == 0


def _seen(pair: Pair) -> int:
    return pair.control.units + pair.treatment.units if pair.units is None else pair.units


def _measured(pair: Pair, i: int, bound: BoundMetric, alpha: float) -> _Measured:
    samples = (pair.control.samples[i], pair.treatment.samples[i])
    if bound.metric.kind == "quantile":
        control, treatment = (
            quantile_estimate(one.quantiles or (nan, nan, nan), one.moments.n, alpha) for one in samples
        )
        return _Measured(control, treatment, "woodruff")
    plain = "welch" if bound.ratios[0][1] is None else "delta"
    moments = [one.moments.ratios(bound.ratios) for one in samples]
    values = [unadjusted(one) for one in moments]
    enough = min(one.n for one in moments) > 1
    stratified = _stratified(pair, i, bound, values)
    if stratified is not None:
        return stratified
    if not bound.metric.covariates or not enough:
        units = _contributions(samples, bound, (), ()) if enough else None
        return _Measured(_estimate(values[0]), _estimate(values[1]), plain, units=units)
    pooled = (samples[0].moments + samples[1].moments).ratios(bound.ratios)
    theta = coefficients(within_arms(moments))
    better = [_estimate(adjusted(one, theta, pooled)) for one in moments]
    reduction = _reduction(values, sum(one.variance for one in better))
    units = _contributions(samples, bound, theta, pooled.means[1:])
    return _Measured(better[0], better[1], f"cuped+{plain}", reduction, units=units)


def _carried(measured: _Measured, samples: tuple[Sample, Sample], bound: BoundMetric) -> _Measured:
    """With a ratio's variance and degrees of freedom as those units give them that have a denominator."""
    under = bound.ratios[0][1]
    if under is None or bound.metric.kind == "quantile" or min(one.moments.n for one in samples) < 2:
        return measured
    effective = [effective_units(one.moments, under) for one in samples]
    both = zip((measured.control, measured.treatment), effective, strict=True)
    control, treatment = (carried_by(*one) for one in both)
    measured = replace(measured, control=control, treatment=treatment)
    # Resampled units, most of them without a denominator, say less of so few than Student's t does.
    few = any(k < FEW_CARRY and are_rare(k, one.moments.n) for k, one in zip(effective, samples, strict=True))
    return replace(measured, units=None) if few else measured


def _contributions(
    samples: tuple[Sample, Sample], bound: BoundMetric, theta: Vector, covariate_means: Vector
) -> tuple[list[float], list[float]] | None:
    """One number per unit whose mean is the arm's (adjusted) value; None where the values were not fetched."""
    if samples[0].values is None or samples[1].values is None:
        return None

    def of(sample: Sample) -> list[float]:
        means = sample.moments.means

        def part(row: Vector, over: int, under: int | None) -> float:
            if under is None:
                return row[over]
            ratio = means[over] / means[under] if means[under] else nan
            return ratio + (row[over] - ratio * row[under]) / means[under] if means[under] else nan

        first, *others = bound.ratios
        weighed = list(zip(theta, covariate_means, others, strict=False))
        return [
            part(row, *first) - sum(one * (part(row, *pair) - mean) for one, mean, pair in weighed)
            for row in sample.values or ()
        ]

    return of(samples[0]), of(samples[1])


def _stratified(pair: Pair, i: int, bound: BoundMetric, values: Sequence[Adjusted]) -> _Measured | None:
    """The arms within strata; None without strata that both arms fill."""
    pairs = [(control.samples[i].moments, treatment.samples[i].moments) for control, treatment in pair.strata]
    strata, _ = put_together([one for one in pairs if one[0].n + one[1].n])
    if len(strata) < 2 or min(min(c.n, t.n) for c, t in strata) < 2:
        return None
    control, treatment, covariance = post_stratified(strata).ratios(bound.ratios).estimates()
    plain = "welch" if bound.ratios[0][1] is None else "delta"
    method = "stratified+" + (f"cuped+{plain}" if bound.metric.covariates else plain)
    reduction = _reduction(values, control.variance + treatment.variance - 2 * covariance)
    return _Measured(control, treatment, method, reduction, covariance)


def _estimate(one: Adjusted) -> Estimate:
    return Estimate(one.mean, one.variance / one.n if one.n > 1 else nan, one.n, shared=one.shared)


def _reduction(before: Sequence[Adjusted], now: float) -> float | None:
    was = sum(one.variance / one.n if one.n > 1 else nan for one in before)
    return 1 - now / was if was > 0 else None


def _contrast(metric: Metric, measured: _Measured, design: Design, units: int) -> tuple[Contrast, str, float | None]:
    """The contrast, its method, and the p-value of a guardrail."""
    control, treatment = measured.control, measured.treatment
    lopsided = _lopsided(metric, measured, design)
    if lopsided is not None:
        return lopsided
    yardstick, words = yardstick_of(design, (control, treatment), look_of(design, units))
    limit = _limit(metric)
    if not words and metric.kind == "proportion" and measured.method == "welch" and min(control.n, treatment.n) > 0:
        counts = [(round(one.value * one.n), one.n) for one in (control, treatment)]
        if min(min(k, n - k) for k, n in counts) < SMALL_COUNT:
            p_margin = None if limit is None else score_non_inferiority(counts[0], counts[1], limit)
            return scored(counts[0], counts[1], design.alpha), "score", p_margin
    contrast = spanned(control, treatment, yardstick, measured.covariance)
    known = limit is not None and isfinite(control.variance) and isfinite(treatment.variance)
    if limit is None or not known:
        return contrast, f"{words}{measured.method}", None
    p_margin = non_inferiority(control, treatment, limit, yardstick if words else None, measured.covariance)
    return contrast, f"{words}{measured.method}", _known(p_margin)


def _limit(metric: Metric) -> Limit | None:
    if metric.margin is None:
        return None
    return Limit(metric.margin.amount, metric.margin.is_relative, metric.direction == "increase")


def _lopsided(metric: Metric, measured: _Measured, design: Design) -> tuple[Contrast, str, float | None] | None:
    """The bootstrap's answer where it was asked for, or where the values are too skewed for Student's t."""
    control, treatment, units = measured.control, measured.treatment, measured.units
    if units is None or design.sequential or design.looks or not control.variance + treatment.variance > 0:
        return None
    if min(len(one) for one in units) < LEAST_UNITS:
        return None
    if design.method != "bootstrap" and abs(skewness_of_difference(*units)) < TOO_SKEWED:
        return None
    pivot = studentised(*units)
    limit = _limit(metric)
    p_margin = None if limit is None else bootstrapped_non_inferiority(control, treatment, limit, pivot)
    method = "cuped+bootstrap" if metric.covariates else "bootstrap"
    return bootstrapped(control, treatment, pivot, design.alpha), method, p_margin


def _margin(metric: Metric, measured: _Measured) -> float | None:
    if metric.margin is None:
        return None
    return _known(metric.margin.amount * (abs(measured.control.value) if metric.margin.is_relative else 1.0))


def _known(number: float) -> float | None:
    return number if isfinite(number) else None
