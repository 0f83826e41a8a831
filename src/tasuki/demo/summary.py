"""What happened, in one screen, and where to look next."""

from collections.abc import Sequence
from pathlib import Path

from tasuki.flow.state import IdeaState


def summary_lines(folder: Path, state: IdeaState, honesty: Sequence[str]) -> list[str]:
    """The summary of a finished run, a line each."""
    took = (state.ended_at or state.opened_at) - state.opened_at
    returned = [one for one in state.handoffs if one.outcome == "returned"]
    decision = state.latest("decision")
    lines = [
        f"{state.title} ({state.idea})",
        f"  {len(state.legs)} legs in {took.days} days of the story; {len(state.evidence)} pieces of evidence",
    ]
    for one in returned:
        late = "after acceptance" if one.late else "before acceptance"
        lines.append(f"  returned {late}: {one.from_stage} → {one.to_stage} ({one.reason_code})")
    if decision is not None:
        said = decision.record
        lines.append(f"  decided: {said['decision']} (recommended: {said['recommended']})")
        span = f"[{_percent(said['effect_low'])}, {_percent(said['effect_high'])}]"
        lines.append(f"  {said['metric']}: {_percent(said['effect'])} {span}")
    lines += [f"  {line}" for line in honesty]
    lines += [
        "Where to look:",
        f"  tasuki idea show {state.idea} --workspace {folder}",
        f"  tasuki case search CTR --workspace {folder}",
        f"  tasuki doctor --workspace {folder}",
        f"  tasuki serve --workspace {folder}",
    ]
    return lines


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:+.1%}"
