"""An idea as the command line shows it: one document for scripts, a readable story for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasuki.actions.documents import idea_document, question_of
from tasuki.cli.output import console, emit, print_table

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.flow.state import IdeaState


def emit_idea(workspace: "Workspace", state: "IdeaState", *, as_json: bool, said: str = "") -> None:
    """Prints the document `tasuki.idea/1`, or what was done and where the idea stands now."""

    def show() -> None:
        if said:
            console.print(said, markup=False)
        print_standing(workspace, state)

    emit("idea/1", idea_document(workspace, state), as_json=as_json, for_people=show)


def print_standing(workspace: "Workspace", state: "IdeaState") -> None:
    """Where an idea stands, in a few lines."""
    console.print(f"[bold]{state.idea}[/bold]  {_plain(state.title)}")
    console.print(f"  {' → '.join(_way(state))}")
    if state.status != "active":
        console.print(f"  {state.status}: {_plain(state.end_reason)}")
        return
    offer = state.offer
    if offer is None:
        console.print(f"  {state.holder} has {state.stage}")
        return
    whom = offer.to_member or "anyone who may receive it"
    console.print(f"  {offer.offered_by} has offered it to {offer.to_stage} ({whom})")
    if offer.picked_up_by:
        question = question_of(workspace, state) or {}
        console.print(f"  {offer.picked_up_by} has picked it up and answers: [italic]{question.get('en', '')}[/italic]")


def _way(state: "IdeaState") -> Iterator[str]:
    skipped = {skip.stage for skip in state.skips}
    run = {leg.stage for leg in state.legs}
    for stage in state.stages:
        if stage == state.stage and state.status == "active":
            yield f"[reverse] {stage} [/reverse]"
        elif stage in skipped:
            yield f"[strike]{stage}[/strike]"
        else:
            yield stage if stage in run else f"[dim]{stage}[/dim]"


def print_story(workspace: "Workspace", state: "IdeaState") -> None:
    """Everything about an idea, in order: where it stands, its legs, hand-offs, evidence and debts."""
    from tasuki.cases.case import summary_of
    from tasuki.flow.times import lead_days, stage_times

    now = workspace.clock()
    print_standing(workspace, state)
    console.print(
        f"  flow {state.flow}, formation {state.formation}, owner {state.owner}, {lead_days(state, now):.1f} days"
    )
    times = [
        (one.stage, f"{one.touch_days:.1f}", f"{one.wait_days + one.judge_days:.1f}", _days(one.estimate_days),
         str(one.returns))
        for one in stage_times(state, now)
    ]  # fmt: skip
    print_table(("stage", "touch days#", "hand-off days#", "estimate#", "returns#"), times, "\nTime")
    handed = [
        (one.from_stage, one.to_stage, one.outcome + (" (late)" if one.late else ""), one.decided_by,
         f"{one.reason_code}: {one.reason}" if one.reason else one.answer)
        for one in state.handoffs
    ]  # fmt: skip
    if handed:
        print_table(("from", "to", "outcome", "by", "reason or answer"), handed, "\nHand-offs")
    evidence = [
        (one.kind, one.stage, one.content_hash[:12], summary_of(one.record, one.kind)) for one in state.evidence
    ]
    if evidence:
        print_table(("kind", "stage", "hash", "says"), evidence, "\nEvidence")
    notes = [(debt.owner, str(debt.due), f"{debt.number}: {debt.what}") for debt in state.open_debts()]
    if notes:
        print_table(("owner", "due", "still owed"), notes, "\nDebts")
    for rule in state.rules:
        console.print(f"\nRule ({rule.stage}, {rule.by}): {_plain(rule.text)}")
    for one in state.comments:
        console.print(f"\n{one.by}, {one.at:%Y-%m-%d %H:%M}: {_plain(one.text)}")


def _days(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _plain(text: str) -> str:
    """Text of people, in which square brackets mean nothing."""
    from rich.markup import escape

    return escape(text)
