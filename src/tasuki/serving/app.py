"""The inference service: an RSGI application, with nothing between it and Granian."""

import itertools
import secrets
import time
from typing import Any

import msgspec

from tasuki.clock import Clock, to_text
from tasuki.errors import Fault, Invalid
from tasuki.serving.answer import Answer, answer_columns, answer_row
from tasuki.serving.exposures import ExposureBatch, ExposureLog
from tasuki.serving.plan import ServingPlan, Slot
from tasuki.serving.request import LARGEST_BODY, Asked, AskedColumns, check_row, checked_columns, read_body, refuse_rows
from tasuki.serving.watch import Watcher

LARGEST_DISCARDED = 64 * 1024 * 1024
"""How much of a body that is too large is read and thrown away before the connection is given up."""

_JSON = [("content-type", "application/json")]
_START, _END = "/v1/models/", "/score"
_encode = msgspec.json.Encoder().encode


class ScoringApp:
    """Answers `POST /v1/models/{model}/score`, `GET /health` and `GET /ready`."""

    def __init__(self, watcher: Watcher, log: ExposureLog, clock: Clock) -> None:
        self._watcher = watcher
        self._log = log
        self._clock = clock
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._began = clock()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request."""
        if scope.proto != "http":
            return
        status, body = await self._answer(scope, protocol)
        headers = _JSON if status != 503 else [*_JSON, ("retry-after", "1")]
        protocol.response_bytes(status, headers, body)

    async def _answer(self, scope: Any, protocol: Any) -> tuple[int, bytes]:
        path, method = scope.path, scope.method
        if path.startswith(_START) and path.endswith(_END):
            if method != "POST":
                return _problem(405, f"{method} is not allowed here", [Fault("method", method, "POST")])
            body = await _read(scope, protocol)
            if body is None:
                return _problem(400, "the body is too large", [Fault("body", "is too large", f"{LARGEST_BODY} bytes")])
            return self.score(path[len(_START) : -len(_END)], body)
        if method in ("GET", "HEAD"):
            if path == "/health":
                return 200, _encode(self.health())
            if path == "/ready":
                return self._ready()
        return _problem(404, "there is nothing here", [Fault("path", path, f"{_START}MODEL{_END}, /health or /ready")])

    def score(self, model: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of the answer to a scoring request."""
        began = time.perf_counter_ns()
        plan = self._watcher.plans.get(model)
        if plan is None:
            served = ", ".join(self._watcher.plans) or "none"
            return _problem(404, f"no model {model!r} is served here", [Fault("model", "is unknown", served)])
        try:
            asked = read_body(body)
            rows = 1 if isinstance(asked, Asked) else len(asked.units if isinstance(asked, AskedColumns) else asked)
            if not self._log.has_room(rows):
                return _problem(503, "the exposure log is behind", [Fault("exposures", "wait for the disk")])
            if isinstance(asked, Asked):
                refuse_rows(check_row(plan, asked.features))
                return 200, _encode(self._one(plan, asked, began))
            if isinstance(asked, AskedColumns):
                return 200, _encode(self._columns(plan, asked))
            return 200, _encode({"answers": self._rows(plan, asked)})
        except Invalid as error:
            return _problem(400, error.what, error.faults)

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

    def _one(self, plan: ServingPlan, asked: Asked, began: int) -> dict[str, Any]:
        answer = answer_row(plan, asked)
        exposure = f"{self._prefix}-{next(self._numbers):x}"
        taken_us = (time.perf_counter_ns() - began) // 1000
        self._log.add(self._batch(plan, [exposure], [asked], [answer], [taken_us]))
        return _said(exposure, asked, answer)

    def _rows(self, plan: ServingPlan, asked: list[Asked]) -> list[dict[str, Any]]:
        faults = []
        for place, one in enumerate(asked):
            faults += check_row(plan, one.features, f"rows.{place}.features")
        refuse_rows(faults)
        answers, latencies = [], []
        for one in asked:
            began = time.perf_counter_ns()
            answers.append(answer_row(plan, one))
            latencies.append((time.perf_counter_ns() - began) // 1000)
        exposures = [f"{self._prefix}-{next(self._numbers):x}" for _ in asked]
        self._log.add(self._batch(plan, exposures, asked, answers, latencies))
        return [_said(*one) for one in zip(exposures, asked, answers, strict=True)]

    def _batch(
        self, plan: ServingPlan, exposures: list[str], asked: list[Asked], answers: list[Answer], latencies: list[int]
    ) -> ExposureBatch:
        return ExposureBatch(
            self._clock(),
            plan.routing.model,
            plan.routing.experiment,
            exposures,
            [one.unit for one in asked],
            [one.arm for one in answers],
            [one.version for one in answers],
            [one.score for one in answers],
            [one.fallback for one in answers],
            [one.reason for one in answers],
            latencies,
            [one.features for one in asked],
        )

    def _columns(self, plan: ServingPlan, asked: AskedColumns) -> dict[str, Any]:
        answers = answer_columns(plan, asked, checked_columns(plan, asked))
        exposures = [f"{self._prefix}-{next(self._numbers):x}" for _ in asked.units]
        self._log.add(
            ExposureBatch(
                self._clock(),
                plan.routing.model,
                plan.routing.experiment,
                exposures,
                asked.units,
                answers.arms,
                answers.versions,
                answers.scores,
                answers.fallbacks,
                answers.reasons,
                answers.latencies_us,
                asked.columns,
            )
        )
        return {
            "exposures": exposures,
            "arms": answers.arms,
            "versions": answers.versions,
            "scores": answers.scores,
            "fallbacks": answers.fallbacks,
            "reasons": answers.reasons,
        }


async def _read(scope: Any, protocol: Any) -> bytes | None:
    """The body; None for one that is too large, of which nothing is kept.

    What is too large is still taken in, up to a limit: a client that is cut off while it sends never reads the answer.
    """
    length = scope.headers.get("content-length")
    if length is not None and length.isdigit() and int(length) <= LARGEST_BODY:
        body: bytes = await protocol()
        return body
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


def _said(exposure: str, asked: Asked, answer: Answer) -> dict[str, Any]:
    return {
        "exposure": exposure,
        "unit": asked.unit,
        "arm": answer.arm,
        "version": answer.version,
        "score": answer.score,
        "fallback": answer.fallback,
        "reason": answer.reason,
    }


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
