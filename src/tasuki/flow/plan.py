"""What a team decides once and edits as data: flows, stages, formations and the contract of each hand-off.

These are values read from the workspace's TOML files (`tasuki.flow.defaults` holds the built-in ones).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tasuki.titles import Titles

TaskKind = Literal["data_analysis", "data_science", "data_engineering", "ml_engineering"]
ROLES = ("analyst", "data_scientist", "data_engineer", "ml_engineer", "researcher")
CASE = "case"
"""Where the last hand-off leads: the idea is concluded and its case is filed."""

REASON_CODES = (
    "missing_evidence",
    "cannot_reproduce",
    "unclear_requirement",
    "data_problem",
    "out_of_scope",
    "other",
)
"""Why a hand-off is returned: counted per interface, never per person."""


@dataclass(frozen=True)
class Stage:
    """One leg of the relay, and the kind of task it is.

    Args:
        name: How it is called in data.
        task_kind: What kind of work it is.
        titles: Its name in both languages.
        limit: How many ideas the team wants in it at once (work in progress); the board says when there are more.
    """

    name: str
    task_kind: TaskKind
    titles: Titles
    limit: int | None = None


@dataclass(frozen=True)
class Flow:
    """A way from an idea to a decision: its stages in order."""

    name: str
    titles: Titles
    stages: tuple[str, ...]

    def after(self, stage: str) -> str:
        """The next stage, or `CASE` after the last."""
        position = self.stages.index(stage) + 1
        return self.stages[position] if position < len(self.stages) else CASE


@dataclass(frozen=True)
class Formation:
    """Which roles own which stage. `one_person` means that whoever opens an idea carries it all the way.

    `owners` is keyed by stage; a key `flow/stage` says who owns the stage in that flow only and goes first.
    """

    name: str
    titles: Titles
    owners: Mapping[str, tuple[str, ...]]
    one_person: bool = False

    def roles_for(self, flow: str, stage: str) -> tuple[str, ...]:
        """The roles that own a stage in a flow; none for a stage the formation does not know."""
        return self.owners.get(f"{flow}/{stage}", self.owners.get(stage, ()))


@dataclass(frozen=True)
class Requirement:
    """Evidence an offer must carry.

    Args:
        kinds: Any one of these kinds of evidence fulfils it.
        fields: Fields of the record that must not be empty.
        how: How to produce it, as the command to type.
    """

    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Contract:
    """What must be true for one hand-off.

    Args:
        from_stage: The stage that is offered.
        to_stage: The stage it is offered to, or `CASE`.
        requirements: What the offer must carry.
        checks: Names of the machine checks (`tasuki.flow.checks` lists them).
        question: The one question the receiver answers when accepting.
    """

    from_stage: str
    to_stage: str
    requirements: tuple[Requirement, ...]
    checks: tuple[str, ...]
    question: Titles


_BARE = Contract("", "", (), (), Titles("Can you start with what you were given?", "渡されたものだけで始められますか?"))


@dataclass(frozen=True)
class Playbook:
    """Everything a team agreed on: stages, flows, formations and contracts, by name.

    `contracts` is keyed by (from_stage, to_stage); see `contract` for hand-offs that have none of their own.
    """

    stages: Mapping[str, Stage]
    flows: Mapping[str, Flow]
    formations: Mapping[str, Formation]
    contracts: Mapping[tuple[str, str], Contract]

    def contract(self, from_stage: str, to_stage: str) -> Contract:
        """The contract of a hand-off.

        A hand-off without one of its own (a flow or a skip that jumps over stages) takes the first contract that
        leaves the same stage: what was made there is what the next person needs, whoever that is. A last stage
        without any takes the first contract that leads to the case: no idea ends without a decision. A stage that
        no contract knows hands over with the receiver's question alone.
        """
        exact = self.contracts.get((from_stage, to_stage))
        leaving = (one for (start, end), one in self.contracts.items() if start == from_stage and end != CASE)
        ending = (one for (_, end), one in self.contracts.items() if end == CASE and to_stage == CASE)
        found = exact or next(ending if to_stage == CASE else leaving, None)
        return replace(found or _BARE, from_stage=from_stage, to_stage=to_stage)


@dataclass(frozen=True)
class Member:
    """A person of the team, with one or more roles and the language they read."""

    name: str
    roles: tuple[str, ...]
    language: Literal["ja", "en"] = "ja"
    display_name: str = ""
