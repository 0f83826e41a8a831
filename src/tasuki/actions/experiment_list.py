"""The experiments of all ideas as a list: found on the shelf, read in full only where they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from tasuki.actions.booking import read_calendar
from tasuki.actions.experiment_lines import EVERY, Line, Wanted, found_lines
from tasuki.actions.runs import runs_by_idea
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid
from tasuki.experiments.booking import lane_of, slot_of
from tasuki.experiments.routing import Routing
from tasuki.experiments.start import Run
from tasuki.flow.state import IdeaState
from tasuki.store.routing import load_routing


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


def list_experiments(
    workspace: Workspace, wanted: Wanted = EVERY, limit: int | None = None
) -> tuple[ExperimentEntry, ...]:
    """The experiments that are asked for, the newest first; with a limit at the most so many."""
    return entries_of(workspace, found_lines(workspace.ledger.shelf(), wanted)[:limit])


def entries_of(workspace: Workspace, lines: Sequence[Line]) -> tuple[ExperimentEntry, ...]:
    """These experiments with all that is known of them."""
    begun = [line.state.idea for line in lines if line.experiment.started_at is not None]
    runs = {(run.idea, run.name): run for mine in runs_by_idea(workspace, begun).values() for run in mine}
    entries = outlined_entries(workspace, lines)
    return tuple(_with_run(one, runs.get((one.idea, one.name))) for one in entries)


def outlined_entries(workspace: Workspace, lines: Sequence[Line]) -> tuple[ExperimentEntry, ...]:
    """These experiments without their models, shares and ranges."""
    today, routed = workspace.clock().date(), routed_names(routing_now(workspace))
    waits = any(line.standing == "current" and line.experiment.started_at is None for line in lines)
    calendar = read_calendar(workspace) if waits else None
    entries = []
    for line in lines:
        state, one = line.state, line.experiment
        slot = slot_of(state, one, today)
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
            position=None if calendar is None else calendar.position(state.idea, one.name),
        )
        entries.append(_with_outcome(entry, state))
    return tuple(entries)


def routing_now(workspace: Workspace) -> Routing | None:
    """What the service is told now; None when that cannot be read, so that it is written anew."""
    try:
        return load_routing(workspace.folder)
    except Invalid:
        return None


def routed_names(routing: Routing | None) -> set[str]:
    """The experiments that the service is told to run."""
    names = () if routing is None else (routing.experiment, *(one.experiment for one in routing.beside))
    return {name for name in names if name is not None}


def _with_run(entry: ExperimentEntry, run: Run | None) -> ExperimentEntry:
    if run is None or not run.settings:
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
