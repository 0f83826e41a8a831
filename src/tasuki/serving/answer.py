"""Answers: assign the arm, score with its version, or fall back and say why. Pure over the plan that was pinned."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasuki.models.artifact import Artifact
from tasuki.models.default_answer import reason_of
from tasuki.models.encoding import Column, WrongValue
from tasuki.serving.plan import UNAVAILABLE, ServingPlan, Slot
from tasuki.serving.request import Asked, AskedColumns

NO_DEFAULT = 0.0
"""What is answered when no arm can, of a model without a default answer: who bids it times a value buys nothing."""

MISSING_FEATURE = "feature_missing"
MODEL_FAILED = "model_failed"


@dataclass(frozen=True)
class Answer:
    """The answer for one unit. `experiment` is None, and `arm` is `outside` or `holdout`, for one that is in none."""

    arm: str
    version: str | None
    score: float
    fallback: bool
    reason: str | None
    experiment: str | None = None


@dataclass
class Answers:
    """The answers for many units, column by column, in the order asked."""

    arms: list[str]
    versions: list[str | None]
    scores: list[float]
    fallbacks: list[bool]
    reasons: list[str | None]
    latencies_us: list[int]
    experiments: list[str | None]


def answer_row(plan: ServingPlan, asked: Asked) -> Answer:
    """The answer for one unit whose features were checked."""
    placed = plan.routing.placement(asked.unit)
    slot = plan.slots[placed.slot]
    score, reason = _score_row(slot.artifact, asked.features)
    if reason is None and slot.artifact is not None:
        return Answer(placed.arm, slot.artifact.version, score, False, None, placed.experiment)
    control = plan.control
    if control is not slot and control.artifact is not None:
        score, failed = _score_row(control.artifact, asked.features)
        if failed is None:
            return Answer(placed.arm, control.artifact.version, score, True, reason, placed.experiment)
    said = reason_of(reason or MODEL_FAILED, plan.default)
    return Answer(placed.arm, None, default_score(plan), True, said, placed.experiment)


def default_score(plan: ServingPlan) -> float:
    """The score of the model's default answer."""
    return NO_DEFAULT if plan.default is None else plan.default.value


def answer_columns(plan: ServingPlan, asked: AskedColumns, checked: dict[tuple[str, str], Column]) -> Answers:
    """The answers for many units whose columns were checked, each slot's rows scored together."""
    began = time.perf_counter_ns()
    placed = list(map(plan.routing.placement, asked.units))
    rows = len(placed)
    answers = Answers(
        arms=[one.arm for one in placed],
        versions=[None] * rows,
        scores=[NO_DEFAULT] * rows,
        fallbacks=[True] * rows,
        reasons=[UNAVAILABLE] * rows,
        latencies_us=[0] * rows,
        experiments=[one.experiment for one in placed],
    )
    shared_us = (time.perf_counter_ns() - began) / 1000 / rows
    for key, slot in plan.slots.items():
        places = [place for place, one in enumerate(placed) if one.slot == key]
        if places:
            began = time.perf_counter_ns()
            scored = _score_arm(plan, slot, checked, np.asarray(places))
            taken_us = round(shared_us + (time.perf_counter_ns() - began) / 1000 / len(places))
            _put(answers, places, scored, taken_us)
    return answers


@dataclass(frozen=True)
class _Scored:
    """The scores of one arm's rows, the version that gave them, and why it was not the arm's own."""

    scores: Sequence[float]
    version: str | None
    reason: str | None


def _score_arm(plan: ServingPlan, slot: Slot, checked: dict[tuple[str, str], Column], at: Column) -> _Scored:
    scores, reason = _score_columns(slot.artifact, checked, at)
    if scores is not None and slot.artifact is not None:
        return _Scored(scores, slot.artifact.version, None)
    control = plan.control
    if control is not slot and control.artifact is not None:
        scores, _ = _score_columns(control.artifact, checked, at)
        if scores is not None:
            return _Scored(scores, control.artifact.version, reason)
    said = reason_of(reason or MODEL_FAILED, plan.default)
    return _Scored([default_score(plan)] * len(at), None, said)


def _put(answers: Answers, places: Sequence[int], scored: _Scored, taken_us: int) -> None:
    for place, score in zip(places, scored.scores, strict=True):
        answers.scores[place] = score
        answers.versions[place] = scored.version
        answers.fallbacks[place] = scored.reason is not None
        answers.reasons[place] = scored.reason
        answers.latencies_us[place] = taken_us


def _score_row(artifact: Artifact | None, features: dict[str, Any]) -> tuple[float, str | None]:
    """The score, or why there is none."""
    if artifact is None:
        return NO_DEFAULT, UNAVAILABLE
    try:
        return artifact.scorer.score_row(features), None
    except KeyError as error:
        return NO_DEFAULT, f"{MISSING_FEATURE}: {error.args[0]}"
    except WrongValue as error:
        return NO_DEFAULT, f"{MISSING_FEATURE}: {error.column}"
    except Exception:
        return NO_DEFAULT, MODEL_FAILED


def _score_columns(
    artifact: Artifact | None, checked: dict[tuple[str, str], Column], at: Column
) -> tuple[list[float] | None, str | None]:
    """The scores of some rows, or why there are none."""
    if artifact is None:
        return None, UNAVAILABLE
    lacking = [one.name for one in artifact.inputs.values() if (one.name, one.type) not in checked]
    if lacking:
        return None, f"{MISSING_FEATURE}: {lacking[0]}"
    try:
        columns = {one.name: checked[one.name, one.type][at] for one in artifact.inputs.values()}
        scores: list[float] = artifact.scorer.score_columns(columns).tolist()
    except WrongValue as error:
        return None, f"{MISSING_FEATURE}: {error.column}"
    except Exception:
        return None, MODEL_FAILED
    return scores, None
