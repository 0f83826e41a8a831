"""What answers a model's requests at one moment: frozen, so that a request that pinned it sees one state to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from tasuki.experiments.assignment import Split
from tasuki.experiments.routing import Routing
from tasuki.models.artifact import Artifact, Input
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
    """

    arm: str
    channel: str
    location: str
    artifact: Artifact | None
    since: datetime | None
    state: SlotState
    error: str = ""
    default: DefaultAnswer | None = None


@dataclass(frozen=True)
class ServingPlan:
    """Everything a request needs, in one reference.

    Args:
        routing: What was asked for.
        split: The bounds of the arms' shares.
        slots: One per arm of each experiment, by the keys of `Routing.slots`.
        control: The slot that answers for another that cannot.
        inputs: What any loaded arm reads; each name and type once.
        accepts: The names a request may give; None when an arm is not loaded, whose names are then not known.
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
    loaded = [slot.artifact for slot in slots.values() if slot.artifact is not None]
    inputs: dict[tuple[str, str], Input] = {}
    for one in (one for artifact in loaded for one in artifact.inputs.values()):
        known = inputs.get((one.name, one.type))
        # Null is refused only where no arm takes it; an arm that does not falls back and says so.
        inputs[one.name, one.type] = one if known is None or one.nullable else known
    complete = len(loaded) == len(slots)
    names = frozenset[str]().union(*(one.accepts for one in loaded))
    accepts = names if complete else None
    control = slots[routing.control.name]
    typed = _typed(slots, control, tuple(inputs.values()), names)
    return ServingPlan(routing, routing.split, slots, control, tuple(inputs.values()), accepts, error, typed)


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
