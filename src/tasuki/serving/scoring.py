"""One scoring request from its body to its answer and its exposures; knows nothing of HTTP."""

import itertools
import secrets
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from tasuki.clock import Clock, from_text
from tasuki.errors import Fault, Invalid, Missing, Unavailable
from tasuki.serving.answer import Answer, answer_columns, answer_row
from tasuki.serving.exposures import ExposureLog
from tasuki.serving.plan import ServingPlan
from tasuki.serving.request import Asked, AskedColumns, read_body
from tasuki.serving.segments import Exposure
from tasuki.serving.tally import Tally
from tasuki.serving.watch import Watcher

REMEMBERED_OF_MANY = 4
"""Rows of one request that are remembered for trying new versions on."""

_encode = msgspec.json.Encoder().encode


class Said(msgspec.Struct, gc=False):
    """The answer for one row, as it is sent."""

    exposure: str
    unit: str
    arm: str
    version: str | None
    score: float
    fallback: bool
    reason: str | None


class Scoring:
    """Answers scoring requests and hands their exposures to the log.

    Args:
        watcher: Where the plans are.
        log: Where the exposures go.
        clock: Where the time comes from.
        tally: Where answers are counted.
    """

    def __init__(self, watcher: Watcher, log: ExposureLog, clock: Clock, tally: Tally) -> None:
        self._watcher = watcher
        self._log = log
        self._clock = clock
        self._replay_time = log.place.replay_time
        self._tally = tally
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def score(self, model: str, body: bytes) -> bytes:
        """The body of the answer.

        Raises:
            Missing: When the model is not served.
            Invalid: Naming each faulty field.
            Unavailable: When too many exposures wait for the disk.
        """
        began = time.perf_counter_ns()
        plan = self._watcher.plans.get(model)
        if plan is None:
            raise Missing(
                f"no model {model[:80]!r} is served here", expected=", ".join(self._watcher.plans) or "none yet"
            )
        if plan.typed is not None and self._replay_time is None and self._log.has_room(1):
            try:
                return self._short(plan, body, began)
            except Exception:  # noqa: S110  # whatever it is, the long way answers it or names the fault
                pass
        return self._long(plan, body, began)

    def _short(self, plan: ServingPlan, body: bytes, began: int) -> bytes:
        """One row that has exactly the types the plan wants."""
        assert plan.typed is not None
        rows, scorers = plan.typed
        unit, values, features = rows.read(body)
        placed = plan.routing.placement(unit)
        arm = scorers[placed.slot]
        score = arm.score(values)
        exposure = f"{self._prefix}-{next(self._numbers):x}"
        model = plan.routing.model
        took_us = (time.perf_counter_ns() - began) // 1000
        self._log.add(
            (
                exposure,
                self._clock(),
                placed.experiment,
                model,
                unit,
                placed.arm,
                arm.version,
                score,
                arm.fallback,
                arm.reason,
                took_us,
                features,
            )
        )
        self._watcher.remember(model, features)
        if arm.reason is not None:
            self._tally.fell_back(model, arm.reason)
        return _encode(Said(exposure, unit, placed.arm, arm.version, score, arm.fallback, arm.reason))

    def _long(self, plan: ServingPlan, body: bytes, began: int) -> bytes:
        asked = read_body(plan, body)
        rows = 1 if isinstance(asked, Asked) else len(asked.units if isinstance(asked, AskedColumns) else asked)
        if not self._log.has_room(rows):
            raise Unavailable("the exposure log is behind", expected="wait for the disk, then ask again")
        if isinstance(asked, Asked):
            return _encode(self._rows(plan, [asked], began)[0])
        if isinstance(asked, AskedColumns):
            return _encode(self._columns(plan, asked))
        return _encode({"answers": self._rows(plan, asked, began)})

    def _rows(self, plan: ServingPlan, asked: list[Asked], began: int) -> list[Said]:
        said, exposures = [], []
        for one in asked:
            answer = answer_row(plan, one)
            now = time.perf_counter_ns()
            exposures.append(self._exposure(plan, one, answer, (now - began) // 1000))
            said.append(Said(exposures[-1].exposure, one.unit, *_told(answer)))
            began = now
        self._keep(exposures)
        return said

    def _columns(self, plan: ServingPlan, asked: AskedColumns) -> dict[str, Any]:
        answers = answer_columns(plan, asked, asked.checked)
        names = list(asked.columns)
        told = zip(
            answers.arms,
            answers.versions,
            answers.scores,
            answers.fallbacks,
            answers.reasons,
            answers.experiments,
            strict=True,
        )
        exposures = []
        inputs: Iterable[tuple[Any, ...]] = zip(*asked.columns.values(), strict=True) if names else itertools.repeat(())
        for unit, one, row, took_us in zip(asked.units, told, inputs, answers.latencies_us, strict=False):
            given = Asked(unit, dict(zip(names, row, strict=True)))
            exposures.append(self._exposure(plan, given, Answer(*one), took_us))
        self._keep(exposures)
        return {
            "exposures": [one.exposure for one in exposures],
            "arms": answers.arms,
            "versions": answers.versions,
            "scores": answers.scores,
            "fallbacks": answers.fallbacks,
            "reasons": answers.reasons,
        }

    def _keep(self, exposures: list[Exposure]) -> None:
        self._log.add_all(exposures)
        # A default answer proves nothing: without a version any request at all gets it.
        for one in exposures[:REMEMBERED_OF_MANY]:
            if one.version is not None:
                self._watcher.remember(one.model, one.features)

    def _exposure(self, plan: ServingPlan, asked: Asked, answer: Answer, took_us: int) -> Exposure:
        if answer.reason is not None:
            self._tally.fell_back(plan.routing.model, answer.reason)
        name = f"{self._prefix}-{next(self._numbers):x}"
        routing, features = plan.routing, _encode(asked.features).decode()
        return Exposure(
            name, self._moment(asked), answer.experiment, routing.model, asked.unit, *_told(answer), took_us, features
        )

    def _moment(self, asked: Asked) -> datetime:
        """Now; in a replay, the moment that is replayed."""
        if self._replay_time is None:
            return self._clock()
        try:
            return from_text(asked.features[self._replay_time])
        except (KeyError, TypeError, ValueError):
            fault = Fault(f"features.{self._replay_time}", "is no moment", "ISO 8601 with a zone")
            raise Invalid("the service replays an earlier time, which every row must name", [fault]) from None


def _told(answer: Answer) -> tuple[str, str | None, float, bool, str | None]:
    return answer.arm, answer.version, answer.score, answer.fallback, answer.reason
