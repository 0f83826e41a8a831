"""Deciding on an A/B 2: a person's decision beside what the rule recommends, as evidence."""

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, command, said
from tasuki.experiments.decided import DecisionRequest, decision_on
from tasuki.experiments.start import frozen_plan
from tasuki.flow.evidence import evidence_of, read_evidence
from tasuki.flow.records import ComparisonReport, Decision, ExperimentPlan
from tasuki.flow.rights import require_at_work

__all__ = ["DecisionRequest", "decide_experiment"]

PRODUCER = "tasuki experiment decide"


def decide_experiment(
    workspace: Workspace, idea: str, request: DecisionRequest, *, actor: str, key: str | None = None
) -> Decision:
    """Records what a person decides on the newest comparison, beside what was recommended.

    Args:
        workspace: Where the idea is.
        idea: The idea whose experiment it is.
        request: What is decided, and why.
        actor: Who decides.
        key: Idempotency key: the decision that was recorded first is given again.

    Raises:
        Missing: The experiment was not compared yet.
        Invalid: With every fault of the request at once.
        Refused: The member may not attach evidence to the present stage.
    """
    state = workspace.ledger.state(idea)
    require_at_work(state, workspace.act(actor), state.stage, f"decide on {request.experiment}")
    faults = request.faults(list(workspace.ledger.members()))
    if faults:
        raise Invalid("nothing was decided", faults)
    entries = [one for one in state.evidence if one.kind == "comparison_report"]
    entry = next((one for one in reversed(entries) if one.record["experiment"] == request.experiment), None)
    if entry is None:
        raise Missing(
            said("{experiment} was not compared", experiment=request.experiment),
            expected="a comparison to decide on",
            next_step=command(
                "tasuki experiment compare {experiment} --idea {idea}", experiment=request.experiment, idea=idea
            ),
        )
    report, planned = read_evidence(entry.body).record, frozen_plan(state, request.experiment)
    plan = None if planned is None else read_evidence(planned.body).record
    assert isinstance(report, ComparisonReport)
    assert plan is None or isinstance(plan, ExperimentPlan)
    brief = state.latest("hypothesis_brief")
    prior = None if brief is None else float(brief.record["prior_probability"])
    decision = decision_on(report, plan, request, prior)
    attach_evidence(workspace, idea, evidence_of(decision, PRODUCER, workspace.clock()), actor=actor, key=key)
    return decision
