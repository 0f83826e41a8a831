"""Ideas that are still on their way when the story ends, so that the board shows a team at work.

They are carried by the same actions as the story's own idea, so every contract holds for them too; the days between
their steps lie in the last fortnight before today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tasuki.actions.booking import BookingRequest, book_experiment
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.relay import accept_handoff, comment, look_up_cases, offer_handoff, open_idea, pick_up_handoff
from tasuki.clock import system_clock
from tasuki.demo.relay import Relay
from tasuki.flow.evidence import evidence_of, read_evidence
from tasuki.flow.records import HypothesisBrief, OpportunityEstimate, Record
from tasuki.flow.relay import NewDebt

FORTNIGHT = timedelta(days=13)
STEP_DAYS = 0.55
DEBT_DAYS = 30
BOOKED_AHEAD_DAYS = 6


@dataclass(frozen=True)
class Other:
    """An idea beside the story's own, and what the texts tell of it.

    Args:
        relay: The story, with its clock and workspace.
        idea: Its id.
        told: Its part of the texts: `brief`, `to`, and for those that got further `takes`, `opportunity`, …
    """

    relay: Relay
    idea: str
    told: Mapping[str, Any]

    def pass_time(self) -> None:
        """A part of a day, never beyond the present moment: a real log may end today."""
        left_days = (system_clock() - self.relay.clock()) / timedelta(days=1)
        self.relay.clock.advance(days=max(0.0, min(STEP_DAYS, left_days / 4)))

    def attach(self, record: Record, by: str, commit: str | None = None) -> None:
        """Attaches a record by the member who made it."""
        evidence = evidence_of(record, by, self.relay.clock(), None, commit)
        attach_evidence(self.relay.workspace, self.idea, evidence, actor=by)

    def offer(self, by: str, to: str) -> None:
        """Offers the present stage; the contract's checks run."""
        self.pass_time()
        offer_handoff(self.relay.workspace, self.idea, actor=by, to_member=to or None)

    def take(self, by: str, took: Mapping[str, Any]) -> None:
        """Accepts what was offered, perhaps with a debt."""
        self.pass_time()
        pick_up_handoff(self.relay.workspace, self.idea, actor=by)
        due = (self.relay.clock() + timedelta(days=DEBT_DAYS)).date()
        debts = (NewDebt(took["debt"], took["debtor"], due),) if took.get("debt") else ()
        accept_handoff(
            self.relay.workspace,
            self.idea,
            actor=by,
            answer=took["answer"],
            estimate_days=took["estimate_days"],
            debts=debts,
        )


def open_other_ideas(relay: Relay) -> None:
    """Opens the other ideas of the texts and carries each as far as they tell."""
    behind = system_clock() - FORTNIGHT - relay.clock()
    relay.clock.advance(seconds=max(0.0, behind.total_seconds()))
    for told in relay.texts["others"]:
        state = open_idea(relay.workspace, told["title"], actor=told["by"], flow=told["flow"], estimate_days=6)
        other = Other(relay, state.idea, told)
        other.pass_time()
        if "brief" in told:
            _write_hypothesis(other)
        if "takes" in told:
            other.take(told["to"], told["takes"])
        if "opportunity" in told:
            _investigate(other)
        if "takes_on" in told:
            other.take(told["maker"], told["takes_on"])
        if "books" in told:
            first = (system_clock() + timedelta(days=BOOKED_AHEAD_DAYS)).date()
            request = BookingRequest(
                told["books"]["experiment"], "comparison", told["books"]["days"], first, queue=True
            )
            book_experiment(relay.workspace, other.idea, request, actor=told["maker"])
        if "comment" in told:
            comment(relay.workspace, other.idea, actor=told["comment"]["by"], text=told["comment"]["text"])
    relay.narrator.say(f"{len(relay.texts['others'])} other ideas are on their way")


def _write_hypothesis(other: Other) -> None:
    by = other.told["by"]
    found = look_up_cases(other.relay.workspace, other.idea, actor=by, query=other.told["search"]).look_ups[-1].cases
    other.attach(HypothesisBrief(**{**other.told["brief"], "similar_cases": found[:3]}), by)
    other.offer(by, other.told["to"])


def _investigate(other: Other) -> None:
    """The table of the story's own investigation answers this question too; its queries run again at the offer."""
    by = other.told["to"]
    report = other.relay.workspace.ledger.state(other.relay.idea).latest("data_report")
    if report is None:
        raise ValueError("the story's own idea was investigated")
    evidence = read_evidence(report.body)
    other.pass_time()
    other.attach(evidence.record, by, evidence.code_commit)
    other.attach(OpportunityEstimate(**other.told["opportunity"]), by)
    other.offer(by, other.told.get("maker", ""))
