"""A case as Markdown with front matter, for wikis and for people who read files."""

import json
from collections.abc import Sequence

from tasuki.cases.case import Case

_FRONT = (
    "idea", "title", "flow", "opened_at", "ended_at", "decision", "metric", "effect", "effect_low", "effect_high",
    "surprise", "search_words", "members",
)  # fmt: skip


def to_markdown(case: Case) -> str:
    """The case as one Markdown document; the front matter is YAML whose values are written as JSON."""
    front = [f"{name}: {json.dumps(getattr(case, name), ensure_ascii=False)}" for name in _FRONT]
    parts = [
        "\n".join(["---", *front, "---"]),
        f"# {case.title}",
        _section("Hypothesis", _hypothesis(case)),
        _section("Result", _result(case)),
        _section("Learnings", _bullets(case.learnings)),
        _section("Next ideas", _bullets(case.next_ideas)),
        _section("Similar cases", _bullets(case.similar_cases)),
        _section("Where the time went", _times(case)),
        _section("Evidence", _bullets([f"{one.kind} ({one.stage}): {one.summary}" for one in case.evidence])),
        _section("Still owed", _bullets(case.open_debts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _hypothesis(case: Case) -> str:
    if not case.change:
        return ""
    size = "" if case.expected_size is None else f" by {case.expected_size:+.3g} (relative)"
    prior = "" if case.prior_probability is None else f" Believed beforehand with {case.prior_probability:.0%}."
    return f"{case.change}: {case.direction} {case.metric}{size} for {case.population}, because {case.because}.{prior}"


def _result(case: Case) -> str:
    lines = [f"**{case.decision}**: {case.reason}"]
    if case.effect is not None:
        interval = ""
        if case.effect_low is not None and case.effect_high is not None:
            interval = f" ({case.effect_low:.4g} to {case.effect_high:.4g})"
        lines.append(f"Effect on {case.metric}: {case.effect:.4g}{interval}.")
    if case.false_win_risk is not None:
        lines.append(f"Risk that the win is false: {case.false_win_risk:.0%}.")
    if case.surprise is not None:
        lines.append(f"Surprise: {case.surprise:.2f}.")
    return "\n\n".join(lines)


def _times(case: Case) -> str:
    rows = [
        f"| {one.stage} | {', '.join(one.owners)} | {one.touch_days:.1f} | {one.hand_off_days:.1f} | {one.returns} |"
        for one in case.stages
    ]
    head = ["| stage | run by | touch days | hand-off days | returns |", "|---|---|---:|---:|---:|"]
    return "\n".join([*head, *rows, "", f"{case.lead_days:.1f} days from opening to the end."])
