"""The verbs of the relay: open, offer, pick up, accept, return, skip, kill, reopen, and what people say on the way.

One transaction each. Every verb takes who does it (`actor`) and an idempotency key, and returns the idea's state.
"""

from collections.abc import Mapping, Sequence

from tasuki.actions.checks import RUNNERS, Runner, run_checks
from tasuki.actions.transaction import Request, append, change_idea, done_before, preview
from tasuki.actions.workspace import Workspace
from tasuki.cases.case import Case, case_from_body, case_of, case_to_body
from tasuki.cases.search import Hit, Prepared, prepare, search_prepared
from tasuki.flow import decide, relay
from tasuki.flow.decide import NewIdea
from tasuki.flow.event import NewEvent
from tasuki.flow.plan import CASE
from tasuki.flow.relay import Acceptance, NewDebt, OfferTerms, ReturnReason
from tasuki.flow.rights import Act, require_member
from tasuki.flow.state import IdeaState
from tasuki.store.shelf import Pile, Shelf
from tasuki.team.work import WorkItem
from tasuki.team.work import my_work as work_of


def open_idea(
    workspace: Workspace,
    title: str,
    *,
    actor: str,
    flow: str | None = None,
    formation: str | None = None,
    estimate_days: float | None = None,
    key: str | None = None,
) -> IdeaState:
    """Opens an idea in a flow and formation (the workspace's when none is named); the actor owns it."""
    idea = NewIdea(title, flow or workspace.flow, formation or workspace.formation, estimate_days)
    said = {"title": title, "flow": idea.flow, "formation": idea.formation, "estimate_days": estimate_days}
    request = Request("open_idea", actor, said, key)
    earlier = done_before(workspace, "", request)
    if earlier:
        return workspace.ledger.state(earlier[0].idea)
    event = decide.open_idea(idea, workspace.act(actor))
    written = append(workspace, workspace.ledger.new_idea_id(), 0, (event,), request)
    return workspace.ledger.state(written[0].idea)


def offer_handoff(
    workspace: Workspace,
    idea: str,
    *,
    actor: str,
    to_member: str | None = None,
    note: str = "",
    key: str | None = None,
    runners: Mapping[str, Runner] = RUNNERS,
) -> IdeaState:
    """Offers the present stage to the next owner after running every machine check of the contract."""

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        relay.require_may_offer(state, act, to_member)
        results = run_checks(workspace, state, relay.contract_of(state, act), runners)
        return [relay.offer(state, act, OfferTerms(to_member, note, results))]

    request = Request("offer_handoff", actor, {"to_member": to_member, "note": note}, key)
    return change_idea(workspace, idea, request, decided)


def pick_up_handoff(workspace: Workspace, idea: str, *, actor: str, key: str | None = None) -> IdeaState:
    """Picks up what was offered: waiting ends, judging begins."""
    request = Request("pick_up_handoff", actor, {}, key)
    return change_idea(workspace, idea, request, lambda state, act: [relay.pick_up(state, act)])


def accept_handoff(
    workspace: Workspace,
    idea: str,
    *,
    actor: str,
    answer: str,
    estimate_days: float | None = None,
    debts: Sequence[NewDebt] = (),
    key: str | None = None,
) -> IdeaState:
    """Accepts with the answer to the contract's question, an estimate, and perhaps dated debts.

    The last hand-off concludes the idea and files its case in the same transaction.
    """
    acceptance = Acceptance(answer, estimate_days, tuple(debts))
    owed = [[debt.what, debt.owner, debt.due.isoformat()] for debt in debts]
    said = {"answer": answer, "estimate_days": estimate_days, "debts": owed}

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        event = relay.accept(state, act, acceptance)
        concludes = state.offer is not None and state.offer.to_stage == CASE
        return [event, _filed(state, act, event)] if concludes else [event]

    return change_idea(workspace, idea, Request("accept_handoff", actor, said, key), decided)


def return_handoff(
    workspace: Workspace,
    idea: str,
    *,
    actor: str,
    reason_code: str,
    reason: str,
    to_stage: str | None = None,
    key: str | None = None,
) -> IdeaState:
    """Returns an offer with a reason; with `to_stage`, sends an accepted idea back to an earlier stage."""
    why = ReturnReason(reason_code, reason, to_stage)
    said = {"reason_code": reason_code, "reason": reason, "to_stage": to_stage}
    request = Request("return_handoff", actor, said, key)
    return change_idea(workspace, idea, request, lambda state, act: [relay.give_back(state, act, why)])


def skip_stage(
    workspace: Workspace, idea: str, *, actor: str, stage: str, reason: str, key: str | None = None
) -> IdeaState:
    """Leaves out a stage that is still to come, with a reason."""
    request = Request("skip_stage", actor, {"stage": stage, "reason": reason}, key)
    return change_idea(workspace, idea, request, lambda state, act: [decide.skip_stage(state, act, stage, reason)])


def kill_idea(workspace: Workspace, idea: str, *, actor: str, reason: str, key: str | None = None) -> IdeaState:
    """Ends an idea with a reason and files its case: what was learnt is a delivered result."""

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        event = decide.kill_idea(state, act, reason)
        return [event, _filed(state, act, event)]

    return change_idea(workspace, idea, Request("kill_idea", actor, {"reason": reason}, key), decided)


def reopen_idea(
    workspace: Workspace, idea: str, *, actor: str, reason: str, stage: str | None = None, key: str | None = None
) -> IdeaState:
    """Takes a killed idea up again at a stage it had reached."""
    request = Request("reopen_idea", actor, {"reason": reason, "stage": stage}, key)
    return change_idea(workspace, idea, request, lambda state, act: [decide.reopen_idea(state, act, reason, stage)])


def record_rule(workspace: Workspace, idea: str, *, actor: str, text: str, key: str | None = None) -> IdeaState:
    """Writes down a go/kill rule before its result is known."""
    request = Request("record_rule", actor, {"text": text}, key)
    return change_idea(workspace, idea, request, lambda state, act: [decide.record_rule(state, act, text)])


def look_up_cases(workspace: Workspace, idea: str, *, actor: str, query: str, key: str | None = None) -> IdeaState:
    """Searches past cases for an idea and records that it was done; what was found is in the last look-up."""

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        others = (one for one in searched_cases(workspace) if one.case.idea != idea)
        found = [hit.case.idea for hit in search_prepared(others, query)]
        return [decide.look_up_cases(state, act, query, found)]

    return change_idea(workspace, idea, Request("look_up_cases", actor, {"query": query}, key), decided)


def comment(workspace: Workspace, idea: str, *, actor: str, text: str, key: str | None = None) -> IdeaState:
    """Says something about the idea."""
    request = Request("comment", actor, {"text": text}, key)
    return change_idea(workspace, idea, request, lambda _, act: [decide.comment(act, text)])


def settle_debt(
    workspace: Workspace, idea: str, *, actor: str, number: int, note: str = "", key: str | None = None
) -> IdeaState:
    """Settles an open debt."""
    request = Request("settle_debt", actor, {"number": number, "note": note}, key)
    return change_idea(workspace, idea, request, lambda state, act: [decide.settle_debt(state, act, number, note)])


def state_contribution(
    workspace: Workspace, idea: str, *, actor: str, stage: str, text: str, key: str | None = None
) -> IdeaState:
    """States what the actor delivered in a stage."""
    request = Request("state_contribution", actor, {"stage": stage, "text": text}, key)
    return change_idea(
        workspace, idea, request, lambda state, act: [decide.state_contribution(state, act, stage, text)]
    )


def confirm_contribution(
    workspace: Workspace, idea: str, *, actor: str, stage: str, member: str, key: str | None = None
) -> IdeaState:
    """Confirms what a peer has stated."""
    request = Request("confirm_contribution", actor, {"stage": stage, "member": member}, key)
    return change_idea(
        workspace, idea, request, lambda state, act: [decide.confirm_contribution(state, act, stage, member)]
    )


def file_case(workspace: Workspace, idea: str, *, actor: str, key: str | None = None) -> IdeaState:
    """Files the case of an ended idea anew, after evidence of it was read differently by a newer version."""

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        case = case_to_body(case_of(state)) if state.status != "active" else {}
        return [decide.file_case(state, act, case)]

    return change_idea(workspace, idea, Request("file_case", actor, {}, key), decided)


def cases(workspace: Workspace) -> list[Case]:
    """The cases of all ideas that have ended, in the order the ideas were opened."""
    return [case_from_body(one.case) for one in workspace.ledger.ideas() if one.case]


def searched_cases(workspace: Workspace) -> tuple[Prepared, ...]:
    """The filed cases, ready to be searched, the newest first; without their stages and lists of evidence."""
    return workspace.ledger.shelf().ended.whole(_prepared_cases)


def found_cases(workspace: Workspace, query: str) -> tuple[Hit, ...]:
    """The filed cases that hold the query, best first; all of them, the newest first, when it is empty."""
    return workspace.ledger.shelf().ended.answered(_found_cases, query.strip())


def _found_cases(ended: Pile, query: str) -> tuple[Hit, ...]:
    cases = ended.whole(_prepared_cases)
    return search_prepared(cases, query, len(cases)) if query else tuple(Hit(one.case, 0.0) for one in cases)


def _prepared_cases(ended: tuple[IdeaState, ...]) -> tuple[Prepared, ...]:
    return tuple(prepare(case_from_body(one.case)) for one in ended if one.case)


def my_work(workspace: Workspace, *, actor: str) -> tuple[WorkItem, ...]:
    """What waits for the actor."""
    act = workspace.act(actor)
    require_member(act)
    return work_of(ideas_at_work(workspace.ledger.shelf()), act)


def ideas_at_work(shelf: Shelf) -> tuple[IdeaState, ...]:
    """The ideas in which something can wait for somebody: those that run, and those that ended with open debts."""
    return (*shelf.active.states, *shelf.ended.whole(_in_debt))


def _in_debt(ended: tuple[IdeaState, ...]) -> tuple[IdeaState, ...]:
    return tuple(state for state in ended if state.open_debts())


def _filed(state: IdeaState, act: Act, ending: NewEvent) -> NewEvent:
    ended = preview(state, ending)
    return decide.file_case(ended, act, case_to_body(case_of(ended)))
