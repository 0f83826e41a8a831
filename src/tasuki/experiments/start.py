"""Starting an experiment: what is asked for, the rules that may refuse it, and the routing that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isclose
from typing import Any

from tasuki.errors import Fault, Invalid, Refused, command, said
from tasuki.experiments.allocation import EVERYBODY, Allocation, HoldOut, Reach, allocation_faults
from tasuki.experiments.assignment import SHARE_TOLERANCE
from tasuki.experiments.naming import name_faults
from tasuki.experiments.routing import (
    CONTROL,
    ExperimentKind,
    RoutedArm,
    Routing,
    placing_document,
    plain_routing,
    read_placing,
)
from tasuki.flow import experimenting
from tasuki.flow.event import Event, NewEvent
from tasuki.flow.rights import Act
from tasuki.flow.state import EvidenceEntry, IdeaState

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
        layer: The layer whose range it holds; the model's own, named like the model, when empty.
        reach: The range of the layer that it holds, and how much of it is exposed at first.
    """

    experiment: str
    kind: ExperimentKind
    model: str
    shares: Mapping[str, float]
    treatment_location: str
    salt: str = ""
    layer: str = ""
    reach: Reach = EVERYBODY


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

    @property
    def allocation(self) -> Allocation:
        """Who takes part, and in which arm; everybody where the ledger says nothing of a layer."""
        layer, reach, holdout = read_placing(self.settings, [])
        return Allocation(self.settings["salt"], tuple(self.shares.items()), layer, reach, holdout)

    def holds_as(self, settings: Mapping[str, Any]) -> bool:
        """Whether the settings are its own, however far it is ramped up."""
        return {**self.settings, "exposed": None} == {**settings, "exposed": None}


def settings_of(request: StartRequest, state: IdeaState, holdout: HoldOut | None = None) -> dict[str, Any]:
    """What the event says of a start besides name and kind, so that the experiment can be repeated and checked.

    Args:
        request: What is asked for.
        state: The idea.
        holdout: Who is kept out of every experiment of the team.

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
    faults += name_faults(request.experiment, state)
    if request.kind not in STAGES:
        faults.append(Fault("kind", said("there is no kind {kind!r}", kind=request.kind), "check or comparison"))
    if set(request.shares) != set(CHANNELS):
        arms = tuple(request.shares) or said("none")
        faults.append(Fault("shares", said("the arms are {arms}", arms=arms), "control and treatment"))
    plan = plan_of(state, request.experiment) or {}
    salt = request.salt or plan.get("salt") or request.experiment
    layer = request.layer or (request.model if request.reach != EVERYBODY else "")
    allocation = Allocation(salt, tuple(request.shares.items()), layer, request.reach, holdout)
    faults += allocation_faults(allocation)
    if faults:
        raise Invalid(said("the experiment was not started: {count} fault(s)", count=len(faults)), faults)
    return {
        "model": request.model,
        "salt": salt,
        "arms": [{"name": name, "share": float(share)} for name, share in request.shares.items()],
        "treatment_location": request.treatment_location,
        **placing_document(allocation),
    }


def plan_of(state: IdeaState, experiment: str) -> Mapping[str, Any] | None:
    """The newest plan that was registered for the experiment."""
    plans = (one.record for one in reversed(state.evidence) if one.kind == "experiment_plan")
    return next((plan for plan in plans if plan["experiment"] == experiment), None)


def frozen_plan(state: IdeaState, experiment: str) -> EvidenceEntry | None:
    """The plan that an experiment is judged by: the newest of those that were registered before it started."""
    entries = [
        one for one in state.evidence if one.kind == "experiment_plan" and one.record["experiment"] == experiment
    ]
    run = next((one for one in state.experiments if one.name == experiment), None)
    if run is None or run.started_at is None:
        return entries[-1] if entries else None
    before = [one for one in entries if one.attached_at <= run.started_at]
    return next(reversed(before or entries), None)


def require_not_started(state: IdeaState, experiment: str) -> None:
    """Refuses another plan for an experiment that has started."""
    run = next((one for one in state.experiments if one.name == experiment), None)
    if run is not None and run.started_at is not None:
        raise Refused(
            said(
                "{experiment} was started {started_at:%Y-%m-%d %H:%M} UTC",
                experiment=experiment,
                started_at=run.started_at,
            ),
            rule="a plan is frozen at the start: metrics, days and rule are not changed once numbers can be seen",
            next_step="plan and start another experiment under another name",
        )


def start(
    state: IdeaState, act: Act, request: StartRequest, settings: Mapping[str, Any], runs: Sequence[Run]
) -> NewEvent:
    """The event that starts an experiment.

    Args:
        state: The idea.
        act: Who starts it, and when.
        request: What is asked for.
        settings: What `settings_of` made of it.
        runs: The experiments that run, of any idea, and those of this name that were ever started.

    Raises:
        Refused: The member may not, the idea is not in the stage, the plan is missing or says otherwise, or another
            experiment stands in the way.
    """
    event = experimenting.start_experiment(state, act, request.experiment, request.kind)
    _require_stage(state, request)
    _require_plan(state, request, settings)
    _require_free(state, request, settings, runs)
    return replace(event, body={**event.body, **settings})


def ramp(state: IdeaState, act: Act, run: Run, exposed: float) -> NewEvent:
    """The event that exposes more of an experiment's range.

    Raises:
        Invalid: The share is none.
        Refused: The member may not, it is not running, or less would be exposed than before.
    """
    if not 0 < exposed <= 1:
        raise Invalid(
            "nothing was changed",
            [Fault("exposed", said("the share is {exposed:g}", exposed=exposed), "above 0 and at most 1")],
        )
    event = experimenting.ramp_experiment(state, act, run.name, exposed)
    now = run.allocation.reach.exposed
    if exposed < now:
        raise Refused(
            said("{run} is exposed to {now:g} of its range", run=run.name, now=now),
            rule="a ramp-up only adds units: those who were exposed stay in their arms until the end",
            next_step=said("a share of {now:g} or more, or: tasuki experiment stop {run}", now=now, run=run.name),
        )
    return event


def routing_of(runs: Sequence[Run], model: str, location: str) -> Routing:
    """The routing of a model: its running experiments, the one that started first as the main one; plain without any.

    Control is answered at the workspace's own artifacts, treatment at the experiment's location.

    Args:
        runs: The experiments that run, of any idea; what has ended is left out.
        model: The model.
        location: The workspace's own artifacts.
    """
    mine = [run for run in runs if run.ended_at is None and run.settings.get("model") == model]
    if not mine:
        return plain_routing(model, location)
    first, *others = (_routed(run, location) for run in sorted(mine, key=lambda run: run.started_at))
    return replace(first, beside=tuple(others))


def _routed(run: Run, location: str) -> Routing:
    settings, allocation = run.settings, run.allocation
    locations = {CONTROL: location, TREATMENT: settings["treatment_location"]}
    arms = tuple(RoutedArm(name, share, CHANNELS[name], locations[name]) for name, share in run.shares.items())
    placing = (allocation.layer, allocation.reach, allocation.holdout)
    kind: ExperimentKind = "check" if run.kind == "check" else "comparison"
    return Routing(settings["model"], run.name, kind, settings["salt"], arms, *placing)


def runs_of(idea: str, events: Sequence[Event]) -> tuple[Run, ...]:
    """The experiments that the events of an idea started."""
    runs: dict[str, Run] = {}
    for event in events:
        name = event.body.get("name", "")
        if event.kind == "experiment_started":
            said = {key: event.body[key] for key in (*_SETTINGS, *_PLACING) if key in event.body}
            settings = said if all(key in said for key in _SETTINGS) else {}
            first = runs[name].started_at if name in runs else event.at
            runs[name] = Run(idea, name, event.body["kind"], settings, first, None)
        elif event.kind == "experiment_ramped" and name in runs:
            ramped = {**runs[name].settings, "exposed": event.body["exposed"]}
            runs[name] = replace(runs[name], settings=ramped)
        elif event.kind == "experiment_stopped" and name in runs:
            runs[name] = replace(runs[name], ended_at=event.at)
    return tuple(runs.values())


_SETTINGS = ("model", "salt", "arms", "treatment_location")
_PLACING = ("layer", "range", "exposed", "holdout")


def _require_stage(state: IdeaState, request: StartRequest) -> None:
    stage = STAGES[request.kind]
    if state.stage != stage:
        raise Refused(
            said("{idea} is in {stage}, not in {wanted}", idea=state.idea, stage=state.stage, wanted=stage),
            rule="A/B 1 (check) runs in ab_check, A/B 2 (comparison) in ab_comparison",
            next_step=said("hand it over until it is in {stage}", stage=stage),
        )


def _require_plan(state: IdeaState, request: StartRequest, settings: Mapping[str, Any]) -> None:
    if request.kind != "comparison":
        return
    plan = plan_of(state, request.experiment)
    if plan is None or plan["kind"] != "comparison":
        raise Refused(
            said("no plan was registered for {experiment}", experiment=request.experiment),
            rule="an A/B 2 is planned before it starts: metrics, smallest effect, days and rule",
            next_step=command(
                "tasuki experiment plan {experiment} --idea {idea}", experiment=request.experiment, idea=state.idea
            ),
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
            said("{experiment} was planned otherwise", experiment=request.experiment),
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
                said("{idea} has an experiment {run} already", idea=run.idea, run=run.name),
                rule="exposures are told apart by the experiment's name, so no two ideas share one",
                next_step="choose another name",
            )
        if same_name and not run.holds_as(settings):
            raise Refused(
                said("{run} was started before with other settings", run=run.name),
                rule="all exposures of one name were made under the same split, salt, model and location",
                next_step="choose another name for the new run",
            )
        if not same_name and run.ended_at is None and run.settings:
            _require_apart(run, request, settings)


def _require_apart(run: Run, request: StartRequest, settings: Mapping[str, Any]) -> None:
    """Refuses units that the other experiment holds: of the same model, or of the same layer."""
    layer, reach, _ = read_placing(settings, [])
    theirs = run.allocation
    same_model = run.settings["model"] == request.model
    same_layer = bool(layer) and theirs.layer == layer
    held = said("{low:g} to {high:g}", low=theirs.reach.low, high=theirs.reach.high)
    since = said("since {at:%Y-%m-%d %H:%M} UTC", at=run.started_at)
    if same_model and not same_layer:
        everybody = theirs.reach == EVERYBODY
        every, part = (
            said("all of {model}", model=request.model),
            said("{held} of the layer {layer}", held=held, layer=theirs.layer),
        )
        what = every if everybody else part
        raise Refused(
            said("{run} of {idea} holds {what} {since}", run=run.name, idea=run.idea, what=what, since=since),
            rule="experiments of one model run at the same time in one layer, on ranges that do not overlap",
            next_step=said(
                "a range of its layer that is free, wait for it, or: tasuki experiment stop {run}", run=run.name
            ),
        )
    if same_layer and theirs.reach.overlaps(reach):
        raise Refused(
            said(
                "{run} of {idea} holds {held} of the layer {layer} {since}",
                run=run.name,
                idea=run.idea,
                held=held,
                layer=layer,
                since=since,
            ),
            rule="experiments of one layer hold ranges that do not overlap",
            expected=said("a range outside {held}", held=held),
            next_step=said("another --range, wait for it, or: tasuki experiment stop {run}", run=run.name),
        )
