"""What the rule says: ship, do not ship, extend, or that nobody can tell. A person decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tasuki.experiments.comparison import Decision, Recommendation, Result
from tasuki.experiments.design import Design
from tasuki.stats.concern import Concern
from tasuki.stats.distributions import normal_quantile
from tasuki.stats.false_win import false_win_risk


@dataclass(frozen=True)
class _Verdict:
    result: Result
    state: str


def recommend(results: Sequence[Result], concerns: Sequence[Concern], design: Design) -> Recommendation:
    """The recommendation over all units (segments inform, they do not decide).

    The rule: with an error among the concerns nobody can tell. A significant harm in a metric that decides, or a
    guardrail that is worse by more than its margin, means do not ship. A significant gain whose guardrails all hold
    means ship; with an open guardrail it means extend. Without a gain: do not ship when an effect worth finding is
    excluded or the planned power was reached, extend when at most as many days again would reach it, and otherwise
    nobody can tell. Significant is an adjusted p-value below alpha; with several treatment arms it is asked whether
    there is an arm of which this is true.
    """
    errors = [one for one in concerns if one.severity == "error"]
    if errors:
        said = tuple(f"{one.message}" for one in errors)
        return Recommendation("cannot_tell", ("The data cannot answer.", *said), None)
    arms = dict.fromkeys(one.treatment_arm for one in results)
    each = [_of_arm(arm, [_verdict(one, design) for one in results if _counts(one, arm)], design) for arm in arms]
    order = ("ship", "extend", "cannot_tell", "do_not_ship")
    best = min(each, key=lambda one: order.index(one.decision))
    if len(each) == 1:
        return best
    others = [reason for one in each if one is not best for reason in one.reasons]
    return Recommendation(best.decision, (*best.reasons, *others), best.false_win_risk)


def _counts(one: Result, arm: str) -> bool:
    return one.segment is None and one.treatment_arm == arm


def _verdict(one: Result, design: Design) -> _Verdict:
    if one.effect is None or one.effect_low is None or one.effect_high is None:
        return _Verdict(one, "unknown")
    gain, low, high = one.effect, one.effect_low, one.effect_high
    if one.direction == "decrease":
        gain, low, high = -gain, -high, -low
    if one.margin is not None:
        return _Verdict(one, "holds" if low > -one.margin else "broken" if high < -one.margin else "open")
    p = one.p_value_adjusted
    if p is None or p >= design.alpha:
        return _Verdict(one, "undecided")
    return _Verdict(one, "gain" if gain > 0 else "harm")


def _of_arm(arm: str, verdicts: Sequence[_Verdict], design: Design) -> Recommendation:
    reasons = tuple(f"{arm}: {_in_words(one)}" for one in verdicts)
    deciding = [one for one in verdicts if one.result.margin is not None or design.decides(one.result.metric)]
    states = {one.state for one in deciding}
    if states & {"harm", "broken"}:
        return Recommendation("do_not_ship", reasons, None)
    if "gain" not in states:
        undecided = next((one.result for one in deciding if one.state == "undecided"), None)
        decision, why = _without_gain(undecided, design)
        return Recommendation(decision, (*reasons, f"{arm}: {why}"), None)
    risk = false_win_risk(design.alpha, design.power, design.prior)
    return Recommendation("extend" if states & {"open", "unknown"} else "ship", reasons, risk)


def _without_gain(one: Result | None, design: Design) -> tuple[Decision, str]:
    if one is None or design.mde is None or one.relative_low is None or one.relative_high is None:
        return "cannot_tell", "neither a gain nor a harm is shown."
    best = -one.relative_low if one.direction == "decrease" else one.relative_high
    if best < abs(design.mde):
        return "do_not_ship", f"an effect worth finding ({abs(design.mde):.3g}) is excluded."
    # The interval spans twice the critical value in standard errors; the plan needs that and the power's share.
    z = normal_quantile(1 - design.alpha / 2)
    wanted = abs(design.mde) / (z + normal_quantile(design.power))
    times = ((one.relative_high - one.relative_low) / (2 * z) / wanted) ** 2
    if times <= 1:
        return "do_not_ship", "the planned power was reached and no gain was shown."
    if design.days is None:
        return "cannot_tell", f"{times:.1f} times as many units would be needed to tell."
    more = 7 * ceil(design.days * (times - 1) / 7)
    if more > max(design.days, 7):
        return "cannot_tell", f"{more} more days would be needed to tell."
    return "extend", f"{more} more days would tell."


def _in_words(verdict: _Verdict) -> str:
    one = verdict.result
    if one.relative is not None:
        size = f"{one.metric} {one.relative:+.3%}"
    else:
        size = f"{one.metric} {one.effect:+.4g}" if one.effect is not None else one.metric
    p = "" if one.p_value_adjusted is None else f" (adjusted p {one.p_value_adjusted:.2g})"
    return {
        "gain": f"{size} is a significant gain{p}.",
        "harm": f"{size} is a significant harm{p}.",
        "undecided": f"{size} may be chance{p}.",
        "holds": f"the guardrail {size} is not worse by its margin.",
        "broken": f"the guardrail {size} is worse by more than its margin.",
        "open": f"the guardrail {size} may be worse by its margin; more units would tell.",
        "unknown": f"{one.metric} has no interval.",
    }[verdict.state]
