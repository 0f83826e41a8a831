"""One experiment as a whole: its plan, where it stands, what was seen last, what was decided, and what comes next."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from tasuki.actions.experiment_lines import lines_named
from tasuki.actions.experiment_list import ExperimentEntry, entries_of
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, said
from tasuki.flow.state import EvidenceEntry, IdeaState


@dataclass(frozen=True)
class NextStep:
    """What would be done next, in words, and the command that does it; empty where nothing is left to do."""

    what: str
    command: str = ""


@dataclass(frozen=True)
class ShownExperiment:
    """What is known of an experiment.

    Args:
        entry: Its place in the list of experiments.
        plan: The registered plan, for A/B 2.
        check: The newest report of A/B 1.
        comparison: The newest report of A/B 2.
        decision: What was decided after it.
        next_step: What would be done next.
    """

    entry: ExperimentEntry
    plan: EvidenceEntry | None
    check: EvidenceEntry | None
    comparison: EvidenceEntry | None
    decision: EvidenceEntry | None
    next_step: NextStep

    def to_dict(self) -> dict[str, Any]:
        """`tasuki.experiment_show/1`: the entry's own fields, the newest record of each kind, and the next step."""
        records = {name: getattr(self, name) for name in ("plan", "check", "comparison", "decision")}
        found = {name: None if one is None else _record(one) for name, one in records.items()}
        return {**asdict(self.entry), **found, "next_step": asdict(self.next_step)}


def show_experiment(workspace: Workspace, experiment: str, idea: str | None = None) -> ShownExperiment:
    """What is known of an experiment.

    Args:
        workspace: Where it was booked, planned or started.
        experiment: Its name.
        idea: Its idea, where two ideas have one of this name.

    Raises:
        Missing: There is none of this name.
    """
    lines = [one for one in lines_named(workspace.ledger.shelf(), experiment) if idea in (None, one.state.idea)]
    if not lines:
        raise Missing(
            said("there is no experiment {name!r}", name=experiment),
            expected="one that was booked or started",
            next_step="tasuki experiment list",
        )
    (entry,) = entries_of(workspace, lines[:1])
    state = workspace.ledger.state(entry.idea)
    kinds = ("experiment_plan", "check_report", "comparison_report")
    plan, check, comparison = (_newest(state, kind, experiment) for kind in kinds)
    decision = None
    if entry.decided is not None:
        decision = state.latest("decision")
    seen = ShownExperiment(entry, plan, check, comparison, decision, NextStep(""))
    step = next_step(seen, is_over=state.ended_at is not None, today=workspace.clock().date())
    return ShownExperiment(entry, plan, check, comparison, decision, step)


def next_step(seen: ShownExperiment, *, is_over: bool, today: date) -> NextStep:
    """What would be done next with an experiment.

    Args:
        seen: What is known of it.
        is_over: Whether its idea has ended.
        today: The day (UTC).
    """
    one, name = seen.entry, seen.entry.name
    if is_over:
        return NextStep("nothing: the idea has ended")
    if one.kind == "comparison" and seen.plan is None:
        return NextStep("register the plan", f"tasuki experiment plan {name} --idea {one.idea}")
    if one.started_at is None:
        return NextStep("start it", f"tasuki experiment start {name} --idea {one.idea} --kind {one.kind}")
    return _of_check(seen) if one.kind == "check" else _of_comparison(seen, today)


def _of_check(seen: ShownExperiment) -> NextStep:
    name = seen.entry.name
    if seen.check is None:
        return NextStep("check whether it behaves as designed", f"tasuki experiment check {name}")
    if not seen.check.record["passed"]:
        return NextStep("mend what did not pass, and check again", f"tasuki experiment check {name}")
    if seen.entry.stopped_at is None:
        return NextStep("it passed: stop it, and hand the idea on to A/B 2", f"tasuki experiment stop {name}")
    return NextStep("nothing: it passed and is stopped")


def _of_comparison(seen: ShownExperiment, today: date) -> NextStep:
    one, name = seen.entry, seen.entry.name
    if seen.decision is not None:
        running = one.stopped_at is None
        return (
            NextStep("it is decided: stop it", f"tasuki experiment stop {name}")
            if running
            else NextStep("nothing: it is decided")
        )
    if seen.comparison is not None and seen.comparison.record["recommendation"]["decision"] != "extend":
        return NextStep("decide on what was seen", f"tasuki experiment decide {name}")
    if one.stopped_at is None and one.last_day is not None and today <= one.last_day:
        return NextStep(f"let it run until {one.last_day}, then compare", f"tasuki experiment compare {name}")
    return NextStep("compare the arms", f"tasuki experiment compare {name}")


def _newest(state: IdeaState, kind: str, experiment: str) -> EvidenceEntry | None:
    found = (one for one in reversed(state.evidence) if one.kind == kind and one.record["experiment"] == experiment)
    return next(found, None)


def _record(entry: EvidenceEntry) -> dict[str, Any]:
    return {**entry.record, "attached_at": entry.attached_at, "attached_by": entry.attached_by}
