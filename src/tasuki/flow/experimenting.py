"""What is done with an idea's experiments: booking a slot and giving it back, starting, ramping up, looking, stopping.

Pure decisions as in `tasuki.flow.decide`: state and `Act` go in, the event to write or a refusal comes out.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasuki.errors import Fault, Invalid, Missing, Refused, command, said
from tasuki.flow.event import NewEvent
from tasuki.flow.relay import require_active
from tasuki.flow.rights import Act, require_at_work, require_member
from tasuki.flow.state import Experiment, IdeaState


@dataclass(frozen=True)
class Booking:
    """A slot for an experiment: its lane, from which day and for how many days."""

    name: str
    kind: Literal["check", "comparison"]
    lane: str
    from_day: date
    days: int


def book_experiment(state: IdeaState, act: Act, booking: Booking) -> NewEvent:
    """Books a slot for A/B 1 or A/B 2, or moves it; refused once it has started."""
    _require_experimenter(state, act, said("book {name}", name=booking.name))
    known = _known_experiment(state, booking.name)
    if known is not None and known.started_at is not None:
        raise Refused(
            said(
                "{name} was started {started_at:%Y-%m-%d %H:%M} UTC",
                name=booking.name,
                started_at=known.started_at,
            ),
            rule="a slot is booked for an experiment that is still to start",
            next_step="book the next one under its own name",
        )
    if booking.days < 1:
        raise Invalid(
            "the slot was not booked",
            [Fault("days", said("{days} is no number of days", days=booking.days), "1 or more")],
        )
    body = {
        "name": booking.name,
        "kind": booking.kind,
        "lane": booking.lane,
        "from": booking.from_day.isoformat(),
        "days": booking.days,
    }
    return NewEvent("experiment_booked", act.actor, act.now, body)


def release_experiment(state: IdeaState, act: Act, name: str, reason: str) -> NewEvent:
    """Gives a booked slot back before its experiment starts; the reason is what others read on the calendar."""
    _require_experimenter(state, act, said("give the slot of {name} back", name=name))
    if not reason.strip():
        raise Invalid(
            "the slot was not given back",
            [Fault("reason", "missing", "why the days are not needed; others read it on the calendar")],
        )
    known = _require_experiment(state, name)
    if known.started_at is not None:
        raise Refused(
            said("{name} was started {started_at:%Y-%m-%d %H:%M} UTC", name=name, started_at=known.started_at),
            rule="a slot is given back before its experiment starts",
            next_step="nothing is to be done: what has ended holds no slot"
            if known.stopped_at is not None
            else command("tasuki experiment stop {name}", name=name),
        )
    if known.booked_from is None:
        raise Refused(
            said("{name} has no slot", name=name),
            rule="only a slot that is booked can be given back",
            next_step="nothing is to be done: the days are free for others",
        )
    return NewEvent("experiment_released", act.actor, act.now, {"name": name, "reason": reason.strip()})


def start_experiment(
    state: IdeaState, act: Act, name: str, kind: Literal["check", "comparison"], lane: str = ""
) -> NewEvent:
    """Starts A/B 1 or A/B 2; refused while it runs."""
    _require_experimenter(state, act, said("start {name}", name=name))
    known = _known_experiment(state, name)
    if known is not None and known.started_at is not None and known.stopped_at is None:
        raise Refused(
            said("{name} is running since {started_at:%Y-%m-%d %H:%M} UTC", name=name, started_at=known.started_at),
            rule="an experiment is started once and stopped before it starts again",
            next_step=command("tasuki experiment stop {name}", name=name),
        )
    if known is not None and known.kind != kind:
        raise Refused(
            said("{name} is a {known}, not a {wanted}", name=name, known=said(known.kind), wanted=said(kind)),
            rule="A/B 1 and A/B 2 are two experiments with two names",
            next_step="choose another name",
        )
    return NewEvent("experiment_started", act.actor, act.now, {"name": name, "kind": kind, "lane": lane})


def ramp_experiment(state: IdeaState, act: Act, name: str, exposed: float) -> NewEvent:
    """Exposes another share of a running experiment's range."""
    _require_experimenter(state, act, said("ramp {name} up", name=name))
    _require_running(_require_experiment(state, name))
    return NewEvent("experiment_ramped", act.actor, act.now, {"name": name, "exposed": exposed})


def look_at_experiment(state: IdeaState, act: Act, name: str) -> NewEvent:
    """Records that somebody looked at the numbers of an experiment. Any member may look; it is never secret."""
    require_member(act)
    _require_experiment(state, name)
    return NewEvent("experiment_looked", act.actor, act.now, {"name": name})


def stop_experiment(state: IdeaState, act: Act, name: str, reason: str = "") -> NewEvent:
    """Stops an experiment that runs, also one that outlived its idea."""
    known = _require_experiment(state, name)
    require_at_work(state, act, state.stage, said("stop {name} in {stage}", name=name, stage=state.stage))
    _require_running(known)
    return NewEvent("experiment_stopped", act.actor, act.now, {"name": name, "reason": reason})


def _require_running(known: Experiment) -> None:
    if known.started_at is None or known.stopped_at is not None:
        raise Refused(
            said("{name} is not running", name=known.name),
            rule="only what runs is ramped up or stopped",
            next_step=command("tasuki experiment start {name}", name=known.name),
        )


def _require_experimenter(state: IdeaState, act: Act, verb: str) -> None:
    require_active(state, verb)
    require_at_work(state, act, state.stage, said("{verb} in {stage}", verb=verb, stage=state.stage))


def _known_experiment(state: IdeaState, name: str) -> Experiment | None:
    return next((one for one in state.experiments if one.name == name), None)


def _require_experiment(state: IdeaState, name: str) -> Experiment:
    known = _known_experiment(state, name)
    if known is None:
        raise Missing(
            said("{idea} has no experiment {name!r}", idea=state.idea, name=name),
            expected=", ".join(one.name for one in state.experiments) or "none was booked or started yet",
            next_step="tasuki experiment list",
        )
    return known
