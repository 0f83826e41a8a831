"""Starting and stopping experiments, and A/B 1: does it behave as designed?"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tasuki.actions.artifacts import attach_once
from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.errors import Fault, Invalid, Refused
from tasuki.experiments.check import CheckThresholds, check, thresholds_of
from tasuki.experiments.routing import CONTROL, ExperimentKind, RoutedArm, Routing, plain_routing
from tasuki.flow import decide
from tasuki.flow.evidence import evidence_of
from tasuki.flow.records import CheckReport
from tasuki.flow.rights import require_member
from tasuki.flow.state import IdeaState
from tasuki.models.definition import is_plain_name
from tasuki.store.routing import keep_experiment, load_routing, routing_of, save_routing

CHANNELS = {CONTROL: "champion", "treatment": "challenger"}


@dataclass(frozen=True)
class StartRequest:
    """What an experiment is started with.

    Args:
        experiment: Its name: letters, digits, - and _.
        kind: `check` is A/B 1, `comparison` A/B 2.
        model: The model whose requests are split.
        shares: The share of the units by arm, adding up to 1; `control` among them.
        location: Where the service fetches the treatment's version from; the workspace's own store by default.
        salt: What units are hashed with; the experiment's name by default, so that every experiment splits anew.
        channels: The channel of each arm; control follows champion and treatment challenger by default.
    """

    experiment: str
    kind: ExperimentKind
    model: str
    shares: Mapping[str, float]
    location: str = ""
    salt: str = ""
    channels: Mapping[str, str] = field(default_factory=dict)


def start_experiment(
    workspace: Workspace, idea: str, request: StartRequest, *, actor: str, key: str | None = None
) -> IdeaState:
    """Starts an A/B 1 or A/B 2: from now on the service splits the model's requests.

    Raises:
        Invalid: When name, shares, salt or channels cannot be used. Nothing was changed.
        Refused: When the model is in another experiment, or by the rules of the idea.
    """
    routing = _routing(workspace, request)
    running = load_routing(workspace.folder)
    if running is not None and running.experiment not in (None, request.experiment):
        raise Refused(
            f"{running.experiment} is running on {running.model}",
            rule="the service splits requests for one experiment at a time",
            next_step=f"tasuki experiment stop IDEA {running.experiment}",
        )
    said = {
        "experiment": request.experiment,
        "kind": request.kind,
        "model": request.model,
        "shares": dict(request.shares),
        "location": request.location,
        "salt": request.salt,
    }
    state = change_idea(
        workspace,
        idea,
        Request("start_experiment", actor, said, key),
        lambda state, act: [decide.start_experiment(state, act, request.experiment, request.kind)],
    )
    if running is None or replace(running, started=routing.started) != routing:
        keep_experiment(workspace.folder, routing)
        save_routing(workspace.folder, routing)
    return state


def stop_experiment(
    workspace: Workspace, idea: str, experiment: str, *, actor: str, reason: str = "", key: str | None = None
) -> IdeaState:
    """Stops an experiment: from now on the champion answers everybody."""
    state = change_idea(
        workspace,
        idea,
        Request("stop_experiment", actor, {"experiment": experiment, "reason": reason}, key),
        lambda state, act: [decide.stop_experiment(state, act, experiment, reason)],
    )
    running = load_routing(workspace.folder)
    if running is not None and running.experiment == experiment:
        save_routing(workspace.folder, plain_routing(running.model, workspace.artifacts_location))
    return state


def check_experiment(
    workspace: Workspace,
    idea: str,
    experiment: str,
    *,
    actor: str,
    sent: Mapping[str, int] | int | None = None,
    thresholds: CheckThresholds | None = None,
    key: str | None = None,
) -> CheckReport:
    """Runs every probe of A/B 1 over the logs and attaches the report to the idea.

    Args:
        workspace: Whose exposures, outcomes and artifacts are looked at.
        idea: The idea that gets the report.
        experiment: The experiment, running or stopped.
        actor: Who checks.
        sent: How many answers the client counted (in total or by arm), to hold the exposure log against.
        thresholds: What must be met; those of `playbook/check.toml`, else the defaults.
        key: Idempotency key.

    Raises:
        Missing: When the experiment was never started.
    """
    from tasuki.actions.observations import observe

    require_member(workspace.act(actor))
    state = workspace.ledger.state(idea)
    routing = routing_of(workspace.folder, experiment)
    limits = thresholds or read_thresholds(workspace)
    counted = sum(sent.values()) if isinstance(sent, Mapping) else sent
    began = next((one.started_at for one in state.experiments if one.name == experiment), None)
    report = check(observe(workspace, routing, began, counted, limits.score_tolerance), limits)
    evidence = evidence_of(report, "tasuki experiment check", workspace.clock())
    attach_once(workspace, idea, evidence, actor, key)
    return report


def read_thresholds(workspace: Workspace) -> CheckThresholds:
    """The team's thresholds: `playbook/check.toml`, where there is one.

    Raises:
        Invalid: Naming every entry that cannot be used.
    """
    path = workspace.folder / "playbook" / "check.toml"
    try:
        return thresholds_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return CheckThresholds()
    except ValueError as error:
        raise Invalid(f"{path} cannot be read", [Fault(str(path), str(error), "TOML")]) from error


def _routing(workspace: Workspace, request: StartRequest) -> Routing:
    faults = []
    if not is_plain_name(request.experiment):
        faults.append(Fault("experiment", f"{request.experiment!r} is no plain name", "letters, digits, - and _"))
    if not is_plain_name(request.model):
        faults.append(Fault("model", f"{request.model!r} is no plain name", "letters, digits, - and _"))
    channels = {**CHANNELS, **request.channels}
    faults += [Fault(f"channels.{arm}", "is missing", "a channel") for arm in request.shares if arm not in channels]
    if CONTROL not in request.shares:
        faults.append(Fault("shares", f"there is no arm called {CONTROL}", "control=0.95,treatment=0.05"))
    if faults:
        raise Invalid("the experiment cannot be started", faults)
    own, other = workspace.artifacts_location, request.location or workspace.artifacts_location
    arms = tuple(
        RoutedArm(name, share, channels[name], own if name == CONTROL else other)
        for name, share in request.shares.items()
    )
    # The service lives by the machine's time, also where the workspace's clock is moved by hand.
    now, salt = system_clock(), request.salt or request.experiment
    routing = Routing(request.model, request.experiment, request.kind, salt, arms, now)
    _ = routing.split  # raises when the shares do not add up
    return routing
