"""What a person makes of a recommendation: the decision's record, filled from the report, with what differs kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasuki.errors import Fault, Invalid, said
from tasuki.flow.records import ComparisonReport, Decision, Effect, ExperimentPlan

Choice = Literal["ship", "do_not_ship", "extend"]


@dataclass(frozen=True)
class DecisionRequest:
    """What a person decides on an A/B 2.

    Args:
        experiment: Its name.
        decision: `ship`, `do_not_ship` or `extend`.
        reason: Why, in that person's words; most of all where it is not what was recommended.
        monitoring_owner: The member who watches over it from now on.
        clean_up: What is to be cleaned up.
        clean_up_done: Whether it is.
        clean_up_due: Until when, if it is not.
    """

    experiment: str
    decision: Choice
    reason: str
    monitoring_owner: str
    clean_up: str
    clean_up_done: bool = False
    clean_up_due: date | None = None

    def faults(self, members: Sequence[str]) -> list[Fault]:
        """What cannot be recorded."""
        found = [
            Fault(name, "missing", "a text")
            for name in ("experiment", "reason", "monitoring_owner", "clean_up")
            if not str(getattr(self, name)).strip()
        ]
        if self.monitoring_owner.strip() and self.monitoring_owner not in members:
            found.append(
                Fault(
                    "monitoring_owner",
                    said("{monitoring_owner} is no member", monitoring_owner=self.monitoring_owner),
                    ", ".join(members),
                )
            )
        if not self.clean_up_done and self.clean_up_due is None:
            found.append(Fault("clean_up", "is neither done nor dated", "done, or a day until which it is"))
        return found


def decision_on(
    report: ComparisonReport, plan: ExperimentPlan | None, request: DecisionRequest, prior: float | None
) -> Decision:
    """The record of a decision: what was recommended and on which effect stand beside what was decided.

    Args:
        report: The comparison that it is decided on.
        plan: What was registered; its primary metric is the one that is named.
        request: What was decided.
        prior: The chance that the hypothesis brief gave to a gain; one half where it gave none.

    Raises:
        Invalid: The report holds no effect over all units.
    """
    effect = _primary(report, plan)
    chance = 0.5 if prior is None else prior
    surprise = 1 - chance if _is_gain(effect, plan) else chance
    return Decision(
        decision=request.decision,
        reason=request.reason.strip(),
        recommended=report.recommendation.decision,
        metric=effect.metric,
        effect=effect.effect,
        effect_low=effect.effect_low,
        effect_high=effect.effect_high,
        false_win_risk=report.recommendation.false_win_risk,
        surprise=round(surprise, 6),
        monitoring_owner=request.monitoring_owner,
        clean_up=request.clean_up.strip(),
        clean_up_done=request.clean_up_done,
        clean_up_due=request.clean_up_due,
    )


def _primary(report: ComparisonReport, plan: ExperimentPlan | None) -> Effect:
    names = [one.name for one in plan.metrics if one.role == "primary"] if plan else []
    whole = [one for one in report.results if one.segment is None]
    named = [one for one in whole if one.metric in names] or whole
    if not named:
        raise Invalid("nothing can be decided on", [Fault("report", "holds no effect over all units")])
    return named[0]


def _is_gain(effect: Effect, plan: ExperimentPlan | None) -> bool:
    alpha = plan.alpha if plan else 0.05
    if effect.effect is None or effect.p_value_adjusted is None or effect.p_value_adjusted >= alpha:
        return False
    return effect.effect < 0 if effect.direction == "decrease" else effect.effect > 0
