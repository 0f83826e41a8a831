"""The list of cases as a value: every idea that has ended, or those a search finds, a page of them at a time."""

from dataclasses import dataclass

from tasuki.cases.case import case_of
from tasuki.cases.search import Prepared, prepare, search_prepared
from tasuki.flow.state import IdeaState
from tasuki.store.shelf import Pile
from tasuki.web.board import Ended, ended_of
from tasuki.web.case_choice import CaseChoice, Choices, choices_among, facts_of

SHOWN = 50
ALL = CaseChoice()


@dataclass(frozen=True)
class CaseLine:
    """A case in the list: how it ended, what was learnt, and the words it is found by."""

    ended: Ended
    learnings: tuple[str, ...]
    reason: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class CaseList:
    """What the page shows.

    Args:
        total: How many cases there are.
        found: How many of them were asked for.
        page: Which part of these is shown, from 1.
        pages: How many parts they make.
        lines: The cases of this part.
        choices: What can be asked for.
    """

    total: int
    found: int
    page: int
    pages: int
    lines: tuple[CaseLine, ...]
    choices: Choices


def list_cases(ended: Pile, query: str, page: int = 1, shown: int = SHOWN, choice: CaseChoice = ALL) -> CaseList:
    """All cases, newest first; with a query those that hold its words, best first; of these the chosen ones.

    Args:
        ended: The ideas that are over.
        query: Words to search for; empty for all.
        page: Which part, from 1. Beyond the last one the last is shown.
        shown: How many make a part.
        choice: What they must be.
    """
    return ended.answered(_list, _Asked(query, page, shown, choice))


@dataclass(frozen=True)
class _Asked:
    query: str
    page: int
    shown: int
    choice: CaseChoice


def _list(ended: Pile, asked: _Asked) -> CaseList:
    found = ended.answered(_found, asked.query) if asked.query else ended.states
    if not asked.choice.is_open:
        facts = {state.idea: one for state, one in zip(ended.states, ended.made(facts_of), strict=True)}
        found = tuple(state for state in found if asked.choice.fits(facts[state.idea]))
    pages = max(1, -(-len(found) // asked.shown))
    page = min(max(1, asked.page), pages)
    lines = tuple(_line(state) for state in found[(page - 1) * asked.shown : page * asked.shown])
    return CaseList(len(ended.states), len(found), page, pages, lines, ended.whole(_choices))


def _choices(states: tuple[IdeaState, ...]) -> Choices:
    return choices_among(facts_of(state) for state in states)


def _found(ended: Pile, query: str) -> tuple[IdeaState, ...]:
    by_name = {state.idea: state for state in ended.states}
    return tuple(by_name[hit.case.idea] for hit in search_prepared(ended.made(_prepared), query, len(ended.states)))


def _prepared(state: IdeaState) -> Prepared:
    return prepare(case_of(state))


def _line(state: IdeaState) -> CaseLine:
    decision, learning = state.latest("decision"), state.latest("learning")
    said = {} if learning is None else learning.record
    reason = state.end_reason
    if decision is not None and state.status != "killed":
        reason = decision.record.get("reason", reason)
    return CaseLine(ended_of(state), tuple(said.get("learnings", ())), reason, tuple(said.get("search_words", ())))
