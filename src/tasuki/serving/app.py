"""The inference service: an RSGI application, with nothing between it and Granian."""

import time
from typing import Any

import msgspec

from tasuki.clock import Clock, to_text
from tasuki.errors import Fault, Invalid, Missing, Unavailable
from tasuki.serving.exposures import ExposureLog
from tasuki.serving.plan import ServingPlan, Slot
from tasuki.serving.request import LARGEST_BODY
from tasuki.serving.scoring import Scoring
from tasuki.serving.tally import Tally
from tasuki.serving.watch import Watcher

LARGEST_DISCARDED = 64 * 1024 * 1024
"""How much of a body that is too large is read and thrown away before the connection is given up."""

_JSON = [("content-type", "application/json")]
_JSON_LATER = [*_JSON, ("retry-after", "1")]
_START, _END = "/v1/models/", "/score"
_encode = msgspec.json.Encoder().encode


class ScoringApp:
    """Answers `POST /v1/models/{model}/score`, `GET /health` and `GET /ready`."""

    def __init__(self, watcher: Watcher, log: ExposureLog, clock: Clock) -> None:
        self._watcher = watcher
        self._log = log
        self._clock = clock
        self._durable = log.place.durable
        self._tally = Tally()
        self._scoring = Scoring(watcher, log, clock, self._tally)
        self._began = clock()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request. What a scoring request needs stands here in one piece: each further coroutine costs it."""
        path: str = scope.path
        if not (path.startswith(_START) and path.endswith(_END)):
            self._send(protocol, *self._other(scope.method, path))
            return
        if scope.method != "POST":
            fault = Fault("method", scope.method, "POST")
            self._send(protocol, *_problem(405, f"{scope.method} is not allowed here", [fault]))
            return
        length = scope.headers.get("content-length")
        if length is not None and length.isdigit() and int(length) <= LARGEST_BODY:
            body: bytes | None = await protocol()
        else:
            body = await _read_parts(protocol)
        began = time.perf_counter_ns()
        model = path[len(_START) : -len(_END)]
        if body is None:
            fault = Fault("body", "is too large", f"{LARGEST_BODY} bytes")
            status, answer = _problem(400, "the body is too large", [fault])
        else:
            status, answer = self.score(model, body)
        if self._durable and status == 200:
            try:
                await self._log.on_disk()
            except Unavailable as error:
                status, answer = _problem(503, error.what, [Fault("exposures", "wait for the disk")])
        self._tally.answered(model if status != 404 else "", status, time.perf_counter_ns() - began)
        self._send(protocol, status, answer)

    def _send(self, protocol: Any, status: int, body: bytes) -> None:
        protocol.response_bytes(status, _JSON if status != 503 else _JSON_LATER, body)

    def score(self, model: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of the answer to a scoring request."""
        try:
            return 200, self._scoring.score(model, body)
        except Invalid as error:
            return _problem(400, error.what, error.faults)
        except Missing as error:
            return _problem(404, error.what, [Fault("model", "is unknown", error.expected)])
        except Unavailable as error:
            return _problem(503, error.what, [Fault("exposures", error.expected)])

    def _other(self, method: str, path: str) -> tuple[int, bytes]:
        if method in ("GET", "HEAD"):
            if path == "/health":
                return 200, _encode(self.health())
            if path == "/ready":
                return self._ready()
        return _problem(404, "there is nothing here", [Fault("path", path, f"{_START}MODEL{_END}, /health or /ready")])

    def health(self) -> dict[str, Any]:
        """What serves, since when, in which state, and what went wrong last."""
        plans = self._watcher.plans
        arms = [slot for plan in plans.values() for slot in plan.slots.values()]
        sound = all(slot.state == "serving" for slot in arms) and not self._log.error
        sound = sound and not any(plan.error for plan in plans.values())
        routed = next((plan.routing for plan in plans.values() if plan.routing.experiment), None)
        return {
            "status": "ok" if sound and arms else "degraded",
            "since": to_text(self._began),
            "experiment": routed.experiment if routed else None,
            "salt": routed.salt if routed else "",
            "models": {model: _plan_health(plan) for model, plan in plans.items()},
            "exposures": {"written": self._log.written, "waiting": self._log.waiting, "error": self._log.error},
        }

    def _ready(self) -> tuple[int, bytes]:
        plans = self._watcher.plans
        lacking = [model for model, plan in plans.items() if plan.control.artifact is None]
        if plans and not lacking:
            return 200, _encode({"ready": True})
        what = f"nothing can answer for {', '.join(lacking)}" if lacking else "no model is published"
        return _problem(503, what, [Fault(f"models.{model}", plans[model].control.error) for model in lacking])


async def _read_parts(protocol: Any) -> bytes | None:
    """The body; None for one that is too large, of which nothing is kept.

    What is too large is still taken in, up to a limit: a client that is cut off while it sends never reads the answer.
    """
    parts, size = [], 0
    async for part in protocol:
        size += len(part)
        if size <= LARGEST_BODY:
            parts.append(part)
        else:
            parts.clear()
        if size > LARGEST_DISCARDED:
            break
    return b"".join(parts) if size <= LARGEST_BODY else None


def _plan_health(plan: ServingPlan) -> dict[str, Any]:
    routing = plan.routing
    return {
        "experiment": routing.experiment,
        "kind": routing.kind,
        "error": plan.error,
        "arms": {arm.name: {"share": arm.share, **_slot_health(plan.slots[arm.name])} for arm in routing.arms},
    }


def _slot_health(slot: Slot) -> dict[str, Any]:
    return {
        "channel": slot.channel,
        "location": slot.location,
        "version": None if slot.artifact is None else slot.artifact.version,
        "since": None if slot.since is None else to_text(slot.since),
        "state": slot.state,
        "error": slot.error,
    }


def _problem(status: int, what: str, faults: Any) -> tuple[int, bytes]:
    said = [{"where": one.where, "what": one.what, "expected": one.expected} for one in faults]
    return status, _encode({"error": {"what": what, "faults": said}})
