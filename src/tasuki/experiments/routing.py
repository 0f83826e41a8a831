"""Which arm is answered by which published version: what the inference service reads, as a value."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tasuki.errors import Fault, Invalid
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
class Routing:
    """What serves a model now.

    Args:
        model: The model.
        experiment: The experiment that runs, or None when there is none.
        kind: Whether it is an A/B 1 or an A/B 2.
        salt: What the units are hashed with.
        arms: In the order in which they take consecutive shares.
    """

    model: str
    experiment: str | None
    kind: ExperimentKind | None
    salt: str
    arms: tuple[RoutedArm, ...]

    @property
    def control(self) -> RoutedArm:
        """The arm that answers for another that cannot: the one called control, else the first."""
        return next((arm for arm in self.arms if arm.name == CONTROL), self.arms[0])

    @property
    def split(self) -> Split:
        """The bounds of the arms' shares."""
        return split_of({arm.name: arm.share for arm in self.arms})


def plain_routing(model: str, location: str, channel: str = "champion") -> Routing:
    """No experiment: everybody is answered by one channel."""
    return Routing(model, None, None, "", (RoutedArm(CONTROL, 1.0, channel, location),))


def routing_to_json(routing: Routing) -> bytes:
    """The routing as the file that the service reads."""
    document = {
        "model": routing.model,
        "experiment": routing.experiment,
        "kind": routing.kind,
        "salt": routing.salt,
        "arms": [
            {"name": arm.name, "share": arm.share, "channel": arm.channel, "location": arm.location}
            for arm in routing.arms
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


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
    experiment, kind, salt = (document.get(name) for name in ("experiment", "kind", "salt"))
    if experiment is not None and (not isinstance(experiment, str) or not experiment):
        faults.append(Fault("experiment", f"{experiment!r} is no name", "a text or null"))
    if kind not in (None, "check", "comparison"):
        faults.append(Fault("kind", f"{kind!r} is no kind", "check, comparison or null"))
    if not isinstance(salt, str):
        faults.append(Fault("salt", f"{salt!r} is no salt", "a text"))
    arms = _arms(document.get("arms"), faults)
    if faults or model is None:
        raise Invalid("the routing cannot be used", faults)
    routing = Routing(model, experiment, kind, str(salt), arms)
    _ = routing.split  # raises when the shares do not add up
    return routing


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
            faults.append(Fault(f"arms.{place}.share", f"{share!r} is no share", "a number above 0, at most 1"))
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
    faults.append(Fault(f"{where}{name}", f"{value!r} is no text", "a text"))
    return None
