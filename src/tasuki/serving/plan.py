"""What answers a model's requests at one moment: frozen, so that a request that pinned it sees one state to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from tasuki.experiments.assignment import Split
from tasuki.experiments.routing import Routing
from tasuki.models.artifact import Artifact, Input, Schema
from tasuki.models.default_answer import DefaultAnswer
from tasuki.serving.typed import ArmScorer, TypedRows

SlotState = Literal["serving", "last_good", "unavailable"]
UNAVAILABLE = "parameters_unavailable"


@dataclass(frozen=True)
class Slot:
    """An arm with the version that answers it.

    Args:
        arm: The arm's name.
        channel: The channel it follows.
        location: The artifact store it fetches from.
        artifact: What was loaded and proved; None when nothing could be.
        since: When that version began to serve.
        state: `serving`, `last_good` (a newer version or the pointer cannot be used) or `unavailable`.
        error: Why, when it is not simply serving.
        default: What its publication says to answer when nothing can be computed.
        schema: Without an artifact, what requests of its version look like, when that much of it can be read.
    """

    arm: str
    channel: str
    location: str
    artifact: Artifact | None
    since: datetime | None
    state: SlotState
    error: str = ""
    default: DefaultAnswer | None = None
    schema: Schema | None = None

    @property
    def asks(self) -> Artifact | Schema | None:
        """Where it stands what a request must give."""
        return self.artifact or self.schema


@dataclass(frozen=True)
class ServingPlan:
    """Everything a request needs, in one reference.

    Args:
        routing: What was asked for.
        split: The bounds of the arms' shares.
        slots: One per arm of each experiment, by the keys of `Routing.slots`.
        control: The slot that answers for another that cannot.
        inputs: What any arm reads that is loaded, or whose schema stands in for it; each name and type once.
        accepts: The names a request may give; None when there is an arm whose names are not known.
        error: Why the routing's newest state cannot be used, if it cannot.
        typed: The short way of single rows, and the scorer of each arm in it; None when there is none.
    """

    routing: Routing
    split: Split
    slots: Mapping[str, Slot]
    control: Slot
    inputs: tuple[Input, ...]
    accepts: frozenset[str] | None
    error: str = ""
    typed: tuple[TypedRows, Mapping[str, ArmScorer]] | None = field(default=None, compare=False)

    @cached_property
    def default(self) -> DefaultAnswer | None:
        """What is answered when neither arm nor control can: control's default, or the first that another arm has."""
        every = (self.control, *self.slots.values())
        return next((slot.default for slot in every if slot.default is not None), None)

    @cached_property
    def read(self) -> frozenset[str]:
        """The names that any loaded arm reads."""
        return frozenset(one.name for one in self.inputs)


def plan_of(routing: Routing, slots: Mapping[str, Slot], error: str = "") -> ServingPlan:
    """The plan that belongs to a routing and the state of its arms."""
    control = slots[routing.control.name]
    known = _known(slots, control)
    inputs: dict[tuple[str, str], Input] = {}
    for one in (one for asks in known for one in asks.inputs.values()):
        before = inputs.get((one.name, one.type))
        inputs[one.name, one.type] = one if before is None else _either(before, one)
    complete = len(known) == len(slots)
    names = frozenset[str]().union(*(one.accepts for one in known))
    accepts = names if complete else None
    typed = _typed(slots, control, tuple(inputs.values()), names)
    return ServingPlan(routing, routing.split, slots, control, tuple(inputs.values()), accepts, error, typed)


def _either(one: Input, other: Input) -> Input:
    """What either of two arms takes: a null that one of them does not take makes it fall back and say so."""
    return Input(one.name, one.type, one.nullable or other.nullable, one.count and other.count)


def _known(slots: Mapping[str, Slot], control: Slot) -> list[Artifact | Schema]:
    """What the arms ask for. A schema without its version stands in for control, or for each arm when none is loaded.

    It never does for another arm beside one that answers: nobody is refused for a version that did not come in.
    """
    is_dark = all(slot.artifact is None for slot in slots.values())
    every = [slot.asks if is_dark or slot is control else slot.artifact for slot in slots.values()]
    return [one for one in every if one is not None]


def _typed(
    slots: Mapping[str, Slot], control: Slot, inputs: tuple[Input, ...], known: frozenset[str]
) -> tuple[TypedRows, Mapping[str, ArmScorer]] | None:
    if control.artifact is None or not control.artifact.inputs:
        return None
    try:
        rows = TypedRows(inputs, control.artifact.inputs, known)
    except ValueError:
        return None
    scorers = {}
    for name, slot in slots.items():
        artifact = slot.artifact or control.artifact
        reason = UNAVAILABLE if slot.artifact is None else None
        scorers[name] = ArmScorer(name, artifact.version, rows.scorer_of(artifact), reason is not None, reason)
    return rows, scorers
