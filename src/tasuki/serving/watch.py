"""Follows the routing and the channels off the request path, and swaps in one reference what has proved itself."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tasuki.clock import Clock
from tasuki.errors import TasukiError
from tasuki.experiments.routing import Routing, plain_routing
from tasuki.serving.follower import POLL_S, REMOTE_POLL_S, Follower, Listing, Pointer, Say, one_line
from tasuki.serving.plan import ServingPlan, Slot, SlotState, plan_of
from tasuki.serving.request import check_row
from tasuki.store.routing import load_routing

FIRST_LOOK_S = 10.0
"""How long a new pointer may take before the service goes on without it."""
REMEMBERED = 32
"""Requests per model that a new version is tried on before it is let in."""


class Watcher:
    """Keeps the plan of each model that is served.

    Args:
        folder: The workspace's folder.
        artifacts: Where its artifacts lie, relative to the folder.
        models: The models to serve; None for every model with a published champion, and the one that is routed.
        clock: Where the time comes from.
        say: Told when what serves changes, or cannot.
        remote_poll_s: Seconds between two looks at a pointer in an object store.
    """

    def __init__(
        self, folder: Path, artifacts: str, models: tuple[str, ...] | None, clock: Clock, say: Say | None = None, *,
        remote_poll_s: float = REMOTE_POLL_S,
    ) -> None:  # fmt: skip
        self._remote_poll_s = remote_poll_s
        self._folder = folder
        self._artifacts = artifacts
        self._models = models
        self._clock = clock
        self._say = say or (lambda _: None)
        self._routing: Routing | None = None
        self._routing_error = ""
        self.trouble = ""
        self._followers: dict[Pointer, Follower] = {}
        self._listing: Listing | None = None
        self._let_in: dict[Pointer, Slot] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.plans: Mapping[str, ServingPlan] = {}
        self.swaps = 0
        self.recent: dict[str, deque[str]] = {}

    def start(self) -> None:
        """Looks once, so that what is published serves from the first request, then goes on in a thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Ends the threads."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for follower in self._followers.values():
            follower.stop()
        if self._listing is not None:
            self._listing.stop()

    def remember(self, model: str, features: str) -> None:
        """Keeps the features of a request that a version answered: a new version must answer the like of it."""
        rows = self.recent.get(model)
        if rows is None:
            rows = self.recent.setdefault(model, deque(maxlen=REMEMBERED))
        rows.append(features)

    def look(self) -> None:
        """Brings the plans up to what routing and channels say now."""
        try:
            self._routing, self._routing_error = load_routing(self._folder), ""
        except (TasukiError, OSError) as error:
            self._routing_error = one_line(error)
        plans, needed = dict(self.plans), set()
        for model in self._served():
            routing = self._routing if self._routing and self._routing.model == model else None
            routing = routing or plain_routing(model, self._artifacts)
            plan = self._plan(routing)
            needed |= {self._pointer(model, slot) for slot in plan.slots.values()}
            if plan != self.plans.get(model):
                self._tell(self.plans.get(model), plan)
                plans[model] = plan
        self.plans = plans
        for pointer in self._followers.keys() - needed:
            self._followers.pop(pointer).stop()
            self._let_in.pop(pointer, None)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                self.look()
            except Exception as error:  # the plans stay as they are; the next look may go better
                if self.trouble != one_line(error):
                    self.trouble = one_line(error)
                    self._say(f"what serves cannot be brought up to date: {self.trouble}")
            else:
                self.trouble = ""

    def _served(self) -> tuple[str, ...]:
        if self._models is not None:
            return self._models
        if self._listing is None:
            self._listing = Listing(self._folder, self._artifacts, self._remote_poll_s)
            self._listing.start(FIRST_LOOK_S)
        routed = [self._routing.model] if self._routing else []
        return tuple(dict.fromkeys([*self._listing.models, *routed]))

    def _pointer(self, model: str, slot: Slot) -> Pointer:
        return Pointer(self._folder, slot.location, model, slot.channel)

    def _plan(self, routing: Routing) -> ServingPlan:
        """The plan of a routing, control first: no arm may make the service refuse what it answers now."""
        model = routing.model
        found = {
            key: replace(self._slot(model, arm.location, arm.channel), arm=arm.name)
            for key, arm in routing.slots.items()
        }
        slots = {
            key: replace(self._let_in.get(self._pointer(model, slot), replace(slot, artifact=None)), arm=slot.arm)
            for key, slot in found.items()
        }
        for name in sorted(found, key=lambda one: one != routing.control.name):
            slot, before = found[name], slots[name]
            if slot.artifact is not None and slot.artifact is not before.artifact:
                trial = plan_of(routing, {**slots, name: slot}, self._routing_error)
                fault = self._breaks(trial, before if name == routing.control.name else None)
                if fault:
                    state: SlotState = "last_good" if before.artifact else "unavailable"
                    error = f"version {slot.artifact.version} would refuse what callers send: {fault}"
                    slot = replace(before, state=state, error=error)
            slots[name] = slot
            if slot.state == "serving":
                self._let_in[self._pointer(model, slot)] = slot
        return plan_of(routing, slots, self._routing_error)

    def _slot(self, model: str, location: str, channel: str) -> Slot:
        pointer = Pointer(self._folder, location, model, channel)
        follower = self._followers.get(pointer)
        if follower is None:
            follower = self._followers[pointer] = Follower(pointer, self._clock, self._remote_poll_s)
            follower.start(FIRST_LOOK_S)
        return follower.slot

    def _breaks(self, trial: ServingPlan, before: Slot | None) -> str:
        """What a plan would refuse of what the present one answers; for a control without callers, by its schema."""
        now, rows = self.plans.get(trial.routing.model), list(self.recent.get(trial.routing.model, ()))
        if now is None or all(slot.artifact is None for slot in now.slots.values()):
            return ""  # nothing answers: whatever the new version refuses, nobody gets less than now
        for text in rows:
            features: dict[str, Any] = msgspec.json.decode(text)
            if now.accepts is None and trial.accepts is not None:
                # Names that nobody knows were let pass only because an arm was not loaded.
                features = {name: value for name, value in features.items() if name in trial.accepts}
            faults = check_row(trial, features)
            if faults and not check_row(now, features):
                return str(faults[0])
        new = trial.control.artifact
        if rows or new is None or before is None or before.artifact is None:
            return ""
        old = before.artifact
        for one in new.inputs.values():
            known = old.inputs.get(one.name)
            if known is None and one.name not in old.accepts:
                return f"features.{one.name}: is needed, and was not known"
            if known is not None and known.type != one.type:
                return f"features.{one.name}: is a {one.type} now, and was a {known.type}"
        return ""

    def _tell(self, before: ServingPlan | None, plan: ServingPlan) -> None:
        """Says what changed, and counts the swaps."""
        model = plan.routing.model
        if plan.error and (before is None or before.error != plan.error):
            self._say(f"{model}: the routing cannot be used: {plan.error}")
        for name, slot in plan.slots.items():
            old = before.slots.get(name) if before is not None else None
            version = slot.artifact.version if slot.artifact else None
            old_version = old.artifact.version if old and old.artifact else None
            if version is not None and version != old_version:
                self.swaps += old_version is not None
                self._say(f"{model} {name}: version {version} answers")
            if slot.error and (old is None or (old.error, old.state) != (slot.error, slot.state)):
                goes_on = f"; {version} goes on" if version else "; nothing answers"
                self._say(f"{model} {name}: {slot.error}{goes_on}")
