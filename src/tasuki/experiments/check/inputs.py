"""Probes of the features: they are there, and their values are those that training knew."""

from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import InputSeen, ValuesSeen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.flow.records import Probe


def features_present(case: Case) -> Probe:
    """Does every input arrive, and is it null about as often as in training?"""
    limits = case.limits
    ask = Question(
        "features_present",
        f"each input is absent or null in at most {limits.max_null_share:.2%} of the exposures (null in at most "
        f"{limits.max_nullable_null_share:.0%}, and {limits.max_null_increase:.0%} more than in training, where the "
        "model allows null)",
    )
    if not any(one.exposures for one in case.seen.inputs):
        return ask.no_data("the inputs of a model that can be read" if case.seen.exposures else "any arm")
    faults, worst, kind = [], 0.0, ""
    for one in case.seen.inputs:
        absent, null = (share_of(count, one.exposures) or 0.0 for count in (one.absent, one.null))
        worst = max(worst, absent if one.nullable else absent + null)
        if absent > limits.max_null_share or absent + null > _null_allowed(one, limits):
            renamed = f"; {one.renamed} is there instead" if one.renamed else ""
            faults.append(f"{one.arm}: {one.name} is absent in {absent:.2%} and null in {null:.2%}{renamed}")
            kind = "feature_renamed" if one.renamed or kind == "feature_renamed" else "feature_missing"
    if faults:
        return ask.failed(kind, worst, listed(faults))
    return ask.passed(worst, f"{len({one.name for one in case.seen.inputs})} inputs are there")


def _null_allowed(one: InputSeen, limits: Thresholds) -> float:
    if not one.nullable:
        return limits.max_null_share
    if one.expected_null is None:
        return limits.max_nullable_null_share
    return min(limits.max_nullable_null_share, one.expected_null + limits.max_null_increase)


def features_as_trained(case: Case) -> Probe:
    """Are the inputs' values those of training? If not: exchanged, relabelled, unknown, or stuck at a default?"""
    limits = case.limits
    ask = Question(
        "features_as_trained",
        f"each input: stability index at most {limits.max_input_index:g}, at most {limits.max_unknown_share:.0%} "
        f"unknown values, no value {limits.max_default_increase:.0%} more frequent than in training",
    )
    seen = case.seen.values
    if seen is None or not any(one.rows for one in seen):
        return ask.no_data(case.seen.values_fault or "the inputs' values" if case.seen.exposures else "any arm")
    worst = max(seen, key=lambda one: one.index)
    faults = [(fault, told) for one in seen for fault, told in [_values_fault(one, limits)] if fault]
    if faults:
        kind = next(kind for kind in _NAMED_FIRST if any(kind == fault for fault, _ in faults))
        return ask.failed(kind, worst.index, listed(told for fault, told in sorted(faults, key=lambda f: f[0] != kind)))
    return ask.passed(worst.index, f"{len(seen)} inputs; the most moved is {worst.name} with {worst.index:.3f}")


_NAMED_FIRST = ("columns_exchanged", "category_map_other", "value_default", "values_unknown", "values_moved")


def _values_fault(one: ValuesSeen, limits: Thresholds) -> tuple[str, str]:
    is_unknown = one.unknown_share > limits.max_unknown_share
    has_moved = one.index > limits.max_input_index
    if (is_unknown or has_moved) and one.looks_like:
        return "columns_exchanged", f"{one.name} holds the values that training knew as {one.looks_like}"
    if one.top_share - one.top_expected > limits.max_default_increase:
        said = f"{one.name} is {one.top_value!r} in {one.top_share:.1%} of the exposures, {one.top_expected:.1%} before"
        return "value_default", said
    if is_unknown:
        return "values_unknown", f"{one.unknown_share:.1%} of {one.name} are values that training never saw"
    if has_moved and one.is_relabelled:
        return "category_map_other", f"the shares of {one.name} are those of training, under other names"
    if has_moved:
        return "values_moved", f"{one.name} has an index of {one.index:.2f}"
    return "", ""
