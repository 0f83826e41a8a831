"""Probes of the features: they are there, and their values are those that training knew."""

from tasuki.errors import said
from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import InputSeen, ValuesSeen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.flow.records import Probe


def features_present(case: Case) -> Probe:
    """Does every input arrive, and is it null about as often as in training?"""
    limits = case.limits
    ask = Question(
        "features_present",
        said(
            "each input is absent or null in at most {max_null_share:.2%} of the exposures (null in at "
            "most {max_nullable_null_share:.0%}, and {max_null_increase:.0%} more than in training, "
            "where the model allows null)",
            max_null_share=limits.max_null_share,
            max_nullable_null_share=limits.max_nullable_null_share,
            max_null_increase=limits.max_null_increase,
        ),
    )
    if not any(one.exposures for one in case.seen.inputs):
        return ask.no_data(said("the inputs of a model that can be read") if case.seen.exposures else said("any arm"))
    faults, worst, kind = [], 0.0, ""
    for one in case.seen.inputs:
        absent, null = (share_of(count, one.exposures) or 0.0 for count in (one.absent, one.null))
        worst = max(worst, absent if one.nullable else absent + null)
        if absent > limits.max_null_share or absent + null > _null_allowed(one, limits):
            renamed = said("; {renamed} is there instead", renamed=one.renamed) if one.renamed else ""
            faults.append(
                said(
                    "{arm}: {name} is absent in {absent:.2%} and null in {null:.2%}{renamed}",
                    arm=one.arm,
                    name=one.name,
                    absent=absent,
                    null=null,
                    renamed=renamed,
                )
            )
            kind = "feature_renamed" if one.renamed or kind == "feature_renamed" else "feature_missing"
    if faults:
        return ask.failed(kind, worst, listed(faults))
    return ask.passed(worst, said("{count} inputs are there", count=len({one.name for one in case.seen.inputs})))


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
        said(
            "each input: stability index at most {max_input_index:g}, at most {max_unknown_share:.0%} "
            "unknown values, no value {max_default_increase:.0%} more frequent than in training",
            max_input_index=limits.max_input_index,
            max_unknown_share=limits.max_unknown_share,
            max_default_increase=limits.max_default_increase,
        ),
    )
    seen = case.seen.values
    if seen is None or not any(one.rows for one in seen):
        return ask.no_data(
            case.seen.values_fault or said("the inputs' values") if case.seen.exposures else said("any arm")
        )
    worst = max(seen, key=lambda one: one.index)
    silent = tuple(one.name for one in seen if not one.rows)
    faults = [(fault, told) for one in seen if one.rows for fault, told in [_values_fault(one, limits)] if fault]
    if faults:
        kind = next(kind for kind in _NAMED_FIRST if any(kind == fault for fault, _ in faults))
        return ask.failed(kind, worst.index, listed(told for fault, told in sorted(faults, key=lambda f: f[0] != kind)))
    if silent:
        return ask.no_data(said("the values of {silent}", silent=silent))
    return ask.passed(
        worst.index,
        said(
            "{count} inputs; the most moved is {name} with {index:.3f}",
            count=len(seen),
            name=worst.name,
            index=worst.index,
        ),
    )


_NAMED_FIRST = ("columns_exchanged", "category_map_other", "value_default", "values_unknown", "values_moved")


def _values_fault(one: ValuesSeen, limits: Thresholds) -> tuple[str, str]:
    is_unknown = one.unknown_share > limits.max_unknown_share
    has_moved = one.index > limits.max_input_index
    if (is_unknown or has_moved) and one.looks_like:
        return "columns_exchanged", said(
            "{name} holds the values that training knew as {looks_like}", name=one.name, looks_like=one.looks_like
        )
    if one.top_share - one.top_expected > limits.max_default_increase:
        stuck = said(
            "{name} is {top_value!r} in {top_share:.1%} of the exposures, {top_expected:.1%} before",
            name=one.name,
            top_value=one.top_value,
            top_share=one.top_share,
            top_expected=one.top_expected,
        )
        return "value_default", stuck
    if is_unknown:
        return "values_unknown", said(
            "{unknown_share:.1%} of {name} are values that training never saw",
            unknown_share=one.unknown_share,
            name=one.name,
        )
    if has_moved and one.is_relabelled:
        return "category_map_other", said(
            "the shares of {name} are those of training, under other names", name=one.name
        )
    if has_moved:
        return "values_moved", said("{name} has an index of {index:.2f}", name=one.name, index=one.index)
    return "", ""
