"""What is registered before an A/B 2 and reported after it, as the records that a hand-off carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.aa import AAResult
from tasuki.experiments.assignment import split_of
from tasuki.experiments.comparison import Arm, Comparison, Result, SplitTest
from tasuki.experiments.comparison import Recommendation as Said
from tasuki.experiments.daily import DayEffect
from tasuki.experiments.departures import OtherQuestion, fingerprint_of
from tasuki.experiments.design import TYPICAL_SOURCE, Adjustment, Design
from tasuki.experiments.holidays import Holiday, planned_window
from tasuki.experiments.prior import Prior
from tasuki.experiments.reasons import Reason
from tasuki.experiments.sizing import LONGEST_DAYS, Baseline, Looking, Wish, achieved_power, size_experiment
from tasuki.flow.records import (
    AACheck,
    ArmCount,
    ArmShare,
    ComparisonReport,
    ConcernNote,
    Effect,
    EffectOfDay,
    ExperimentPlan,
    Ground,
    PlannedMetric,
    Recommendation,
    SplitCheck,
)
from tasuki.metrics.metric import Metric
from tasuki.stats.concern import Concern
from tasuki.stats.false_win import TYPICAL_PRIOR
from tasuki.texts import as_record

SEQUENTIAL = ("sequential", "always-valid", "always valid", "逐次")
"""Words in a stop rule that say that people will look before the end, with intervals made for it."""

Role = Literal["primary", "secondary", "guardrail"]

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
        adjust: How p-values are adjusted for several metrics and arms.
        sequential: How people may look before the end; `always_valid` also where the stop rule says so in words.
        looks: The planned looks of a group-sequential design, as shares of the units, the last one 1.
        segments: Columns by whose values the comparison is repeated.
        exclusions: Who or what is left out, in words.
        label_delay_days: Days until the last outcomes are known for good.
        first_day: The first day, where it is known.
        aa: How many times the past units are split to see whether the analysis can be trusted; 0 for not at all.
        baseline: The primary metric today, where no data says it; learnt from its table when None.
        variance: The variance of a unit beside a given baseline; a proportion has its own.
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
    adjust: Adjustment = "holm"
    sequential: Looking = "none"
    looks: tuple[float, ...] = ()
    segments: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    label_delay_days: int = 0
    first_day: date | None = None
    aa: int = 0
    baseline: float | None = None
    variance: float | None = None

    @property
    def looking(self) -> Looking:
        """How people may look, as said or as the stop rule's words say."""
        in_words = any(word in self.stop_rule.lower() for word in SEQUENTIAL)
        return "always_valid" if self.sequential == "none" and in_words else self.sequential

    def wish(self, units_per_day: float) -> Wish:
        """What is to be found, as sizing asks it."""
        return Wish(
            self.minimal_detectable_effect,
            True,
            self.power,
            self.alpha,
            tuple(self.arms.values()),
            units_per_day=units_per_day,
            looking=self.looking,
            looks=self.looks,
            label_delay_days=self.label_delay_days,
        )

    def faults(self) -> list[Fault]:
        """What cannot be registered, apart from what sizing says."""
        texts = ("experiment", "model", "primary", "rule", "stop_rule", "interactions")
        found = [Fault(name, "missing", "a text") for name in texts if not str(getattr(self, name)).strip()]
        if self.days is not None and self.days < 1:
            found.append(Fault("days", said("{days} is no duration", days=self.days), "1 or more"))
        if not 0 < self.minimal_detectable_effect < float("inf"):
            found.append(
                Fault(
                    "mde",
                    said(
                        "{minimal_detectable_effect:g} is no effect",
                        minimal_detectable_effect=self.minimal_detectable_effect,
                    ),
                    "a share of control above 0",
                )
            )
        for name, margin in self.guardrails.items():
            if not 0 < margin < float("inf"):
                found.append(
                    Fault(
                        f"guardrail {name}",
                        said("{margin:g} is no margin", margin=margin),
                        "a share of control above 0",
                    )
                )
        found += self._given_faults()
        names = [self.primary, *self.secondary, *self.guardrails]
        found.extend(
            Fault(name, "is named in more than one role", "each metric once")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        )
        return found

    def _given_faults(self) -> list[Fault]:
        """What does not fit together where the metric today is said and not learnt."""
        if self.baseline is None:
            return (
                [] if self.variance is None else [Fault("variance", "is said without a baseline", "both, or neither")]
            )
        found = []
        if self.units_per_day is None:
            found.append(Fault("units_per_day", "missing", "a number: with a given baseline no data is read"))
        if self.aa:
            found.append(Fault("aa", "splits past units, and with a given baseline no data is read", "0"))
        return found


@dataclass(frozen=True)
class Learnt:
    """What the team's own data says.

    Args:
        baseline: The primary metric today.
        units_per_day: Units that take part each day.
        metrics: The declared metrics, by name.
        holidays: The team's.
        aa: What splitting the past units showed, where it was asked for.
    """

    baseline: Baseline
    units_per_day: float
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    holidays: Sequence[Holiday] = ()
    aa: AAResult | None = None


def experiment_plan(request: PlanRequest, learnt: Learnt) -> ExperimentPlan:
    """The registered plan: units and days that the effect needs, or the power that the days asked for give.

    Raises:
        Invalid: What cannot be planned, every fault at once.
    """
    split_of(request.arms)
    baseline, daily = learnt.baseline, learnt.units_per_day
    wish = request.wish(daily)
    sized = size_experiment(baseline, wish)
    days, power, units = request.days, request.power, sized.units
    if days is None:
        days = sized.whole_weeks_days or 7
        if days > LONGEST_DAYS:
            raise Invalid(
                "the plan takes more than 10 years",
                expected="an effect that a plan can reach",
                next_step="look for a larger effect, or for more units per day",
            )
    elif days < (sized.days or days):
        # Shorter than the effect needs: what is registered is the power that is really there.
        units = max(4, int(daily * days))
        power = achieved_power(baseline, wish, units)
    window = None
    if request.first_day is not None:
        window = planned_window(request.first_day, days, request.label_delay_days, learnt.holidays)
    return ExperimentPlan(
        experiment=request.experiment,
        kind="comparison",
        unit="unit",
        salt=request.salt or request.experiment,
        arms=tuple(ArmShare(name, share) for name, share in request.arms.items()),
        metrics=_planned_metrics(request, learnt.metrics),
        minimal_detectable_effect=request.minimal_detectable_effect,
        power=power,
        alpha=request.alpha,
        units_needed=units,
        days=days,
        rule=request.rule,
        stop_rule=request.stop_rule,
        interactions=request.interactions,
        adjust=request.adjust,
        sequential=request.looking,
        looks=request.looks,
        segments=request.segments,
        exclusions=request.exclusions,
        label_delay_days=request.label_delay_days,
        first_day=window.first if window else None,
        last_day=window.last if window else None,
        holidays=tuple(f"{one.day} {one.title}" for one in window.holidays) if window else (),
        baseline=baseline.value,
        variance_reduction=baseline.variance_reduction,
        units_per_day=daily,
        aa=None if learnt.aa is None else _aa_check(learnt.aa),
    )


def _planned_metrics(request: PlanRequest, metrics: Mapping[str, Metric]) -> tuple[PlannedMetric, ...]:
    roles: list[tuple[str, Role, float | None]] = [(request.primary, "primary", None)]
    for name in request.secondary:
        roles.append((name, "secondary", None))
    for name, loss in request.guardrails.items():
        roles.append((name, "guardrail", loss))
    planned = []
    for name, role, margin in roles:
        metric = metrics.get(name)
        covariates = () if metric is None else tuple(one.numerator for one in metric.covariates)
        planned.append(PlannedMetric(name, role, margin, covariates, fingerprint_of(metric) if metric else ""))
    return tuple(planned)


def _aa_check(shown: AAResult) -> AACheck:
    return AACheck(
        shown.splits,
        shown.units,
        shown.false_positives,
        shown.error_ratio,
        shown.trusted,
        tuple(map(str, shown.findings)),
        tuple(as_record(one) for one in shown.findings),
    )


def design_of(plan: ExperimentPlan, prior: Prior, days: float) -> Design:
    """How a comparison is judged under its registered plan."""
    in_words = any(word in plan.stop_rule.lower() for word in SEQUENTIAL)
    planned_looks = plan.sequential == "group_sequential"
    return Design(
        control=plan.arms[0].name,
        shares={arm.name: arm.share for arm in plan.arms},
        alpha=plan.alpha,
        adjust=plan.adjust,
        sequential=plan.sequential == "always_valid" or (in_words and not planned_looks),
        tuning=plan.units_needed,
        prior=prior.value,
        prior_source=prior.source,
        power=plan.power,
        primary=tuple(one.name for one in plan.metrics if one.role == "primary"),
        mde=plan.minimal_detectable_effect,
        days=days,
        looks=plan.looks if planned_looks else (),
        planned_units=plan.units_needed if planned_looks else None,
        segments=plan.segments or None,
    )


def asked_design(registered: Design, other: OtherQuestion) -> Design:
    """The registered design with what somebody asks besides, to explore."""
    return replace(
        registered,
        alpha=registered.alpha if other.alpha is None else other.alpha,
        primary=other.primary or registered.primary,
        adjust=registered.adjust if other.adjust is None else other.adjust,
        sequential=registered.sequential if other.sequential is None else other.sequential,
    )


def early_look(plan: ExperimentPlan, design: Design) -> tuple[Concern, ...]:
    """The doubt that somebody looked before the end that the rule set."""
    ran = design.days or 0.0
    if design.sequential or design.looks or ran >= plan.days - 1e-9:
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


def comparison_of(report: ComparisonReport, alpha: float = 0.05) -> Comparison:
    """The comparison that a record tells of, as far as the record keeps it: without distributions."""
    said = report.recommendation
    return Comparison(
        arms=tuple(Arm(arm.name, arm.units) for arm in report.arms),
        srm=SplitTest(report.srm.p_value, report.srm.expected, report.srm.passed),
        results=tuple(Result(**{name: getattr(one, name) for name in _REPORTED}) for one in report.results),
        concerns=tuple(Concern(one.code, one.severity, one.message, one.values) for one in report.concerns),
        recommendation=Said(
            said.decision,
            said.reasons,
            said.false_win_risk,
            said.extend_days,
            tuple(Reason(one.code, one.values) for one in said.grounds),
            said.arm,
        ),
        alpha=alpha,
        prior=TYPICAL_PRIOR if report.prior is None else report.prior,
        prior_source=report.prior_source or TYPICAL_SOURCE,
        daily=tuple(DayEffect(**vars(one)) for one in report.daily),
    )


def comparison_report(plan: ExperimentPlan, comparison: Comparison, days: float) -> ComparisonReport:
    """The comparison as the record that the hand-off carries."""
    return ComparisonReport(
        experiment=plan.experiment,
        days=days,
        arms=tuple(ArmCount(arm.name, arm.units) for arm in comparison.arms),
        srm=SplitCheck(comparison.srm.p_value, dict(comparison.srm.expected), comparison.srm.passed),
        results=tuple(Effect(**{name: getattr(one, name) for name in _REPORTED}) for one in comparison.results),
        prior=comparison.prior,
        prior_source=comparison.prior_source,
        concerns=tuple(ConcernNote(one.code, one.severity, one.message, one.values) for one in comparison.concerns),
        recommendation=Recommendation(
            comparison.recommendation.decision,
            comparison.recommendation.reasons,
            comparison.recommendation.false_win_risk,
            comparison.recommendation.extend_days,
            tuple(Ground(one.code, dict(one.values)) for one in comparison.recommendation.grounds),
            comparison.recommendation.arm,
        ),
        daily=tuple(EffectOfDay(**vars(one)) for one in comparison.daily),
    )
