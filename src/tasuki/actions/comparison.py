"""A/B 2 in a workspace: registered before the start, compared on its own exposures, both as evidence."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace

from sqlglot import exp

from tasuki.actions.experiment_lines import require_own_name
from tasuki.actions.exposed import Increments, Question, measure_experiment, with_path
from tasuki.actions.metrics import metric_named
from tasuki.actions.plan import learn_baseline, read_calendar_file, simulate_on
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, Refused, command, said
from tasuki.experiments.aa import AASplits
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.departures import (
    Circumstances,
    OtherQuestion,
    departures_from,
    fingerprint_of,
    outside_the_plan,
)
from tasuki.experiments.holidays import Holiday
from tasuki.experiments.naming import name_faults
from tasuki.experiments.prior import Prior, prior_of
from tasuki.experiments.registered import (
    Learnt,
    PlanRequest,
    asked_design,
    comparison_report,
    design_of,
    early_look,
    experiment_plan,
)
from tasuki.experiments.sizing import Baseline, PlanKind
from tasuki.experiments.start import frozen_plan, require_not_started
from tasuki.flow import decide, experimenting
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import DataWindow, Evidence, evidence_of, read_evidence, to_body
from tasuki.flow.records import ComparisonReport, ExperimentPlan
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import Experiment, IdeaState
from tasuki.metrics.metric import Margin, Metric
from tasuki.warehouse import Warehouse, open_engine, source_of
from tasuki.warehouse.engine import quoted

__all__ = ["OtherQuestion", "PlanRequest", "compare_experiment", "plan_experiment"]

DAY_S = 86_400


def plan_experiment(
    workspace: Workspace, idea: str, request: PlanRequest, *, actor: str, key: str | None = None
) -> ExperimentPlan:
    """Registers an A/B 2: sizes it on the team's own data and attaches the plan as evidence.

    Args:
        workspace: Whose metrics and tables are read.
        idea: The idea that is to be tested.
        request: What shall be found, at what risk.
        actor: Who registers it.
        key: Idempotency key: the plan that was attached first is given again.

    Raises:
        Missing: A metric is not declared, or its table is not there.
        Invalid: What cannot be planned: every fault at once.
        Refused: The member may not attach evidence to the present stage, or the experiment was started: its plan is
            frozen.
    """
    first_day = None if request.first_day is None else request.first_day.isoformat()
    told = {**asdict(request), "first_day": first_day}
    # What is not given is not said: a request of an earlier version, which had no such field, is the same request.
    told = {name: value for name, value in told.items() if value is not None or name not in ("baseline", "variance")}
    asked = Request("plan_experiment", actor, told, key)
    earlier = done_before(workspace, idea, asked)
    if earlier:
        return _plan_in(earlier[0].body["evidence"])
    state = workspace.ledger.state(idea)
    require_at_work(state, workspace.act(actor), state.stage, f"plan {request.experiment}")
    faults = [*name_faults(request.experiment, state), *request.faults()]
    if faults:
        raise Invalid("the experiment cannot be registered", faults)
    require_not_started(state, request.experiment)
    require_own_name(workspace.ledger.shelf(), state, request.experiment)
    named = (request.primary, *request.secondary, *request.guardrails)
    metrics = {name: metric_named(workspace.folder, name) for name in named}
    plan = experiment_plan(request, replace(_learn(workspace, metrics[request.primary], request), metrics=metrics))
    evidence = evidence_of(plan, "tasuki experiment plan", workspace.clock())
    _attach(workspace, idea, asked, evidence)
    return plan


def compare_experiment(
    workspace: Workspace,
    idea: str,
    experiment: str,
    *,
    actor: str,
    key: str | None = None,
    engine: str | None = None,
    other: OtherQuestion | None = None,
    increments: Increments = "use",
) -> ComparisonReport:
    """Compares the arms on the registered metrics, records the look and attaches the report as evidence.

    Every unit that the service exposed counts in the arm it was assigned, whatever answered it.

    Args:
        workspace: Whose exposures and tables are read.
        idea: The idea whose experiment it is.
        experiment: Its name.
        actor: Who looks.
        key: Idempotency key: the report that was attached first is given again.
        engine: What is asked instead of the workspace's own engine (see `tasuki.warehouse.opening.open_engine`).
        other: What is asked besides the registered question, to explore; a concern names it.
        increments: `use` what is kept of days that were read, `rebuild` it, or `ignore` it and read everything.

    Raises:
        Missing: The experiment was not planned or not started, or a table is not there.
        Invalid: The metrics do not fit the tables.
        Refused: The member may not attach evidence to the present stage.
    """
    asked_other = {} if other is None else {"other": asdict(other)}
    asked = Request("compare_experiment", actor, {"experiment": experiment, **asked_other}, key)
    earlier = done_before(workspace, idea, asked)
    if earlier:
        return _report_in(earlier[0].body["evidence"])
    state = workspace.ledger.state(idea)
    if state.ended_at is not None:
        raise Refused(
            said("{idea} has ended: its comparison is not made anew", idea=idea),
            rule="evidence is attached while an idea is on its way",
            next_step=command(
                "tasuki experiment report {experiment} --idea {idea} --out report.html",
                experiment=experiment,
                idea=idea,
            ),
        )
    require_at_work(state, workspace.act(actor), state.stage, f"compare {experiment}")
    plan, run = _registered(state, experiment), _started(state, experiment)
    started, ended = run.started_at or workspace.clock(), run.stopped_at or workspace.clock()
    days = (ended - started).total_seconds() / DAY_S
    registered = design_of(plan, _prior(workspace, state), days)
    question = other or OtherQuestion()
    design = asked_design(registered, question)
    faults = [
        Fault(name, "was not registered", ", ".join(one.name for one in plan.metrics))
        for name in design.primary
        if name not in [one.name for one in plan.metrics]
    ]
    faults += design.faults()
    if faults:
        raise Invalid("this cannot be compared", faults)
    metrics = [_as_planned(workspace, one.name, one.role, one.margin) for one in plan.metrics]
    segments = tuple(dict.fromkeys((*plan.segments, *question.segments)))
    design = replace(design, segments=segments or None)
    now = workspace.clock()
    ran = (started, ended, now)
    counted = Question(experiment, tuple(metrics), design.alpha, now.date(), segments, increments, ran)
    with closing(open_engine(engine or workspace.engine, _tables(workspace))) as warehouse:
        found = measure_experiment(warehouse, workspace.folder / "increments", _tables(workspace), counted)
    seen = Circumstances(
        {one.name: fingerprint_of(one) for one in metrics},
        sum((at - started).total_seconds() / DAY_S < plan.days for at in run.looks),
        (workspace.clock() - started).total_seconds() / DAY_S,
        segments,
    )
    departures = departures_from(plan, registered, design, seen)
    doubts = (*early_look(plan, design), *outside_the_plan(departures), *found.concerns)
    comparison = with_path(compare_arms(found.statistics, found.metrics, design, doubts), found, design)
    report = comparison_report(plan, comparison, days)
    window = DataWindow(started, ended) if started < ended else None
    evidence = evidence_of(report, "tasuki experiment compare", workspace.clock(), window)
    _attach(workspace, idea, asked, evidence, look_at=experiment)
    return report


def _attach(workspace: Workspace, idea: str, asked: Request, evidence: Evidence, look_at: str | None = None) -> None:
    body = to_body(evidence)

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        attached = decide.attach_evidence(state, act, body, evidence.content_hash, None)
        return [attached] if look_at is None else [attached, experimenting.look_at_experiment(state, act, look_at)]

    change_idea(workspace, idea, asked, decided)


def _plan_in(body: dict[str, object]) -> ExperimentPlan:
    record = read_evidence(body).record
    assert isinstance(record, ExperimentPlan)
    return record


def _report_in(body: dict[str, object]) -> ComparisonReport:
    record = read_evidence(body).record
    assert isinstance(record, ComparisonReport)
    return record


def _tables(workspace: Workspace) -> dict[str, str]:
    logged = {name: str(workspace.folder / "logs" / name / "*.parquet") for name in ("exposures", "outcomes")}
    return {**logged, **workspace.tables}


def _registered(state: IdeaState, experiment: str) -> ExperimentPlan:
    entry = frozen_plan(state, experiment)
    if entry is None:
        raise Missing(
            said("{experiment} was not planned", experiment=experiment),
            expected="a registered plan: metrics, smallest effect, days and rule",
            next_step=command(
                "tasuki experiment plan {experiment} --idea {idea}", experiment=experiment, idea=state.idea
            ),
        )
    return _plan_in(dict(entry.body))


def _started(state: IdeaState, experiment: str) -> Experiment:
    run = next((one for one in state.experiments if one.name == experiment), None)
    if run is None or run.started_at is None:
        raise Missing(
            said("{experiment} was not started", experiment=experiment),
            expected="an experiment that runs or ran",
            next_step=command(
                "tasuki experiment start {experiment} --idea {idea}", experiment=experiment, idea=state.idea
            ),
        )
    return run


def _prior(workspace: Workspace, state: IdeaState) -> Prior:
    """From the team's other ideas that have ended with a comparison, else from this idea's hypothesis."""
    ended = workspace.ledger.shelf().ended.states
    reports = [one.latest("comparison_report") for one in ended if one.idea != state.idea]
    won = [one.record["recommendation"]["decision"] == "ship" for one in reports if one is not None]
    brief = state.latest("hypothesis_brief")
    return prior_of(won, None if brief is None else float(brief.record["prior_probability"]))


def _as_planned(workspace: Workspace, name: str, role: str, margin: float | None) -> Metric:
    metric = metric_named(workspace.folder, name)
    guarded = Margin(margin, is_relative=True) if role == "guardrail" and margin is not None else None
    return replace(metric, margin=guarded)


def _learn(workspace: Workspace, metric: Metric, request: PlanRequest) -> Learnt:
    if request.baseline is not None:
        kinds: dict[str, PlanKind] = {"proportion": "proportion", "ratio": "ratio"}
        given = Baseline(kinds.get(metric.kind, "mean"), request.baseline, request.variance)
        return Learnt(given, request.units_per_day or 0.0, holidays=_holidays(workspace))
    with closing(Warehouse(_tables(workspace))) as warehouse:
        source = source_of(metric.table or "")
        columns = warehouse.columns(source)
        table = warehouse.table(source)
        baseline = learn_baseline(warehouse, table, columns, (replace(metric, margin=None), metric.unit))
        daily = request.units_per_day or _units_per_day(warehouse, table, metric)
        shown = None
        if request.aa:
            effect = request.minimal_detectable_effect * baseline.value
            splits = AASplits(request.aa, tuple(request.arms.values()), request.alpha, effect)
            shown = simulate_on(warehouse, table, columns, (replace(metric, margin=None), metric.unit), splits)
    if daily is None:
        fault = Fault(
            "units_per_day",
            said("cannot be learnt from {table}", table=metric.table),
            "a number, or unit and time in metrics.toml",
        )
        raise Invalid("the days cannot be planned", [fault])
    return Learnt(baseline, daily, holidays=_holidays(workspace), aa=shown)


def _holidays(workspace: Workspace) -> Sequence[Holiday]:
    path = workspace.folder / "calendar.toml"
    return read_calendar_file(path) if path.exists() else ()


def _units_per_day(warehouse: Warehouse, table: exp.Expr, metric: Metric) -> float | None:
    """What is randomised, distinct, over the days that the metric's table has: cautious where units come back."""
    if metric.unit is None or metric.time is None:
        return None
    day = exp.cast(quoted(metric.time), exp.DType.DATE)
    counts = {"units": quoted(metric.cluster or metric.unit), "days": day}
    chosen = [exp.alias_(exp.Count(this=exp.Distinct(expressions=[one])), name) for name, one in counts.items()]
    row = warehouse.rows(exp.select(*chosen).from_(table.copy()))[0]
    return row["units"] / row["days"] if row["days"] else None
