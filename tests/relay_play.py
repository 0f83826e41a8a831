"""What the relay's tests share: a team, a valid record of every kind of evidence, and a stream that needs no store."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

from tasuki.clock import MovableClock
from tasuki.flow import decide, relay
from tasuki.flow.checks import RUNNING, CheckResult
from tasuki.flow.decide import NewIdea
from tasuki.flow.event import Event, NewEvent, chained
from tasuki.flow.evidence import read_evidence
from tasuki.flow.fold import apply
from tasuki.flow.plan import Member, Playbook
from tasuki.flow.playbook import default_playbook
from tasuki.flow.relay import Acceptance, NewDebt, OfferTerms, ReturnReason
from tasuki.flow.rights import Act, receivers
from tasuki.flow.state import IdeaState

START = datetime(2026, 4, 1, 9, tzinfo=UTC)
ROLES_OF = {
    "aoi": "analyst",
    "haru": "analyst",
    "ren": "data_scientist",
    "mio": "data_scientist",
    "sota": "ml_engineer",
    "yui": "ml_engineer",
    "kaito": "data_engineer",
}
TEAM = {name: Member(name, (role,)) for name, role in ROLES_OF.items()}
PASSED = {name: CheckResult(name, True, "passed") for name in RUNNING}

RECORDS: dict[str, dict[str, Any]] = {
    "hypothesis_brief": {
        "change": "calibrate scores per segment", "metric": "ctr", "direction": "increase", "expected_size": 0.03,
        "because": "new apps are over-predicted", "population": "all bids", "prior_probability": 0.3,
        "similar_cases": [], "stop_when": "no gap by segment", "value_if_true": "3 % more clicks",
    },
    "data_report": {
        "sources": [{"name": "impressions", "meaning": "a won auction", "owner": "kaito"}],
        "queries": [{"name": "rows", "sql": "select app from impressions", "rows": 3, "columns": ["app"]}],
        "quality": [{"check": "no nulls", "passed": True, "seen": "0 nulls"}],
        "leakage_notes": "none seen", "label_delay_notes": "one day",
    },
    "opportunity_estimate": {
        "metric": "ctr", "size": 0.02, "size_low": 0.01, "size_high": 0.03, "unit": "relative", "method": "bootstrap",
    },
    "model_card": {
        "model": "ctr", "version": "v2", "baseline": "v1", "model_file": "models/ctr.py", "model_file_hash": "a",
        "data_hash": "b", "seed": 1, "training_rows": 100,
        "features": [{"name": "app", "source": "request", "online": True}], "intended_use": "bids",
        "unsuitable_use": "billing", "cost_estimate": "1 CPU hour", "latency_estimate_ms": 0.1,
    },
    "offline_report": {
        "champion": "v1", "challenger": "v2", "rows": 100, "positives": 10,
        "metrics": [{
            "name": "log_loss", "segment": "", "champion": 0.2, "challenger": 0.19, "difference": -0.01,
            "difference_low": -0.02, "difference_high": -0.005, "p_value": 0.01,
        }],
        "failure_cases": ["app 7 is worse"], "rule": "go when log loss falls", "recommendation": "go", "reasons": [],
    },
    "golden_examples": {
        "model": "ctr", "version": "v2", "inputs": [{"name": "app", "type": "category"}], "output": "probability",
        "examples": [{"features": {"app": "a1"}, "score": 0.1}], "tolerance": 1e-9, "latency_p99_ms": 5,
        "max_size_mb": 10, "retraining_cadence": "daily", "fallback": "champion",
    },
    "publication": {"model": "ctr", "channel": "challenger", "version": "v2", "location": "artifacts"},
    "readiness_note": {
        "schedule": "daily at 3", "fetch_path": "artifacts", "monitors": ["fallbacks"], "rollback": "move the pointer",
        "rollback_rehearsed": True, "dry_run_succeeded": True, "reviewer": "yui", "review_notes": "read all of it",
    },
    "check_report": {
        "experiment": "check-1", "days": 2, "days_required": 2, "passed": True,
        "probes": [{
            "name": "fallback_rate", "passed": True, "value": 0.0, "threshold": "at most 1 %", "explanation": "none",
        }],
    },
    "experiment_plan": {
        "experiment": "comparison-1", "kind": "comparison", "unit": "user", "salt": "s",
        "arms": [{"name": "control", "share": 0.5}, {"name": "treatment", "share": 0.5}],
        "metrics": [{"name": "ctr", "role": "primary"}], "minimal_detectable_effect": 0.02, "power": 0.8, "alpha": 0.05,
        "units_needed": 1000, "days": 7, "rule": "ship when the interval is above 0", "stop_rule": "no look before",
        "interactions": "none",
    },
    "comparison_report": {
        "experiment": "comparison-1", "days": 7,
        "arms": [{"name": "control", "units": 500}, {"name": "treatment", "units": 500}],
        "srm": {"p_value": 0.9, "expected": {"control": 0.5, "treatment": 0.5}, "passed": True},
        "results": [{
            "metric": "ctr", "kind": "proportion", "segment": None, "control_arm": "control",
            "treatment_arm": "treatment", "control": 0.1, "treatment": 0.11, "effect": 0.01, "effect_low": 0.002,
            "effect_high": 0.018, "relative": 0.1, "relative_low": 0.02, "relative_high": 0.18, "p_value": 0.01,
            "p_value_adjusted": 0.01, "n_control": 500, "n_treatment": 500, "method": "wald",
        }],
        "concerns": [], "recommendation": {"decision": "ship", "reasons": [], "false_win_risk": 0.1},
    },
    "decision": {
        "decision": "ship", "reason": "the interval is above 0", "recommended": "ship", "metric": "ctr", "effect": 0.01,
        "effect_low": 0.002, "effect_high": 0.018, "false_win_risk": 0.1, "surprise": 0.7, "monitoring_owner": "sota",
        "clean_up": "remove the flag", "clean_up_done": False, "clean_up_due": "2027-01-31",
    },
    "learning": {
        "learnings": ["calibration pays in new apps", "較正は新しいアプリで効く"],
        "search_words": ["較正", "calibration"],
        "next_ideas": ["calibrate by hour"], "contributions": {"modeling": "ren"},
    },
    "external_link": {"title": "run", "url": "https://example.org/run", "tool": "MLflow", "summary": "a run"},
}  # fmt: skip


def evidence_body(kind: str, /, **changes: Any) -> dict[str, Any]:
    """Valid evidence of a kind in its JSON form; `changes` are fields of its record."""
    return {
        "kind": kind,
        "producer": "test",
        "at": "2026-04-01T09:00:00Z",
        "data_window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-08T00:00:00Z"},
        "code_commit": "abc",
        "record": {**deepcopy(RECORDS[kind]), **changes},
    }


class Stream:
    """One idea's events and state, decided by the pure rules alone."""

    def __init__(
        self,
        flow: str = "model",
        formation: str = "planner_maker_evaluator",
        *,
        actor: str = "aoi",
        members: Mapping[str, Member] = TEAM,
        playbook: Playbook | None = None,
    ) -> None:
        self.clock = MovableClock(START)
        self.members = dict(members)
        self.playbook = playbook or default_playbook()
        self.events: list[Event] = []
        self._state: IdeaState | None = None
        self.write(decide.open_idea(NewIdea("較正 by segment", flow, formation), self.act(actor)))

    @property
    def state(self) -> IdeaState:
        assert self._state is not None
        return self._state

    def act(self, actor: str) -> Act:
        return Act(actor, self.clock(), self.playbook, self.members)

    def write(self, event: NewEvent) -> IdeaState:
        written = chained("idea-1", len(self.events) + 1, event, self.events[-1].hash if self.events else "")
        self._state = apply(self._state, written)
        self.events.append(written)
        return self._state

    def attach(self, kind: str, /, *, actor: str | None = None, stage: str | None = None, **changes: Any) -> IdeaState:
        body = evidence_body(kind, **changes)
        digest = read_evidence(body).content_hash
        return self.write(decide.attach_evidence(self.state, self.act(actor or self.state.holder), body, digest, stage))

    def prepare(self, leave_out: str = "") -> None:
        """Attaches all that the next contract asks for, so that its checks pass; all but one kind on demand."""
        state, act = self.state, self.act(self.state.holder)
        contract = relay.contract_of(state, act)
        if "cases_looked_up" in contract.checks:
            self.write(decide.look_up_cases(state, act, "較正", []))
        if "rule_before_report" in contract.checks and not state.rules:
            self.write(decide.record_rule(self.state, act, "go when log loss falls"))
        for requirement in contract.requirements:
            kind = requirement.kinds[0]
            if kind == leave_out:
                continue
            if kind == "readiness_note":
                reviewer = "yui" if state.holder != "yui" else "sota"
                self.attach(kind, reviewer=reviewer)
            else:
                self.attach(kind)

    def offer(self, actor: str | None = None, to_member: str | None = None) -> IdeaState:
        terms = OfferTerms(to_member, "please", PASSED)
        return self.write(relay.offer(self.state, self.act(actor or self.state.holder), terms))

    def receiver(self) -> str:
        assert self.state.offer is not None
        able = receivers(self.state, self.act("aoi"), self.state.offer.to_stage)
        others = [name for name in able if name != self.state.offer.offered_by]
        return (others or list(able))[0]

    def pick_up(self, actor: str | None = None) -> IdeaState:
        return self.write(relay.pick_up(self.state, self.act(actor or self.receiver())))

    def accept(self, actor: str | None = None, *debts: NewDebt, estimate: float | None = 3.0) -> IdeaState:
        offer = self.state.offer
        who = actor or (offer and offer.picked_up_by) or self.receiver()
        return self.write(relay.accept(self.state, self.act(who), Acceptance("yes, here is why", estimate, debts)))

    def give_back(self, actor: str, to_stage: str | None = None, code: str = "cannot_reproduce") -> IdeaState:
        return self.write(relay.give_back(self.state, self.act(actor), ReturnReason(code, "see the log", to_stage)))

    def hand_over(self) -> IdeaState:
        """One whole hand-off, a day of work and half a day of waiting."""
        self.clock.advance(days=1)
        self.prepare()
        self.offer()
        self.clock.advance(hours=12)
        self.pick_up()
        return self.accept()

    def hand_over_until(self, stage: str) -> IdeaState:
        while self.state.stage != stage:
            self.hand_over()
        return self.state


DEBT = NewDebt("alarm on fallbacks", "yui", date(2026, 12, 1))
