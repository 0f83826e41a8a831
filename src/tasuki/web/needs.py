"""What the next hand-off of an idea needs: each piece, whether it is there, and the command that produces it."""

from dataclasses import dataclass, replace
from typing import Literal

from tasuki.errors import Refused
from tasuki.flow.checks import CHECKS, RUNNING
from tasuki.flow.plan import CASE, Contract, Requirement
from tasuki.flow.relay import check_results, contract_of, lacking_evidence, require_may_receive
from tasuki.flow.rights import Act, receivers
from tasuki.flow.state import EvidenceEntry, IdeaState
from tasuki.titles import Titles

CheckMark = Literal["passed", "failed", "waiting", "runs_at_offer"]


@dataclass(frozen=True)
class Piece:
    """Evidence the offer must carry: what is there of it, the fields still empty, and the command that makes it."""

    kinds: tuple[str, ...]
    entry: EvidenceEntry | None
    empty_fields: tuple[str, ...]
    command: str

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return self.entry is not None and not self.empty_fields


@dataclass(frozen=True)
class CheckLine:
    """A machine check of the contract and how it stands now. `seen` is what it saw where it failed."""

    name: str
    mark: CheckMark
    seen: str
    command: str


@dataclass(frozen=True)
class Needs:
    """The contract of the next hand-off, as it stands."""

    from_stage: str
    to_stage: str
    receivers: tuple[str, ...]
    pieces: tuple[Piece, ...]
    checks: tuple[CheckLine, ...]
    question: Titles
    offer_command: str

    @property
    def missing(self) -> int:
        """How many things are still to be done before the offer can be made."""
        open_checks = sum(line.mark in {"failed", "waiting"} for line in self.checks)
        return sum(not piece.ready for piece in self.pieces) + open_checks


def needs_of(state: IdeaState, act: Act) -> Needs | None:
    """The needs of the next hand-off; None for an idea that has ended or whose flow the playbook no longer has."""
    if state.status != "active" or state.stage not in state.stages or state.formation not in act.playbook.formations:
        return None
    contract = contract_of(state, act)
    return Needs(
        from_stage=state.stage,
        to_stage=state.next_stage(),
        receivers=_others(state, act),
        pieces=tuple(_piece(state, contract, one) for one in contract.requirements),
        checks=_check_lines(state, act, contract),
        question=contract.question,
        offer_command=f"tasuki handoff offer {state.idea} --as {state.holder}",
    )


def may_pick_up(state: IdeaState, act: Act) -> bool:
    """Whether what is offered waits to be picked up, and this actor may do so."""
    if state.offer is None or state.offer.picked_up_by is not None:
        return False
    try:
        require_may_receive(state, act)
    except Refused:
        return False
    return True


def _others(state: IdeaState, act: Act) -> tuple[str, ...]:
    """Who may receive it, without the one who gives it: nobody accepts their own offer where another could."""
    able = receivers(state, act, state.next_stage())
    if state.next_stage() == CASE or act.playbook.formations[state.formation].one_person:
        return able
    giver = state.offer.offered_by if state.offer else state.holder
    return tuple(name for name in able if name != giver) or able


def _piece(state: IdeaState, contract: Contract, requirement: Requirement) -> Piece:
    entry = state.latest(*requirement.kinds)
    faults = lacking_evidence(state, replace(contract, requirements=(requirement,))) if entry else []
    empty = tuple(fault.where.partition(".")[2] for fault in faults)
    return Piece(requirement.kinds, entry, empty, command_in(requirement.how, state.idea))


def _check_lines(state: IdeaState, act: Act, contract: Contract) -> tuple[CheckLine, ...]:
    lines = []
    for result in check_results(state, act, contract, {}):
        waits = any(state.latest(kind) is None for kind in CHECKS[result.name].needs)
        mark: CheckMark = "passed" if result.passed else "waiting" if waits else "failed"
        if mark == "failed" and result.name in RUNNING:
            mark = "runs_at_offer"
        seen = result.seen if mark == "failed" else ""
        command = command_in(CHECKS[result.name].how, state.idea) if mark == "failed" else ""
        lines.append(CheckLine(result.name, mark, seen, command))
    return tuple(lines)


def command_in(how: str, idea: str) -> str:
    """The command inside an instruction, with the idea filled in; empty where there is none to type."""
    start = how.find("tasuki ")
    return how[start:].replace("{idea}", idea) if start >= 0 else ""
