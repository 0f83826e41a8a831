"""A/B 2 of the workspace: planned from the team's own data, registered, and compared on what the service logged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.measure import Asked, measure
from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.design import Design
from tasuki.flow import decide
from tasuki.flow.evidence import evidence_of
from tasuki.flow.records import (
    ArmCount,
    ArmShare,
    ComparisonReport,
    ConcernNote,
    Effect,
    ExperimentPlan,
    PlannedMetric,
    Recommendation,
    SplitCheck,
)
from tasuki.flow.state import IdeaState
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.declared import metric_named, read_metrics
from tasuki.metrics.exposed import ARM, UNIT, exposed_table, link_of
from tasuki.metrics.metric import Margin, Metric
from tasuki.metrics.statistics import Statistics
from tasuki.stats.power import Sizing, units_needed
from tasuki.warehouse import Warehouse, source_of
from tasuki.warehouse.engine import quoted

WEEK = 7
_LEAST_UNITS = 2


@dataclass(frozen=True)
class PlanRequest:
    """What is to be registered before an A/B 2 starts.

    Args:
        experiment: Its name; also the salt of its assignment.
        model: The model whose arms are compared.
        primary: The declared metric that decides.
        minimal_detectable_effect: The smallest relative effect worth finding, above 0.
        guardrails: Declared metrics that must not get worse by more than this share of control.
        based_on: The experiment whose control arm gives mean and variance; the idea's newest A/B 1 when None.
        shares: The planned split.
        alpha: Two-sided level.
        power: The chance to find the effect when it is there.
        rule: The decision rule, in words.
        stop_rule: When it is stopped, in words.
        interactions: Which other experiments touch the same units, in words.
    """

    experiment: str
    model: str
    primary: str
    minimal_detectable_effect: float
    guardrails: Mapping[str, float] = field(default_factory=dict)
    based_on: str | None = None
    shares: Mapping[str, float] = field(default_factory=lambda: {"control": 0.5, "treatment": 0.5})
    alpha: float = 0.05
    power: float = 0.8
    rule: str = "ship when the primary metric's interval lies on the better side of 0 and no guardrail fails"
    stop_rule: str = "stop at the planned end; earlier only when a guardrail is broken"
    interactions: str = "none known"


def plan_experiment(
    workspace: Workspace, idea: str, request: PlanRequest, *, actor: str, key: str | None = None
) -> ExperimentPlan:
    """Computes units and days from logged data and attaches the plan as evidence.

    The mean and variance of a unit come from the control arm of an earlier experiment of the idea, over its days; the
    plan asks for whole weeks at that experiment's units a day.

    Raises:
        Invalid: Numbers out of range, or nothing logged to plan from. Nothing was written.
        Missing: A metric that is not declared, or no earlier experiment.
    """
    _require_plannable(request)
    declared = read_metrics(workspace.folder)
    primary = metric_named(declared, request.primary)
    guardrails = [metric_named(declared, name) for name in request.guardrails]
    past = request.based_on or _newest_check(workspace.ledger.state(idea))
    with_data = _Logged(workspace, past)
    try:
        mean, variance, units, days = with_data.baseline(primary)
    finally:
        with_data.close()
    needed = units_needed(
        Sizing(variance, variance, request.shares["control"], request.alpha, request.power),
        request.minimal_detectable_effect * abs(mean),
    )
    weeks = max(1, ceil(needed / (units / days) / WEEK))
    plan = ExperimentPlan(
        experiment=request.experiment,
        kind="comparison",
        unit=primary.unit or "unit",
        salt=request.experiment,
        arms=tuple(ArmShare(name, share) for name, share in request.shares.items()),
        metrics=(
            PlannedMetric(primary.name, "primary"),
            *(PlannedMetric(one.name, "guardrail", request.guardrails[one.name]) for one in guardrails),
        ),
        minimal_detectable_effect=request.minimal_detectable_effect,
        power=request.power,
        alpha=request.alpha,
        units_needed=needed,
        days=weeks * WEEK,
        rule=request.rule,
        stop_rule=request.stop_rule,
        interactions=request.interactions,
    )
    evidence = evidence_of(plan, "tasuki experiment plan", workspace.clock())
    attach_evidence(workspace, idea, evidence, actor=actor, key=key)
    return plan


def compare_experiment(
    workspace: Workspace, idea: str, experiment: str, *, actor: str, key: str | None = None
) -> ComparisonReport:
    """Compares the arms by the registered plan, records the look and attaches the report as evidence.

    Raises:
        Missing: No plan was registered for the experiment, or it has no exposures.
        Invalid: A metric does not fit the logged data.
    """
    plan = registered_plan(workspace.ledger.state(idea), experiment)
    declared = read_metrics(workspace.folder)
    metrics = [_registered(metric_named(declared, one.name), one) for one in plan.metrics]
    logged = _Logged(workspace, experiment)
    try:
        design = Design("control", {arm.name: arm.share for arm in plan.arms}, plan.alpha, power=plan.power)
        comparison = logged.compare(metrics, design)
        days = logged.days(metrics[0])
    finally:
        logged.close()
    report = _report(experiment, days, comparison)
    look = Request("look_at_experiment", actor, {"experiment": experiment}, None if key is None else f"{key}/look")
    change_idea(workspace, idea, look, lambda state, act: [decide.look_at_experiment(state, act, experiment)])
    evidence = evidence_of(report, "tasuki experiment compare", workspace.clock())
    attach_evidence(workspace, idea, evidence, actor=actor, key=key)
    return report


def registered_plan(state: IdeaState, experiment: str) -> ExperimentPlan:
    """The newest plan of an experiment that the idea carries.

    Raises:
        Missing: There is none.
    """
    from tasuki.flow.evidence import read_evidence

    for entry in reversed(state.evidence):
        if entry.kind == "experiment_plan" and entry.record["experiment"] == experiment:
            plan = read_evidence(entry.body).record
            assert isinstance(plan, ExperimentPlan)
            return plan
    raise Missing(
        f"{state.idea} has no plan of {experiment!r}",
        expected="metrics, days and rule registered before the start",
        next_step=f"tasuki experiment plan {experiment} --idea {state.idea}",
    )


class _Logged:
    """What the service and the client logged of one experiment: exposures, and outcomes by exposure."""

    def __init__(self, workspace: Workspace, experiment: str) -> None:
        self._warehouse = Warehouse(_tables(workspace))
        self._experiment = experiment

    def close(self) -> None:
        """Ends the engine's connection."""
        self._warehouse.close()

    def baseline(self, metric: Metric) -> tuple[float, float, int, float]:
        """Mean and variance of a unit of control, the units of all arms, and the days they came in."""
        statistics, bound = self._measure([metric], 0.05)
        control = next((cell for cell in statistics.cells if cell.arm == "control" and cell.segment is None), None)
        if control is None or control.samples[0].moments.n < _LEAST_UNITS:
            raise Invalid(f"{self._experiment} has too few units in control to plan from")
        if bound[0].metric.kind not in ("mean", "proportion"):
            raise Invalid(f"{metric.name} is a {metric.kind}", expected="a mean or a proportion as the primary metric")
        moments = control.samples[0].moments
        mean, variance = float(moments.means[0]), float(moments.covariances[0][0])
        if not mean or not variance:
            raise Invalid(
                f"{metric.name} is 0 for every unit of {self._experiment}", expected="some events to plan from"
            )
        return mean, variance, sum(cell.units for cell in statistics.cells if cell.segment is None), self.days(metric)

    def compare(self, metrics: Sequence[Metric], design: Design) -> Comparison:
        """The arms, with everybody who was exposed as a unit, whether or not anything followed."""
        statistics, bound = self._measure(metrics, design.alpha)
        return compare_arms(statistics, bound, design)

    def days(self, metric: Metric) -> float:
        """Calendar days in which something followed an exposure, at least 1.

        Counted in the metric's own table where it has times: a replay passes days in seconds.
        """
        from sqlglot import exp

        source = source_of(metric.table or "")
        joined = exposed_table(metric, self._experiment, self._warehouse.columns(source))
        day = exp.cast(quoted(metric.time or "at"), exp.DType.DATE)
        counted = exp.select(exp.alias_(exp.Count(this=exp.Distinct(expressions=[day])), "days")).from_(joined)
        return max(1.0, float(self._warehouse.rows(counted)[0]["days"]))

    def _measure(self, metrics: Sequence[Metric], alpha: float) -> tuple[Statistics, tuple[BoundMetric, ...]]:
        if len({(metric.table, *link_of(metric)) for metric in metrics}) != 1:
            faults = [Fault(metric.name, f"is of table {metric.table!r}") for metric in metrics]
            raise Invalid("the metrics of one experiment come from one table, linked one way", faults)
        columns = self._warehouse.columns(source_of(metrics[0].table or ""))
        joined = exposed_table(metrics[0], self._experiment, columns)
        asked = Asked(ARM, UNIT, (), tuple(metrics))
        both = {**columns, ARM: "VARCHAR", UNIT: "VARCHAR"}
        statistics, bound = measure(self._warehouse, joined, both, asked, alpha)
        if not statistics.cells:
            raise Missing(
                f"{self._experiment} has no exposures",
                expected="answers of the inference service while the experiment ran",
                next_step="start it, and send traffic to the service",
            )
        return statistics, bound


def _tables(workspace: Workspace) -> dict[str, str]:
    """The workspace's tables as they are now: folders below logs/ may have come since it was opened."""
    found = dict(workspace.tables)
    for folder in sorted((workspace.folder / "logs").glob("*")):
        if folder.name not in found and any(folder.glob("*.parquet")):
            found[folder.name] = str(folder / "*.parquet")
    return found


def _require_plannable(request: PlanRequest) -> None:
    faults = []
    if not 0 < request.minimal_detectable_effect < float("inf"):
        faults.append(Fault("minimal_detectable_effect", f"{request.minimal_detectable_effect:g}", "above 0, as 0.05"))
    for name in ("alpha", "power"):
        if not 0 < getattr(request, name) < 1:
            faults.append(Fault(name, f"{getattr(request, name):g} is no probability", "between 0 and 1"))
    if "control" not in request.shares or len(request.shares) != _LEAST_UNITS:
        faults.append(Fault("shares", ", ".join(request.shares) or "none", "control and one treatment"))
    elif abs(sum(request.shares.values()) - 1) > 1e-9 or min(request.shares.values()) <= 0:
        faults.append(
            Fault("shares", f"they add up to {sum(request.shares.values()):g}", "shares above 0 that add up to 1")
        )
    if faults:
        raise Invalid("the experiment cannot be planned", faults)


def _newest_check(state: IdeaState) -> str:
    checks = [one.name for one in state.experiments if one.kind == "check"]
    if not checks:
        raise Missing(
            f"{state.idea} has no A/B 1 to plan from",
            expected="an experiment whose control arm gives mean and variance",
            next_step="run A/B 1 first, or name an experiment with --based-on",
        )
    return checks[-1]


def _registered(metric: Metric, planned: PlannedMetric) -> Metric:
    """The declared metric in its registered role: only a guardrail has a margin."""
    if planned.role != "guardrail" or planned.margin is None:
        return replace(metric, margin=None)
    return replace(metric, margin=Margin(planned.margin, is_relative=True))


def _report(experiment: str, days: float, comparison: Comparison) -> ComparisonReport:
    kept = Effect.__dataclass_fields__
    return ComparisonReport(
        experiment=experiment,
        days=days,
        arms=tuple(ArmCount(arm.name, arm.units) for arm in comparison.arms),
        srm=SplitCheck(comparison.srm.p_value, dict(comparison.srm.expected), comparison.srm.passed),
        results=tuple(
            Effect(**{name: value for name, value in asdict(one).items() if name in kept}) for one in comparison.results
        ),
        concerns=tuple(ConcernNote(one.code, one.severity, one.message) for one in comparison.concerns),
        recommendation=Recommendation(
            comparison.recommendation.decision,
            comparison.recommendation.reasons,
            comparison.recommendation.false_win_risk,
        ),
    )
