"""The inference service: an RSGI application, with nothing between it and Granian."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from tasuki.clock import Clock
from tasuki.errors import Fault, Invalid, Missing, Unavailable
from tasuki.serving.described import openapi_of
from tasuki.serving.exposures import ExposureLog
from tasuki.serving.gate import Gate, Verdict
from tasuki.serving.health import State, Worker, health_of, metrics_text, read_reports, write_report
from tasuki.serving.request import LARGEST_BODY
from tasuki.serving.scoring import Scoring
from tasuki.serving.tally import Tally
from tasuki.serving.watch import Watcher

LARGEST_DISCARDED = 64 * 1024 * 1024
"""How much of a body that is too large is read and thrown away before the connection is given up."""
LARGEST_UNDER_WAY = 64 * 1024 * 1024
"""Bytes of bodies that may be on their way at once; beyond it requests are told to come again."""
SMALL_BODY = 8 * 1024
"""Bodies up to this size are not counted as being on their way."""
BODY_S = 5.0
"""How long a body may take to arrive."""

_JSON = [("content-type", "application/json")]
_LATER = [*_JSON, ("retry-after", "1")]
_WHO = [*_JSON, ("www-authenticate", "Bearer")]
_TEXT = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
_START, _END = "/v1/models/", "/score"
_SHORTEST = len(_START) + len(_END)
_OWN = ("/health", "/ready", "/metrics", "/openapi.json")
_TOO_LARGE = (400, "the body is too large", (Fault("body", "is too large", f"{LARGEST_BODY} bytes"),))
_encode = msgspec.json.Encoder().encode


class ScoringApp:
    """Answers `POST /v1/models/{model}/score`, `GET /health`, `/ready`, `/metrics` and `/openapi.json`.

    Args:
        watcher: Where the plans are.
        log: Where the exposures go.
        clock: Where the time comes from.
        gate: Who may ask; everybody by default.
        worker: Which of several processes this is.
    """

    def __init__(
        self, watcher: Watcher, log: ExposureLog, clock: Clock, gate: Gate | None = None, worker: Worker | None = None
    ) -> None:
        self._watcher = watcher
        self._log = log
        self._clock = clock
        self._durable = log.place.durable
        self._gate = gate or Gate(None)
        self._closed = self._gate.closed
        self._tally = Tally()
        self._scoring = Scoring(watcher, log, clock, self._tally)
        self._state = State(watcher, log, self._tally, clock(), worker or Worker())
        self._reading: dict[Any, float] = {}
        self._under_way = 0

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request. What a scoring request needs stands here in one piece: each further coroutine costs it."""
        path: str = scope.path
        if not (path.startswith(_START) and path.endswith(_END) and len(path) > _SHORTEST):
            self._other(protocol, scope.method, path)
            return
        if scope.method != "POST":
            _refuse_method(protocol, scope.method, "POST")
            return
        model = path[len(_START) : -len(_END)]
        headers = scope.headers
        verdict = self._gate.check(headers.get("authorization"), model) if self._closed else ""
        length = headers.get("content-length")
        size = int(length) if length is not None and length.isascii() and length.isdigit() else -1
        if verdict:
            status, answer = _not_let_in(verdict, model)
        elif 0 <= size <= SMALL_BODY:
            task = asyncio.current_task()
            self._reading[task] = time.monotonic()
            try:
                body = await protocol()
            except asyncio.CancelledError:
                _send(protocol, *_problem(408, "the body did not arrive in time", [Fault("body", "is not complete")]))
                return
            finally:
                del self._reading[task]
            began = time.perf_counter_ns()
            status, answer = self.score(model, body)
            if self._durable and status == 200:
                status, answer = await self._kept(status, answer)
            self._tally.answered(
                model if status == 200 or model in self._watcher.plans else "", status, time.perf_counter_ns() - began
            )
        elif size > LARGEST_BODY:
            await self._too_large(model, protocol)
            return
        else:
            status, answer = await self._large(model, protocol, size)
        _send(protocol, status, answer)

    def score(self, model: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of the answer to a scoring request."""
        try:
            return 200, self._scoring.score(model, body)
        except Invalid as error:
            return _problem(400, error.what, error.faults)
        except Missing as error:
            return _problem(400, error.what, [Fault("model", "is not served", error.expected)])
        except Unavailable as error:
            return _problem(503, error.what, [Fault("exposures", error.expected)])

    def health(self) -> dict[str, Any]:
        """What serves, since when, in which state, and what went wrong last."""
        return health_of(self._state, self._clock())

    def look_after(self) -> None:
        """What is due every second: new tokens, bodies that do not arrive, this worker's report."""
        self._gate.refresh()
        self._state = replace(self._state, gate_error=self._gate.error)
        late = time.monotonic() - BODY_S
        for task, began in list(self._reading.items()):
            if began < late:
                task.cancel()
        write_report(self._state, self._clock())

    def drain(self) -> None:
        """From now on the service is not ready, so that a load balancer takes it out; it goes on to answer."""
        self._state = replace(self._state, draining=True)

    async def _too_large(self, model: str, protocol: Any) -> None:
        """Answers what says beforehand that it is too large, before any of it came; then takes in what comes."""
        status, answer = _problem(*_TOO_LARGE)
        _send(protocol, status, answer)
        self._tally.answered(model if model in self._watcher.plans else "", status, 0)
        with contextlib.suppress(Exception):  # the answer is out; whoever goes away now has it
            async with asyncio.timeout(BODY_S):
                await _read_parts(protocol)

    async def _large(self, model: str, protocol: Any, size: int) -> tuple[int, bytes]:
        """A request with a body that is large, or whose size is not said."""
        held, began = 0, time.perf_counter_ns()

        def hold(count: int) -> None:
            """Counts a body by its said size, or without one by what of it is here."""
            nonlocal held
            if self._under_way + count - held > LARGEST_UNDER_WAY:
                raise _TooMuch
            self._under_way, held = self._under_way + count - held, count

        try:
            hold(max(size, 0))
            async with asyncio.timeout(BODY_S):
                body = await _read_parts(protocol, hold if size < 0 else None)
            began = time.perf_counter_ns()
            if body is None:
                status, answer = _problem(*_TOO_LARGE)
            else:
                status, answer = await self._kept(*self.score(model, body))
        except TimeoutError:
            status, answer = _problem(408, "the body did not arrive in time", [Fault("body", "is not complete")])
        except _TooMuch:
            what = "too many large bodies are on their way"
            return _problem(503, what, [Fault("body", "come again in a second")])
        finally:
            self._under_way -= held
        self._tally.answered(
            model if status == 200 or model in self._watcher.plans else "", status, time.perf_counter_ns() - began
        )
        return status, answer

    async def _kept(self, status: int, answer: bytes) -> tuple[int, bytes]:
        """The answer once its exposure is on the disk, for a durable log."""
        if self._durable and status == 200:
            try:
                await self._log.on_disk()
            except Unavailable as error:
                return _problem(503, error.what, [Fault("exposures", "wait for the disk")])
        return status, answer

    def _other(self, protocol: Any, method: str, path: str) -> None:
        if path not in _OWN:
            known = f"{_START}MODEL{_END}, {', '.join(_OWN)}"
            _send(protocol, *_problem(404, "there is nothing here", [Fault("path", path[:200], known)]))
        elif method not in ("GET", "HEAD"):
            _refuse_method(protocol, method, "GET, HEAD")
        elif path == "/health":
            _send(protocol, 200, _encode(self.health()))
        elif path == "/ready":
            _send(protocol, *self._ready())
        elif path == "/openapi.json":
            _send(protocol, 200, _encode(openapi_of(self._watcher.plans)))
        else:
            text = metrics_text(read_reports(self._state, self._clock()), self._state.compaction)
            protocol.response_bytes(200, _TEXT, text.encode())

    def _ready(self) -> tuple[int, bytes]:
        plans = self._watcher.plans
        lacking = [model for model, plan in plans.items() if plan.control.artifact is None]
        if self._state.draining:
            return _problem(503, "the service is about to stop", [])
        if plans and not lacking:
            behind = [
                {"model": model, "arm": name, "error": slot.error}
                for model, plan in plans.items()
                for name, slot in plan.slots.items()
                if slot.state != "serving"
            ]
            return 200, _encode({"ready": True, "not_newest": behind} if behind else {"ready": True})
        what = f"nothing can answer for {', '.join(lacking)}" if lacking else "no model is published"
        return _problem(503, what, [Fault(f"models.{model}", plans[model].control.error) for model in lacking])


class _TooMuch(Exception):
    """More bytes of bodies are on their way than are kept at once."""


async def _read_parts(protocol: Any, hold: Callable[[int], None] | None = None) -> bytes | None:
    """The body; None for one that is too large, of which nothing is kept. `hold` is told how much is kept of it.

    What is too large is still taken in, up to a limit: a client that is cut off while it sends never reads the answer.
    """
    parts, size = [], 0
    async for part in protocol:
        size += len(part)
        if size <= LARGEST_BODY:
            parts.append(part)
        else:
            parts.clear()
        if hold is not None:
            hold(size if size <= LARGEST_BODY else 0)
        if size > LARGEST_DISCARDED:
            break
    return b"".join(parts) if size <= LARGEST_BODY else None


def _send(protocol: Any, status: int, body: bytes) -> None:
    headers = _JSON
    if status != 200:
        headers = {503: _LATER, 401: _WHO}.get(status, _JSON)
    protocol.response_bytes(status, headers, body)


def _refuse_method(protocol: Any, method: str, allowed: str) -> None:
    status, body = _problem(405, f"{method[:20]} is not allowed here", [Fault("method", method[:20], allowed)])
    protocol.response_bytes(status, [*_JSON, ("allow", allowed)], body)


def _not_let_in(verdict: Verdict, model: str) -> tuple[int, bytes]:
    if verdict == "not this model":
        return _problem(403, "the token may not ask this model", [Fault("model", f"{model[:80]!r} is not allowed")])
    what = "is missing" if verdict == "no token" else "is unknown"
    return _problem(401, f"the token {what}", [Fault("authorization", what, "Bearer TOKEN")])


def _problem(status: int, what: str, faults: Sequence[Fault]) -> tuple[int, bytes]:
    said = [{"where": one.where, "what": one.what, "expected": one.expected} for one in faults]
    return status, _encode({"error": {"what": what, "faults": said}})
