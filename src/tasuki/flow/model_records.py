"""The records of a model's way into production: its card, how it does offline, what to implement, where it lies."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from pydantic.dataclasses import dataclass

from tasuki.flow.record_fields import STRICT, ConcernNote, Probability, Text


@dataclass(frozen=True, config=STRICT)
class FeatureNote:
    """A feature of a model and whether the inference service can have it in time."""

    name: Text
    source: Text
    online: bool


@dataclass(frozen=True, config=STRICT)
class ModelCard:
    """A trained version, what it was trained on, what it is for and what it is not for.

    `version` is the artifact's hash; `model_file_hash`, `data_hash` and `seed` make the run repeatable.
    """

    model: Text
    version: Text
    baseline: Text
    model_file: Text
    model_file_hash: Text
    data_hash: Text
    seed: int
    training_rows: Annotated[int, Field(ge=1)]
    features: Annotated[tuple[FeatureNote, ...], Field(min_length=1)]
    intended_use: Text
    unsuitable_use: Text
    cost_estimate: Text
    latency_estimate_ms: Annotated[float, Field(ge=0)]
    training_metrics: Mapping[str, float] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    duration_s: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True, config=STRICT)
class MetricDifference:
    """One offline metric of champion and challenger on the same rows; the difference is challenger − champion."""

    name: Text
    segment: str
    champion: float | None
    challenger: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p_value: float | None


@dataclass(frozen=True, config=STRICT)
class CalibrationBin:
    """Rows with about the same prediction: its mean, and the rate that was seen with its 95 % interval."""

    rows: Annotated[int, Field(ge=1)]
    positives: Annotated[int, Field(ge=0)]
    predicted: Probability
    observed: Probability
    observed_low: Probability
    observed_high: Probability


@dataclass(frozen=True, config=STRICT)
class CalibrationCurves:
    """Predicted against observed rate of both models, the lowest predictions first."""

    champion: tuple[CalibrationBin, ...]
    challenger: tuple[CalibrationBin, ...]


@dataclass(frozen=True, config=STRICT)
class OfflineReport:
    """Challenger against champion on held-out data, and what the rule that was written before says of it.

    `calibration_curve` is None in reports of before it was kept, and where an outside tool gives none. `said` keeps
    the sentences of `rule`, `reasons` and `failure_cases` as codes with values, so that pages can say them in Japanese.
    """

    champion: Text
    challenger: Text
    rows: Annotated[int, Field(ge=1)]
    positives: Annotated[int, Field(ge=0)]
    metrics: Annotated[tuple[MetricDifference, ...], Field(min_length=1)]
    failure_cases: tuple[str, ...]
    rule: Text
    recommendation: Literal["go", "no_go", "cannot_tell"]
    reasons: tuple[str, ...]
    concerns: tuple[ConcernNote, ...] = ()
    calibration_curve: CalibrationCurves | None = None
    said: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class SchemaField:
    """A named input or output of a model."""

    name: Text
    type: Literal["number", "category", "time"]


@dataclass(frozen=True, config=STRICT)
class GoldenExample:
    """Inputs and the score that any implementation must give for them."""

    features: Mapping[str, float | int | str | None]
    score: float


@dataclass(frozen=True, config=STRICT)
class GoldenExamples:
    """What an engineer needs to implement and test a model without asking."""

    model: Text
    version: Text
    inputs: Annotated[tuple[SchemaField, ...], Field(min_length=1)]
    output: Text
    examples: Annotated[tuple[GoldenExample, ...], Field(min_length=1)]
    tolerance: Annotated[float, Field(ge=0)]
    latency_p99_ms: Annotated[float, Field(gt=0)]
    max_size_mb: Annotated[float, Field(gt=0)]
    retraining_cadence: Text
    fallback: Text


@dataclass(frozen=True, config=STRICT)
class DefaultNote:
    """What is answered when neither an arm nor control can, and why that number."""

    value: Probability
    reason: Text


@dataclass(frozen=True, config=STRICT)
class Publication:
    """A version made fetchable by the inference service under a channel.

    `default` is None where the score 0 is answered, and in publications of before it was kept.
    """

    model: Text
    channel: Text
    version: Text
    location: Text
    previous_version: str | None = None
    default: DefaultNote | None = None


@dataclass(frozen=True, config=STRICT)
class ReadinessNote:
    """Why production is ready for it: the job, the fetch path, monitors, rollback and the second pair of eyes."""

    schedule: Text
    fetch_path: Text
    monitors: Annotated[tuple[str, ...], Field(min_length=1)]
    rollback: Text
    rollback_rehearsed: bool
    dry_run_succeeded: bool
    reviewer: Text
    review_notes: Text
