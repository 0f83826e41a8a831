"""What a form offers to choose from, where the workspace knows it: its metrics, its members, what a rule can say."""

from collections.abc import Mapping
from typing import get_args

from tasuki.actions.metrics import declared_metrics
from tasuki.actions.workspace import Workspace
from tasuki.errors import TasukiError
from tasuki.experiments.comparison import Decision
from tasuki.flow.state import IdeaState


def offered_of(workspace: Workspace, kind: str, state: IdeaState) -> Mapping[str, tuple[str, ...]]:
    """The values that each field of a kind of evidence can be chosen from; a field without any stays free text.

    Args:
        workspace: Whose metrics and members.
        kind: The kind that is to be written.
        state: The idea: what was compared in it can be decided on, whether it is declared or not.
    """
    names = dict.fromkeys([*known_metrics(workspace), *_compared(state)])
    offered = {"metric": tuple(names)}
    if kind == "decision":
        offered["monitoring_owner"] = tuple(sorted(workspace.ledger.members()))
        offered["recommended"] = get_args(Decision)
    return {field: values for field, values in offered.items() if values}


def known_metrics(workspace: Workspace) -> Mapping[str, tuple[str, ...]]:
    """The declared metrics with their titles in every language; none where the declaration has faults."""
    try:
        declared = declared_metrics(workspace.folder)
    except TasukiError:
        return {}
    return {name: tuple(filter(None, (one.titles.en, one.titles.ja))) for name, one in declared.items()}


def _compared(state: IdeaState) -> list[str]:
    compared = state.latest("comparison_report")
    return [] if compared is None else [str(one["metric"]) for one in compared.record["results"]]
