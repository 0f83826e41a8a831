"""Probes of the split: enough traffic, in the shares designed, each unit in the arm of its hash and in no other."""

from math import isnan

from tasuki.errors import joined, said
from tasuki.experiments.check.case import Case, Question, share_of
from tasuki.flow.records import Probe
from tasuki.stats.split import split_p_value

_NEARLY_ALL = 0.95


def volume(case: Case) -> Probe:
    """Are there enough exposures in each arm to prove anything?"""
    ask = Question(
        "volume",
        said(
            "at least {exposures_required:,} exposures in each arm", exposures_required=case.limits.exposures_required
        ),
    )
    counts = {arm: case.seen.arms[arm].exposures if arm in case.seen.arms else 0 for arm in case.design}
    if not case.seen.exposures:
        return ask.no_data(said("any arm"))
    fewest = min(counts.values())
    told = joined([said("{arm} {count:,}", arm=arm, count=count) for arm, count in counts.items()], ", ")
    return ask.judged("volume_low" if fewest < case.limits.exposures_required else "", float(fewest), told)


def split(case: Case) -> Probe:
    """Are the arms as large as designed, and are there no others?"""
    ask = Question(
        "split",
        said("p-value of the split at least {min_split_p_value:g}", min_split_p_value=case.limits.min_split_p_value),
    )
    counts = {arm: case.seen.arms[arm].units if arm in case.seen.arms else 0 for arm in case.design}
    p_value = split_p_value(list(counts.values()), [one.share for one in case.design.values()])
    if isnan(p_value):
        return ask.no_data(said("any arm"))
    strangers = sorted(set(case.seen.arms) - set(case.design))
    told = joined(
        [
            said("{arm} {count:,} units for a share of {share:g}", arm=arm, count=count, share=case.design[arm].share)
            for arm, count in counts.items()
        ],
        ", ",
    )
    if strangers:
        told = joined([told, said("arms that were not designed: {strangers}", strangers=tuple(strangers))])
    is_wrong = p_value < case.limits.min_split_p_value or bool(strangers)
    return ask.judged("split_wrong" if is_wrong else "", p_value, told)


def assignment_recomputed(case: Case) -> Probe:
    """Is every unit in the arm that its hash gives? If not: swapped, stuck in an older split, or stuck in one arm?"""
    ask = Question("assignment_recomputed", said("every unit is in the arm that salt and shares give it"))
    wrong, units = case.seen.misassigned_units, case.seen.units
    share = share_of(wrong, units)
    if share is None:
        return ask.no_data(said("any arm"))
    told = said(
        "{wrong:,} of {units:,} units were answered in another arm than their hash says", wrong=wrong, units=units
    )
    if not wrong:
        return ask.passed(share, told)
    fault, how = _how_assigned(case)
    return ask.failed(fault, share, said("{told}{how}", told=told, how=how))


def _how_assigned(case: Case) -> tuple[str, str]:
    seen = case.seen
    if seen.earlier_experiment:
        return "unit_sticks", said(
            ", which is their arm of {earlier_experiment}", earlier_experiment=seen.earlier_experiment
        )
    if seen.misassigned_units > _NEARLY_ALL * seen.units:
        return "arms_exchanged", said(": nearly all of them")
    to = {one.logged for one in seen.moved if one.units}
    if len(to) == 1:
        return "unit_sticks", said(", all of them in {to}", to=to.pop())
    return "assignment_other", ""


def units_in_one_arm(case: Case) -> Probe:
    """Does a unit stay in its arm?"""
    ask = Question("units_in_one_arm", said("no unit is in two arms"))
    several = case.seen.units_in_several_arms
    share = share_of(several, case.seen.units)
    if share is None:
        return ask.no_data(said("any arm"))
    told = said(
        "{several:,} of {units:,} units were answered in more than one arm", several=several, units=case.seen.units
    )
    return ask.judged("unit_in_two_arms" if several else "", share, told)
