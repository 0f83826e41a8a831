"""What is registered before an A/B 2 and reported after it, as the records that a hand-off carries."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasuki.errors import Fault
from tasuki.experiments.assignment import split_of
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.design import Design
from tasuki.experiments.sizing import Baseline, Wish, achieved_power, size_experiment
from tasuki.flow.records import (
    ArmCount,
    ArmShare,
    ComparisonReport,
    ConcernNote,
    Effect,
    ExperimentPlan,
    Ground,
    PlannedMetric,
    Recommendation,
    SplitCheck,
)
from tasuki.stats.concern import Concern

SEQUENTIAL = ("sequential", "always-valid", "always valid", "逐次")
"""Words in a stop rule that say that people will look before the end, with intervals made for it."""

_REPORTED = tuple(Effect.__dataclass_fields__)


@dataclass(frozen=True)
class PlanRequest:
    """What somebody wants to register.

    Args:
        experiment: Its name.
        model: The model whose traffic is split.
        primary: The declared metric that decides.
        guardrails: By metric, the loss that is accepted, as a share of control.
        minimal_detectable_effect: The smallest effect worth finding, as a share of control.
        rule: When it is shipped.
        stop_rule: When it ends, and whether anyone may look before (a sequential rule says so).
        interactions: Other experiments on the same units, and what they may do to this one.
        secondary: Metrics that inform.
        arms: Share of the units by arm, control first.
        power: Chance to find the effect.
        alpha: Two-sided level.
        days: How long it shall run; as long as the effect needs, in whole weeks, when None.
        units_per_day: Units that take part each day; learnt from the primary metric's table when None.
        salt: What units are hashed with; the experiment's name when empty.
    """

    experiment: str
    model: str
    primary: str
    guardrails: Mapping[str, float]
    minimal_detectable_effect: float
    rule: str
    stop_rule: str
    interactions: str
    secondary: tuple[str, ...] = ()
    arms: Mapping[str, float] = field(default_factory=lambda: {"control": 0.5, "treatment": 0.5})
    power: float = 0.8
    alpha: float = 0.05
    days: int | None = None
    units_per_day: float | None = None
    salt: str = ""

    def faults(self) -> list[Fault]:
        """What cannot be registered, apart from what sizing says."""
        texts = ("experiment", "model", "primary", "rule", "stop_rule", "interactions")
        found = [Fault(name, "missing", "a text") for name in texts if not str(getattr(self, name)).strip()]
        if self.days is not None and self.days < 1:
            found.append(Fault("days", f"{self.days} is no duration", "1 or more"))
        if not 0 < self.minimal_detectable_effect < float("inf"):
            found.append(Fault("mde", f"{self.minimal_detectable_effect:g} is no effect", "a share of control above 0"))
        for name, margin in self.guardrails.items():
            if not 0 < margin < float("inf"):
                found.append(Fault(f"guardrail {name}", f"{margin:g} is no margin", "a share of control above 0"))
        names = [self.primary, *self.secondary, *self.guardrails]
        found.extend(
            Fault(name, "is named in more than one role", "each metric once")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        )
        return found


def experiment_plan(request: PlanRequest, baseline: Baseline, units_per_day: float) -> ExperimentPlan:
    """The registered plan: units and days that the effect needs, or the power that the days asked for give.

    Raises:
        Invalid: What cannot be planned, every fault at once.
    """
    split_of(request.arms)
    shares = tuple(request.arms.values())
    effect = request.minimal_detectable_effect
    wish = Wish(effect, True, request.power, request.alpha, shares, units_per_day=units_per_day)
    sized = size_experiment(baseline, wish)
    days, power, units = request.days, request.power, sized.units
    if days is None:
        days = sized.whole_weeks_days or 7
    elif days < (sized.days or days):
        # Shorter than the effect needs: what is registered is the power that is really there.
        units = max(4, int(units_per_day * days))
        power = achieved_power(baseline, wish, units)
    return ExperimentPlan(
        experiment=request.experiment,
        kind="comparison",
        unit="unit",
        salt=request.salt or request.experiment,
        arms=tuple(ArmShare(name, share) for name, share in request.arms.items()),
        metrics=(
            PlannedMetric(request.primary, "primary"),
            *(PlannedMetric(name, "secondary") for name in request.secondary),
            *(PlannedMetric(name, "guardrail", margin) for name, margin in request.guardrails.items()),
        ),
        minimal_detectable_effect=effect,
        power=power,
        alpha=request.alpha,
        units_needed=units,
        days=days,
        rule=request.rule,
        stop_rule=request.stop_rule,
        interactions=request.interactions,
    )


def design_of(plan: ExperimentPlan, prior: float | None, days: float) -> Design:
    """How a comparison is judged under its registered plan."""
    base = Design()
    is_sequential = any(word in plan.stop_rule.lower() for word in SEQUENTIAL)
    return Design(
        control=plan.arms[0].name,
        shares={arm.name: arm.share for arm in plan.arms},
        alpha=plan.alpha,
        sequential=is_sequential,
        tuning=plan.units_needed,
        prior=base.prior if prior is None or not 0 < prior < 1 else prior,
        power=plan.power,
        primary=tuple(one.name for one in plan.metrics if one.role == "primary"),
        mde=plan.minimal_detectable_effect,
        days=days,
    )


def early_look(plan: ExperimentPlan, design: Design) -> tuple[Concern, ...]:
    """The doubt that somebody looked before the end that the rule set."""
    ran = design.days or 0.0
    if design.sequential or ran >= plan.days - 1e-9:
        return ()
    message = (
        f"This is a look after {ran:.1f} of {plan.days} days, and the stop rule allows none: intervals and p-values "
        "are for one look at the end."
    )
    return (
        Concern(
            "look_outside_rule", "error", message, {"ran_days": ran, "planned_days": plan.days, "case": "before_end"}
        ),
    )


def comparison_report(plan: ExperimentPlan, comparison: Comparison, days: float) -> ComparisonReport:
    """The comparison as the record that the hand-off carries."""
    return ComparisonReport(
        experiment=plan.experiment,
        days=days,
        arms=tuple(ArmCount(arm.name, arm.units) for arm in comparison.arms),
        srm=SplitCheck(comparison.srm.p_value, dict(comparison.srm.expected), comparison.srm.passed),
        results=tuple(Effect(**{name: getattr(one, name) for name in _REPORTED}) for one in comparison.results),
        concerns=tuple(ConcernNote(one.code, one.severity, one.message, one.values) for one in comparison.concerns),
        recommendation=Recommendation(
            comparison.recommendation.decision,
            comparison.recommendation.reasons,
            comparison.recommendation.false_win_risk,
            comparison.recommendation.extend_days,
            tuple(Ground(one.code, dict(one.values)) for one in comparison.recommendation.grounds),
        ),
    )
