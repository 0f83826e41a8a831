"""What is done to an idea besides handing it over (`relay`) and experimenting (`experimenting`): pure decisions.

Each takes the idea's state and an `Act` (who, when, under which playbook and team) and refuses by naming the rule and
who could.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasuki.errors import Fault, Invalid, Missing, Refused, command, joined, said
from tasuki.flow.event import NewEvent
from tasuki.flow.plan import ROLES, Member
from tasuki.flow.relay import require_active
from tasuki.flow.rights import Act, formation_of, require_at_work, require_member, require_one_of, require_stage_right
from tasuki.flow.state import IdeaState


@dataclass(frozen=True)
class NewIdea:
    """What an idea is opened with."""

    title: str
    flow: str
    formation: str
    estimate_days: float | None = None


def open_idea(idea: NewIdea, act: Act) -> NewEvent:
    """Opens an idea; the actor owns it and has its first stage.

    Raises:
        Invalid: No title, an unknown flow or formation, or an estimate that is no number of days.
        Refused: The formation gives the first stage to another role.
    """
    playbook, faults = act.playbook, []
    if not idea.title.strip():
        faults.append(Fault("title", "missing", "what the idea is, in one line"))
    if idea.flow not in playbook.flows:
        faults.append(Fault("flow", said("there is no flow {flow!r}", flow=idea.flow), ", ".join(playbook.flows)))
    if idea.formation not in playbook.formations:
        faults.append(
            Fault(
                "formation",
                said("there is no formation {formation!r}", formation=idea.formation),
                ", ".join(playbook.formations),
            )
        )
    if idea.estimate_days is not None and not 0 < idea.estimate_days < float("inf"):
        faults.append(
            Fault(
                "estimate",
                said("{days:g} is no number of days", days=idea.estimate_days),
                "more than 0",
            )
        )
    if faults:
        raise Invalid(said("the idea was not opened: {count} fault(s)", count=len(faults)), faults)
    stages = playbook.flows[idea.flow].stages
    require_stage_right(
        act, playbook.formations[idea.formation], idea.flow, stages[0], said("open it in {stage}", stage=stages[0])
    )
    body = {
        "title": idea.title.strip(),
        "flow": idea.flow,
        "formation": idea.formation,
        "stages": list(stages),
        "estimate_days": idea.estimate_days,
    }
    return NewEvent("idea_opened", act.actor, act.now, body)


def attach_evidence(
    state: IdeaState, act: Act, body: Mapping[str, Any], content_hash: str, stage: str | None
) -> NewEvent:
    """Lays validated evidence to a stage: the present one, or an earlier one whose owner still owes something."""
    require_active(state, said("attach evidence"))
    where = stage or state.stage
    _require_reached(state, where)
    require_at_work(state, act, where, said("attach evidence to {stage}", stage=where))
    return NewEvent(
        "evidence_attached",
        act.actor,
        act.now,
        {"stage": where, "content_hash": content_hash, "evidence": dict(body)},
    )


def _require_reached(state: IdeaState, stage: str) -> None:
    if stage not in state.stages:
        raise Missing(
            said("{idea} has no stage {stage!r}", idea=state.idea, stage=stage),
            expected=", ".join(state.stages),
            next_step=command("tasuki idea show {idea}", idea=state.idea),
        )
    if state.stages.index(stage) > state.stages.index(state.stage):
        raise Refused(
            said(
                "{idea} has not reached {stage}; it is in {state_stage}",
                idea=state.idea,
                stage=stage,
                state_stage=state.stage,
            ),
            rule="work is recorded in the stage where it is done, or in one before",
            next_step=said("hand {stage} over first", stage=state.stage),
        )


def look_up_cases(state: IdeaState, act: Act, query: str, cases: Sequence[str]) -> NewEvent:
    """Records that past cases were looked up before work was spent. Any member may."""
    require_active(state, said("look up cases for it"))
    require_member(act)
    _require_text("query", query, "the words you search for")
    return NewEvent("cases_looked_up", act.actor, act.now, {"query": query.strip(), "cases": list(cases)})


def record_rule(state: IdeaState, act: Act, text: str) -> NewEvent:
    """Writes down a go/kill rule before its result is known."""
    require_active(state, said("record a rule"))
    _require_text("rule", text, "when it goes on and when it is killed")
    require_at_work(state, act, state.stage, said("record a rule in {stage}", stage=state.stage))
    return NewEvent("rule_recorded", act.actor, act.now, {"stage": state.stage, "text": text.strip()})


def settle_debt(state: IdeaState, act: Act, number: int, note: str) -> NewEvent:
    """Settles an open debt: its owner does, or the one who has the sash. Also after the idea has ended."""
    debt = next((one for one in state.debts if one.number == number), None)
    if debt is None or debt.settled_at is not None:
        raise Missing(
            said("{idea} has no open debt {number}", idea=state.idea, number=number),
            expected=", ".join(f"{one.number} ({one.what})" for one in state.open_debts()) or "none is open",
            next_step=command("tasuki idea show {idea}", idea=state.idea),
        )
    able = {debt.owner: said("who owes it")}
    require_one_of(
        act, {**able, state.holder: able.get(state.holder, said("the one who has the sash"))}, said("settle it")
    )
    return NewEvent("debt_settled", act.actor, act.now, {"number": number, "note": note.strip()})


def skip_stage(state: IdeaState, act: Act, stage: str, reason: str) -> NewEvent:
    """Leaves out a stage that is still to come; never the last one, since every idea ends with a decision."""
    require_active(state, said("skip a stage of it"))
    _require_text("reason", reason, "why the stage is not needed")
    if stage not in state.stages:
        raise Missing(
            said("{idea} has no stage {stage!r}", idea=state.idea, stage=stage),
            expected=", ".join(_skippable(state)) or "nothing can be skipped now",
            next_step=command("tasuki idea show {idea}", idea=state.idea),
        )
    _require_leads(state, act, said("skip {stage}", stage=stage))
    if stage not in _skippable(state):
        raise Refused(
            said(
                "{stage} of {idea} cannot be skipped; it is in {state_stage}",
                stage=stage,
                idea=state.idea,
                state_stage=state.stage,
            ),
            rule="a stage can be skipped while it is still to come and not offered; the last one decides and stays",
            expected=", ".join(_skippable(state)) or "nothing can be skipped now",
            next_step=said("hand {stage} over, send it back, or kill the idea", stage=state.stage),
        )
    return NewEvent("stage_skipped", act.actor, act.now, {"stage": stage, "reason": reason.strip()})


def _skippable(state: IdeaState) -> tuple[str, ...]:
    done = {skip.stage for skip in state.skips} | ({state.offer.to_stage} if state.offer else set())
    return tuple(stage for stage in state.stages[state.stages.index(state.stage) + 1 : -1] if stage not in done)


def kill_idea(state: IdeaState, act: Act, reason: str) -> NewEvent:
    """Ends an idea with a reason: killing well is a delivered result."""
    require_active(state, said("kill it"))
    _require_text("reason", reason, "what was found; the next person will read it")
    _require_leads(state, act, said("kill it"))
    return NewEvent("idea_killed", act.actor, act.now, {"reason": reason.strip()})


def reopen_idea(state: IdeaState, act: Act, reason: str, stage: str | None = None) -> NewEvent:
    """Takes a killed idea up again at a stage it had reached; the actor, who may work on that stage, has the sash."""
    _require_text("reason", reason, "what has changed since")
    if state.status != "killed":
        raise Refused(
            said("{idea} is {status}", idea=state.idea, status=said(state.status)),
            rule="only a killed idea is reopened; a concluded one is a case and stays as it is",
            next_step="go on with it" if state.status == "active" else "open a new idea that builds on the case",
        )
    where = stage or state.stage
    _require_reached(state, where)
    require_stage_right(
        act, formation_of(state, act.playbook), state.flow, where, said("reopen it in {stage}", stage=where)
    )
    return NewEvent("idea_reopened", act.actor, act.now, {"stage": where, "reason": reason.strip()})


def _require_leads(state: IdeaState, act: Act, verb: str) -> Member:
    able = {state.holder: said("the one who has the sash")}
    return require_one_of(act, {**able, state.owner: able.get(state.owner, said("the idea's owner"))}, verb)


def comment(act: Act, text: str) -> NewEvent:
    """Says something about the idea. Any member may, at any time."""
    require_member(act)
    _require_text("comment", text, "what you want to say")
    return NewEvent("comment_added", act.actor, act.now, {"text": text.strip()})


def state_contribution(state: IdeaState, act: Act, stage: str, text: str) -> NewEvent:
    """States what the actor delivered in a stage that the idea has reached."""
    require_member(act)
    _require_text("contribution", text, "what you delivered")
    _require_reached(state, stage)
    body = {"stage": stage, "member": act.actor, "text": text.strip()}
    return NewEvent("contribution_stated", act.actor, act.now, body)


def confirm_contribution(state: IdeaState, act: Act, stage: str, member: str) -> NewEvent:
    """Confirms what a peer has stated; never one's own."""
    require_member(act)
    stated = [one for one in state.contributions if (one.stage, one.member) == (stage, member)]
    if not stated:
        raise Missing(
            said(
                "{member} has stated no contribution to {stage} of {idea}", member=member, stage=stage, idea=state.idea
            ),
            expected=joined(
                [said("{member} in {stage}", member=one.member, stage=one.stage) for one in state.contributions], ", "
            )
            if state.contributions
            else "a statement first",
            next_step=said("ask {member} to state it", member=member),
        )
    if act.actor == member:
        raise Refused(
            said("{member} cannot confirm their own contribution", member=member),
            rule="a contribution is confirmed by a peer",
            next_step="ask somebody who worked with you",
        )
    return NewEvent("contribution_confirmed", act.actor, act.now, {"stage": stage, "member": member})


def file_case(state: IdeaState, act: Act, case: Mapping[str, Any]) -> NewEvent:
    """Files the case of an idea that has ended."""
    require_member(act)
    if state.status == "active":
        raise Refused(
            said("{idea} is still active", idea=state.idea),
            rule="a case is what an idea leaves when it has ended",
            next_step=said("hand it over to the end, or: tasuki idea kill {idea} --reason …", idea=state.idea),
        )
    return NewEvent("case_filed", act.actor, act.now, {"case": dict(case)})


def add_member(act: Act, member: Member) -> NewEvent:
    """Adds a member: the first one by anybody, every other one by a member.

    Raises:
        Invalid: A blank or unusable name, or an unknown role or language.
        Refused: The name is taken.
    """
    if act.members:
        require_member(act)
    faults = member_faults(member)
    if faults:
        raise Invalid(said("the member was not added: {count} fault(s)", count=len(faults)), faults)
    if member.name in act.members:
        raise Refused(
            said("the team already has {name}", name=member.name),
            rule="a member's name stands for one person",
            next_step=said("tasuki account role {name} --role ROLE changes what they may do", name=member.name),
        )
    body = {
        "name": member.name,
        "roles": list(member.roles),
        "language": member.language,
        "display_name": member.display_name,
    }
    return NewEvent("member_added", act.actor, act.now, body)


def change_roles(act: Act, name: str, roles: Sequence[str]) -> NewEvent:
    """Gives a member exactly these roles."""
    require_member(act)
    known = require_member(act, name)
    faults = member_faults(Member(known.name, tuple(roles)))
    if faults:
        raise Invalid(
            said("the roles of {name} were not changed: {count} fault(s)", name=name, count=len(faults)), faults
        )
    return NewEvent("member_changed", act.actor, act.now, {"name": name, "roles": list(roles)})


def member_faults(member: Member) -> list[Fault]:
    """Everything that keeps a member from being added."""
    faults = []
    if not member.name.strip("-_.") or not all(letter.isalnum() or letter in "-_." for letter in member.name):
        faults.append(
            Fault("name", said("{member!r} cannot be typed as one word", member=member.name), "letters, digits, - _ .")
        )
    if not member.roles:
        faults.append(Fault("role", "missing", ", ".join(ROLES)))
    faults += [
        Fault("role", said("there is no role {role!r}", role=role), ", ".join(ROLES))
        for role in member.roles
        if role not in ROLES
    ]
    if member.language not in ("ja", "en"):
        faults.append(Fault("language", said("{language!r} is not spoken here", language=member.language), "ja or en"))
    return faults


def _require_text(where: str, text: str, expected: str) -> None:
    if not text.strip():
        raise Invalid(said("the {where} is missing", where=said(where)), [Fault(where, "missing", expected)])
