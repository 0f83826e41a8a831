"""Telling a past idea: a pen that writes only what the flow's own rules allow, and a clock that people work by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np

from tasuki.flow import decide, relay
from tasuki.flow.checks import RUNNING, CheckResult
from tasuki.flow.event import NewEvent, chained
from tasuki.flow.evidence import DataWindow, evidence_of, to_body
from tasuki.flow.fold import apply
from tasuki.flow.plan import CASE, Member, Playbook
from tasuki.flow.records import Record
from tasuki.flow.rights import Act, formation_of, receivers
from tasuki.flow.state import IdeaState

_FIRST_HOUR, _LAST_HOUR = 1, 9
"""The team works from 10 to 18 in Japan: 1 to 9 UTC."""


@dataclass
class Calendar:
    """The slot for A/B 2: one experiment at a time."""

    slots: list[tuple[date, date]] = field(default_factory=list)

    def book(self, ready: date, days: int) -> date:
        """The first day from which so many days are free."""
        start = ready
        for begun, ended in sorted(self.slots):
            if start + timedelta(days=days) <= begun:
                break
            start = max(start, ended)
        self.slots.append((start, start + timedelta(days=days)))
        return start

    def copy(self) -> "Calendar":
        """The same bookings, to be changed on their own."""
        return Calendar(list(self.slots))


@dataclass(frozen=True)
class Team:
    """Who works under which playbook."""

    playbook: Playbook
    members: Mapping[str, Member]


class Story:
    """One idea while it is told.

    Args:
        idea: Its id.
        team: Who runs it.
        rng: For everything random.
        start: When it begins.
    """

    def __init__(self, idea: str, team: Team, rng: np.random.Generator, start: datetime) -> None:
        self.idea, self.team, self.rng = idea, team, rng
        self.now = start
        self.events: list[NewEvent] = []
        self._state: IdeaState | None = None
        self.rest(0)

    @property
    def state(self) -> IdeaState:
        """What the events add up to so far."""
        assert self._state is not None
        return self._state

    def act(self, actor: str) -> Act:
        """The actor, now."""
        return Act(actor, self.now, self.team.playbook, self.team.members)

    def write(self, event: NewEvent) -> None:
        """Adds an event that was decided on the present state."""
        self.events.append(event)
        self._state = apply(self._state, chained(self.idea, len(self.events), event, ""))

    def rest(self, days: float) -> None:
        """Lets time pass until somebody is at work again: weekdays, in office hours."""
        self.now += timedelta(days=days)
        if self.now.weekday() < 5 and _FIRST_HOUR <= self.now.hour < _LAST_HOUR:
            return
        if self.now.hour >= _LAST_HOUR:
            self.now += timedelta(days=1)
        while self.now.weekday() >= 5:
            self.now += timedelta(days=1)
        minutes = int(self.rng.integers(0, 150))
        self.now = self.now.replace(hour=_FIRST_HOUR, minute=0, second=0, microsecond=0) + timedelta(minutes=minutes)

    def work(self, median_days: float) -> None:
        """Lets working time pass: log-normal, now and then far longer than usual."""
        self.rest(float(median_days * self.rng.lognormal(0.0, 0.5)))

    def attach(self, record: Record, by: str, window_days: int | None = None) -> None:
        """Attaches evidence to the present stage, over the data of the last days where it speaks of data."""
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        window = None if window_days is None else DataWindow(midnight - timedelta(days=window_days), midnight)
        commit = self.rng.bytes(20).hex()
        evidence = evidence_of(record, by, self.now, window, commit)
        self.write(
            decide.attach_evidence(self.state, self.act(by), to_body(evidence), evidence.content_hash, None),
        )
        self.now += timedelta(minutes=int(self.rng.integers(3, 40)))

    def offer(self, note: str = "") -> str:
        """Offers the present stage to one of those who may receive it, and returns who."""
        holder, to_stage = self.state.holder, self.state.next_stage()
        act = self.act(holder)
        able = receivers(self.state, act, to_stage)
        one_person = formation_of(self.state, self.team.playbook).one_person
        others = [name for name in able if name != holder]
        to_owner = to_stage == CASE or one_person
        receiver = self.state.owner if to_owner else others[int(self.rng.integers(len(others)))]
        passed = {name: CheckResult(name, True, "passed") for name in RUNNING}
        self.write(relay.offer(self.state, act, relay.OfferTerms(receiver, note, passed)))
        return receiver

    def pick_up(self, receiver: str) -> None:
        """Lets the offer wait, then be picked up."""
        self.rest(float(self.rng.lognormal(-0.2, 0.9)))
        self.write(relay.pick_up(self.state, self.act(receiver)))
        self.rest(float(self.rng.lognormal(-1.8, 0.7)))

    def accept(self, answer: str, median_days: float, debts: tuple[relay.NewDebt, ...] = ()) -> None:
        """Accepts with an answer and an estimate, which people make a little too small."""
        offered = self.state.offer
        assert offered is not None
        assert offered.picked_up_by is not None
        estimate = round(float(median_days * self.rng.lognormal(-0.25, 0.35)) * 2) / 2
        days = None if offered.to_stage == CASE else max(estimate, 0.5)
        self.write(relay.accept(self.state, self.act(offered.picked_up_by), relay.Acceptance(answer, days, debts)))
