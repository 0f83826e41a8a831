"""The list of cases as a value: every idea that has ended, or those a search finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasuki.cases.case import case_of
from tasuki.cases.search import search
from tasuki.flow.state import IdeaState
from tasuki.web.board import Ended, ended_of

SHOWN = 100


@dataclass(frozen=True)
class CaseLine:
    """A case in the list: how it ended, what was learnt, and the words it is found by."""

    ended: Ended
    learnings: tuple[str, ...]
    reason: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class CaseList:
    """What the page shows: `total` counts all cases, `lines` those that were asked for."""

    total: int
    lines: tuple[CaseLine, ...]


def list_cases(states: Sequence[IdeaState], query: str) -> CaseList:
    """All cases, newest first; with a query those that hold its words, best first."""
    over = [state for state in states if state.ended_at is not None]
    found = _found(over, query) if query else sorted(over, key=lambda state: state.ended_at or state.opened_at)[::-1]
    return CaseList(len(over), tuple(_line(state) for state in found[:SHOWN]))


def _found(states: Sequence[IdeaState], query: str) -> list[IdeaState]:
    by_name = {state.idea: state for state in states}
    return [by_name[hit.case.idea] for hit in search((case_of(state) for state in states), query, SHOWN)]


def _line(state: IdeaState) -> CaseLine:
    case = case_of(state)
    return CaseLine(ended_of(state), case.learnings, case.reason, case.search_words)
