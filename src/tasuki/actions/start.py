"""Starting, ramping up, stopping and listing experiments.

The ledger and the routing file are two places. A start writes the event first: whoever is routed is known. A stop
routes everybody back first: nobody stays in an arm that the ledger says is over. After a crash between the two, the
same call again completes what was begun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from tasuki.actions.artifacts import store_of
from tasuki.actions.booking import read_calendar, read_rules
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, Refused, said
from tasuki.experiments.allocation import HoldOut
from tasuki.experiments.booking import LANES, lane_of, require_slot
from tasuki.experiments.routing import CONTROL, Routing
from tasuki.experiments.start import CHANNELS, Run, StartRequest, ramp, routing_of, runs_of, settings_of, start
from tasuki.flow import decide
from tasuki.flow.event import NewEvent
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState
from tasuki.store.routing import changing_routing, load_routing, save_routing

__all__ = [
    "ExperimentEntry",
    "StartRequest",
    "idea_of_experiment",
    "list_experiments",
    "ramp_experiment",
    "run_of",
    "start_experiment",
    "stop_experiment",
]


@dataclass(frozen=True)
class ExperimentEntry:
    """An experiment of any idea.

    Args:
        idea: Whose experiment.
        title: The idea's title.
        name: Its name.
        kind: `check` or `comparison`.
        model: The model whose traffic it splits; None for one that was only booked.
        shares: The share of each arm.
        started_at: When it was started.
        stopped_at: When it was stopped.
        routed: Whether the inference service is told to run it.
        lane: Its lane.
        first_day: Its first day, booked or real.
        last_day: Its last day, booked, planned or real.
        position: Its place among those of its lane that wait, from 1; None when it does not wait.
        layer: The layer whose range it holds; empty where everybody takes part.
        range: That range.
        exposed: How much of it is exposed.
        recommended: What the rule said in its newest comparison.
        decided: What a person decided.
        decision_reason: Why, in that person's words.
        decided_by: Who.
    """

    idea: str
    title: str
    name: str
    kind: str
    model: str | None
    shares: Mapping[str, float]
    started_at: datetime | None
    stopped_at: datetime | None
    routed: bool
    lane: str = ""
    first_day: date | None = None
    last_day: date | None = None
    position: int | None = None
    layer: str = ""
    range: tuple[float, float] = (0.0, 1.0)
    exposed: float = 1.0
    recommended: str | None = None
    decided: str | None = None
    decision_reason: str = ""
    decided_by: str = ""


def start_experiment(
    workspace: Workspace, idea: str, request: StartRequest, *, actor: str, key: str | None = None
) -> IdeaState:
    """Splits the model's traffic: control by the champion, treatment by the challenger at its location.

    Doing it again with the same request changes nothing, and writes the routing if a crash had prevented that.

    Raises:
        Invalid: With every fault of the request.
        Missing: The model has no published champion.
        Refused: By rights, stage, plan or another experiment. Nothing was changed.
    """
    asked = Request("start_experiment", actor, asdict(request), key)
    with changing_routing(workspace.folder):
        state = workspace.ledger.state(idea)
        is_repeated = bool(done_before(workspace, idea, asked))
        if not is_repeated:
            require_at_work(state, workspace.act(actor), state.stage, f"start {request.experiment}")
        runs = all_runs(workspace)
        settings = settings_of(request, state, _holdout(workspace, runs, request.experiment))
        if not _is_running(runs, idea, request, settings):
            if is_repeated:
                return state
            _require_champion(workspace, request.model)
            _require_routing_free(workspace, request, runs)

            def decided(now: IdeaState, act: Act) -> list[NewEvent]:
                event = start(now, act, request, settings, runs)
                require_slot(read_calendar(workspace), idea, request.experiment, _lane(now, request))
                return [event]

            state = change_idea(workspace, idea, asked, decided)
        _route(workspace, request.model)
    return state


def ramp_experiment(
    workspace: Workspace, idea: str, experiment: str, exposed: float, *, actor: str, key: str | None = None
) -> IdeaState:
    """Exposes more of the range that an experiment holds: units are added, and none changes its arm.

    Raises:
        Invalid: The share is none.
        Refused: The member may not, it is not running, or less would be exposed than before.
        Missing: The idea has no such experiment.
    """
    asked = Request("ramp_experiment", actor, {"experiment": experiment, "exposed": exposed}, key)
    with changing_routing(workspace.folder):
        run = run_of(workspace, idea, experiment)
        state = change_idea(workspace, idea, asked, lambda now, act: [ramp(now, act, run, exposed)])
        if run.settings:
            _route(workspace, run.settings["model"])
    return state


def stop_experiment(
    workspace: Workspace, idea: str, experiment: str, *, actor: str, reason: str = "", key: str | None = None
) -> IdeaState:
    """Sends all traffic back to the champion and says so in the ledger. Also after the idea has ended.

    Raises:
        Refused: The member may not, or it is not running.
        Missing: The idea has no such experiment.
    """
    asked = Request("stop_experiment", actor, {"experiment": experiment, "reason": reason}, key)

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        event = decide.stop_experiment(state, act, experiment, reason)
        _route_back(workspace, experiment, run_of(workspace, idea, experiment))
        return [event]

    with changing_routing(workspace.folder):
        return change_idea(workspace, idea, asked, decided)


def list_experiments(workspace: Workspace) -> tuple[ExperimentEntry, ...]:
    """Every experiment that was booked or started, in the order of the ideas."""
    routed, calendar = _routed_names(_routing(workspace)), read_calendar(workspace)
    slots = {(one.idea, one.experiment): one for one in calendar.slots}
    entries = []
    for state in workspace.ledger.ideas():
        runs = {run.name: run for run in _runs(workspace, state) if run.settings}
        for one in state.experiments:
            slot = slots.get((state.idea, one.name))
            entry = ExperimentEntry(
                idea=state.idea,
                title=state.title,
                name=one.name,
                kind=one.kind,
                model=None,
                shares={},
                started_at=one.started_at,
                stopped_at=one.stopped_at,
                routed=one.name in routed and one.started_at is not None and one.stopped_at is None,
                lane=lane_of(one),
                first_day=slot.first if slot else None,
                last_day=slot.last if slot else None,
                position=calendar.position(state.idea, one.name),
            )
            entries.append(_with_outcome(_with_run(entry, runs.get(one.name)), state))
    return tuple(entries)


def _with_run(entry: ExperimentEntry, run: Run | None) -> ExperimentEntry:
    if run is None:
        return entry
    allocation = run.allocation
    reach = allocation.reach
    return replace(
        entry,
        model=run.settings["model"],
        shares=run.shares,
        layer=allocation.layer,
        range=(reach.low, reach.high),
        exposed=reach.exposed,
    )


def _with_outcome(entry: ExperimentEntry, state: IdeaState) -> ExperimentEntry:
    """What the rule said of an A/B 2, and what a person made of it."""
    if entry.kind != "comparison":
        return entry
    reports = [one for one in state.evidence if one.kind == "comparison_report"]
    report = next((one for one in reversed(reports) if one.record["experiment"] == entry.name), None)
    if report is None:
        return entry
    said = replace(entry, recommended=report.record["recommendation"]["decision"])
    decision = state.latest("decision")
    if decision is None or decision.attached_at < report.attached_at:
        return said
    record = decision.record
    return replace(said, decided=record["decision"], decision_reason=record["reason"], decided_by=decision.attached_by)


def idea_of_experiment(workspace: Workspace, experiment: str) -> str:
    """The idea that has an experiment of this name.

    Raises:
        Missing: None has.
        Invalid: More than one booked it.
    """
    ideas = workspace.ledger.ideas()
    found = [state.idea for state in ideas if any(one.name == experiment for one in state.experiments)]
    if not found:
        _refuse_only_planned(ideas, experiment)
        raise Missing(
            said("there is no experiment {experiment!r}", experiment=experiment),
            expected="one that was booked or started",
            next_step="tasuki experiment list",
        )
    if len(found) > 1:
        raise Invalid(
            said("{found} have an experiment {experiment}", found=tuple(found), experiment=experiment),
            next_step="say which with --idea",
        )
    return found[0]


def _is_running(runs: tuple[Run, ...], idea: str, request: StartRequest, settings: Mapping[str, object]) -> bool:
    """Whether the very same request runs already."""
    wanted = (idea, request.experiment, request.kind)
    return any(
        (run.idea, run.name, run.kind) == wanted and run.ended_at is None and run.holds_as(settings) for run in runs
    )


def _holdout(workspace: Workspace, runs: tuple[Run, ...], experiment: str) -> HoldOut | None:
    """Who is kept out: the team's hold-out of now, or that of the start before, since an experiment keeps its own."""
    before = next((run for run in runs if run.name == experiment and run.settings), None)
    return read_rules(workspace).holdout if before is None else before.allocation.holdout


def _lane(state: IdeaState, request: StartRequest) -> str:
    known = next((one for one in state.experiments if one.name == request.experiment), None)
    return LANES[request.kind] if known is None else lane_of(known)


def _require_champion(workspace: Workspace, model: str) -> None:
    if store_of(workspace).current(model, CHANNELS[CONTROL]) is None:
        raise Missing(
            said("{model} has no published champion", model=model),
            expected="a control that can answer",
            next_step=f"tasuki model publish {model} VERSION --channel champion",
        )


def _require_routing_free(workspace: Workspace, request: StartRequest, runs: tuple[Run, ...]) -> None:
    routing = _routing(workspace)
    if routing is None or routing.model == request.model:
        return
    still = [run.name for run in runs if run.name in _routed_names(routing) and run.ended_at is None]
    if still:
        raise Refused(
            said("the inference service runs {still} on {model}", still=tuple(still), model=routing.model),
            rule="a workspace's inference service splits the traffic of one model at a time",
            next_step=said("wait for it, or: tasuki experiment stop {first}", first=still[0]),
        )


def _routing(workspace: Workspace) -> Routing | None:
    """What the service is told now; None when that cannot be read, so that it is written anew."""
    try:
        return load_routing(workspace.folder)
    except Invalid:
        return None


def _routed_names(routing: Routing | None) -> set[str]:
    names = () if routing is None else (routing.experiment, *(one.experiment for one in routing.beside))
    return {name for name in names if name is not None}


def _route(workspace: Workspace, model: str) -> None:
    """Writes what the ledger says of the model, where the service is told something else."""
    routing = routing_of(all_runs(workspace), model, workspace.artifacts_location)
    if _routing(workspace) != routing:
        save_routing(workspace.folder, routing)


def _route_back(workspace: Workspace, experiment: str, run: Run) -> None:
    """Writes the routing without the experiment when the file routes it, or cannot be read."""
    try:
        routing = load_routing(workspace.folder)
    except Invalid:
        model = run.settings.get("model")
    else:
        model = routing.model if routing is not None and experiment in _routed_names(routing) else None
    if model is not None:
        others = [one for one in all_runs(workspace) if one.name != experiment]
        save_routing(workspace.folder, routing_of(others, model, workspace.artifacts_location))


def all_runs(workspace: Workspace) -> tuple[Run, ...]:
    return tuple(run for state in workspace.ledger.ideas() for run in _runs(workspace, state))


def _runs(workspace: Workspace, state: IdeaState) -> tuple[Run, ...]:
    started = any(one.started_at is not None for one in state.experiments)
    return runs_of(state.idea, workspace.ledger.events(state.idea)) if started else ()


def _refuse_only_planned(ideas: Sequence[IdeaState], experiment: str) -> None:
    """A plan alone is no experiment yet: the next step is its start."""
    for state in ideas:
        plans = [one.record for one in state.evidence if one.kind == "experiment_plan"]
        if any(one.get("experiment") == experiment for one in plans):
            raise Missing(
                said("{experiment} is planned, but was not started", experiment=experiment),
                expected="an experiment that runs or ran",
                next_step=f"tasuki experiment start {experiment} --idea {state.idea}",
            )


def run_of(workspace: Workspace, idea: str, experiment: str) -> Run:
    """The experiment as the ledger tells it.

    Raises:
        Missing: The idea has started no such experiment.
    """
    state = workspace.ledger.state(idea)
    found = next((run for run in _runs(workspace, state) if run.name == experiment), None)
    if found is None:
        raise Missing(
            said("{idea} has started no experiment {experiment!r}", idea=idea, experiment=experiment),
            expected=", ".join(one.name for one in state.experiments) or "none was booked or started yet",
            next_step="tasuki experiment list",
        )
    return found
