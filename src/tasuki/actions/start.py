"""Starting, ramping up and stopping experiments.

The ledger and the routing file are two places. A start writes the event first: whoever is routed is known. A stop
routes everybody back first: nobody stays in an arm that the ledger says is over. After a crash between the two, the
same call again completes what was begun.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from tasuki.actions.artifacts import store_of
from tasuki.actions.booking import read_calendar, read_rules
from tasuki.actions.experiment_lines import lines_named, require_own_name
from tasuki.actions.experiment_list import routed_names, routing_now
from tasuki.actions.runs import run_of, running_runs
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, Refused, command, said
from tasuki.experiments.allocation import HoldOut
from tasuki.experiments.booking import LANES, lane_of, require_slot
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import CHANNELS, Run, StartRequest, ramp, routing_of, settings_of, start
from tasuki.flow import experimenting
from tasuki.flow.event import NewEvent
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState
from tasuki.store.routing import changing_routing, load_routing, save_routing

__all__ = [
    "StartRequest",
    "idea_of_experiment",
    "ramp_experiment",
    "start_experiment",
    "stop_experiment",
]


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
    with changing_routing(workspace.folder), workspace.ledger.holding_calendar():
        state = workspace.ledger.state(idea)
        is_repeated = bool(done_before(workspace, idea, asked))
        if not is_repeated:
            require_at_work(state, workspace.act(actor), state.stage, f"start {request.experiment}")
        runs = running_runs(workspace, request.experiment)
        settings = settings_of(request, state, _holdout(workspace, runs, request.experiment))
        if not _is_running(runs, idea, request, settings):
            if is_repeated:
                return state
            _require_champion(workspace, request.model)
            _require_routing_free(workspace, request, runs)

            def decided(now: IdeaState, act: Act) -> list[NewEvent]:
                event = start(now, act, request, settings, runs)
                require_own_name(workspace.ledger.shelf(), now, request.experiment)
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
        event = experimenting.stop_experiment(state, act, experiment, reason)
        _route_back(workspace, experiment, run_of(workspace, idea, experiment))
        return [event]

    with changing_routing(workspace.folder):
        return change_idea(workspace, idea, asked, decided)


def idea_of_experiment(workspace: Workspace, experiment: str) -> str:
    """The idea that has an experiment of this name.

    Raises:
        Missing: None has.
        Invalid: More than one booked it.
    """
    shelf = workspace.ledger.shelf()
    found = [line.state.idea for line in lines_named(shelf, experiment)]
    if not found:
        _refuse_only_planned(shelf.ideas.values(), experiment)
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
            next_step=command("tasuki model publish {model} VERSION --channel champion", model=model),
        )


def _require_routing_free(workspace: Workspace, request: StartRequest, runs: tuple[Run, ...]) -> None:
    routing = routing_now(workspace)
    if routing is None or routing.model == request.model:
        return
    still = [run.name for run in runs if run.name in routed_names(routing) and run.ended_at is None]
    if still:
        raise Refused(
            said("the inference service runs {still} on {model}", still=tuple(still), model=routing.model),
            rule="a workspace's inference service splits the traffic of one model at a time",
            next_step=said("wait for it, or: tasuki experiment stop {first}", first=still[0]),
        )


def _route(workspace: Workspace, model: str) -> None:
    """Writes what the ledger says of the model, where the service is told something else."""
    routing = routing_of(running_runs(workspace), model, workspace.artifacts_location)
    if routing_now(workspace) != routing:
        save_routing(workspace.folder, routing)


def _route_back(workspace: Workspace, experiment: str, run: Run) -> None:
    """Writes the routing without the experiment when the file routes it, or cannot be read."""
    try:
        routing = load_routing(workspace.folder)
    except Invalid:
        model = run.settings.get("model")
    else:
        model = routing.model if routing is not None and experiment in routed_names(routing) else None
    if model is not None:
        others = [one for one in running_runs(workspace) if one.name != experiment]
        save_routing(workspace.folder, routing_of(others, model, workspace.artifacts_location))


def _refuse_only_planned(ideas: Iterable[IdeaState], experiment: str) -> None:
    """A plan alone is no experiment yet: the next step is its start."""
    for state in ideas:
        plans = [one.record for one in state.evidence if one.kind == "experiment_plan"]
        if any(one.get("experiment") == experiment for one in plans):
            raise Missing(
                said("{experiment} is planned, but was not started", experiment=experiment),
                expected="an experiment that runs or ran",
                next_step=command(
                    "tasuki experiment start {experiment} --idea {idea}", experiment=experiment, idea=state.idea
                ),
            )
