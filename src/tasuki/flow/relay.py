"""Handing over: offer, pick up, accept and return, as pure decisions. Each gives the event to write, or refuses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tasuki.errors import Fault, Invalid, Refused, Said, command, said
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
            said("{idea} is {status}; you cannot {verb}", idea=state.idea, status=said(state.status), verb=verb),
            rule="only an active idea moves",
            next_step=command("tasuki idea reopen {idea} --reason …", idea=state.idea)
            if state.status == "killed"
            else "open a new idea",
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
            said(
                "{idea} cannot be offered to {to_stage} yet: {count} thing(s) missing",
                idea=state.idea,
                to_stage=contract.to_stage,
                count=len(lacking),
            ),
            rule=said(
                "the contract {from_stage} → {to_stage} says what an offer must carry",
                from_stage=contract.from_stage,
                to_stage=contract.to_stage,
            ),
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
    require_active(state, said("offer it"))
    require_one_of(act, {state.holder: said("the one who has the sash")}, said("offer it"))
    if state.offer is not None and state.offer.picked_up_by is not None:
        raise Refused(
            said(
                "{picked_up_by} has picked up {idea} and is judging it",
                picked_up_by=state.offer.picked_up_by,
                idea=state.idea,
            ),
            rule="an offer that was picked up is accepted or returned before a new one",
            next_step=said("ask {picked_up_by} to accept or return it", picked_up_by=state.offer.picked_up_by),
        )
    _require_receiver(state, act, to_member)


def _require_receiver(state: IdeaState, act: Act, to_member: str | None) -> None:
    to_stage = state.next_stage()
    able = receivers(state, act, to_stage)
    if to_member is not None:
        require_member(act, to_member)
    roles = formation_of(state, act.playbook).roles_for(state.flow, to_stage)
    belongs = said("the idea's owner") if to_stage == CASE else tuple(roles) or said("no role")
    if not able or (to_member is not None and to_member not in able):
        raise Refused(
            said("{to_member} may not receive {to_stage}", to_member=to_member, to_stage=to_stage)
            if to_member
            else said("nobody could receive {to_stage}", to_stage=to_stage),
            rule=said(
                "in the formation {formation} {to_stage} belongs to {belongs:or}",
                formation=state.formation,
                to_stage=to_stage,
                belongs=belongs,
            ),
            expected=said("one of {members}", members=tuple(able)) if able else "a member with such a role",
            next_step=said("offer it --to {member}", member=able[0])
            if able
            else "tasuki account role NAME --role ROLE",
        )


def lacking_evidence(state: IdeaState, contract: Contract) -> list[Fault]:
    """Everything an offer must carry and does not, with how to produce each."""
    faults = []
    for requirement in contract.requirements:
        entry = state.latest(*requirement.kinds)
        how = _how(requirement, state.idea)
        if entry is None:
            faults.append(Fault(" or ".join(requirement.kinds), _NOT_ATTACHED, how=how))
            continue
        empty = _empty_fields(requirement, entry.body)
        faults += [Fault(f"{entry.kind}.{name}", "empty", how=how) for name in empty]
    return faults


_NOT_ATTACHED = Said("the evidence is not attached", {}, "missing")
"""One word on the command line; what is missing is told in Japanese by a verb of its own."""


def _how(requirement: Requirement, idea: str) -> str:
    # A team writes its own contracts: what stands there is filled in as text, whatever braces it has.
    return Said(requirement.how, {"idea": idea}, requirement.how.replace("{idea}", idea))


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
            results.append(CheckResult(name, False, said("waits for {kinds:and}", kinds=tuple(waits))))
        elif name in RUNNING:
            results.append(ran.get(name, CheckResult(name, False, said("was not run"))))
        else:
            results.append(run_check(name, offering))
    return tuple(results)


def _failed(state: IdeaState, results: Sequence[CheckResult]) -> list[Fault]:
    return [
        Fault(f"check {one.name}", one.seen, how=said(CHECKS[one.name].how, idea=state.idea))
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
    offered = _require_offer(state, said("pick it up"))
    if offered.picked_up_by is not None:
        raise Refused(
            said("{picked_up_by} has already picked up {idea}", picked_up_by=offered.picked_up_by, idea=state.idea),
            rule="one member judges an offer",
            next_step=said("leave it to {picked_up_by}", picked_up_by=offered.picked_up_by),
        )
    require_may_receive(state, act)
    return NewEvent("handoff_picked_up", act.actor, act.now, {})


def accept(state: IdeaState, act: Act, acceptance: Acceptance) -> NewEvent:
    """Accepts what was picked up, perhaps with dated debts; the sash passes on. Into the case it concludes the idea.

    Raises:
        Refused: Nothing is offered, it was not picked up by the actor, or the actor may not receive it.
        Invalid: No answer to the receiver's question, no estimate, or a debt without what, owner or a coming date.
    """
    offered = _require_offer(state, said("accept it"))
    _require_picked_up(state, act, offered)
    require_may_receive(state, act)
    faults = _acceptance_faults(acceptance, act, offered)
    if faults:
        raise Invalid(
            said("{idea} was not accepted: {count} thing(s) missing", idea=state.idea, count=len(faults)), faults
        )
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
        faults.append(Fault("answer", "missing", said("an answer to: {question}", question=question)))
    estimate = acceptance.estimate_days
    if estimate is None and offered.to_stage != CASE:
        faults.append(
            Fault("estimate", "missing", said("the days you expect to need for {to_stage}", to_stage=offered.to_stage))
        )
    if estimate is not None and not (math.isfinite(estimate) and estimate > 0):
        faults.append(Fault("estimate", said("{days:g} is no number of days", days=estimate), "more than 0"))
    for number, debt in enumerate(acceptance.debts, 1):
        if not debt.what.strip():
            faults.append(Fault(f"debt {number}", "says nothing", "what is owed"))
        if debt.owner not in act.members:
            faults.append(
                Fault(f"debt {number}", said("{owner!r} is no member", owner=debt.owner), ", ".join(act.members))
            )
        if debt.due < act.now.date():
            faults.append(
                Fault(
                    f"debt {number}",
                    said("{due} has passed", due=debt.due),
                    said("{today} or later", today=act.now.date()),
                )
            )
    return faults


def give_back(state: IdeaState, act: Act, reason: ReturnReason) -> NewEvent:
    """Returns an offer, or sends an accepted idea back to an earlier stage whose fault shows only now.

    Raises:
        Refused: Nothing to return, or the actor may not.
        Invalid: An unknown reason code, no reason, or a stage that was never run before this one.
    """
    require_active(state, said("return it"))
    require_member(act)
    faults = []
    if reason.code not in REASON_CODES:
        faults.append(Fault("reason code", said("{code!r} is none", code=reason.code), ", ".join(REASON_CODES)))
    if not reason.text.strip():
        faults.append(Fault("reason", "missing", "what is to be mended"))
    faults += _to_stage_faults(state, reason.to_stage)
    if faults:
        raise Invalid(said("{idea} was not returned: {count} fault(s)", idea=state.idea, count=len(faults)), faults)
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
    what = said(
        "{wanted!r} is no stage that {idea} has run before {stage}", wanted=to_stage, idea=state.idea, stage=state.stage
    )
    return [Fault("to stage", what, ", ".join(able) or "none: nothing was handed over yet")]


def _require_may_return(state: IdeaState, act: Act) -> None:
    if state.offer is None:
        raise Refused(
            said("nothing of {idea} is offered", idea=state.idea),
            rule="an offer can be returned; what was accepted goes back to an earlier stage",
            next_step=said(
                "tasuki handoff return {idea} --to-stage STAGE … sends it back to an earlier stage", idea=state.idea
            ),
        )
    if act.actor == state.owner and act.actor != state.offer.offered_by:
        return
    _require_picked_up(state, act, state.offer)
    require_may_receive(state, act)


def _require_may_send_back(state: IdeaState, act: Act) -> None:
    if state.offer is not None:
        raise Refused(
            said(
                "{stage} of {idea} is offered to {to_stage}",
                stage=state.stage,
                idea=state.idea,
                to_stage=state.offer.to_stage,
            ),
            rule="an open offer is accepted or returned before the idea goes back further",
            next_step=said("tasuki handoff return {idea} first", idea=state.idea),
        )
    able = {state.holder: said("the one who has the sash")}
    require_one_of(act, {**able, state.owner: able.get(state.owner, said("the idea's owner"))}, said("send it back"))


def _last_owner(state: IdeaState, stage: str) -> str:
    return next(leg.owner for leg in reversed(state.legs) if leg.stage == stage)


def _require_offer(state: IdeaState, verb: str) -> Offer:
    require_active(state, verb)
    if state.offer is None:
        raise Refused(
            said("nothing of {idea} is offered; you cannot {verb}", idea=state.idea, verb=verb),
            rule="a hand-off begins with an offer",
            next_step=said(
                "{holder} has {stage}: tasuki handoff offer {idea}",
                holder=state.holder,
                stage=state.stage,
                idea=state.idea,
            ),
        )
    return state.offer


def _require_picked_up(state: IdeaState, act: Act, offered: Offer) -> None:
    require_member(act)
    if offered.picked_up_by == act.actor:
        return
    if offered.picked_up_by is None:
        raise Refused(
            said("nobody has picked up {idea} yet", idea=state.idea),
            rule="an offer is picked up before it is accepted or returned: that moment is the end of waiting",
            next_step=command("tasuki handoff pick-up {idea}", idea=state.idea),
        )
    raise Refused(
        said(
            "{picked_up_by} has picked up {idea}, not {actor}",
            picked_up_by=offered.picked_up_by,
            idea=state.idea,
            actor=act.actor,
        ),
        rule="who picks up an offer accepts or returns it",
        expected=offered.picked_up_by,
        next_step=said("ask {member}", member=offered.picked_up_by),
    )


def require_may_receive(state: IdeaState, act: Act) -> None:
    """Raises `Refused` unless the actor may receive what is offered: by role, by name, and as a second person."""
    offered = _require_offer(state, said("receive it"))
    if offered.to_stage == CASE:
        require_one_of(act, {state.owner: said(said("the idea's owner"))}, said("conclude it"))
        return
    formation = formation_of(state, act.playbook)
    require_stage_right(act, formation, state.flow, offered.to_stage, said("receive {stage}", stage=offered.to_stage))
    if offered.to_member not in (None, act.actor):
        raise Refused(
            said(
                "{idea} is offered to {to_member}, not to {actor}",
                idea=state.idea,
                to_member=offered.to_member,
                actor=act.actor,
            ),
            rule="an offer made to one member is received by that member",
            expected=str(offered.to_member),
            next_step=said("ask {offered_by} to offer it --to {actor}", offered_by=offered.offered_by, actor=act.actor),
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
        said("{actor} has offered {idea} and may not receive it too", actor=act.actor, idea=state.idea),
        rule="nobody accepts their own offer, unless the formation is for one person, or both stages belong to the "
        "same roles and nobody else has one",
        expected=said("one of {members}", members=tuple(others)) if others else "another member with such a role",
        next_step=said("ask {member}", member=others[0]) if others else "tasuki account role NAME --role ROLE",
    )
