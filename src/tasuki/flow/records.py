"""The records that evidence holds: one frozen dataclass per kind, each field named as the people name it.

Validation (types, ranges, no unknown field, no NaN) is declared on the fields; `tasuki.flow.evidence` runs it.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Text = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(ge=0)]
Direction = Literal["increase", "decrease"]


@dataclass(frozen=True, config=_STRICT)
class HypothesisBrief:
    """What would change, in which metric, how much, for whom and why it should be true.

    `expected_size` is the relative change of the metric: 0.03 is +3 %, −0.05 is −5 %.
    """

    change: Text
    metric: Text
    direction: Direction
    expected_size: float
    because: Text
    population: Text
    prior_probability: Probability
    similar_cases: tuple[str, ...]
    stop_when: Text
    value_if_true: Text


@dataclass(frozen=True, config=_STRICT)
class DataSource:
    """A table or file that was used, what a row of it means and who answers for it."""

    name: Text
    meaning: Text
    owner: Text


@dataclass(frozen=True, config=_STRICT)
class RecordedQuery:
    """A query that anyone can run again, with what it gave."""

    name: Text
    sql: Text
    rows: Annotated[int, Field(ge=0)]
    columns: tuple[str, ...]


@dataclass(frozen=True, config=_STRICT)
class QualityFinding:
    """One check of the data: its name, whether it passed, and what was seen."""

    check: Text
    passed: bool
    seen: Text


@dataclass(frozen=True, config=_STRICT)
class DataReport:
    """Sources with meaning and owner, their quality, leakage and label delay, and the queries at a commit."""

    sources: Annotated[tuple[DataSource, ...], Field(min_length=1)]
    queries: Annotated[tuple[RecordedQuery, ...], Field(min_length=1)]
    quality: Annotated[tuple[QualityFinding, ...], Field(min_length=1)]
    leakage_notes: Text
    label_delay_notes: Text


@dataclass(frozen=True, config=_STRICT)
class OpportunityEstimate:
    """How much there is to win, with its interval, in the unit named."""

    metric: Text
    size: float
    size_low: float
    size_high: float
    unit: Text
    method: Text


@dataclass(frozen=True, config=_STRICT)
class FeatureNote:
    """A feature of a model and whether the inference service can have it in time."""

    name: Text
    source: Text
    online: bool


@dataclass(frozen=True, config=_STRICT)
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


@dataclass(frozen=True, config=_STRICT)
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


@dataclass(frozen=True, config=_STRICT)
class ConcernNote:
    """A doubt about analysed data, as `tasuki.stats.concern.Concern` writes it."""

    code: Text
    severity: Literal["info", "warning", "error"]
    message: Text
    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class CalibrationBin:
    """Rows with about the same prediction: its mean, and the rate that was seen with its 95 % interval."""

    rows: Annotated[int, Field(ge=1)]
    positives: Annotated[int, Field(ge=0)]
    predicted: Probability
    observed: Probability
    observed_low: Probability
    observed_high: Probability


@dataclass(frozen=True, config=_STRICT)
class CalibrationCurves:
    """Predicted against observed rate of both models, the lowest predictions first."""

    champion: tuple[CalibrationBin, ...]
    challenger: tuple[CalibrationBin, ...]


@dataclass(frozen=True, config=_STRICT)
class OfflineReport:
    """Challenger against champion on held-out data, and what the rule that was written before says of it.

    `calibration_curve` is None in reports of before it was kept, and where an outside tool gives none.
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


@dataclass(frozen=True, config=_STRICT)
class SchemaField:
    """A named input or output of a model."""

    name: Text
    type: Literal["number", "category", "time"]


@dataclass(frozen=True, config=_STRICT)
class GoldenExample:
    """Inputs and the score that any implementation must give for them."""

    features: Mapping[str, float | int | str | None]
    score: float


@dataclass(frozen=True, config=_STRICT)
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


@dataclass(frozen=True, config=_STRICT)
class Publication:
    """A version made fetchable by the inference service under a channel."""

    model: Text
    channel: Text
    version: Text
    location: Text
    previous_version: str | None = None


@dataclass(frozen=True, config=_STRICT)
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


@dataclass(frozen=True, config=_STRICT)
class Probe:
    """One question of A/B 1, what was seen, what is allowed, and the verdict; `fault` names what a failure is.

    `said` keeps what was seen (`told`) and the threshold as codes with values, so that pages can say them in Japanese.
    """

    name: Text
    passed: bool
    value: float | None
    threshold: Text
    explanation: Text
    fault: str = ""
    said: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class DayVerdict:
    """One day of A/B 1: the probes that a day can answer, and those of them that failed."""

    day: date
    exposures: Annotated[int, Field(ge=0)]
    asked: tuple[Text, ...]
    failed: tuple[Text, ...]


@dataclass(frozen=True, config=_STRICT)
class CheckReport:
    """A/B 1: does it behave as designed? One verdict per probe over the days covered, and what each day showed."""

    experiment: Text
    days: Days
    days_required: Days
    passed: bool
    probes: Annotated[tuple[Probe, ...], Field(min_length=1)]
    incidents: tuple[str, ...] = ()
    by_day: tuple[DayVerdict, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class ArmShare:
    """An arm and its share of the traffic."""

    name: Text
    share: Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, config=_STRICT)
class PlannedMetric:
    """A metric registered before the start, in its role; `margin` is the non-inferiority margin of a guardrail.

    `covariates` are what variance is taken out with; `definition` is the fingerprint of what is computed, so that a
    change after the start is seen.
    """

    name: Text
    role: Literal["primary", "secondary", "guardrail"]
    margin: float | None = None
    covariates: tuple[str, ...] = ()
    definition: str = ""


@dataclass(frozen=True, config=_STRICT)
class AACheck:
    """What splitting the past units by the assignment's hash showed: can the analysis be trusted on this data?"""

    splits: Annotated[int, Field(ge=1)]
    units: Annotated[int, Field(ge=1)]
    false_positives: Probability
    error_ratio: float | None
    trusted: bool
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class ExperimentPlan:
    """What is registered before the start: arms, metrics, smallest effect worth finding, days and rule.

    `sequential` and `looks` say how people may look before the end; `exclusions` who or what is left out, in words;
    `label_delay_days` come after the days, before anybody decides; `holidays` lie in the planned days.
    """

    experiment: Text
    kind: Literal["check", "comparison"]
    unit: Text
    salt: Text
    arms: Annotated[tuple[ArmShare, ...], Field(min_length=2)]
    metrics: Annotated[tuple[PlannedMetric, ...], Field(min_length=1)]
    minimal_detectable_effect: Annotated[float, Field(gt=0)]
    power: Annotated[float, Field(gt=0, lt=1)]
    alpha: Annotated[float, Field(gt=0, lt=1)]
    units_needed: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]
    rule: Text
    stop_rule: Text
    interactions: Text
    adjust: Literal["none", "holm", "bh"] = "holm"
    sequential: Literal["none", "always_valid", "group_sequential"] = "none"
    looks: tuple[float, ...] = ()
    segments: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    label_delay_days: Annotated[int, Field(ge=0)] = 0
    first_day: date | None = None
    last_day: date | None = None
    holidays: tuple[str, ...] = ()
    baseline: float | None = None
    variance_reduction: float | None = None
    units_per_day: float | None = None
    aa: AACheck | None = None


@dataclass(frozen=True, config=_STRICT)
class ArmCount:
    """An arm and the units seen in it."""

    name: Text
    units: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=_STRICT)
class SplitCheck:
    """Sample ratio mismatch: the chi-squared p-value of the split against the planned shares."""

    p_value: float | None
    expected: Mapping[str, float]
    passed: bool


@dataclass(frozen=True, config=_STRICT)
class Effect:
    """One metric of one treatment arm against control, as `tasuki compare` gives it."""

    metric: Text
    kind: Text
    segment: str | None
    control_arm: Text
    treatment_arm: Text
    control: float | None
    treatment: float | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p_value: float | None
    p_value_adjusted: float | None
    n_control: int
    n_treatment: int
    method: Text
    variance_reduction: float | None = None
    direction: Direction = "increase"
    margin: float | None = None
    p_value_margin: float | None = None


@dataclass(frozen=True, config=_STRICT)
class Ground:
    """A reason as `tasuki.experiments.reasons.Reason` writes it."""

    code: Text
    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class Recommendation:
    """What the rule says, why, and the risk that a win is false. A person decides.

    `grounds` are the reasons as codes with their names and figures, so that a page can say them in Japanese as well.
    `arm` is the treatment arm that is meant by `ship` or `extend`.
    """

    decision: Literal["ship", "do_not_ship", "extend", "cannot_tell"]
    reasons: tuple[str, ...]
    false_win_risk: float | None
    extend_days: int | None = None
    grounds: tuple[Ground, ...] = ()
    arm: str | None = None


@dataclass(frozen=True, config=_STRICT)
class EffectOfDay:
    """The effect over everything up to the end of a day (ISO 8601, UTC), with its always-valid interval."""

    day: Text
    metric: Text
    treatment_arm: Text
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    n_control: int
    n_treatment: int


@dataclass(frozen=True, config=_STRICT)
class ComparisonReport:
    """A/B 2: is it better? The registered metrics, the split, every concern, the recommendation and each day's effect.

    `prior` is the share of ideas that truly improve, which the false-win risk rests on; `prior_source` says whose.
    """

    experiment: Text
    days: Days
    arms: Annotated[tuple[ArmCount, ...], Field(min_length=2)]
    srm: SplitCheck
    results: Annotated[tuple[Effect, ...], Field(min_length=1)]
    concerns: tuple[ConcernNote, ...]
    recommendation: Recommendation
    prior: float | None = None
    prior_source: str = ""
    daily: tuple[EffectOfDay, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class Decision:
    """What was decided, on which effect, how surprising it was and who looks after it from now on.

    `effect` is the relative change of the metric, as in the hypothesis brief: 0.03 is +3 %.
    `surprise` is 1 − the probability that the hypothesis brief had given to what happened.
    """

    decision: Literal["ship", "do_not_ship", "extend", "adopt", "drop"]
    reason: Text
    recommended: str | None
    metric: Text
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    false_win_risk: Probability | None
    surprise: Probability
    monitoring_owner: Text
    clean_up: Text
    clean_up_done: bool
    clean_up_due: date | None = None


@dataclass(frozen=True, config=_STRICT)
class Learning:
    """What the next person should find, the words they would search for, and the ideas that follow."""

    learnings: Annotated[tuple[Text, ...], Field(min_length=1)]
    search_words: Annotated[tuple[Text, ...], Field(min_length=1)]
    next_ideas: tuple[str, ...] = ()
    contributions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class ExternalLink:
    """A run, notebook, query result or dashboard kept elsewhere, and what it shows."""

    title: Text
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    tool: Text
    summary: Text


Record = (
    HypothesisBrief
    | DataReport
    | OpportunityEstimate
    | ModelCard
    | OfflineReport
    | GoldenExamples
    | Publication
    | ReadinessNote
    | CheckReport
    | ExperimentPlan
    | ComparisonReport
    | Decision
    | Learning
    | ExternalLink
)

EVIDENCE_TYPES: dict[str, type[Record]] = {
    "hypothesis_brief": HypothesisBrief,
    "data_report": DataReport,
    "opportunity_estimate": OpportunityEstimate,
    "model_card": ModelCard,
    "offline_report": OfflineReport,
    "golden_examples": GoldenExamples,
    "publication": Publication,
    "readiness_note": ReadinessNote,
    "check_report": CheckReport,
    "experiment_plan": ExperimentPlan,
    "comparison_report": ComparisonReport,
    "decision": Decision,
    "learning": Learning,
    "external_link": ExternalLink,
}
