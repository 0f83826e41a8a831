"""Where an idea's time went, per stage: touch, waiting for a hand-off, and judging it. From the ledger's facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tasuki.flow.state import HandOff, IdeaState, Leg

_DAY_S = 86400.0


@dataclass(frozen=True)
class StageTime:
    """The days of one stage, summed over all its legs.

    Args:
        stage: The stage.
        touch_days: It was worked on: had, and not on offer.
        wait_days: It was offered and nobody had picked it up.
        judge_days: It was picked up and neither accepted nor returned.
        estimate_days: What its owners expected together; None when one of them gave no estimate.
        legs: How often it was run.
        returns: How often it came back, late returns included.
    """

    stage: str
    touch_days: float
    wait_days: float
    judge_days: float
    estimate_days: float | None
    legs: int
    returns: int

    @property
    def total_days(self) -> float:
        """From having it to having handed it over, all legs together."""
        return self.touch_days + self.wait_days + self.judge_days


@dataclass(frozen=True)
class _Offered:
    """A span in which a stage was on offer."""

    start: datetime
    picked_up: datetime | None
    end: datetime


def stage_times(state: IdeaState, now: datetime) -> tuple[StageTime, ...]:
    """The days of every stage that was run, in the order of the flow; what still runs counts until `now`."""
    run = {leg.stage for leg in state.legs}
    return tuple(_stage_time(state, stage, now) for stage in state.stages if stage in run)


def lead_days(state: IdeaState, now: datetime) -> float:
    """Days from opening the idea to its end, or to `now` while it is active."""
    return _days(state.opened_at, state.ended_at or now)


def _stage_time(state: IdeaState, stage: str, now: datetime) -> StageTime:
    legs = [leg for leg in state.legs if leg.stage == stage]
    offers = list(_offers(state, stage, now))
    held = sum(_days(leg.started_at, leg.ended_at or now) for leg in legs)
    wait = judge = 0.0
    for leg in legs:
        for start, picked_up, end in (_within(offered, leg, now) for offered in offers):
            wait += _days(start, picked_up)
            judge += _days(picked_up, end)
    estimates = [leg.estimate_days for leg in legs]
    known = [one for one in estimates if one is not None]
    return StageTime(
        stage,
        touch_days=max(held - wait - judge, 0.0),
        wait_days=wait,
        judge_days=judge,
        estimate_days=sum(known) if len(known) == len(estimates) else None,
        legs=len(legs),
        returns=sum(one.outcome == "returned" and one.from_stage == stage for one in state.handoffs),
    )


def _offers(state: IdeaState, stage: str, now: datetime) -> Iterator[_Offered]:
    for one in state.handoffs:
        if one.from_stage == stage and not one.late:
            yield _Offered(one.offered_at, one.picked_up_at, one.decided_at)
    offer = state.offer
    if offer is not None and offer.from_stage == stage:
        yield _Offered(offer.offered_at, offer.picked_up_at, now)


def _within(offered: _Offered, leg: Leg, now: datetime) -> tuple[datetime, datetime, datetime]:
    """The offer's start, pick-up and end, cut to the leg: an offer of another leg has no length in this one."""
    first, last = leg.started_at, leg.ended_at or now
    start, end = (min(max(moment, first), last) for moment in (offered.start, offered.end))
    picked_up = min(max(offered.picked_up or offered.end, start), end)
    return start, picked_up, end


def _days(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds(), 0.0) / _DAY_S


def hand_off_days(handoff: HandOff) -> float:
    """Days from the offer to its decision."""
    return _days(handoff.offered_at, handoff.decided_at)
