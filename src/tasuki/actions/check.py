"""Starting, stopping and listing experiments, and A/B 1: does it behave as designed?

The ledger and the routing file are two places. A start writes the event first: whoever is routed is known. A stop
routes everybody back first: nobody stays in an arm that the ledger says is over. After a crash between the two, the
same call again completes what was begun.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from tasuki.actions.artifacts import store_of
from tasuki.actions.observation import observe
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, Refused
from tasuki.experiments.check import Thresholds, incidents_of, run_probes, thresholds_of
from tasuki.experiments.routing import CONTROL, Routing, plain_routing
from tasuki.experiments.start import CHANNELS, Run, StartRequest, routing_of, runs_of, settings_of, start
from tasuki.flow import decide
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import evidence_of, read_evidence, to_body
from tasuki.flow.records import CheckReport
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState
from tasuki.store.routing import changing_routing, load_routing, save_routing

__all__ = [
    "ExperimentEntry",
    "StartRequest",
    "Thresholds",
    "check_experiment",
    "idea_of_experiment",
    "list_experiments",
    "read_thresholds",
    "start_experiment",
    "stop_experiment",
]

PRODUCER = "tasuki experiment check"


@dataclass(frozen=True)
class ExperimentEntry:
    """An experiment of any idea. `routed` says whether the inference service is told to run it."""

    idea: str
    title: str
    name: str
    kind: str
    model: str | None
    shares: Mapping[str, float]
    started_at: datetime | None
    stopped_at: datetime | None
    routed: bool


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
        settings = settings_of(request, state)
        runs = _all_runs(workspace)
        if _is_running(runs, idea, request, settings):
            require_at_work(state, workspace.act(actor), state.stage, f"start {request.experiment}")
        elif done_before(workspace, idea, asked):
            return state
        else:
            _require_champion(workspace, request.model)
            _require_routing_free(workspace, request, runs)
            state = change_idea(workspace, idea, asked, lambda now, act: [start(now, act, request, runs)])
        routing = routing_of(settings, request.experiment, request.kind, workspace.artifacts_location)
        if _routing(workspace) != routing:
            save_routing(workspace.folder, routing)
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
        _route_back(workspace, experiment, _run(workspace, idea, experiment).settings.get("model"))
        return [event]

    with changing_routing(workspace.folder):
        return change_idea(workspace, idea, asked, decided)


def check_experiment(
    workspace: Workspace,
    idea: str,
    experiment: str,
    *,
    actor: str,
    sent: Mapping[str, int] | None = None,
    days: float | None = None,
    thresholds: Thresholds | None = None,
    key: str | None = None,
) -> CheckReport:
    """Asks every probe of A/B 1 and attaches the report as evidence.

    Args:
        workspace: Whose logs and artifacts are read.
        idea: The idea whose experiment it is.
        experiment: Its name.
        actor: Who checks.
        sent: The client's own count of answers, by arm or under any one name; the table `outcomes` tells otherwise.
        days: How long it ran, where the logs' own time does not say it.
        thresholds: What is allowed; `playbook/check.toml` otherwise, else the defaults.
        key: Idempotency key: the report that was attached first is given again.

    Raises:
        Missing: The idea has no such experiment, or it was never started.
        Refused: The member may not attach evidence to the present stage.
        Invalid: The exposure log lacks columns, a count is negative, or the thresholds cannot be used.
    """
    limits = thresholds or read_thresholds(workspace)
    said = {"experiment": experiment, "sent": dict(sent or {}), "days": days, "thresholds": asdict(limits)}
    _require_possible(sent, days)
    asked = Request("check_experiment", actor, said, key)
    earlier = done_before(workspace, idea, asked)
    if earlier:
        return _report_in(earlier[0].body["evidence"])
    run = _run(workspace, idea, experiment)
    if not run.settings:
        raise Missing(
            f"the ledger does not say how {run.name} was started",
            expected="model, salt, shares and location",
            next_step="start it with: tasuki experiment start",
        )
    state = workspace.ledger.state(idea)
    require_at_work(state, workspace.act(actor), state.stage, f"check it in {state.stage}")
    observed = observe(workspace, run, sent, days)
    probes = run_probes(observed.design, observed.seen, limits)
    passed, incidents = all(probe.passed for probe in probes), incidents_of(observed.seen)
    report = CheckReport(experiment, observed.seen.days, limits.days_required, passed, probes, incidents)
    evidence = evidence_of(report, PRODUCER, workspace.clock(), observed.window)

    def decided(now: IdeaState, act: Act) -> list[NewEvent]:
        attached = decide.attach_evidence(now, act, to_body(evidence), evidence.content_hash, None)
        # A check looks at behaviour, never at who wins: for an A/B 2 it is no look at the result.
        return [attached, decide.look_at_experiment(now, act, experiment)] if run.kind == "check" else [attached]

    change_idea(workspace, idea, asked, decided)
    return report


def read_thresholds(workspace: Workspace) -> Thresholds:
    """The team's thresholds: `playbook/check.toml`, where there is one.

    Raises:
        Invalid: Naming every entry that cannot be used.
    """
    path = workspace.folder / "playbook" / "check.toml"
    try:
        return thresholds_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Thresholds()
    except ValueError as error:
        raise Invalid(f"{path} cannot be read", [Fault(str(path), str(error), "TOML")]) from error


def list_experiments(workspace: Workspace) -> tuple[ExperimentEntry, ...]:
    """Every experiment that was booked or started, in the order of the ideas."""
    routing = _routing(workspace)
    routed = None if routing is None else routing.experiment
    entries = []
    for state in workspace.ledger.ideas():
        runs = {run.name: run for run in _runs(workspace, state) if run.settings}
        for one in state.experiments:
            run = runs.get(one.name)
            entry = ExperimentEntry(
                idea=state.idea,
                title=state.title,
                name=one.name,
                kind=one.kind,
                model=None if run is None else run.settings["model"],
                shares={} if run is None else run.shares,
                started_at=one.started_at,
                stopped_at=one.stopped_at,
                routed=routed == one.name and one.started_at is not None and one.stopped_at is None,
            )
            entries.append(entry)
    return tuple(entries)


def idea_of_experiment(workspace: Workspace, experiment: str) -> str:
    """The idea that has an experiment of this name.

    Raises:
        Missing: None has.
        Invalid: More than one booked it.
    """
    ideas = workspace.ledger.ideas()
    found = [state.idea for state in ideas if any(one.name == experiment for one in state.experiments)]
    if not found:
        raise Missing(
            f"there is no experiment {experiment!r}",
            expected="one that was booked or started",
            next_step="tasuki experiment list",
        )
    if len(found) > 1:
        raise Invalid(f"{', '.join(found)} have an experiment {experiment}", next_step="say which with --idea")
    return found[0]


def _is_running(runs: tuple[Run, ...], idea: str, request: StartRequest, settings: Mapping[str, object]) -> bool:
    """Whether the very same request runs already."""
    wanted = (idea, request.experiment, request.kind, settings)
    return any((run.idea, run.name, run.kind, run.settings) == wanted and run.ended_at is None for run in runs)


def _require_possible(sent: Mapping[str, int] | None, days: float | None) -> None:
    faults = [
        Fault(f"sent.{arm}", f"{count} is no count", "0 or more") for arm, count in (sent or {}).items() if count < 0
    ]
    if days is not None and not 0 <= days < float("inf"):
        faults.append(Fault("days", f"{days:g} is no number of days", "0 or more"))
    if faults:
        raise Invalid("the experiment was not checked", faults)


def _report_in(body: Mapping[str, object]) -> CheckReport:
    record = read_evidence(body).record
    if not isinstance(record, CheckReport):
        raise Refused("the key stands for other evidence", rule="a key stands for one request")
    return record


def _require_champion(workspace: Workspace, model: str) -> None:
    if store_of(workspace).current(model, CHANNELS[CONTROL]) is None:
        raise Missing(
            f"{model} has no published champion",
            expected="a control that can answer",
            next_step=f"tasuki model publish {model} VERSION --channel champion",
        )


def _require_routing_free(workspace: Workspace, request: StartRequest, runs: tuple[Run, ...]) -> None:
    routing = _routing(workspace)
    if routing is None or routing.experiment is None or routing.model == request.model:
        return
    if any(run.name == routing.experiment and run.ended_at is None for run in runs):
        raise Refused(
            f"the inference service runs {routing.experiment} on {routing.model}",
            rule="a workspace's inference service splits traffic for one experiment at a time",
            next_step=f"wait for it, or: tasuki experiment stop {routing.experiment}",
        )


def _routing(workspace: Workspace) -> Routing | None:
    """What the service is told now; None when that cannot be read, so that it is written anew."""
    try:
        return load_routing(workspace.folder)
    except Invalid:
        return None


def _route_back(workspace: Workspace, experiment: str, model: str | None) -> None:
    """Writes the plain routing when the file routes this experiment, or cannot be read."""
    try:
        routing = load_routing(workspace.folder)
    except Invalid:
        served = model
    else:
        served = routing.model if routing is not None and routing.experiment == experiment else None
    if served is not None:
        save_routing(workspace.folder, plain_routing(served, workspace.artifacts_location))


def _all_runs(workspace: Workspace) -> tuple[Run, ...]:
    return tuple(run for state in workspace.ledger.ideas() for run in _runs(workspace, state))


def _runs(workspace: Workspace, state: IdeaState) -> tuple[Run, ...]:
    started = any(one.started_at is not None for one in state.experiments)
    return runs_of(state.idea, workspace.ledger.events(state.idea)) if started else ()


def _run(workspace: Workspace, idea: str, experiment: str) -> Run:
    state = workspace.ledger.state(idea)
    found = next((run for run in _runs(workspace, state) if run.name == experiment), None)
    if found is None:
        raise Missing(
            f"{idea} has started no experiment {experiment!r}",
            expected=", ".join(one.name for one in state.experiments) or "none was booked or started yet",
            next_step="tasuki experiment list",
        )
    return found
