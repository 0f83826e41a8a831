"""Probes of what followed: mature labels, their arrival, calibration so far, and spend against control."""

from math import isfinite, log, sqrt

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
        f"the training rows have at most {limits.max_label_growth:.0%} more positives now than the training saw, and "
        f"at most {limits.max_late_label_share:.0%} of them came after the attribution window",
    )
    seen = {arm: one.training for arm, one in case.design.items()}
    lacking = {arm: one.labels_fault for arm, one in seen.items() if one.positives_then is None or one.labels_fault}
    if lacking:
        return ask.no_data("; ".join(f"the labels of {arm}'s training ({why})" for arm, why in lacking.items()))
    faults = [f"{arm}: {told}" for arm, one in seen.items() if (told := _immature(one, limits))]
    late = max(_late_share(one) for one in seen.values())
    if faults:
        return ask.failed("labels_immature", late, "; ".join(faults))
    told = ", ".join(f"{arm} {one.positives_now:,} of {one.positives_then:,}" for arm, one in seen.items())
    return ask.passed(late, f"positives of the training rows now and then: {told}; {late:.1%} came late")


def _late_share(one: TrainingSeen) -> float:
    return share_of(one.positives_late, one.positives_now + one.positives_late) or 0.0


def _immature(one: TrainingSeen, limits: Thresholds) -> str:
    then = one.positives_then or 0
    if one.positives_now > then * (1 + limits.max_label_growth):
        return f"its training rows have {one.positives_now:,} positives now, the training saw {then:,}"
    late = _late_share(one)
    if late > limits.max_late_label_share:
        return f"{late:.1%} of the positives came later than the {one.delay_hours:g} h that the training waited"
    return ""


def labels_arrived(case: Case) -> Probe:
    """Do outcomes arrive for the exposures, after the delays that training knew?"""
    limits = case.limits
    ask = Question(
        "labels_arrived",
        f"at least {limits.min_outcome_share:.0%} of the exposures have an outcome, and the delays of labels are at "
        f"most {limits.max_label_distance:g} from training's, beyond chance",
    )
    seen = case.seen.labels
    share = share_of(seen.with_outcome, seen.exposures) if seen else None
    if seen is None or share is None:
        return ask.no_data("outcomes (a table outcomes with the columns exposure and at)")
    told = f"{seen.with_outcome:,} of {seen.exposures:,} exposures have an outcome"
    if share < limits.min_outcome_share:
        return ask.failed("outcomes_lost", share, told)
    distance = max((abs(mine - meant) for mine, meant in seen.delays), default=0.0)
    if not seen.delays or not seen.positives:
        return ask.passed(share, f"{told}; no delays to compare")
    # Dvoretzky–Kiefer–Wolfowitz: how far chance alone takes the curve of so many positives.
    chance = sqrt(log(2 / limits.alpha) / (2 * seen.positives))
    told += f"; the delays of {seen.positives:,} positives are {distance:.3f} from training's (chance {chance:.3f})"
    return ask.judged("labels_late" if distance - chance > limits.max_label_distance else "", share, told)


def calibration(case: Case) -> Probe:
    """Are there about as many positives as predicted, among exposures whose label is final?"""
    limits = case.limits
    threshold = f"observed ÷ predicted positives within 1 ± {limits.max_calibration_error:g}, beyond chance"
    ask = Question("calibration", f"{threshold} (mature exposures only)")
    known = [one for one in case.seen.calibrated if one.exposures and one.predicted > 0]
    if TREATMENT not in {one.arm for one in known}:
        return ask.no_data("mature exposures of the treatment with a label (a table outcomes with the model's target)")
    parts, faults = [], []
    for one in known:
        low, high = calibration_interval(one, limits.alpha)
        told = f"{one.arm} {one.observed:,} of {one.predicted:,.1f} predicted ({low:.2f} to {high:.2f})"
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
    ask = Question("guardrail", f"spend per unit at most {limits.max_spend_increase:.0%} from control's, always valid")
    seen = case.seen.spend
    if seen is None or not {CONTROL, TREATMENT} <= set(seen.arms):
        return ask.no_data("spend or volume of both arms")
    control, treatment = seen.arms[CONTROL], seen.arms[TREATMENT]
    contrast = always_valid(control, treatment, limits.alpha)
    if not isfinite(contrast.relative):
        return ask.no_data(f"{seen.name} of control: it is 0, or of too few units")
    told = (
        f"{seen.name} per unit: control {control.value:.4g}, treatment {treatment.value:.4g}, "
        f"{contrast.relative:+.1%} ({contrast.relative_low:+.1%} to {contrast.relative_high:+.1%})"
    )
    most = limits.max_spend_increase
    fault = "spend_runs_off" if contrast.relative_low > most else ""
    fault = "spend_dries_up" if contrast.relative_high < -most else fault
    return ask.judged(fault, contrast.relative, told)
