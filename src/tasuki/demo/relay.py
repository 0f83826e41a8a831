"""What every leg of the demo works with, and the hand-offs between the legs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.relay import accept_handoff, offer_handoff, pick_up_handoff
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.demo.ground import Ground
from tasuki.demo.narrator import Narrator
from tasuki.flow.evidence import DataWindow, evidence_of
from tasuki.flow.records import Record
from tasuki.flow.relay import NewDebt


@dataclass(frozen=True)
class Relay:
    """One idea on its way.

    Args:
        workspace: Where it runs; its clock is `clock`.
        clock: The story's own time: a day of it passes in a moment.
        narrator: Who tells the person at the terminal.
        texts: What the members write, in the workspace's language.
        ground: Data, models and traffic.
        idea: The idea's id.
    """

    workspace: Workspace
    clock: MovableClock
    narrator: Narrator
    texts: dict[str, Any]
    ground: Ground
    idea: str

    def attach(self, record: Record, *, by: str, window: DataWindow | None = None, commit: str | None = None) -> None:
        """Attaches a record as evidence, made by the member who says so."""
        evidence = evidence_of(record, by, self.clock(), window, commit)
        attach_evidence(self.workspace, self.idea, evidence, actor=by)
        self.narrator.say(f"{by} attaches {evidence.kind.replace('_', ' ')} {evidence.content_hash[:10]}")

    def offer(self, by: str, to: str, days: float) -> None:
        """After some days of work, the present stage is offered; every machine check of its contract runs."""
        self.clock.advance(days=days)
        state = self.workspace.ledger.state(self.idea)
        with self.narrator.working(f"{by} offers {state.stage} to {to}: the contract's checks run"):
            offer_handoff(self.workspace, self.idea, actor=by, to_member=to)

    def wait_for_midnight(self) -> None:
        """Experiments of the story start with a day, so that the traffic of whole days is theirs."""
        now = self.clock()
        begun = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if begun < now:
            self.clock.advance(seconds=(begun + timedelta(days=1) - now).total_seconds())

    def take(self, by: str, estimate_days: float, *, wait_days: float = 0.4, debts: tuple[NewDebt, ...] = ()) -> None:
        """The receiver picks it up, answers the contract's question, estimates and accepts."""
        self.clock.advance(days=wait_days)
        state = pick_up_handoff(self.workspace, self.idea, actor=by)
        self.clock.advance(hours=3)
        answer = self.texts["answers"][state.stage]
        accepted = accept_handoff(
            self.workspace, self.idea, actor=by, answer=answer, estimate_days=estimate_days, debts=debts
        )
        said = f", with a debt due {debts[0].due}" if debts else ""
        self.narrator.say(f"{by} accepts {accepted.stage} (estimate {estimate_days:g} days{said}): {answer}")
