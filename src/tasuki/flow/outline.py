"""The outline of an idea: what lists of ideas need of its state, and nothing else.

A list shows thousands of ideas at once. Most of a state is what only the idea's own page shows: comments, look-ups, the
bodies of reports. An outline is an `IdeaState` without them, so that whatever reads a state can read an outline.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasuki.flow.state import EvidenceEntry, IdeaState

OUTLINED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "hypothesis_brief": (
        "change",
        "because",
        "population",
        "metric",
        "direction",
        "expected_size",
        "prior_probability",
        "similar_cases",
    ),
    "experiment_plan": ("experiment", "days"),
    "comparison_report": ("experiment", "results", "recommendation"),
    "decision": (
        "decision",
        "reason",
        "metric",
        "effect",
        "effect_low",
        "effect_high",
        "false_win_risk",
        "surprise",
    ),
    "learning": ("learnings", "search_words", "next_ideas"),
}
"""The evidence that lists read, and which fields of its record: a board's effect, a calendar's days, a case's words."""

_OF_A_RESULT = ("metric", "segment", "treatment_arm", "relative")
_NOT_OF_A_CASE = frozenset({"stages", "evidence", "open_debts", "similar_cases"})


def outline_of(state: IdeaState) -> IdeaState:
    """The state without what lists do not show.

    Of evidence it keeps the newest of each kind (and experiment) in `OUTLINED_FIELDS`, cut to those fields; of an idea
    that has ended it drops legs and hand-offs too. An outline's outline is itself.
    """
    over = state.status != "active"
    return replace(
        state,
        evidence=_outlined_evidence(state.evidence),
        handoffs=() if over else state.handoffs,
        legs=() if over else state.legs,
        debts=state.open_debts(),
        look_ups=(),
        rules=(),
        comments=(),
        contributions=(),
        case=None if state.case is None else {k: v for k, v in state.case.items() if k not in _NOT_OF_A_CASE},
    )


def _outlined_evidence(evidence: tuple[EvidenceEntry, ...]) -> tuple[EvidenceEntry, ...]:
    newest = {_what(entry): entry for entry in evidence if entry.kind in OUTLINED_FIELDS}
    kept = sorted(newest.values(), key=lambda entry: entry.sequence)
    return tuple(replace(entry, body=_outlined_body(entry)) for entry in kept)


def _what(entry: EvidenceEntry) -> tuple[str, object]:
    record = entry.body.get("record")
    experiment = record.get("experiment") if isinstance(record, Mapping) else None
    return entry.kind, experiment if isinstance(experiment, str) else None


def _outlined_body(entry: EvidenceEntry) -> Mapping[str, Any]:
    record = entry.body.get("record")
    if not isinstance(record, Mapping):
        return {"kind": entry.kind}
    kept = {name: record[name] for name in OUTLINED_FIELDS[entry.kind] if name in record}
    if entry.kind == "comparison_report":
        kept |= _outlined_comparison(kept)
    return {"kind": entry.kind, "record": kept}


def _outlined_comparison(record: Mapping[str, Any]) -> dict[str, Any]:
    """The overall results in the fields that lists read, and what was recommended."""
    results, said = record.get("results"), record.get("recommendation")
    rows = [one for one in results if isinstance(one, Mapping)] if isinstance(results, list | tuple) else []
    outlined: dict[str, Any] = {
        "results": [
            {name: one[name] for name in _OF_A_RESULT if name in one} for one in rows if one.get("segment") is None
        ]
    }
    if isinstance(said, Mapping) and "decision" in said:
        outlined["recommendation"] = {"decision": said["decision"]}
    return outlined
