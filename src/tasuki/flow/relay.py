"""Handing over: offer, pick up, accept and return, as pure decisions. Each gives the event to write, or refuses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tasuki.errors import Fault, Invalid, Refused
from tasuki.flow.checks import CHECKS, RUNNING, CheckResult, Offering, run_check
from tasuki.flow.event import NewEvent
from tasuki.flow.plan import CASE, REASON_CODES, Contract, Requirement
from tasuki.flow.rights import (
    Act,
    formation_of,
    receivers,
    require_member,
    require_one_of,
    require_stage_right,
    who_may_work,
)
from tasuki.flow.state import IdeaState, Offer


@dataclass(frozen=True)
class OfferTerms:
    """What the one who offers says.

    Args:
        to_member: Whom it is meant for; anyone who may receive it when None.
        note: What the receiver should know first.
        results: The results of the checks that had to run something, by name.
    """

    to_member: str | None = None
    note: str = ""
    results: Mapping[str, CheckResult] = field(default_factory=dict)


@dataclass(frozen=True)
class NewDebt:
    """Something that may be delivered later: what, by whom, until when."""

    what: str
    owner: str
    due: date


@dataclass(frozen=True)
class Acceptance:
    """What the receiver says: the answer to the contract's question, an estimate, and what may come later."""

    answer: str
    estimate_days: float | None = None
    debts: tuple[NewDebt, ...] = ()


@dataclass(frozen=True)
class ReturnReason:
    """Why it goes back. `to_stage` names the earlier stage when the fault showed only after acceptance."""

    code: str
    text: str
    to_stage: str | None = None


def require_active(state: IdeaState, verb: str) -> None:
    """Raises `Refused` when the idea has ended."""
    if state.status != "active":
        raise Refused(
            f"{state.idea} is {state.status}; you cannot {verb}",
            rule="only an active idea moves",
            next_step=f"tasuki idea reopen {state.idea} --reason …" if state.status == "killed" else "open a new idea",
        )


def contract_of(state: IdeaState, act: Act) -> Contract:
    """The contract of the hand-off that comes next."""
    return act.playbook.contract(state.stage, state.next_stage())


def offer(state: IdeaState, act: Act, terms: OfferTerms) -> NewEvent:
    """Offers the present stage to the next owner.

    Raises:
        Refused: Not the holder; nobody could receive it; or evidence is missing or a check fails: every one is named
            with how to produce it.
    """
    require_may_offer(state, act, terms.to_member)
    contract = contract_of(state, act)
    results = check_results(state, act, contract, terms.results)
    lacking = lacking_evidence(state, contract) + _failed(state, results)
    if lacking:
        raise Refused(
            f"{state.idea} cannot be offered to {contract.to_stage} yet: {len(lacking)} thing(s) missing",
            rule=f"the contract {contract.from_stage} → {contract.to_stage} says what an offer must carry",
            faults=lacking,
            next_step="produce each of them, then offer again",
        )
    body = {
        "from_stage": contract.from_stage,
        "to_stage": contract.to_stage,
        "to_member": state.owner if contract.to_stage == CASE else terms.to_member,
        "note": terms.note,
        "evidence": list(_carried(state, contract)),
        "checks": [{"name": one.name, "seen": one.seen} for one in results],
    }
    return NewEvent("handoff_offered", act.actor, act.now, body)


def require_may_offer(state: IdeaState, act: Act, to_member: str | None) -> None:
    """Raises `Refused` unless the actor has the sash, no offer is being judged and somebody could receive it."""
    require_active(state, "offer it")
    require_one_of(act, {state.holder: "the one who has the sash"}, "offer it")
    if state.offer is not None and state.offer.picked_up_by is not None:
        raise Refused(
            f"{state.offer.picked_up_by} has picked up {state.idea} and is judging it",
            rule="an offer that was picked up is accepted or returned before a new one",
            next_step=f"ask {state.offer.picked_up_by} to accept or return it",
        )
    _require_receiver(state, act, to_member)


def _require_receiver(state: IdeaState, act: Act, to_member: str | None) -> None:
    to_stage = state.next_stage()
    able = receivers(state, act, to_stage)
    if to_member is not None:
        require_member(act, to_member)
    roles = formation_of(state, act.playbook).roles_for(state.flow, to_stage)
    belongs = "the idea's owner" if to_stage == CASE else " or ".join(roles)
    if not able or (to_member is not None and to_member not in able):
        raise Refused(
            f"{to_member} may not receive {to_stage}" if to_member else f"nobody could receive {to_stage}",
            rule=f"in the formation {state.formation} {to_stage} belongs to {belongs or 'no role'}",
            expected=f"one of {', '.join(able)}" if able else "a member with such a role",
            next_step=f"offer it --to {able[0]}" if able else "tasuki account role NAME --role ROLE",
        )


def lacking_evidence(state: IdeaState, contract: Contract) -> list[Fault]:
    """Everything an offer must carry and does not, with how to produce each."""
    faults = []
    for requirement in contract.requirements:
        entry = state.latest(*requirement.kinds)
        how = requirement.how.replace("{idea}", state.idea)
        if entry is None:
            faults.append(Fault(" or ".join(requirement.kinds), "missing", how=how))
            continue
        empty = _empty_fields(requirement, entry.body)
        faults += [Fault(f"{entry.kind}.{name}", "empty", how=how) for name in empty]
    return faults


_ENVELOPE_FIELDS = ("data_window", "code_commit")


def _empty_fields(requirement: Requirement, body: Mapping[str, object]) -> list[str]:
    record = body["record"]
    assert isinstance(record, Mapping)
    values = {**record, **{name: body.get(name) for name in _ENVELOPE_FIELDS}}
    return [name for name in requirement.fields if values.get(name) in (None, "", [], {}, ())]


def check_results(
    state: IdeaState, act: Act, contract: Contract, ran: Mapping[str, CheckResult]
) -> tuple[CheckResult, ...]:
    """The result of every machine check of a contract; `ran` has those that had to run something."""
    offering = Offering(state, act.actor, act.members)
    results = []
    for name in contract.checks:
        waits = [kind for kind in CHECKS[name].needs if state.latest(kind) is None]
        if waits:
            results.append(CheckResult(name, False, f"waits for {' and '.join(waits)}"))
        elif name in RUNNING:
            results.append(ran.get(name, CheckResult(name, False, "was not run")))
        else:
            results.append(run_check(name, offering))
    return tuple(results)


def _failed(state: IdeaState, results: Sequence[CheckResult]) -> list[Fault]:
    return [
        Fault(f"check {one.name}", one.seen, how=CHECKS[one.name].how.replace("{idea}", state.idea))
        for one in results
        if not one.passed
    ]


def _carried(state: IdeaState, contract: Contract) -> tuple[str, ...]:
    required = (state.latest(*requirement.kinds) for requirement in contract.requirements)
    here = (entry for entry in state.evidence if entry.stage == state.stage)
    return tuple(dict.fromkeys(entry.content_hash for entry in (*required, *here) if entry is not None))


def pick_up(state: IdeaState, act: Act) -> NewEvent:
    """Picks up what was offered: from now on the actor judges it.

    Raises:
        Refused: Nothing is offered, somebody else has it, or the actor may not receive it.
    """
    offered = _require_offer(state, "pick it up")
    if offered.picked_up_by is not None:
        raise Refused(
            f"{offered.picked_up_by} has already picked up {state.idea}",
            rule="one member judges an offer",
            next_step=f"leave it to {offered.picked_up_by}",
        )
    require_may_receive(state, act)
    return NewEvent("handoff_picked_up", act.actor, act.now, {})


def accept(state: IdeaState, act: Act, acceptance: Acceptance) -> NewEvent:
    """Accepts what was picked up, perhaps with dated debts; the sash passes on. Into the case it concludes the idea.

    Raises:
        Refused: Nothing is offered, it was not picked up by the actor, or the actor may not receive it.
        Invalid: No answer to the receiver's question, no estimate, or a debt without what, owner or a coming date.
    """
    offered = _require_offer(state, "accept it")
    _require_picked_up(state, act, offered)
    require_may_receive(state, act)
    faults = _acceptance_faults(acceptance, act, offered)
    if faults:
        raise Invalid(f"{state.idea} was not accepted: {len(faults)} thing(s) missing", faults)
    body = {
        "answer": acceptance.answer.strip(),
        "estimate_days": acceptance.estimate_days,
        "debts": [
            {"what": one.what.strip(), "owner": one.owner, "due": one.due.isoformat()} for one in acceptance.debts
        ],
    }
    return NewEvent("handoff_accepted", act.actor, act.now, body)


def _acceptance_faults(acceptance: Acceptance, act: Act, offered: Offer) -> list[Fault]:
    question = act.playbook.contract(offered.from_stage, offered.to_stage).question
    faults = []
    if not acceptance.answer.strip():
        faults.append(Fault("answer", "missing", f"an answer to: {question.en}"))
    estimate = acceptance.estimate_days
    if estimate is None and offered.to_stage != CASE:
        faults.append(Fault("estimate", "missing", f"the days you expect to need for {offered.to_stage}"))
    if estimate is not None and not (math.isfinite(estimate) and estimate > 0):
        faults.append(Fault("estimate", f"{estimate:g} is no number of days", "more than 0"))
    for number, debt in enumerate(acceptance.debts, 1):
        if not debt.what.strip():
            faults.append(Fault(f"debt {number}", "says nothing", "what is owed"))
        if debt.owner not in act.members:
            faults.append(Fault(f"debt {number}", f"{debt.owner!r} is no member", ", ".join(act.members)))
        if debt.due < act.now.date():
            faults.append(Fault(f"debt {number}", f"{debt.due} has passed", f"{act.now.date()} or later"))
    return faults


def give_back(state: IdeaState, act: Act, reason: ReturnReason) -> NewEvent:
    """Returns an offer, or sends an accepted idea back to an earlier stage whose fault shows only now.

    Raises:
        Refused: Nothing to return, or the actor may not.
        Invalid: An unknown reason code, no reason, or a stage that was never run before this one.
    """
    require_active(state, "return it")
    require_member(act)
    faults = []
    if reason.code not in REASON_CODES:
        faults.append(Fault("reason code", f"{reason.code!r} is none", ", ".join(REASON_CODES)))
    if not reason.text.strip():
        faults.append(Fault("reason", "missing", "what is to be mended"))
    faults += _to_stage_faults(state, reason.to_stage)
    if faults:
        raise Invalid(f"{state.idea} was not returned: {len(faults)} fault(s)", faults)
    body = {"reason_code": reason.code, "reason": reason.text.strip(), "late": reason.to_stage is not None}
    if reason.to_stage is None:
        _require_may_return(state, act)
    else:
        _require_may_send_back(state, act)
        body |= {"to_stage": reason.to_stage, "to_member": _last_owner(state, reason.to_stage)}
    return NewEvent("handoff_returned", act.actor, act.now, body)


def _to_stage_faults(state: IdeaState, to_stage: str | None) -> list[Fault]:
    if to_stage is None:
        return []
    before = state.stages[: state.stages.index(state.stage)]
    handed_over = {one.from_stage for one in state.handoffs if one.outcome != "returned"}
    able = [stage for stage in before if stage in handed_over]
    if to_stage in able:
        return []
    what = f"{to_stage!r} is no stage that {state.idea} has run before {state.stage}"
    return [Fault("to stage", what, ", ".join(able) or "none: nothing was handed over yet")]


def _require_may_return(state: IdeaState, act: Act) -> None:
    if state.offer is None:
        raise Refused(
            f"nothing of {state.idea} is offered",
            rule="an offer can be returned; what was accepted goes back to an earlier stage",
            next_step=f"tasuki handoff return {state.idea} --to-stage STAGE … sends it back to an earlier stage",
        )
    if act.actor == state.owner and act.actor != state.offer.offered_by:
        return
    _require_picked_up(state, act, state.offer)
    require_may_receive(state, act)


def _require_may_send_back(state: IdeaState, act: Act) -> None:
    if state.offer is not None:
        raise Refused(
            f"{state.stage} of {state.idea} is offered to {state.offer.to_stage}",
            rule="an open offer is accepted or returned before the idea goes back further",
            next_step=f"tasuki handoff return {state.idea} first",
        )
    able = {state.holder: "the one who has the sash"}
    require_one_of(act, {**able, state.owner: able.get(state.owner, "the idea's owner")}, "send it back")


def _last_owner(state: IdeaState, stage: str) -> str:
    return next(leg.owner for leg in reversed(state.legs) if leg.stage == stage)


def _require_offer(state: IdeaState, verb: str) -> Offer:
    require_active(state, verb)
    if state.offer is None:
        raise Refused(
            f"nothing of {state.idea} is offered; you cannot {verb}",
            rule="a hand-off begins with an offer",
            next_step=f"{state.holder} has {state.stage}: tasuki handoff offer {state.idea}",
        )
    return state.offer


def _require_picked_up(state: IdeaState, act: Act, offered: Offer) -> None:
    require_member(act)
    if offered.picked_up_by == act.actor:
        return
    if offered.picked_up_by is None:
        raise Refused(
            f"nobody has picked up {state.idea} yet",
            rule="an offer is picked up before it is accepted or returned: that moment is the end of waiting",
            next_step=f"tasuki handoff pick-up {state.idea}",
        )
    raise Refused(
        f"{offered.picked_up_by} has picked up {state.idea}, not {act.actor}",
        rule="who picks up an offer accepts or returns it",
        expected=offered.picked_up_by,
        next_step=f"ask {offered.picked_up_by}",
    )


def require_may_receive(state: IdeaState, act: Act) -> None:
    """Raises `Refused` unless the actor may receive what is offered: by role, by name, and as a second person."""
    offered = _require_offer(state, "receive it")
    if offered.to_stage == CASE:
        require_one_of(act, {state.owner: "the idea's owner"}, "conclude it")
        return
    formation = formation_of(state, act.playbook)
    require_stage_right(act, formation, state.flow, offered.to_stage, f"receive {offered.to_stage}")
    if offered.to_member not in (None, act.actor):
        raise Refused(
            f"{state.idea} is offered to {offered.to_member}, not to {act.actor}",
            rule="an offer made to one member is received by that member",
            expected=str(offered.to_member),
            next_step=f"ask {offered.offered_by} to offer it --to {act.actor}",
        )
    _require_second_person(state, act, offered)


def _require_second_person(state: IdeaState, act: Act, offered: Offer) -> None:
    """Four eyes: see the rule's text. The case is the exception, since its owner concludes it."""
    formation = formation_of(state, act.playbook)
    if act.actor != offered.offered_by or formation.one_person:
        return
    others = [name for name in who_may_work(act, formation, state.flow, offered.to_stage) if name != offered.offered_by]
    same_roles = set(formation.roles_for(state.flow, offered.from_stage)) == set(
        formation.roles_for(state.flow, offered.to_stage)
    )
    if same_roles and not others:
        return
    raise Refused(
        f"{act.actor} has offered {state.idea} and may not receive it too",
        rule="nobody accepts their own offer, unless the formation is for one person, or both stages belong to the "
        "same roles and nobody else has one",
        expected=f"one of {', '.join(others)}" if others else "another member with such a role",
        next_step=f"ask {others[0]}" if others else "tasuki account role NAME --role ROLE",
    )
