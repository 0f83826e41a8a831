"""Follows the routing and the channels off the request path, and swaps in one reference what has proved itself."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tasuki.clock import Clock
from tasuki.errors import TasukiError
from tasuki.experiments.routing import RoutedArm, Routing, plain_routing
from tasuki.models.artifact import Artifact, prove, read_artifact
from tasuki.serving.plan import ServingPlan, Slot, plan_of
from tasuki.store.artifacts import ArtifactStore
from tasuki.store.routing import load_routing

POLL_S = 0.2
RETRY_S = 2.0
CHAMPION = "champion"


@dataclass(frozen=True)
class _Failure:
    """A version that could not be loaded: a store may heal, so it is tried again, but not at every look."""

    version: str
    error: str
    retry_at: float


class Watcher:
    """Keeps the plan of each model that is served.

    Args:
        folder: The workspace's folder.
        artifacts: Where its artifacts lie, relative to the folder.
        models: The models to serve; None for every model with a published champion, and the one that is routed.
        clock: Where the time comes from.
    """

    def __init__(self, folder: Path, artifacts: str, models: tuple[str, ...] | None, clock: Clock) -> None:
        self._folder = folder
        self._artifacts = artifacts
        self._models = models
        self._clock = clock
        self._routing: Routing | None = None
        self._routing_error = ""
        self._good: dict[tuple[str, str, str], Slot] = {}
        self._failed: dict[tuple[str, str, str], _Failure] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.plans: Mapping[str, ServingPlan] = {}

    def start(self) -> None:
        """Looks once, so that what is published serves from the first request, then goes on in a thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Brings the plans up to what routing and channels say now."""
        try:
            self._routing, self._routing_error = load_routing(self._folder), ""
        except (TasukiError, OSError) as error:
            self._routing_error = one_line(error)
        plans = dict(self.plans)
        for model in self._served():
            plan = self._plan(model)
            if plan != self.plans.get(model):
                plans[model] = plan
        self.plans = plans

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            self.look()

    def _served(self) -> tuple[str, ...]:
        if self._models is not None:
            return self._models
        store = ArtifactStore(self._folder / self._artifacts)
        routed = [self._routing.model] if self._routing else []
        published = [model for model in store.models() if CHAMPION in store.channels(model)]
        return tuple(dict.fromkeys([*published, *routed]))

    def _plan(self, model: str) -> ServingPlan:
        routing = self._routing if self._routing and self._routing.model == model else None
        routing = routing or plain_routing(model, self._artifacts)
        slots = {key: self._slot(model, arm) for key, arm in routing.slots.items()}
        return plan_of(routing, slots, self._routing_error)

    def _slot(self, model: str, arm: RoutedArm) -> Slot:
        """The arm's newest version when it can be loaded and proved, else the last good one of the same pointer."""
        pointer = (arm.location, model, arm.channel)
        good = self._good.get(pointer)
        version = ""
        try:
            store = ArtifactStore(self._folder / arm.location)
            version = store.current(model, arm.channel) or ""
            if good is None or good.artifact is None or good.artifact.version != version:
                artifact = self._load(store, pointer, version)
                good = Slot(arm.name, arm.channel, arm.location, artifact, self._clock(), "serving")
                self._good[pointer] = good
        except Exception as error:  # whatever is wrong with the new version, the old one goes on
            known = good or Slot(arm.name, arm.channel, arm.location, None, None, "unavailable")
            return replace(known, arm=arm.name, state="last_good" if good else "unavailable", error=one_line(error))
        return replace(good, arm=arm.name)

    def _load(self, store: ArtifactStore, pointer: tuple[str, str, str], version: str) -> Artifact:
        if not version:
            raise LookupError(f"nothing is published under {pointer[2]} in {pointer[0]}")
        failure = self._failed.get(pointer)
        if failure is not None and failure.version == version and time.monotonic() < failure.retry_at:
            raise LookupError(failure.error)
        try:
            artifact = read_artifact(pointer[1], version, store.load(pointer[1], version))
            prove(artifact)
        except Exception as error:
            self._failed[pointer] = _Failure(version, one_line(error), time.monotonic() + RETRY_S)
            raise
        self._failed.pop(pointer, None)
        return artifact


def one_line(error: BaseException) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
