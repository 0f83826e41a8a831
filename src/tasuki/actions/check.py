"""A/B 1: does it behave as designed? Asks every probe and attaches the report as evidence."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict

from tasuki.actions.observation import observe
from tasuki.actions.start import (
    ExperimentEntry,
    StartRequest,
    idea_of_experiment,
    list_experiments,
    run_of,
    start_experiment,
    stop_experiment,
)
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, Refused
from tasuki.experiments.check import Thresholds, incidents_of, run_probes, thresholds_of
from tasuki.flow import decide
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import evidence_of, read_evidence, to_body
from tasuki.flow.records import CheckReport
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState

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
    run = run_of(workspace, idea, experiment)
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
