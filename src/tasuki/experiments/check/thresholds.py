"""What A/B 1 allows between what was meant and what was seen: numbers that a team edits in `playbook/check.toml`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from tasuki.errors import Fault, Invalid, said
from tasuki.stats.split import SRM_THRESHOLD

_TEXTS = ("not_asked", "counted_where", "label", "label_time", "spend")


@dataclass(frozen=True)
class Thresholds:
    """What is allowed. The defaults suit a bidder that answers in a few milliseconds.

    Args:
        days_required: Days that the arm with the fewest was seen on.
        max_quiet_hours: The longest stretch without a row that counts as run; a longer one is an interruption.
        exposures_required: Exposures in each arm; fewer prove nothing.
        max_training_age_days: The oldest that the training run behind an arm's version may be when the check ends.
        max_failed_training_runs: Training runs that may have failed while the experiment ran.
        max_label_growth: How many more positives the training window may hold now than the training saw, as a share.
        max_late_label_share: The largest share of the positives that came after the attribution window.
        max_fallback_rate: The largest share of an arm's answers that fell back.
        min_fetched_share: The least share of the treatment's answers that came from its own parameters.
        max_failed_share: The largest share of the client's requests that got no answer.
        latency_factor: How many times control's p50 and p99 the treatment's may be …
        latency_allowance_ms: … and how much more on top of that.
        min_split_p_value: A split less likely than this is a fault, not chance.
        max_count_difference: How far the log may be from the client's own count.
        max_hour_difference: The same for a single hour or day, whose edges two clocks never cut alike.
        max_clock_offset_s: How far two clocks may be apart, in seconds.
        max_hour_gain: How much better the hours of day may fit training's when they are shifted by whole hours.
        max_null_share: The largest share of exposures without a value for an input.
        max_nullable_null_share: The same for an input that may be null: all null is a fault there, too.
        max_null_increase: How much more often than in training an input that may be null is null.
        max_unknown_share: The largest share of a category's values that training never saw.
        max_input_index: How far an input's distribution may have moved from training's (stability index).
        max_default_increase: How much more often than in training the most frequent value of an input occurs.
        max_stability_index: How far the scores' distribution may have moved (stability index).
        max_score_distance: The same as Kolmogorov–Smirnov's distance.
        max_score_difference: How far a score computed again may be from the one served (for ONNX at least 1e-6).
        min_outcome_share: The least share of the exposures whose outcome arrived.
        max_label_distance: How far the labels' delays may be from training's, as Kolmogorov–Smirnov's distance.
        max_calibration_error: How far predicted and observed positives may differ, beyond chance, as a share.
        max_spend_increase: How much more (or less) the treatment may spend per unit than control, as a share.
        alpha: One less the confidence of the bounds of calibration and spend.
        not_asked: Probes that the team decided not to ask; the report says so.
        label: The outcomes' column with the label; the model's target when empty.
        label_time: The column with the moment the label arrived; the model's when empty.
        counted_where: A column of the outcomes that is true where the label means anything; `won` when empty.
        spend: The outcomes' column with what is spent; `spend`, or without one the exposures are counted.
    """

    days_required: float = 1.0
    max_quiet_hours: float = 6.0
    exposures_required: int = 100
    max_training_age_days: float = 45.0
    max_failed_training_runs: int = 0
    max_label_growth: float = 0.02
    max_late_label_share: float = 0.1
    max_fallback_rate: float = 0.01
    min_fetched_share: float = 0.99
    max_failed_share: float = 0.001
    latency_factor: float = 1.5
    latency_allowance_ms: float = 5.0
    min_split_p_value: float = SRM_THRESHOLD
    max_count_difference: float = 0.001
    max_hour_difference: float = 0.05
    max_clock_offset_s: float = 300.0
    max_hour_gain: float = 0.1
    max_null_share: float = 0.01
    max_nullable_null_share: float = 0.9
    max_null_increase: float = 0.2
    max_unknown_share: float = 0.05
    max_input_index: float = 0.5
    max_default_increase: float = 0.3
    max_stability_index: float = 0.25
    max_score_distance: float = 0.2
    max_score_difference: float = 1e-9
    min_outcome_share: float = 0.95
    max_label_distance: float = 0.2
    max_calibration_error: float = 0.2
    max_spend_increase: float = 0.3
    alpha: float = 0.001
    not_asked: tuple[str, ...] = ()
    label: str = ""
    label_time: str = ""
    counted_where: str = ""
    spend: str = ""


def thresholds_text() -> str:
    """The file `playbook/check.toml` as a new workspace has it: every default, said and commented out."""
    said = {name.strip(): text for name, _, text in (line.partition(": ") for line in _said_lines())}
    lines = ["# What A/B 1 allows (docs/ab-check.md). Take away the # of a line to decide otherwise.", ""]
    for one in fields(Thresholds):
        value = list(one.default) if isinstance(one.default, tuple) else one.default
        lines += [f"# {said[one.name]}", f"# {one.name} = {json.dumps(value)}"]
    return "\n".join(lines) + "\n"


def _said_lines() -> list[str]:
    """What each threshold means, one line each, out of the docstring that says it once."""
    text = (Thresholds.__doc__ or "").partition("Args:\n")[2]
    return [line for line in text.splitlines() if line.strip()]


def thresholds_of(values: Mapping[str, object], probes: Sequence[str] = ()) -> Thresholds:
    """Thresholds from a team's own table; what it does not name keeps its default.

    Args:
        values: The table.
        probes: The names that `not_asked` may hold; any name when empty.

    Raises:
        Invalid: Naming every entry that is unknown, or not of the kind it should be.
    """
    known = {one.name for one in fields(Thresholds)}
    faults = [Fault(name, "is no threshold", ", ".join(sorted(known))) for name in values if name not in known]
    read: dict[str, Any] = {}
    for name, value in values.items():
        fault = _fault(name, value, probes)
        if fault is not None and name in known:
            faults.append(fault)
        read[name] = tuple(value) if isinstance(value, list) else value
    if faults:
        raise Invalid("the thresholds of A/B 1 cannot be used", faults)
    return Thresholds(**read)


def _fault(name: str, value: object, probes: Sequence[str]) -> Fault | None:
    if name == "not_asked":
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            return Fault(name, said("{value!r} is no list of probes", value=value), '["guardrail"]')
        strangers = [one for one in value if probes and one not in probes]
        return (
            Fault(name, said("there is no probe {strangers}", strangers=tuple(strangers)), ", ".join(probes))
            if strangers
            else None
        )
    if name in _TEXTS:
        return (
            None
            if isinstance(value, str)
            else Fault(name, said("{value!r} is no column", value=value), 'a text in "quotes"')
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
        return Fault(name, said("{value!r} is no threshold", value=value), "a number, 0 or more")
    if name == "alpha" and not 0 < value < 1:
        return Fault(name, said("{value!r} is no error rate", value=value), "between 0 and 1")
    return None
