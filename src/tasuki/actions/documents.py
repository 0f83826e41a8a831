"""What the doors say of a thing, as documents: the same for `--json` on the command line and for REST.

Scripts rely on them (docs/cli-json.md): a field may be added, none is renamed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from tasuki.clock import to_text
from tasuki.errors import Missing, command, said

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.cases.case import Case
    from tasuki.flow.plan import Member
    from tasuki.flow.state import EvidenceEntry, IdeaState


def to_json_value(value: Any) -> Any:
    """A value of the rooms as JSON: dataclasses as objects, moments as text, NaN and infinity as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Enum():
            return value.value
        case datetime():
            return to_text(value)
        case date():
            return value.isoformat()
        case str() | bytes():
            return value
        case Mapping():
            return {str(key): to_json_value(one) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {one.name: to_json_value(getattr(value, one.name)) for one in fields(value)}
        case Iterable():
            return [to_json_value(one) for one in value]
    return value


def idea_row(state: "IdeaState", now: datetime) -> dict[str, Any]:
    """An idea in a list."""
    from tasuki.flow.times import lead_days

    return {
        "idea": state.idea,
        "title": state.title,
        "flow": state.flow,
        "formation": state.formation,
        "status": state.status,
        "stage": state.stage,
        "holder": state.holder,
        "owner": state.owner,
        "offered_to": None if state.offer is None else state.offer.to_stage,
        "opened_at": state.opened_at,
        "ended_at": state.ended_at,
        "lead_days": lead_days(state, now),
        "open_debts": len(state.open_debts()),
    }


def idea_document(workspace: "Workspace", state: "IdeaState") -> dict[str, Any]:
    """What `tasuki.idea/1` says: the whole state, evidence without its bodies, and the time each stage took."""
    from dataclasses import fields

    from tasuki.flow.times import lead_days, stage_times

    now = workspace.clock()
    shown = {one.name: getattr(state, one.name) for one in fields(state) if one.name != "case"}
    return {
        **shown,
        "evidence": [evidence_line(entry) for entry in state.evidence],
        "next_stage": state.next_stage() if state.status == "active" else None,
        "question": question_of(workspace, state),
        "open_debts": state.open_debts(),
        "case_filed": state.case is not None,
        "lead_days": lead_days(state, now),
        "times": stage_times(state, now),
    }


def evidence_line(entry: "EvidenceEntry") -> dict[str, Any]:
    """A piece of evidence without its body."""
    from tasuki.cases.case import summary_of

    return {
        "sequence": entry.sequence,
        "kind": entry.kind,
        "stage": entry.stage,
        "content_hash": entry.content_hash,
        "producer": entry.body["producer"],
        "attached_by": entry.attached_by,
        "attached_at": entry.attached_at,
        "summary": summary_of(entry.record, entry.kind),
    }


def question_of(workspace: "Workspace", state: "IdeaState") -> dict[str, str] | None:
    """The question that the receiver of what is offered answers, in both languages; None when nothing is."""
    if state.offer is None:
        return None
    titles = workspace.playbook.contract(state.offer.from_stage, state.offer.to_stage).question
    return {"en": titles.en, "ja": titles.ja}


def find_evidence(state: "IdeaState", which: str) -> "EvidenceEntry":
    """The newest evidence whose hash begins so, or of that kind.

    Raises:
        Missing: There is none; names what there is.
    """
    fits = [one for one in state.evidence if one.kind == which or one.content_hash.startswith(which)]
    if not fits or not which:
        raise Missing(
            said("{idea} has no evidence {which!r}", idea=state.idea, which=which),
            expected=", ".join(f"{one.kind} {one.content_hash[:12]}" for one in state.evidence)
            or "none is attached yet",
            next_step=command("tasuki evidence list {idea}", idea=state.idea),
        )
    return fits[-1]


def find_case(workspace: "Workspace", idea: str) -> "Case":
    """The case of an idea.

    Raises:
        Missing: There is no such idea, or it has not ended.
    """
    from tasuki.cases.case import case_from_body

    state = workspace.ledger.state(idea)
    if state.case is None:
        raise Missing(
            said("{idea} has no case: it is {status}", idea=idea, status=state.status),
            expected="an idea that was concluded or killed",
            next_step=command("tasuki idea show {idea}", idea=idea),
        )
    return case_from_body(state.case)


def member_document(member: "Member") -> dict[str, Any]:
    """A member of the team."""
    return {
        "name": member.name,
        "display_name": member.display_name,
        "roles": list(member.roles),
        "language": member.language,
    }


CASE_FOUND = (
    "idea",
    "title",
    "flow",
    "ended_at",
    "decision",
    "metric",
    "effect",
    "effect_low",
    "effect_high",
    "surprise",
    "learnings",
)
"""What a search tells of a case."""


def case_found(case: "Case", score: float) -> dict[str, Any]:
    """A case among those that a search found."""
    return {name: getattr(case, name) for name in CASE_FOUND} | {"score": score}
