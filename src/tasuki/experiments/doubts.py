"""What may be wrong with the data of a comparison: concerns, shown beside the numbers."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan, sqrt

from tasuki.experiments.comparison import Result, SplitTest
from tasuki.experiments.design import Design
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.contrast import Estimate, welch
from tasuki.stats.effective import FEW_CARRY, TOO_FEW_CARRY, are_rare, effective_units
from tasuki.stats.quantile import FEW_BEYOND
from tasuki.stats.score import FEW_EVENTS
from tasuki.stats.split import SRM_THRESHOLD, split_p_value
from tasuki.stats.strata import LEAST_UNITS

FEW_UNITS = 100
MANY_ARMS = 6
COVARIATE_THRESHOLD = 0.001
"""Over all covariates together; as for the split, chance may stop one comparison in a thousand."""
TOO_GOOD = 0.95
"""Covariates known before the start rarely explain more of a metric's variance than this."""
MIXED_SHARE = 0.01
"""With more units than this in several arms the assignment itself is broken."""

EXACT_TO = 2.0**53
"""From here on neighbouring integers are one and the same 64-bit float."""


def doubts_about_units(statistics: Statistics, totals: Sequence[Cell], srm: SplitTest) -> Iterator[Concern]:
    """Doubts about who is in which arm."""
    units = sum(cell.units for cell in totals)
    noun, case = ("cluster", "clusters") if statistics.clusters else ("unit", "")
    if not srm.passed:
        seen = ", ".join(f"{cell.arm} {cell.units:,}" for cell in totals)
        yield Concern(
            "sample_ratio_mismatch",
            "error",
            f"The split ({seen}) is not as planned (p = {srm.p_value:.2g}): units are missing or doubled in some arm, "
            "so that no effect below can be trusted.",
            {"seen": {cell.arm: cell.units for cell in totals}, "p": srm.p_value},
        )
    several = statistics.units_in_several_arms
    if several:
        broken = several > MIXED_SHARE * (units + several)
        yield Concern(
            "units_in_several_arms",
            "error" if broken else "warning",
            f"{several:,} {noun}(s) were seen in more than one arm and are left out.",
            {"units": several, "case": case},
        )
    if statistics.units_without_arm:
        count = statistics.units_without_arm
        message = f"{count:,} {noun}(s) have no arm and are left out."
        yield Concern("no_arm", "warning", message, {"units": count, "case": case})
    if statistics.events_without_unit:
        count = statistics.events_without_unit
        message = f"{count:,} event(s) name no {noun} and are left out."
        yield Concern("no_unit", "warning", message, {"events": count, "case": case})
    for cell in totals:
        if cell.units < FEW_UNITS:
            yield Concern(
                "too_few_units",
                "warning",
                f"{cell.arm} has {cell.units:,} {noun}(s): intervals rest on the normal approximation and need more.",
                {"arm": cell.arm, "units": cell.units, "case": case},
            )
    if len(totals) > MANY_ARMS:
        message = f"There are {len(totals)} arms; each one needs its own share of units."
        yield Concern("many_arms", "info", message, {"arms": len(totals)})


def doubts_about_metrics(metrics: Sequence[BoundMetric], totals: Sequence[Cell]) -> Iterator[Concern]:
    """Doubts about the values of each metric, in all units."""
    for i, bound in enumerate(metrics):
        samples = [cell.samples[i] for cell in totals]
        yield from _missing_values(bound, totals, i)
        yield from _not_finite(bound, totals, samples)
        yield from _winsorised(bound, samples)
        yield from _emptiness(bound, totals, samples)


def _not_finite(bound: BoundMetric, totals: Sequence[Cell], samples: Sequence[Sample]) -> Iterator[Concern]:
    """Numbers left out. A unit's other events still count, so that an arm that loses more of them seems lower."""
    name, lost, units = bound.metric.name, [one.lost for one in samples], sum(cell.units for cell in totals)
    if not sum(lost):
        return
    message = f"{name}: {sum(lost):,} value(s) are NaN or infinite and are left out."
    p = split_p_value(lost, [cell.units / units for cell in totals]) if all(cell.units for cell in totals) else 1.0
    differs = p < SRM_THRESHOLD
    if differs:
        message += (
            f" They are more frequent in one arm than in another (p = {p:.2g}), so that what is left can no longer be "
            "compared."
        )
    yield Concern(
        "not_finite",
        "error" if differs else "warning",
        message,
        {"metric": name, "values": sum(lost), "p": p, "case": "differs" if differs else ""},
    )


def _winsorised(bound: BoundMetric, samples: Sequence[Sample]) -> Iterator[Concern]:
    if bound.metric.winsor is None:
        return
    name, held, units = bound.metric.name, sum(one.held for one in samples), sum(one.moments.n for one in samples)
    low, high = next((one.limits for one in samples if one.limits is not None), (None, None))
    ends = f"{'−∞' if low is None else f'{low:.6g}'} to {'∞' if high is None else f'{high:.6g}'}"
    message = f"{name}: {held:,} unit(s) lie beyond {ends}, the same ends for all arms, and count as these ends."
    yield Concern("winsorised", "info", message, {"metric": name, "held": held, "ends": ends, "units": units})


def _missing_values(bound: BoundMetric, totals: Sequence[Cell], i: int) -> Iterator[Concern]:
    present = [cell.samples[i].moments.n for cell in totals]
    missing = [cell.units - n for cell, n in zip(totals, present, strict=True)]
    if not sum(missing) or bound.condition is not None or not sum(present):
        return
    name, units = bound.metric.name, sum(cell.units for cell in totals)
    p = split_p_value(missing, [cell.units / units for cell in totals])
    message = f"{name}: {sum(missing):,} of {units:,} units have no value and are left out."
    yield Concern("values_missing", "warning", message, {"metric": name, "missing": sum(missing), "units": units})
    if p < SRM_THRESHOLD:
        yield Concern(
            "missing_differs",
            "error",
            f"{name}: values are missing more often in one arm than in another (p = {p:.2g}), so that the remaining "
            "units can no longer be compared.",
            {"metric": name, "p": p},
        )


def _emptiness(bound: BoundMetric, totals: Sequence[Cell], samples: Sequence[Sample]) -> Iterator[Concern]:
    name, kind = bound.metric.name, bound.metric.kind
    empty = [cell.arm for cell, one in zip(totals, samples, strict=True) if not one.moments.n]
    if empty:
        where = "any arm" if len(empty) == len(totals) else ", ".join(empty)
        message = f"{name}: no unit has a value in {where}. That is no data, not no effect."
        case = "everywhere" if len(empty) == len(totals) else "somewhere"
        yield Concern("no_data", "error", message, {"metric": name, "arms": empty, "case": case})
        return
    if kind == "quantile":
        q = bound.metric.quantile or 0.5
        beyond = min(one.moments.n for one in samples) * min(q, 1 - q)
        if beyond < FEW_BEYOND:
            yield Concern(
                "few_beyond_quantile",
                "warning",
                f"{name}: only about {beyond:.0f} unit(s) lie beyond the quantile in an arm, too few for its interval.",
                {"metric": name, "units": round(beyond)},
            )
        tied = [cell.arm for cell, one in zip(totals, samples, strict=True) if _is_tied(one)]
        if tied:
            yield Concern(
                "quantile_tied",
                "warning",
                f"{name}: in {', '.join(tied)} all units around the quantile have the same value, so that there is no "
                "interval: compare the share of units above a value instead.",
                {"metric": name, "arms": tied},
            )
        return
    if all(one.moments.means[0] == 0 and one.moments.covariances[0][0] == 0 for one in samples):
        message = f"{name} is 0 for every unit. That is no data, not no effect."
        yield Concern("no_events", "error", message, {"metric": name})
    elif kind == "proportion":
        yield from _few_events(bound, totals, samples)
    elif all(one.moments.covariances[0][0] == 0 for one in samples) and kind != "ratio":
        yield _no_variance(bound, samples)
    if kind == "ratio" and any(one.moments.means[1] == 0 for one in samples):
        message = f"{name}: the denominator is 0 in an arm, so that there is no ratio."
        yield Concern("no_denominator", "error", message, {"metric": name})
    else:
        yield from _few_denominators(bound, totals, samples)


def _no_variance(bound: BoundMetric, samples: Sequence[Sample]) -> Concern:
    """Why no arm's values have a variance: they may differ, and only floating-point numbers not tell them apart."""
    name = bound.metric.name
    if any(one.moments.n == 1 for one in samples):
        case, why = "single", "an arm has only one unit with a value (with clusters: one cluster)"
    elif any(abs(one.moments.means[0]) >= EXACT_TO for one in samples):
        case, why = "large", "its values are too large for 64-bit floats to tell neighbours apart; subtract a constant"
    else:
        message = f"{name} is the same for every unit of an arm: there is no interval."
        return Concern("no_variance", "warning", message, {"metric": name})
    return Concern("no_variance", "warning", f"{name}: {why}. There is no interval.", {"metric": name, "case": case})


def _few_events(bound: BoundMetric, totals: Sequence[Cell], samples: Sequence[Sample]) -> Iterator[Concern]:
    """Arms in which something happened, or did not happen, so rarely that one more would change the interval."""
    over, under = bound.ratios[0]
    for cell, one in zip(totals, samples, strict=True):
        n, means = one.moments.n, one.moments.means
        units = n if under is None else round(means[under] * n)
        yes = round(means[over] * n)
        count, case = (yes, "yes") if yes <= units - yes else (units - yes, "no")
        if count < FEW_EVENTS:
            name, what = bound.metric.name, "have it" if case == "yes" else "do not have it"
            yield Concern(
                "few_events",
                "warning",
                f"{name}: only {count:,} of {units:,} units of {cell.arm} {what}, fewer than {FEW_EVENTS}: the "
                "interval may hold the truth more or less often than it says. Wait for more.",
                {"metric": name, "arm": cell.arm, "count": count, "units": units, "least": FEW_EVENTS, "case": case},
            )


def _few_denominators(bound: BoundMetric, totals: Sequence[Cell], samples: Sequence[Sample]) -> Iterator[Concern]:
    """Arms whose ratio rests on few of their units, because the others have no denominator, or hardly any."""
    under = bound.ratios[0][1]
    if under is None:
        return
    for cell, one in zip(totals, samples, strict=True):
        n, effective = one.moments.n, round(effective_units(one.moments, under), 6)
        if effective >= FEW_CARRY or not are_rare(effective, n):
            continue
        name, count, too_few = bound.metric.name, round(effective, 1), effective < TOO_FEW_CARRY
        said = "too few for any decision" if too_few else f"fewer than {FEW_CARRY:g}"
        yield Concern(
            "few_denominators",
            "error" if too_few else "warning",
            f"{name}: the ratio of {cell.arm} rests on about {count:g} of {n:,} units (the others have a denominator "
            f"of 0, or hardly any), {said}: its interval may hold the truth less often than it says. Wait for more.",
            {"metric": name, "arm": cell.arm, "count": count, "units": n, "least": FEW_CARRY,
             "case": "error" if too_few else "warning"},
        )  # fmt: skip


def _is_tied(sample: Sample) -> bool:
    return sample.quantiles is not None and sample.quantiles[0] == sample.quantiles[2]


def doubts_about_covariates(metrics: Sequence[BoundMetric], totals: Sequence[Cell]) -> Iterator[Concern]:
    """Covariates that the arms do not share: broken assignment, or measured after the treatment began."""
    tests = sum(len(bound.metric.covariates) for bound in metrics) * (len(totals) - 1)
    for i, bound in enumerate(metrics):
        for k, covariate in enumerate(bound.metric.covariates, 1):
            name = covariate.numerator + (f"/{covariate.denominator}" if covariate.denominator else "")
            control, *others = [_covariate_of(cell, i, k, bound) for cell in totals]
            for cell, one in zip(totals[1:], others, strict=True):
                p = welch(control, one).p_value if min(control.n, one.n) > 1 else 1.0
                if p < COVARIATE_THRESHOLD / tests:
                    apart = (one.value - control.value) / sqrt(
                        (control.variance * control.n + one.variance * one.n) / 2
                    )
                    yield Concern(
                        "covariate_imbalance",
                        "error",
                        f"{bound.metric.name}: the covariate {name} differs between {totals[0].arm} "
                        f"({control.value:.4g}) and {cell.arm} ({one.value:.4g}) beyond chance (standardised "
                        f"difference {apart:+.3f}, p = {p:.2g}). Either the arms differed before the start, or {name} "
                        "was measured after it and holds part of the effect: adjusting for it is wrong.",
                        {
                            "metric": bound.metric.name,
                            "covariate": name,
                            "arms": [totals[0].arm, cell.arm],
                            "means": [control.value, one.value],
                            "standardised": apart,
                            "p": p,
                        },
                    )


def doubts_about_missing_covariates(metrics: Sequence[BoundMetric], totals: Sequence[Cell]) -> Iterator[Concern]:
    """Covariates that units lack: said with the share, and an error where the arms lack them unequally."""
    for i, bound in enumerate(metrics):
        samples = [cell.samples[i] for cell in totals if cell.samples[i].lacking]
        for name, j in _covariate_parts(bound):
            lacking = [one.lacking[j] for one in samples]
            units = [one.lacking[j] + one.having[j] for one in samples]
            if not sum(lacking):
                continue
            p = split_p_value(lacking, [one / sum(units) for one in units])
            having = split_p_value(
                [a - b for a, b in zip(units, lacking, strict=True)], [n / sum(units) for n in units]
            )
            p = min(p, having)
            differs = p < SRM_THRESHOLD
            share = sum(lacking) / sum(units)
            message = (
                f"{bound.metric.name}: {sum(lacking):,} of {sum(units):,} units ({share:.1%}) lack the covariate "
                f"{name} (null, NaN or infinite); its mean over all arms stands for it."
            )
            if differs:
                message += (
                    f" They are more frequent in one arm than in another (p = {p:.2g}), which what was known before "
                    "the start cannot be: adjusting for it is wrong."
                )
            yield Concern(
                "covariate_missing",
                "error" if differs else "warning",
                message,
                {
                    "metric": bound.metric.name,
                    "covariate": name,
                    "missing": sum(lacking),
                    "units": sum(units),
                    "share": share,
                    "p": p,
                    "case": "differs" if differs else "alike",
                },
            )


def _covariate_parts(bound: BoundMetric) -> Iterator[tuple[str, int]]:
    """What covariates are made of, a ratio's denominator included: the expression and its variable's position."""
    for covariate, (over, under) in zip(bound.metric.covariates, bound.ratios[1:], strict=True):
        yield covariate.numerator, over
        if covariate.denominator is not None and under is not None:
            yield covariate.denominator, under


def _covariate_of(cell: Cell, i: int, k: int, bound: BoundMetric) -> Estimate:
    moments = cell.samples[i].moments.ratios(bound.ratios)
    return Estimate(moments.means[k], moments.covariances[k][k] / moments.n if moments.n else nan, moments.n)


def doubts_about_strata(
    metrics: Sequence[BoundMetric], strata: Sequence[Mapping[str, Cell]], names: Sequence[str], design: Design
) -> Iterator[Concern]:
    """Strata that an arm does not fill, and metrics that strata cannot help."""
    if design.stratum is None:
        return
    for name in names[1:]:
        units = [tuple(one[arm].units if arm in one else 0 for arm in (names[0], name)) for one in strata]
        lacking = sum(min(pair) == 0 for pair in units)
        thin = [pair for pair in units if min(pair) < LEAST_UNITS]
        if thin:
            yield Concern(
                "thin_strata",
                "warning",
                f"{len(thin)} of {len(units)} values of {design.stratum} have fewer than {LEAST_UNITS} units of "
                f"{names[0]} or {name}, {lacking} of them none ({sum(map(sum, thin)):,} units in all): they are taken "
                "together as one stratum.",
                {
                    "column": design.stratum,
                    "strata": len(units),
                    "thin": len(thin),
                    "lacking": lacking,
                    "arms": [names[0], name],
                    "units": sum(map(sum, thin)),
                },
            )
    for bound in metrics:
        if bound.metric.kind == "quantile":
            message = f"{bound.metric.name}: a quantile is compared over all units, not within strata."
            yield Concern("not_stratified", "info", message, {"metric": bound.metric.name})


def doubts_about_results(results: Sequence[Result], design: Design) -> Iterator[Concern]:
    """Doubts that only the effects show."""
    for one in results:
        if one.segment is not None:
            continue
        if "bootstrap" in one.method and design.method != "bootstrap":
            yield Concern(
                "bootstrapped",
                "info",
                f"{one.metric}: the arms are so few, unequal and skewed that Student's t would miss to one side; the "
                "interval comes from a studentised bootstrap of the units.",
                {"metric": one.metric},
            )
        if "cuped" in one.method and (one.variance_reduction or 0.0) > TOO_GOOD:
            yield Concern(
                "covariate_too_good",
                "warning",
                f"{one.metric}: the covariates take out {one.variance_reduction:.1%} of the variance, more than what "
                "was known before a start usually can: check that they were not measured after it.",
                {"metric": one.metric, "share": one.variance_reduction},
            )
        if one.effect_low is not None and one.control is not None:
            if one.relative_low is None and one.relative_high is None and one.p_value is not None:
                yield Concern(
                    "relative_unknown",
                    "info",
                    f"{one.metric}: control is too close to 0 for {one.treatment_arm}'s relative effect to have an "
                    "interval.",
                    {"metric": one.metric, "arm": one.treatment_arm},
                )
            elif one.control < 0:
                message = f"{one.metric}: control is below 0; a positive share means a fall."
                yield Concern("control_negative", "info", message, {"metric": one.metric})
