"""A/B 1: does it behave as designed? Asks every probe and attaches the report as evidence."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict

from tasuki.actions.client_counts import ClientSaid
from tasuki.actions.experiment_list import ExperimentEntry, list_experiments
from tasuki.actions.observation import Asked, observe
from tasuki.actions.runs import run_of, runs_of_model
from tasuki.actions.start import StartRequest, idea_of_experiment, start_experiment, stop_experiment
from tasuki.actions.transaction import Request, change_idea, done_before
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, Refused, said
from tasuki.experiments.check import PROBES, Thresholds, day_verdicts, incidents_of, run_probes, thresholds_of
from tasuki.experiments.start import Run
from tasuki.flow import decide, experimenting
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import DataWindow, evidence_of, read_evidence, to_body
from tasuki.flow.records import CheckReport
from tasuki.flow.rights import Act, require_at_work
from tasuki.flow.state import IdeaState
from tasuki.texts import as_record

__all__ = [
    "ClientSaid",
    "ExperimentEntry",
    "StartRequest",
    "Thresholds",
    "check_experiment",
    "idea_of_experiment",
    "list_experiments",
    "read_thresholds",
    "report_of_the_day",
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
    said: ClientSaid | None = None,
    thresholds: Thresholds | None = None,
    key: str | None = None,
) -> CheckReport:
    """Asks every probe of A/B 1 and attaches the report, with what each day showed, as evidence.

    Args:
        workspace: Whose logs and artifacts are read.
        idea: The idea whose experiment it is.
        experiment: Its name.
        actor: Who checks.
        said: The client's own counts, where no table says them.
        thresholds: What is allowed; `playbook/check.toml` otherwise, else the defaults.
        key: Idempotency key: the report that was attached first is given again.

    Raises:
        Missing: The idea has no such experiment, or it was never started.
        Refused: The member may not attach evidence to the present stage.
        Invalid: The exposure log lacks columns, a count is negative, or the thresholds cannot be used.
    """
    limits, said = thresholds or read_thresholds(workspace), said or ClientSaid()
    said.require_possible()
    asked = Request(
        "check_experiment", actor, {"experiment": experiment, **asdict(said), "thresholds": asdict(limits)}, key
    )
    earlier = done_before(workspace, idea, asked)
    if earlier:
        return _report_in(earlier[0].body["evidence"])
    require_checker(workspace, idea, actor)
    run = run_of(workspace, idea, experiment)
    _require_known_start(run)
    report, window = _checked(workspace, Asked(run, runs_before(workspace, run), said, limits))
    evidence = evidence_of(report, PRODUCER, workspace.clock(), window)

    def decided(now: IdeaState, act: Act) -> list[NewEvent]:
        attached = decide.attach_evidence(now, act, to_body(evidence), evidence.content_hash, None)
        # A check looks at behaviour, never at who wins: for an A/B 2 it is no look at the result.
        return [attached, experimenting.look_at_experiment(now, act, experiment)] if run.kind == "check" else [attached]

    change_idea(workspace, idea, asked, decided)
    return report


def _require_known_start(run: Run) -> None:
    if not run.settings:
        raise Missing(
            said("the ledger does not say how {run} was started", run=run.name),
            expected="model, salt, shares and location",
            next_step="start it with: tasuki experiment start",
        )


def _checked(workspace: Workspace, asked: Asked) -> tuple[CheckReport, DataWindow | None]:
    limits = asked.limits
    observed = observe(workspace, asked)
    probes = run_probes(observed.design, observed.seen, limits)
    incidents = incidents_of(observed.seen, limits)
    report = CheckReport(
        asked.run.name,
        observed.seen.days,
        limits.days_required,
        all(probe.passed for probe in probes),
        probes,
        incidents,
        day_verdicts(observed.design, observed.days, limits),
        {"incidents": [as_record(one) for one in incidents]} if incidents else {},
    )
    return report, observed.window


def require_checker(workspace: Workspace, idea: str, actor: str) -> None:
    """Raises `NotAllowed` or `Missing` unless the member may attach a report to the idea's present stage."""
    state = workspace.ledger.state(idea)
    require_at_work(state, workspace.act(actor), state.stage, f"check it in {state.stage}")


def report_of_the_day(workspace: Workspace, idea: str, experiment: str) -> CheckReport | None:
    """The report of the experiment that was attached today (UTC), so that a schedule may ask as often as it likes."""
    today = workspace.clock().date()
    for entry in reversed(workspace.ledger.state(idea).evidence):
        if entry.kind == "check_report" and entry.record["experiment"] == experiment:
            report = read_evidence(entry.body)
            return _report_in(entry.body) if report.at.date() == today else None
    return None


def runs_before(workspace: Workspace, run: Run) -> tuple[Run, ...]:
    """The experiments on the same model that were started before it, the newest last."""
    same = runs_of_model(workspace, run.settings["model"])
    before = [one for one in same if one.name != run.name and one.started_at <= run.started_at]
    return tuple(sorted(before, key=lambda one: one.started_at))


def read_thresholds(workspace: Workspace) -> Thresholds:
    """The team's thresholds: `playbook/check.toml`, where there is one.

    Raises:
        Invalid: Naming every entry that cannot be used.
    """
    path = workspace.folder / "playbook" / "check.toml"
    try:
        return thresholds_of(tomllib.loads(path.read_text(encoding="utf-8")), tuple(PROBES))
    except FileNotFoundError:
        return Thresholds()
    except ValueError as error:
        raise Invalid(said("{path} cannot be read", path=path), [Fault(str(path), str(error), "TOML")]) from error


def _report_in(body: Mapping[str, object]) -> CheckReport:
    record = read_evidence(body).record
    if not isinstance(record, CheckReport):
        raise Refused("the key stands for other evidence", rule="a key stands for one request")
    return record
