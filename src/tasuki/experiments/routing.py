"""Which arm is answered by which published version: what the inference service reads, as a value.

A model has one main experiment or none, and there may be others beside it that hold other ranges of the same layer: an
A/B 1 in its own lane next to an A/B 2. `Routing.placement` says for a unit which experiment it is in, in which arm, and
which slot answers. A unit that takes part in none is answered by control and is not exposed: its exposure names no
experiment, and its arm is `outside` or `holdout`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.allocation import EVERYBODY, Allocation, HoldOut, Reach, allocation_faults
from tasuki.experiments.assignment import Split, split_of

ExperimentKind = Literal["check", "comparison"]
CONTROL = "control"


@dataclass(frozen=True)
class RoutedArm:
    """An arm, its share of the units, and where its version is fetched from."""

    name: str
    share: float
    channel: str
    location: str


@dataclass(frozen=True)
class Placement:
    """Where a unit was placed.

    Args:
        experiment: The experiment that it is exposed to; None when it is in none.
        arm: The arm to record: of the experiment, or `holdout` or `outside` where units take no part.
        slot: The key of the routed arm that answers (see `Routing.slots`).
    """

    experiment: str | None
    arm: str
    slot: str


@dataclass(frozen=True)
class Routing:
    """What serves a model now.

    Args:
        model: The model.
        experiment: The experiment that runs, or None when there is none.
        kind: Whether it is an A/B 1 or an A/B 2.
        salt: What the units are hashed with.
        arms: In the order in which they take consecutive shares.
        layer: The layer whose range the experiment holds; empty where everybody takes part.
        reach: That range, and how much of it is exposed; everybody by default.
        holdout: Who is kept out of every experiment; nobody by default.
        beside: Experiments of the same model on other ranges of the same layer, each without `beside` of its own.
    """

    model: str
    experiment: str | None
    kind: ExperimentKind | None
    salt: str
    arms: tuple[RoutedArm, ...]
    layer: str = ""
    reach: Reach = EVERYBODY
    holdout: HoldOut | None = None
    beside: "tuple[Routing, ...]" = field(default=())

    @property
    def control(self) -> RoutedArm:
        """The arm that answers for another that cannot: the one called control, else the first."""
        return next((arm for arm in self.arms if arm.name == CONTROL), self.arms[0])

    @property
    def split(self) -> Split:
        """The bounds of the arms' shares."""
        return split_of({arm.name: arm.share for arm in self.arms})

    @cached_property
    def allocation(self) -> Allocation:
        """Who takes part in the main experiment, and in which arm."""
        arms = tuple((arm.name, arm.share) for arm in self.arms)
        return Allocation(self.salt, arms, self.layer, self.reach, self.holdout)

    @property
    def slots(self) -> dict[str, RoutedArm]:
        """Every arm that must be loaded, by key: the arm's name, with `EXPERIMENT/` before it for one beside."""
        main = {arm.name: arm for arm in self.arms}
        return main | {f"{one.experiment}/{arm.name}": arm for one in self.beside for arm in one.arms}

    def placement(self, unit: object) -> Placement:
        """Where a unit is placed; the answer of the first experiment that it takes part in."""
        for routing, placements in self._placements:
            arm = routing.allocation.arm_of(unit)
            if arm is not None:
                return placements[arm]
        status = self.allocation.place(unit).status
        return self._aside["holdout" if status == "holdout" else "outside"]

    @cached_property
    def _placements(self) -> "tuple[tuple[Routing, dict[str, Placement]], ...]":
        """Every placement there can be, made once, so that a request only looks up."""
        main = {arm.name: Placement(self.experiment, arm.name, arm.name) for arm in self.arms}
        others = [
            (one, {arm.name: Placement(one.experiment, arm.name, f"{one.experiment}/{arm.name}") for arm in one.arms})
            for one in self.beside
        ]
        return ((self, main), *others)

    @cached_property
    def _aside(self) -> dict[str, Placement]:
        return {name: Placement(None, name, self.control.name) for name in ("holdout", "outside")}


def plain_routing(model: str, location: str, channel: str = "champion") -> Routing:
    """No experiment: everybody is answered by one channel."""
    return Routing(model, None, None, "", (RoutedArm(CONTROL, 1.0, channel, location),))


def routing_to_json(routing: Routing) -> bytes:
    """The routing as the file that the service reads."""
    document = {"model": routing.model, **_experiment(routing)}
    if routing.beside:
        document["beside"] = [_experiment(one) for one in routing.beside]
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _experiment(routing: Routing) -> dict[str, Any]:
    """What is said of one experiment; what is as by default is left out, so that an older service reads it."""
    document: dict[str, Any] = {
        "experiment": routing.experiment,
        "kind": routing.kind,
        "salt": routing.salt,
        "arms": [
            {"name": arm.name, "share": arm.share, "channel": arm.channel, "location": arm.location}
            for arm in routing.arms
        ],
    }
    return document | placing_document(routing.allocation)


def placing_document(allocation: Allocation) -> dict[str, Any]:
    """Layer, range, exposed part and hold-out as JSON values: only those that are not as by default."""
    document: dict[str, Any] = {}
    if allocation.layer:
        document["layer"] = allocation.layer
    reach, holdout = allocation.reach, allocation.holdout
    if reach != EVERYBODY:
        document |= {"range": [reach.low, reach.high], "exposed": reach.exposed}
    if holdout is not None:
        document["holdout"] = {"name": holdout.name, "share": holdout.share}
    return document


def read_routing(content: bytes) -> Routing:
    """The routing in a file.

    Raises:
        Invalid: With every fault at once.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        raise Invalid("the routing is no JSON", [Fault("routing.json", str(error))]) from error
    if not isinstance(document, dict):
        raise Invalid("the routing is no JSON object", [Fault("routing.json", "is no object")])
    faults: list[Fault] = []
    model = _text(document, "model", faults)
    beside = document.get("beside", [])
    if not isinstance(beside, list) or not all(isinstance(one, dict) for one in beside):
        faults.append(Fault("beside", "is no list of experiments"))
        beside = []
    main = _read_experiment(model or "", document, faults)
    others = tuple(_read_experiment(model or "", one, faults, f"beside.{at}.") for at, one in enumerate(beside))
    if faults or model is None:
        raise Invalid("the routing cannot be used", faults)
    return replace(main, beside=others)


def _read_experiment(model: str, document: Mapping[str, Any], faults: list[Fault], where: str = "") -> Routing:
    found: list[Fault] = []
    experiment, kind, salt = (document.get(name) for name in ("experiment", "kind", "salt"))
    if (experiment is not None or where) and (not isinstance(experiment, str) or not experiment):
        found.append(
            Fault(f"{where}experiment", said("{experiment!r} is no name", experiment=experiment), "a text or null")
        )
    if kind not in (None, "check", "comparison"):
        found.append(Fault(f"{where}kind", said("{kind!r} is no kind", kind=kind), "check, comparison or null"))
    if not isinstance(salt, str):
        found.append(Fault(f"{where}salt", said("{salt!r} is no salt", salt=salt), "a text"))
    arms = _arms(document.get("arms"), found)
    layer, reach, holdout = read_placing(document, found, where)
    routing = Routing(model, experiment, kind, str(salt), arms, layer, reach, holdout)
    if not found:
        found += allocation_faults(routing.allocation)
    faults += found
    return routing


def read_placing(
    document: Mapping[str, Any], faults: list[Fault], where: str = ""
) -> tuple[str, Reach, HoldOut | None]:
    """Layer, reach and hold-out as `placing_document` wrote them; what is wrong with them is added to `faults`."""
    layer, holdout = document.get("layer", ""), document.get("holdout")
    ends, exposed = document.get("range", [0.0, 1.0]), document.get("exposed", 1.0)
    if not isinstance(layer, str):
        faults.append(Fault(f"{where}layer", said("{layer!r} is no name", layer=layer), "a text"))
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, [*ends, exposed]))):
        faults.append(
            Fault(
                f"{where}range",
                said("{ends!r}, exposed {exposed!r}", ends=ends, exposed=exposed),
                "[from, to] and a share",
            )
        )
        ends, exposed = [0.0, 1.0], 1.0
    reach = Reach(float(ends[0]), float(ends[1]), float(exposed))
    if holdout is None:
        return str(layer), reach, None
    if not (isinstance(holdout, dict) and isinstance(holdout.get("name"), str) and _is_number(holdout.get("share"))):
        faults.append(
            Fault(f"{where}holdout", said("{holdout!r} is no hold-out", holdout=holdout), "a name and a share")
        )
        return str(layer), reach, None
    return str(layer), reach, HoldOut(holdout["name"], float(holdout["share"]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _arms(value: Any, faults: list[Fault]) -> tuple[RoutedArm, ...]:
    if not isinstance(value, list) or not value:
        faults.append(Fault("arms", "there is none", "a list of at least one arm"))
        return ()
    arms = []
    for place, one in enumerate(value):
        if not isinstance(one, dict):
            faults.append(Fault(f"arms.{place}", "is no object"))
            continue
        texts = [_text(one, name, faults, f"arms.{place}.") for name in ("name", "channel", "location")]
        share = one.get("share")
        if isinstance(share, bool) or not isinstance(share, int | float) or not math.isfinite(share):
            faults.append(
                Fault(f"arms.{place}.share", said("{share!r} is no share", share=share), "a number above 0, at most 1")
            )
        elif None not in texts:
            name, channel, location = map(str, texts)
            arms.append(RoutedArm(name, float(share), channel, location))
    if len({arm.name for arm in arms}) < len(arms):
        faults.append(Fault("arms", "two arms have the same name"))
    return tuple(arms)


def _text(document: Mapping[str, Any], name: str, faults: list[Fault], where: str = "") -> str | None:
    value = document.get(name)
    if isinstance(value, str) and value:
        return value
    faults.append(Fault(f"{where}{name}", said("{value!r} is no text", value=value), "a text"))
    return None
