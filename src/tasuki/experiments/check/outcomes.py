"""Probes of what followed: mature labels, their arrival, calibration so far, and spend against control."""

from math import isfinite, log, sqrt

from tasuki.errors import joined, said
from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import Calibrated, TrainingSeen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import TREATMENT
from tasuki.flow.records import Probe
from tasuki.stats.proportion import wilson
from tasuki.stats.sequential import always_valid


def labels_mature(case: Case) -> Probe:
    """Were the versions trained on labels that had arrived?"""
    limits = case.limits
    ask = Question(
        "labels_mature",
        said(
            "the training rows have at most {max_label_growth:.0%} more positives now than the "
            "training saw, and at most {max_late_label_share:.0%} of them came after the attribution window",
            max_label_growth=limits.max_label_growth,
            max_late_label_share=limits.max_late_label_share,
        ),
    )
    seen = {arm: one.training for arm, one in case.design.items()}
    lacking = {arm: one.labels_fault for arm, one in seen.items() if one.positives_then is None or one.labels_fault}
    if lacking:
        return ask.no_data(
            joined([said("the labels of {arm}'s training ({why})", arm=arm, why=why) for arm, why in lacking.items()])
        )
    faults = [
        said("{arm}: {told}", arm=arm, told=told) for arm, one in seen.items() if (told := _immature(one, limits))
    ]
    late = max(_late_share(one) for one in seen.values())
    if faults:
        return ask.failed("labels_immature", late, joined(faults))
    told = joined(
        [
            said(
                "{arm} {positives_now:,} of {positives_then:,}",
                arm=arm,
                positives_now=one.positives_now,
                positives_then=one.positives_then,
            )
            for arm, one in seen.items()
        ],
        ", ",
    )
    return ask.passed(
        late, said("positives of the training rows now and then: {told}; {late:.1%} came late", told=told, late=late)
    )


def _late_share(one: TrainingSeen) -> float:
    return share_of(one.positives_late, one.positives_now + one.positives_late) or 0.0


def _immature(one: TrainingSeen, limits: Thresholds) -> str:
    then = one.positives_then or 0
    if one.positives_now > then * (1 + limits.max_label_growth):
        return said(
            "its training rows have {positives_now:,} positives now, the training saw {then:,}",
            positives_now=one.positives_now,
            then=then,
        )
    late = _late_share(one)
    if late > limits.max_late_label_share:
        return said(
            "{late:.1%} of the positives came later than the {delay_hours:g} h that the training waited",
            late=late,
            delay_hours=one.delay_hours,
        )
    return ""


def labels_arrived(case: Case) -> Probe:
    """Do outcomes arrive for the exposures, after the delays that training knew?"""
    limits = case.limits
    ask = Question(
        "labels_arrived",
        said(
            "at least {min_outcome_share:.0%} of the exposures have an outcome, and the delays of "
            "labels are at most {max_label_distance:g} from training's, beyond chance",
            min_outcome_share=limits.min_outcome_share,
            max_label_distance=limits.max_label_distance,
        ),
    )
    seen = case.seen.labels
    share = share_of(seen.with_outcome, seen.exposures) if seen else None
    if seen is None or share is None:
        return ask.no_data(said("outcomes (a table outcomes with the columns exposure and at)"))
    told = said(
        "{with_outcome:,} of {exposures:,} exposures have an outcome",
        with_outcome=seen.with_outcome,
        exposures=seen.exposures,
    )
    if share < limits.min_outcome_share:
        return ask.failed("outcomes_lost", share, told)
    distance = max((abs(mine - meant) for mine, meant in seen.delays), default=0.0)
    if not seen.delays or not seen.positives:
        return ask.passed(share, said("{told}; no delays to compare", told=told))
    # Dvoretzky–Kiefer–Wolfowitz: how far chance alone takes the curve of so many positives.
    chance = sqrt(log(2 / limits.alpha) / (2 * seen.positives))
    late = said(
        "the delays of {positives:,} positives are {distance:.3f} from training's (chance {chance:.3f})",
        positives=seen.positives,
        distance=distance,
        chance=chance,
    )
    return ask.judged(
        "labels_late" if distance - chance > limits.max_label_distance else "", share, joined([told, late])
    )


def calibration(case: Case) -> Probe:
    """Are there about as many positives as predicted, among exposures whose label is final?"""
    limits = case.limits
    threshold = said(
        "observed ÷ predicted positives within 1 ± {error:g}, beyond chance (mature exposures only)",
        error=limits.max_calibration_error,
    )
    ask = Question("calibration", threshold)
    known = [one for one in case.seen.calibrated if one.exposures and one.predicted > 0]
    if TREATMENT not in {one.arm for one in known}:
        return ask.no_data(
            said("mature exposures of the treatment with a label (a table outcomes with the model's target)")
        )
    parts, faults = [], []
    for one in known:
        low, high = calibration_interval(one, limits.alpha)
        told = said(
            "{arm} {observed:,} of {predicted:,.1f} predicted ({low:.2f} to {high:.2f})",
            arm=one.arm,
            observed=one.observed,
            predicted=one.predicted,
            low=low,
            high=high,
        )
        parts.append(told)
        if low > 1 + limits.max_calibration_error or high < 1 - limits.max_calibration_error:
            faults.append(told)
    treated = next(one for one in known if one.arm == TREATMENT)
    ratio = treated.observed / treated.predicted
    return ask.judged("miscalibrated" if faults else "", ratio, listed(faults or parts))


def calibration_interval(one: Calibrated, alpha: float) -> tuple[float, float]:
    """The interval of observed over predicted positives.

    Formula: the Wilson interval of the rate of positives, divided by the mean score.
    """
    low, high = wilson(one.observed, one.exposures, alpha)
    mean = one.predicted / one.exposures
    return low / mean, high / mean


def guardrail(case: Case) -> Probe:
    """Does the treatment spend about what control does? Looking every day is safe: the bound is always valid."""
    limits = case.limits
    ask = Question(
        "guardrail",
        said(
            "spend per unit at most {max_spend_increase:.0%} from control's, always valid",
            max_spend_increase=limits.max_spend_increase,
        ),
    )
    seen = case.seen.spend
    if seen is None or not {CONTROL, TREATMENT} <= set(seen.arms):
        return ask.no_data(said("spend or volume of both arms"))
    control, treatment = seen.arms[CONTROL], seen.arms[TREATMENT]
    contrast = always_valid(control, treatment, limits.alpha)
    if not isfinite(contrast.relative):
        return ask.no_data(said("{name} of control: it is 0, or of too few units", name=seen.name))
    told = said(
        "{name} per unit: control {control:.4g}, treatment {treatment:.4g}, {relative:+.1%} "
        "({relative_low:+.1%} to {relative_high:+.1%})",
        name=seen.name,
        control=control.value,
        treatment=treatment.value,
        relative=contrast.relative,
        relative_low=contrast.relative_low,
        relative_high=contrast.relative_high,
    )
    most = limits.max_spend_increase
    fault = "spend_runs_off" if contrast.relative_low > most else ""
    fault = "spend_dries_up" if contrast.relative_high < -most else fault
    return ask.judged(fault, contrast.relative, told)
