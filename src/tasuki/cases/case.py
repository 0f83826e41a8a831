"""A case: what a concluded or killed idea leaves behind for the next person. Filled from the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tasuki.clock import to_text
from tasuki.flow.state import IdeaState
from tasuki.flow.times import lead_days, stage_times


@dataclass(frozen=True)
class CaseStage:
    """How long a stage took, and who ran it."""

    stage: str
    owners: tuple[str, ...]
    touch_days: float
    hand_off_days: float
    returns: int


@dataclass(frozen=True)
class CaseEvidence:
    """A piece of evidence in one line."""

    kind: str
    stage: str
    content_hash: str
    summary: str


@dataclass(frozen=True)
class Case:
    """What is worth knowing about an idea that has ended.

    `decision` is what the decision record says (ship, do_not_ship, extend, adopt, drop), or `killed`. The effect is
    in the unit of `metric`, with its interval. `surprise` is 1 − the probability given beforehand to what happened.
    `members` ran it; they are named for asking, never counted.
    """

    idea: str
    title: str
    flow: str
    opened_at: str
    ended_at: str
    decision: str
    reason: str
    change: str = ""
    because: str = ""
    population: str = ""
    metric: str = ""
    direction: str = ""
    expected_size: float | None = None
    prior_probability: float | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    false_win_risk: float | None = None
    surprise: float | None = None
    learnings: tuple[str, ...] = ()
    search_words: tuple[str, ...] = ()
    next_ideas: tuple[str, ...] = ()
    similar_cases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    lead_days: float = 0.0
    stages: tuple[CaseStage, ...] = ()
    evidence: tuple[CaseEvidence, ...] = ()
    open_debts: tuple[str, ...] = ()


def case_of(state: IdeaState) -> Case:
    """The case of an idea that has ended, filled from its ledger.

    Args:
        state: A concluded or killed idea.
    """
    if state.ended_at is None:
        raise ValueError(f"{state.idea} has not ended: it has no case yet")
    brief, decision, learning = (_record(state, kind) for kind in ("hypothesis_brief", "decision", "learning"))
    killed = state.status == "killed"
    return Case(
        idea=state.idea,
        title=state.title,
        flow=state.flow,
        opened_at=to_text(state.opened_at),
        ended_at=to_text(state.ended_at),
        decision="killed" if killed else decision.get("decision", "concluded"),
        reason=state.end_reason if killed else decision.get("reason", state.end_reason),
        change=brief.get("change", ""),
        because=brief.get("because", ""),
        population=brief.get("population", ""),
        metric=decision.get("metric") or brief.get("metric", ""),
        direction=brief.get("direction", ""),
        expected_size=brief.get("expected_size"),
        prior_probability=brief.get("prior_probability"),
        effect=decision.get("effect"),
        effect_low=decision.get("effect_low"),
        effect_high=decision.get("effect_high"),
        false_win_risk=decision.get("false_win_risk"),
        surprise=decision.get("surprise"),
        learnings=tuple(learning.get("learnings", ())),
        search_words=tuple(learning.get("search_words", ())),
        next_ideas=tuple(learning.get("next_ideas", ())),
        similar_cases=_similar(state, brief),
        members=tuple(dict.fromkeys(leg.owner for leg in state.legs)),
        lead_days=round(lead_days(state, state.ended_at), 3),
        stages=_stages(state),
        evidence=tuple(
            CaseEvidence(one.kind, one.stage, one.content_hash, summary_of(one.record, one.kind))
            for one in state.evidence
        ),
        open_debts=tuple(f"{debt.what} ({debt.owner}, {debt.due})" for debt in state.open_debts()),
    )


def _record(state: IdeaState, kind: str) -> Mapping[str, Any]:
    entry = state.latest(kind)
    return {} if entry is None else entry.record


def _similar(state: IdeaState, brief: Mapping[str, Any]) -> tuple[str, ...]:
    seen = [case for look_up in state.look_ups for case in look_up.cases]
    return tuple(dict.fromkeys([*brief.get("similar_cases", ()), *seen]))


def _stages(state: IdeaState) -> tuple[CaseStage, ...]:
    assert state.ended_at is not None
    return tuple(
        CaseStage(
            one.stage,
            tuple(dict.fromkeys(leg.owner for leg in state.legs if leg.stage == one.stage)),
            round(one.touch_days, 3),
            round(one.wait_days + one.judge_days, 3),
            one.returns,
        )
        for one in stage_times(state, state.ended_at)
    )


_SUMMARY_FIELDS: dict[str, tuple[str, ...]] = {
    "hypothesis_brief": ("change", "metric", "expected_size"),
    "data_report": ("leakage_notes", "label_delay_notes"),
    "opportunity_estimate": ("metric", "size", "size_low", "size_high", "unit"),
    "model_card": ("model", "version", "training_rows"),
    "offline_report": ("champion", "challenger", "rows", "recommendation"),
    "golden_examples": ("model", "version", "latency_p99_ms"),
    "publication": ("model", "channel", "version"),
    "readiness_note": ("schedule", "rollback", "reviewer"),
    "check_report": ("experiment", "passed", "days"),
    "experiment_plan": ("experiment", "minimal_detectable_effect", "days", "rule"),
    "comparison_report": ("experiment", "days", "recommendation"),
    "decision": ("decision", "metric", "effect", "effect_low", "effect_high"),
    "learning": ("learnings",),
    "external_link": ("title", "url", "summary"),
}


def summary_of(record: Mapping[str, Any], kind: str) -> str:
    """A record in one line, for lists of evidence."""
    shown = ((name, record.get(name)) for name in _SUMMARY_FIELDS.get(kind, ()))
    return ", ".join(f"{name.replace('_', ' ')} {_in_words(value)}" for name, value in shown if value is not None)


def _in_words(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case str() if len(value) == 64 and value.isalnum():
            return value[:12]
        case Mapping():
            return str(value.get("decision", "…"))
        case Sequence() if not isinstance(value, str):
            return " / ".join(map(str, value))
    return str(value)


def case_to_body(case: Case) -> dict[str, Any]:
    """The case as JSON values."""
    return asdict(case)


def case_from_body(body: Mapping[str, Any]) -> Case:
    """The case that `case_to_body` wrote; what an older or newer version added or left out does not disturb."""
    known = {one.name for one in fields(Case)}
    values: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in body.items() if name in known
    }
    values["stages"] = tuple(CaseStage(**{**one, "owners": tuple(one["owners"])}) for one in body.get("stages", ()))
    values["evidence"] = tuple(CaseEvidence(**one) for one in body.get("evidence", ()))
    return Case(**values)
