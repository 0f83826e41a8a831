"""The fold: from the events of a stream to what they add up to.

What the body of each kind of event says (JSON values; `?` marks what may be missing or null; a body may also carry
`request`, the fingerprint of the call that wrote it with an idempotency key):

- `idea_opened`: title, flow, formation, stages [name …], estimate_days?. The actor owns the idea and has the sash.
- `evidence_attached`: stage, content_hash, evidence (as `tasuki.flow.evidence.to_body` writes it).
- `cases_looked_up`: query, cases [idea …].
- `rule_recorded`: stage, text.
- `handoff_offered`: from_stage, to_stage (a stage or `case`), to_member?, note, evidence [content_hash …],
  checks [{name, seen} …]. Replaces an offer that nobody has picked up.
- `handoff_picked_up`: nothing more.
- `handoff_accepted`: answer, estimate_days?, debts [{what, owner, due} …]. Into `case` it concludes the idea.
- `handoff_returned`: reason_code, reason, late, to_stage?, to_member?. When late it goes back to `to_stage` and
  `to_member`, who had run it.
- `debt_settled`: number, note.
- `stage_skipped`: stage, reason.
- `idea_killed`: reason. `idea_reopened`: stage, reason. The actor has the sash then.
- `experiment_booked`: name, kind (check or comparison), lane?, from (date), days. `experiment_released`: name, reason.
- `experiment_started`: name, kind, lane?, and, when it was started by its command, model, salt, arms [{name, share} …],
  treatment_location and, where not everybody takes part, layer?, range? [from, to], exposed?, holdout? {name, share}.
- `experiment_ramped`: name, exposed. `experiment_looked`: name. `experiment_stopped`: name, reason?.
- `comment_added`: text.
- `contribution_stated`: stage, member, text. `contribution_confirmed`: stage, member.
- `case_filed`: case (as `tasuki.cases.case.case_to_body` writes it).
- `member_added`: name, roles, language, display_name. `member_changed`: name and what changes of the others.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from tasuki.errors import Invalid, said
from tasuki.flow.event import Event
from tasuki.flow.plan import CASE, Member
from tasuki.flow.state import (
    Comment,
    Contribution,
    Debt,
    EvidenceEntry,
    Experiment,
    GivenBack,
    HandOff,
    IdeaState,
    Leg,
    LookUp,
    Offer,
    Rule,
    Skip,
)
from tasuki.flow.stored import state_from_json, state_to_json

__all__ = ["apply", "fold", "fold_members", "state_from_json", "state_to_json"]


def fold(events: Iterable[Event]) -> IdeaState:
    """The state of the idea whose events these are, in order.

    Raises:
        Invalid: When there is no event, or one cannot follow the others; names the idea and the sequence number.
    """
    state: IdeaState | None = None
    for event in events:
        state = apply(state, event)
    if state is None:
        raise Invalid("an idea without events has no state", expected="at least the event idea_opened")
    return state


def apply(state: IdeaState | None, event: Event) -> IdeaState:
    """The state after one more event.

    Raises:
        Invalid: When the event cannot follow: a gap, a body that does not fit its kind, an unknown kind.
    """
    expected = 1 if state is None else state.sequence + 1
    if event.sequence != expected:
        raise _unfit(event, f"has sequence {event.sequence}", f"sequence {expected}")
    if (state is None) != (event.kind == "idea_opened"):
        raise _unfit(event, "is not where a stream opens", "idea_opened first, and only once")
    try:
        changed = _opened(event) if state is None else _STEPS[event.kind](state, event)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as fault:
        raise _unfit(event, f"cannot be applied ({fault!r})", "a body as tasuki.flow.fold describes it") from fault
    return _with(changed, sequence=event.sequence, last_event_at=event.at)


def _with(state: IdeaState, **changes: Any) -> IdeaState:
    """`dataclasses.replace` for a state, in a tenth of its time: it copies what is there and checks nothing.

    A state has two dozen fields and none of them is made from others, so there is nothing to be made anew.
    """
    changed = object.__new__(IdeaState)
    changed.__dict__.update(state.__dict__, **changes)
    return changed


def fold_members(events: Iterable[Event]) -> dict[str, Member]:
    """The members of the team after these events of the team's stream, by name, in the order they joined."""
    members: dict[str, Member] = {}
    for event in events:
        body, name = event.body, str(event.body["name"])
        known = members.get(name, Member(name, ()))
        members[name] = Member(
            name,
            tuple(body.get("roles", known.roles)),
            body.get("language", known.language),
            body.get("display_name", known.display_name),
        )
    return members


def _unfit(event: Event, what: str, expected: str) -> Invalid:
    return Invalid(
        said(
            "event {sequence} ({kind}) of {idea} {what}",
            sequence=event.sequence,
            kind=event.kind,
            idea=event.idea,
            what=what,
        ),
        expected=expected,
        next_step="run `tasuki doctor` to see what is wrong with the ledger",
    )


def _opened(event: Event) -> IdeaState:
    body = event.body
    stages = tuple(body["stages"])
    return IdeaState(
        idea=event.idea,
        title=body["title"],
        flow=body["flow"],
        formation=body["formation"],
        stages=stages,
        owner=event.actor,
        opened_at=event.at,
        status="active",
        stage=stages[0],
        holder=event.actor,
        legs=(Leg(stages[0], event.actor, event.at, body.get("estimate_days")),),
    )


def _evidence_attached(state: IdeaState, event: Event) -> IdeaState:
    body = event.body
    entry = EvidenceEntry(
        sequence=event.sequence,
        content_hash=body["content_hash"],
        kind=body["evidence"]["kind"],
        stage=body["stage"],
        attached_by=event.actor,
        attached_at=event.at,
        body=body["evidence"],
    )
    return _with(state, evidence=(*state.evidence, entry))


def _cases_looked_up(state: IdeaState, event: Event) -> IdeaState:
    look_up = LookUp(event.actor, event.at, event.body["query"], tuple(event.body["cases"]))
    return _with(state, look_ups=(*state.look_ups, look_up))


def _rule_recorded(state: IdeaState, event: Event) -> IdeaState:
    rule = Rule(event.body["stage"], event.body["text"], event.actor, event.at, event.sequence)
    return _with(state, rules=(*state.rules, rule))


def _offered(state: IdeaState, event: Event) -> IdeaState:
    body = event.body
    offer = Offer(
        from_stage=body["from_stage"],
        to_stage=body["to_stage"],
        offered_by=event.actor,
        offered_at=event.at,
        to_member=body.get("to_member"),
        note=body["note"],
        evidence=tuple(body["evidence"]),
    )
    return _with(state, offer=offer)


def _picked_up(state: IdeaState, event: Event) -> IdeaState:
    return _with(state, offer=replace(_open_offer(state), picked_up_by=event.actor, picked_up_at=event.at))


def _accepted(state: IdeaState, event: Event) -> IdeaState:
    body, offer = event.body, _open_offer(state)
    first = len(state.debts) + 1
    debts = tuple(
        Debt(number, debt["what"], debt["owner"], date.fromisoformat(debt["due"]))
        for number, debt in enumerate(body["debts"], first)
    )
    outcome = replace(
        _decided(offer, event),
        outcome="accepted_with_debt" if debts else "accepted",
        answer=body["answer"],
        estimate_days=body.get("estimate_days"),
    )
    ended = _end_leg(state, event)
    passed = _with(ended, offer=None, handoffs=(*state.handoffs, outcome), debts=(*state.debts, *debts))
    if offer.to_stage == CASE:
        return _with(passed, status="concluded", ended_at=event.at, end_reason=body["answer"])
    return _start_leg(passed, event, offer.to_stage, event.actor, body.get("estimate_days"))


def _returned(state: IdeaState, event: Event) -> IdeaState:
    body = event.body
    if not body["late"]:
        outcome = replace(_decided(_open_offer(state), event), reason_code=body["reason_code"], reason=body["reason"])
        return _with(state, offer=None, handoffs=(*state.handoffs, outcome))
    accepted = next(
        one for one in reversed(state.handoffs) if one.outcome != "returned" and one.from_stage == body["to_stage"]
    )
    outcome = replace(
        accepted,
        to_stage=state.stage,
        outcome="returned",
        decided_by=event.actor,
        decided_at=event.at,
        answer="",
        estimate_days=None,
        reason_code=body["reason_code"],
        reason=body["reason"],
        late=True,
    )
    back = _with(_end_leg(state, event), handoffs=(*state.handoffs, outcome))
    return _start_leg(back, event, body["to_stage"], body["to_member"], None)


def _open_offer(state: IdeaState) -> Offer:
    if state.offer is None:
        raise ValueError("no offer is open")
    return state.offer


def _decided(offer: Offer, event: Event) -> HandOff:
    return HandOff(
        from_stage=offer.from_stage,
        to_stage=offer.to_stage,
        offered_by=offer.offered_by,
        offered_at=offer.offered_at,
        picked_up_at=offer.picked_up_at,
        outcome="returned",
        decided_by=event.actor,
        decided_at=event.at,
    )


def _end_leg(state: IdeaState, event: Event) -> IdeaState:
    return replace(
        state, legs=tuple(replace(leg, ended_at=event.at) if leg.ended_at is None else leg for leg in state.legs)
    )


def _start_leg(state: IdeaState, event: Event, stage: str, owner: str, estimate: float | None) -> IdeaState:
    leg = Leg(stage, owner, event.at, estimate)
    return _with(state, stage=stage, holder=owner, legs=(*state.legs, leg))


def _debt_settled(state: IdeaState, event: Event) -> IdeaState:
    number = event.body["number"]
    settled = tuple(replace(debt, settled_at=event.at) if debt.number == number else debt for debt in state.debts)
    return _with(state, debts=settled)


def _skipped(state: IdeaState, event: Event) -> IdeaState:
    skip = Skip(event.body["stage"], event.actor, event.at, event.body["reason"])
    return _with(state, skips=(*state.skips, skip))


def _killed(state: IdeaState, event: Event) -> IdeaState:
    ended = _end_leg(state, event)
    return _with(ended, status="killed", offer=None, ended_at=event.at, end_reason=event.body["reason"])


def _reopened(state: IdeaState, event: Event) -> IdeaState:
    stage = event.body["stage"]
    skips = tuple(skip for skip in state.skips if skip.stage != stage)
    active = _with(state, status="active", ended_at=None, end_reason="", case=None, skips=skips)
    return _start_leg(active, event, stage, event.actor, None)


def _experiment_booked(state: IdeaState, event: Event) -> IdeaState:
    body = event.body
    experiment = replace(
        _experiment(state, event), booked_from=date.fromisoformat(body["from"]), booked_days=body["days"]
    )
    return _with_experiment(state, experiment)


def _experiment_released(state: IdeaState, event: Event) -> IdeaState:
    known = next(one for one in state.experiments if one.name == event.body["name"])
    if known.booked_from is None or known.booked_days is None:
        raise ValueError("no slot is booked")
    slot = (known.lane, known.booked_from, known.booked_days)
    given_back = GivenBack(event.actor, event.at, event.body["reason"], *slot)
    # The lane goes with the slot: a later booking, or a start without one, takes the lane of its kind again.
    released = replace(known, lane="", booked_from=None, booked_days=None, given_back=(*known.given_back, given_back))
    return _with_experiment(state, released)


def _experiment_started(state: IdeaState, event: Event) -> IdeaState:
    exposed = float(event.body.get("exposed", 1.0))
    started = replace(_experiment(state, event), started_at=event.at, stopped_at=None, exposed=exposed)
    return _with_experiment(state, started)


def _experiment_ramped(state: IdeaState, event: Event) -> IdeaState:
    return _with_experiment(state, replace(_experiment(state, event), exposed=float(event.body["exposed"])))


def _experiment_looked(state: IdeaState, event: Event) -> IdeaState:
    experiment = _experiment(state, event)
    return _with_experiment(state, replace(experiment, looks=(*experiment.looks, event.at)))


def _experiment_stopped(state: IdeaState, event: Event) -> IdeaState:
    return _with_experiment(state, replace(_experiment(state, event), stopped_at=event.at))


def _experiment(state: IdeaState, event: Event) -> Experiment:
    body = event.body
    known = next((one for one in state.experiments if one.name == body["name"]), None)
    if known is None:
        return Experiment(body["name"], body["kind"], body.get("lane") or "")
    return replace(known, lane=body.get("lane") or known.lane)


def _with_experiment(state: IdeaState, experiment: Experiment) -> IdeaState:
    known = {one.name: one for one in state.experiments} | {experiment.name: experiment}
    return _with(state, experiments=tuple(known.values()))


def _commented(state: IdeaState, event: Event) -> IdeaState:
    return _with(state, comments=(*state.comments, Comment(event.actor, event.at, event.body["text"])))


def _contribution_stated(state: IdeaState, event: Event) -> IdeaState:
    stated = Contribution(event.body["stage"], event.body["member"], event.body["text"])
    others = tuple(one for one in state.contributions if (one.stage, one.member) != (stated.stage, stated.member))
    return _with(state, contributions=(*others, stated))


def _contribution_confirmed(state: IdeaState, event: Event) -> IdeaState:
    named = (event.body["stage"], event.body["member"])
    confirmed = tuple(
        replace(one, confirmed_by=event.actor) if (one.stage, one.member) == named else one
        for one in state.contributions
    )
    return _with(state, contributions=confirmed)


def _case_filed(state: IdeaState, event: Event) -> IdeaState:
    return _with(state, case=event.body["case"])


_STEPS: dict[str, Callable[[IdeaState, Event], IdeaState]] = {
    "evidence_attached": _evidence_attached,
    "cases_looked_up": _cases_looked_up,
    "rule_recorded": _rule_recorded,
    "handoff_offered": _offered,
    "handoff_picked_up": _picked_up,
    "handoff_accepted": _accepted,
    "handoff_returned": _returned,
    "debt_settled": _debt_settled,
    "stage_skipped": _skipped,
    "idea_killed": _killed,
    "idea_reopened": _reopened,
    "experiment_booked": _experiment_booked,
    "experiment_released": _experiment_released,
    "experiment_started": _experiment_started,
    "experiment_ramped": _experiment_ramped,
    "experiment_looked": _experiment_looked,
    "experiment_stopped": _experiment_stopped,
    "comment_added": _commented,
    "contribution_stated": _contribution_stated,
    "contribution_confirmed": _contribution_confirmed,
    "case_filed": _case_filed,
}
