"""What the rule says: ship, do not ship, extend, or that nobody can tell. A person decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any

from tasuki.experiments.comparison import Decision, Recommendation, Result
from tasuki.experiments.design import Design
from tasuki.experiments.reasons import Reason, reason_text
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
    there is an arm of which this is true. Of several such arms the one is meant whose primary metric has the best
    lower bound.
    """
    errors = [one for one in concerns if one.severity == "error"]
    if errors:
        said = (Reason("concern", {"message": one.message, "code": one.code, **_named(one)}) for one in errors)
        return _recommendation("cannot_tell", (Reason("data_cannot_answer"), *said))
    arms = dict.fromkeys(one.treatment_arm for one in results)
    verdicts = {arm: [_verdict(one, design) for one in results if _counts(one, arm)] for arm in arms}
    each = {arm: _of_arm(arm, found, design) for arm, found in verdicts.items()}
    order = ("ship", "extend", "cannot_tell", "do_not_ship")
    chosen = min(each, key=lambda arm: (order.index(each[arm].decision), -_lower_bound(verdicts[arm], design)))
    best = each[chosen]
    arm = chosen if best.decision in ("ship", "extend") else None
    others = [reason for name, one in each.items() if name != chosen for reason in one.grounds]
    outside = [Reason("outside_plan", one.values) for one in concerns if one.code == OUTSIDE]
    grounds = (*_only(arm, verdicts, design), *best.grounds, *others, *outside)
    found = _recommendation(best.decision, grounds, best.false_win_risk, best.extend_days)
    return replace(found, arm=arm)


OUTSIDE = "outside_the_plan"
"""The code of the concern that says where a comparison departs from what was registered."""


def _named(concern: Concern) -> Mapping[str, Any]:
    """What a report needs to tell the concern in another language."""
    return {"values": dict(concern.values)} if concern.values else {}


def _recommendation(
    decision: Decision, grounds: Sequence[Reason], risk: float | None = None, extend_days: int | None = None
) -> Recommendation:
    return Recommendation(decision, tuple(map(reason_text, grounds)), risk, extend_days, tuple(grounds))


def _deciding(verdicts: Sequence[_Verdict], design: Design) -> list[_Verdict]:
    return [one for one in verdicts if one.result.margin is not None or design.decides(one.result.metric)]


def _lower_bound(verdicts: Sequence[_Verdict], design: Design) -> float:
    """The least gain of the first metric that decides: as a share of control, or in its unit where there is none."""
    for one in (one.result for one in verdicts if one.result.margin is None and design.decides(one.result.metric)):
        low, high = (one.effect_low, one.effect_high) if one.relative is None else (one.relative_low, one.relative_high)
        least = low if one.direction == "increase" else None if high is None else -high
        return -inf if least is None else least
    return -inf


def _only(arm: str | None, verdicts: Mapping[str, Sequence[_Verdict]], design: Design) -> tuple[Reason, ...]:
    """That other arms do harm, so that nobody takes the recommendation for one of the whole idea."""
    harmful = [
        name for name, found in verdicts.items() if {one.state for one in _deciding(found, design)} & {"harm", "broken"}
    ]
    return (Reason("only_arm", {"arm": arm, "others": ", ".join(harmful)}),) if arm and harmful else ()


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
    reasons = tuple(_reason(one, arm) for one in verdicts)
    deciding = _deciding(verdicts, design)
    states = {one.state for one in deciding}
    if states & {"harm", "broken"}:
        return _recommendation("do_not_ship", reasons)
    if "gain" not in states:
        undecided = next((one.result for one in deciding if one.state == "undecided"), None)
        decision, code, values = _without_gain(undecided, design)
        days = values.get("days") if decision == "extend" else None
        return _recommendation(decision, (*reasons, Reason(code, {"arm": arm, **values})), None, days)
    risk = false_win_risk(design.alpha, design.power, design.prior)
    if not states & {"open", "unknown"}:
        return _recommendation("ship", reasons, risk)
    needed = [(one.result.metric, days) for one in deciding if (days := _guardrail_days(one, design)) is not None]
    more = tuple(Reason("guardrail_days", {"arm": arm, "metric": name, "days": days}) for name, days in needed)
    longest = max((days for _, days in needed), default=None)
    return _recommendation("extend", (*reasons, *more), risk, longest)


def _guardrail_days(verdict: _Verdict, design: Design) -> int | None:
    """Days until an open guardrail's interval would lie above its margin, were its effect as it is seen now."""
    one = verdict.result
    if verdict.state != "open" or design.days is None or one.margin is None:
        return None
    if one.effect is None or one.effect_low is None or one.effect_high is None:
        return None
    falls = one.direction == "decrease"
    gain, worst = (-one.effect, -one.effect_high) if falls else (one.effect, one.effect_low)
    room, half = gain + one.margin, gain - worst
    if room <= 0:
        return None
    more = _whole_weeks(design.days * ((half / room) ** 2 - 1))
    return more if more <= max(design.days, DAYS_IN_WEEK) else None


def _without_gain(one: Result | None, design: Design) -> tuple[Decision, str, dict[str, Any]]:
    if one is None or design.mde is None or one.relative_low is None or one.relative_high is None:
        return "cannot_tell", "nothing_shown", {}
    best = -one.relative_low if one.direction == "decrease" else one.relative_high
    if best < abs(design.mde):
        return "do_not_ship", "effect_excluded", {"mde": abs(design.mde)}
    # The interval spans twice the critical value in standard errors; the plan needs that and the power's share.
    z = normal_quantile(1 - design.alpha / 2)
    wanted = abs(design.mde) / (z + normal_quantile(design.power))
    times = ((one.relative_high - one.relative_low) / (2 * z) / wanted) ** 2
    if times <= 1:
        return "do_not_ship", "power_reached", {}
    if design.days is None:
        return "cannot_tell", "units_needed", {"times": times}
    more = _whole_weeks(design.days * (times - 1))
    if more > max(design.days, DAYS_IN_WEEK):
        return "cannot_tell", "days_too_many", {"days": more}
    return "extend", "days_would_tell", {"days": more}


DAYS_IN_WEEK = 7


def _whole_weeks(days: float) -> int:
    return DAYS_IN_WEEK * max(1, ceil(days / DAYS_IN_WEEK))


def _reason(verdict: _Verdict, arm: str) -> Reason:
    one = verdict.result
    # A share without an interval is withheld in tables, as control is too near 0 for it: the difference is told.
    share = None if one.relative_low is None and one.relative_high is None else one.relative
    values = {"metric": one.metric, "relative": share, "effect": one.effect, "margin": one.margin}
    return Reason(verdict.state, {"arm": arm, **values, "p_value_adjusted": one.p_value_adjusted})
