"""Starting an experiment: what is asked for, the rules that may refuse it, and the routing that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isclose
from typing import Any

from tasuki.errors import Fault, Invalid, Refused
from tasuki.experiments.assignment import SHARE_TOLERANCE, split_of
from tasuki.experiments.routing import CONTROL, ExperimentKind, RoutedArm, Routing
from tasuki.flow import decide
from tasuki.flow.event import Event, NewEvent
from tasuki.flow.rights import Act
from tasuki.flow.state import IdeaState

TREATMENT = "treatment"
CHANNELS = {CONTROL: "champion", TREATMENT: "challenger"}
STAGES: Mapping[str, str] = {"check": "ab_check", "comparison": "ab_comparison"}


@dataclass(frozen=True)
class StartRequest:
    """What an experiment is started with.

    Args:
        experiment: Its name, unlike that of any other idea's experiment.
        kind: `check` for A/B 1, `comparison` for A/B 2.
        model: The model whose traffic is split.
        shares: The share of the units for `control` and for `treatment`, in the order in which they take buckets.
        treatment_location: The artifact store from which the service fetches the treatment's parameters.
        salt: What units are hashed with; the registered plan's salt, else the experiment's name, when empty.
    """

    experiment: str
    kind: ExperimentKind
    model: str
    shares: Mapping[str, float]
    treatment_location: str
    salt: str = ""


@dataclass(frozen=True)
class Run:
    """An experiment that was started, as the ledger tells it.

    Args:
        idea: The idea it belongs to.
        name: Its name.
        kind: `check` or `comparison`.
        settings: What it was started with (see `settings_of`); empty when the ledger does not say.
        started_at: When it was first started.
        ended_at: When it was last stopped; None while it runs.
    """

    idea: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None

    @property
    def shares(self) -> dict[str, float]:
        """The share of each arm, in order."""
        return {one["name"]: one["share"] for one in self.settings["arms"]}


def settings_of(request: StartRequest, state: IdeaState) -> dict[str, Any]:
    """What the event says of a start besides name and kind, so that the experiment can be repeated and checked.

    Raises:
        Invalid: With every fault of the request at once.
    """
    faults = [
        Fault(name, "missing", expected)
        for name, expected in (
            ("experiment", "a name"),
            ("model", "the model whose traffic is split"),
            ("treatment_location", "the artifact store of the treatment"),
        )
        if not getattr(request, name).strip()
    ]
    if request.kind not in STAGES:
        faults.append(Fault("kind", f"there is no kind {request.kind!r}", "check or comparison"))
    if set(request.shares) != set(CHANNELS):
        said = ", ".join(request.shares) or "none"
        faults.append(Fault("shares", f"the arms are {said}", "control and treatment"))
    try:
        split_of(request.shares)
    except Invalid as error:
        faults.extend(error.faults)
    if faults:
        raise Invalid(f"the experiment was not started: {len(faults)} fault(s)", faults)
    plan = plan_of(state, request.experiment) or {}
    return {
        "model": request.model,
        "salt": request.salt or plan.get("salt") or request.experiment,
        "arms": [{"name": name, "share": float(share)} for name, share in request.shares.items()],
        "treatment_location": request.treatment_location,
    }


def plan_of(state: IdeaState, experiment: str) -> Mapping[str, Any] | None:
    """The newest plan that was registered for the experiment."""
    plans = (one.record for one in reversed(state.evidence) if one.kind == "experiment_plan")
    return next((plan for plan in plans if plan["experiment"] == experiment), None)


def start(state: IdeaState, act: Act, request: StartRequest, runs: Sequence[Run]) -> NewEvent:
    """The event that starts an experiment.

    Args:
        state: The idea.
        act: Who starts it, and when.
        request: What is asked for.
        runs: Every experiment that was ever started, of any idea.

    Raises:
        Invalid: With every fault of the request.
        Refused: The member may not, the idea is not in the stage, the plan is missing or says otherwise, or another
            experiment stands in the way.
    """
    settings = settings_of(request, state)
    event = decide.start_experiment(state, act, request.experiment, request.kind)
    _require_stage(state, request)
    _require_plan(state, request, settings)
    _require_free(state, request, settings, runs)
    return replace(event, body={**event.body, **settings})


def routing_of(settings: Mapping[str, Any], experiment: str, kind: ExperimentKind, location: str) -> Routing:
    """The routing of an experiment: control at the workspace's own artifacts, treatment at its location."""
    locations = {CONTROL: location, TREATMENT: settings["treatment_location"]}
    arms = tuple(
        RoutedArm(one["name"], one["share"], CHANNELS[one["name"]], locations[one["name"]]) for one in settings["arms"]
    )
    return Routing(settings["model"], experiment, kind, settings["salt"], arms)


def runs_of(idea: str, events: Sequence[Event]) -> tuple[Run, ...]:
    """The experiments that the events of an idea started."""
    runs: dict[str, Run] = {}
    for event in events:
        name = event.body.get("name", "")
        if event.kind == "experiment_started":
            said = {key: event.body[key] for key in _SETTINGS if key in event.body}
            settings = said if len(said) == len(_SETTINGS) else {}
            first = runs[name].started_at if name in runs else event.at
            runs[name] = Run(idea, name, event.body["kind"], settings, first, None)
        elif event.kind == "experiment_stopped" and name in runs:
            runs[name] = replace(runs[name], ended_at=event.at)
    return tuple(runs.values())


_SETTINGS = ("model", "salt", "arms", "treatment_location")


def _require_stage(state: IdeaState, request: StartRequest) -> None:
    stage = STAGES[request.kind]
    if state.stage != stage:
        raise Refused(
            f"{state.idea} is in {state.stage}, not in {stage}",
            rule="A/B 1 (check) runs in ab_check, A/B 2 (comparison) in ab_comparison",
            next_step=f"hand it over until it is in {stage}",
        )


def _require_plan(state: IdeaState, request: StartRequest, settings: Mapping[str, Any]) -> None:
    if request.kind != "comparison":
        return
    plan = plan_of(state, request.experiment)
    if plan is None or plan["kind"] != "comparison":
        raise Refused(
            f"no plan was registered for {request.experiment}",
            rule="an A/B 2 is planned before it starts: metrics, smallest effect, days and rule",
            next_step=f"tasuki experiment plan {request.experiment} --idea {state.idea}",
        )
    planned = {one["name"]: one["share"] for one in plan["arms"]}
    asked = {one["name"]: one["share"] for one in settings["arms"]}
    faults = []
    if list(planned) != list(asked) or any(
        not isclose(planned[name], asked[name], abs_tol=SHARE_TOLERANCE) for name in asked
    ):
        faults.append(Fault("shares", f"{_listed(asked)}", _listed(planned)))
    if settings["salt"] != plan["salt"]:
        faults.append(Fault("salt", repr(settings["salt"]), repr(plan["salt"])))
    if faults:
        raise Refused(
            f"{request.experiment} was planned otherwise",
            rule="an A/B 2 runs as it was registered",
            faults=faults,
            next_step="start it as planned, or register another plan under another name",
        )


def _listed(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={share:g}" for name, share in shares.items())


def _require_free(state: IdeaState, request: StartRequest, settings: Mapping[str, Any], runs: Sequence[Run]) -> None:
    for run in runs:
        same_name = run.name == request.experiment
        if same_name and run.idea != state.idea:
            raise Refused(
                f"{run.idea} has an experiment {run.name} already",
                rule="exposures are told apart by the experiment's name, so no two ideas share one",
                next_step="choose another name",
            )
        if same_name and run.settings != settings:
            raise Refused(
                f"{run.name} was started before with other settings",
                rule="all exposures of one name were made under the same split, salt, model and location",
                next_step="choose another name for the new run",
            )
        if not same_name and run.ended_at is None and run.settings.get("model") == request.model:
            raise Refused(
                f"{run.name} of {run.idea} runs on {request.model} since {run.started_at:%Y-%m-%d %H:%M} UTC",
                rule="one experiment at a time splits the traffic of a model",
                next_step=f"wait for it, or: tasuki experiment stop {run.name}",
            )
