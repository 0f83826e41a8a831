"""Which cases a reader wants to see: of a flow, a decision, a metric, a year. Nothing is ranked."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasuki.flow.state import IdeaState


@dataclass(frozen=True)
class CaseFacts:
    """What a case can be chosen by."""

    flow: str
    decision: str
    metric: str
    year: str


@dataclass(frozen=True)
class CaseChoice:
    """What was asked for; an empty part asks for all."""

    flow: str = ""
    decision: str = ""
    metric: str = ""
    year: str = ""

    @property
    def is_open(self) -> bool:
        """Whether everything fits."""
        return self == CaseChoice()

    def fits(self, facts: CaseFacts) -> bool:
        """Whether a case is what was asked for."""
        return all(not wanted or wanted == getattr(facts, name) for name, wanted in vars(self).items())


@dataclass(frozen=True)
class Choices:
    """What there is to choose from, in the order that a list shows it."""

    flows: tuple[str, ...]
    decisions: tuple[str, ...]
    metrics: tuple[str, ...]
    years: tuple[str, ...]


def facts_of(state: IdeaState) -> CaseFacts:
    """The facts of an idea that has ended: the metric it was decided on, or else the one it wanted to move."""
    decision, brief = state.latest("decision"), state.latest("hypothesis_brief")
    ended_at = state.ended_at or state.opened_at
    told = decision or brief
    concluded = str(decision.record["decision"]) if decision else "concluded"
    outcome = "killed" if state.status == "killed" else concluded
    return CaseFacts(state.flow, outcome, str(told.record["metric"]) if told else "", str(ended_at.year))


def choices_among(facts: Iterable[CaseFacts]) -> Choices:
    """Every value that a case has: no choice leads to an empty list by itself."""
    seen = tuple(facts)
    return Choices(
        tuple(sorted({one.flow for one in seen})),
        tuple(sorted({one.decision for one in seen})),
        tuple(sorted({one.metric for one in seen} - {""})),
        tuple(sorted({one.year for one in seen}, reverse=True)),
    )
