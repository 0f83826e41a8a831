"""What a form can know beforehand: a decision's figures stand in the comparison it is decided on."""

from typing import Any

from tasuki.flow.state import IdeaState

_DECIDED = ("ship", "do_not_ship", "extend")


def draft_of(kind: str, state: IdeaState) -> dict[str, Any]:
    """The fields of a kind of evidence that the idea's other evidence already holds; a person reads them over.

    Args:
        kind: The kind that is to be written.
        state: The idea.

    Returns:
        Fields as JSON values; empty where nothing is known. What must be judged (the reason, the clean-up) stays empty.
    """
    compared = state.latest("comparison_report")
    if kind != "decision" or compared is None:
        return {}
    row, said = _primary(state, compared.record["results"]), compared.record["recommendation"]
    if row is None:
        return {}
    choice = said["decision"]
    draft = {
        "decision": choice if choice in _DECIDED else None,
        "recommended": choice,
        "metric": row["metric"],
        "effect": row["relative"],
        "effect_low": row["relative_low"],
        "effect_high": row["relative_high"],
        "false_win_risk": said["false_win_risk"],
        "surprise": _surprise(state, choice),
    }
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in draft.items()}


def _primary(state: IdeaState, results: list[Any]) -> Any:
    """The result that was registered as the one to decide on; the first one where nothing was."""
    plan = state.latest("experiment_plan")
    names = {one["name"] for one in plan.record["metrics"] if one["role"] == "primary"} if plan else set()
    whole = [one for one in results if one["segment"] is None]
    return next((one for one in whole if one["metric"] in names), whole[0] if whole else None)


def _surprise(state: IdeaState, choice: str) -> float | None:
    """One less the chance that the hypothesis had given to what happened."""
    brief = state.latest("hypothesis_brief")
    if brief is None or choice not in ("ship", "do_not_ship"):
        return None
    chance = float(brief.record["prior_probability"])
    return 1 - chance if choice == "ship" else chance
