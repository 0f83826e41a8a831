"""Who may do what: the roles of a member, the formation of the idea, and who could when somebody may not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tasuki.errors import Missing, NotAllowed, command, joined, said
from tasuki.flow.plan import CASE, Formation, Member, Playbook
from tasuki.flow.state import IdeaState


@dataclass(frozen=True)
class Act:
    """Who does something, when, and the team and playbook under which it is judged."""

    actor: str
    now: datetime
    playbook: Playbook
    members: Mapping[str, Member]


def require_member(act: Act, name: str | None = None) -> Member:
    """The member who acts (or another who was named).

    Raises:
        Missing: When the team has nobody of that name.
    """
    wanted = act.actor if name is None else name
    if wanted not in act.members:
        raise Missing(
            said("the team has no member {member!r}", member=wanted) if wanted else "nobody was named who does this",
            expected=said("one of {members}", members=tuple(act.members))
            if act.members
            else "a team with at least one member",
            next_step=said(
                "name a member with --as, or: tasuki account add {wanted} --role ROLE", wanted=wanted or "NAME"
            ),
        )
    return act.members[wanted]


def formation_of(state: IdeaState, playbook: Playbook) -> Formation:
    """The formation in which the idea runs.

    Raises:
        Missing: When the team has removed it from its playbook.
    """
    if state.formation not in playbook.formations:
        raise Missing(
            said("the playbook has no formation {formation!r} any more", formation=state.formation),
            expected=said("one of {formations}", formations=tuple(playbook.formations)),
            next_step="put it back into playbook/formations.toml",
        )
    return playbook.formations[state.formation]


def may_work(member: Member, formation: Formation, flow: str, stage: str) -> bool:
    """Whether one of the member's roles owns the stage."""
    return bool(set(member.roles) & set(formation.roles_for(flow, stage)))


def who_may_work(act: Act, formation: Formation, flow: str, stage: str) -> tuple[str, ...]:
    """The names of the members who may work on the stage."""
    return tuple(name for name, member in act.members.items() if may_work(member, formation, flow, stage))


def receivers(state: IdeaState, act: Act, to_stage: str) -> tuple[str, ...]:
    """Who may receive the idea at a stage; the case is concluded by the idea's owner."""
    if to_stage == CASE:
        return (state.owner,)
    return who_may_work(act, formation_of(state, act.playbook), state.flow, to_stage)


def require_stage_right(act: Act, formation: Formation, flow: str, stage: str, verb: str) -> Member:
    """The acting member, who may work on the stage.

    Raises:
        NotAllowed: Names the rule of the formation and the members who could.
    """
    member = require_member(act)
    if may_work(member, formation, flow, stage):
        return member
    owners = formation.roles_for(flow, stage)
    able = who_may_work(act, formation, flow, stage)
    raise NotAllowed(
        said(
            "{actor} ({roles}) may not {verb}", actor=act.actor, roles=tuple(member.roles) or said("no role"), verb=verb
        ),
        rule=said(
            "in the formation {formation} the stage {stage} belongs to {owners:or}",
            formation=formation.name,
            stage=stage,
            owners=tuple(owners) or said("no role"),
        ),
        expected=said("one of the members who may: {members}", members=tuple(able))
        if able
        else "a member with such a role; none has it",
        next_step=said("ask {member}, or let them do it with --as {member}", member=able[0])
        if able
        else command("tasuki account role NAME --role {role}", role=owners[0] if owners else "ROLE"),
    )


def require_one_of(act: Act, able: Mapping[str, str], verb: str) -> Member:
    """The acting member, who is one of those named; `able` says why each may.

    Raises:
        NotAllowed: Names the rule and who could.
    """
    member = require_member(act)
    if act.actor in able:
        return member
    people = tuple(said("{member} ({why})", member=name, why=why) for name, why in able.items())
    raise NotAllowed(
        said("{actor} may not {verb}", actor=act.actor, verb=verb),
        rule=said("only {who:or} may {verb}", who=tuple(dict.fromkeys(able.values())), verb=verb),
        expected=joined(people, ", "),
        next_step=said("ask {member}", member=next(iter(able))),
    )


def require_at_work(state: IdeaState, act: Act, stage: str, verb: str) -> Member:
    """The acting member, who has the sash or owns the stage.

    Raises:
        NotAllowed: Names the rule and who could.
    """
    if act.actor == state.holder:
        return require_member(act)
    return require_stage_right(act, formation_of(state, act.playbook), state.flow, stage, verb)
