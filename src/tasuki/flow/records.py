"""The records that evidence holds: one frozen dataclass per kind, each field named as the people name it.

Those of models and of experiments have modules of their own; all are found here.

Validation (types, ranges, no unknown field, no NaN) is declared on the fields; `tasuki.flow.evidence` runs it.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from tasuki.flow.experiment_records import (
    AACheck,
    ArmCount,
    ArmShare,
    CheckReport,
    ComparisonReport,
    DayVerdict,
    Effect,
    EffectOfDay,
    ExperimentPlan,
    Ground,
    PlannedMetric,
    Probe,
    Recommendation,
    SplitCheck,
)
from tasuki.flow.model_records import (
    CalibrationBin,
    CalibrationCurves,
    DefaultNote,
    FeatureNote,
    GoldenExample,
    GoldenExamples,
    MetricDifference,
    ModelCard,
    OfflineReport,
    Publication,
    ReadinessNote,
    SchemaField,
)
from tasuki.flow.record_fields import (
    STRICT,
    ConcernNote,
    Days,
    Direction,
    Probability,
    Text,
)

__all__ = [
    "EVIDENCE_TYPES",
    "AACheck",
    "ArmCount",
    "ArmShare",
    "CalibrationBin",
    "CalibrationCurves",
    "CheckReport",
    "ComparisonReport",
    "ConcernNote",
    "DataReport",
    "DataSource",
    "DayVerdict",
    "Days",
    "Decision",
    "DefaultNote",
    "Direction",
    "Effect",
    "EffectOfDay",
    "ExperimentPlan",
    "ExternalLink",
    "FeatureNote",
    "GoldenExample",
    "GoldenExamples",
    "Ground",
    "HypothesisBrief",
    "Learning",
    "MetricDifference",
    "ModelCard",
    "OfflineReport",
    "OpportunityEstimate",
    "PlannedMetric",
    "Probability",
    "Probe",
    "Publication",
    "QualityFinding",
    "ReadinessNote",
    "Recommendation",
    "Record",
    "RecordedQuery",
    "SchemaField",
    "SplitCheck",
    "Text",
]


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class DataSource:
    """A table or file that was used, what a row of it means and who answers for it."""

    name: Text
    meaning: Text
    owner: Text


@dataclass(frozen=True, config=STRICT)
class RecordedQuery:
    """A query that anyone can run again, with what it gave."""

    name: Text
    sql: Text
    rows: Annotated[int, Field(ge=0)]
    columns: tuple[str, ...]


@dataclass(frozen=True, config=STRICT)
class QualityFinding:
    """One check of the data: its name, whether it passed, and what was seen."""

    check: Text
    passed: bool
    seen: Text


@dataclass(frozen=True, config=STRICT)
class DataReport:
    """Sources with meaning and owner, their quality, leakage and label delay, and the queries at a commit."""

    sources: Annotated[tuple[DataSource, ...], Field(min_length=1)]
    queries: Annotated[tuple[RecordedQuery, ...], Field(min_length=1)]
    quality: Annotated[tuple[QualityFinding, ...], Field(min_length=1)]
    leakage_notes: Text
    label_delay_notes: Text


@dataclass(frozen=True, config=STRICT)
class OpportunityEstimate:
    """How much there is to win, with its interval, in the unit named."""

    metric: Text
    size: float
    size_low: float
    size_high: float
    unit: Text
    method: Text


@dataclass(frozen=True, config=STRICT)
class Decision:
    """What was decided, on which effect, how surprising it was and who looks after it from now on.

    `effect` is relative where a person writes it (0.03 is +3 %), in the metric's unit where `experiment decide` does.
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


@dataclass(frozen=True, config=STRICT)
class Learning:
    """What the next person should find, the words they would search for, and the ideas that follow."""

    learnings: Annotated[tuple[Text, ...], Field(min_length=1)]
    search_words: Annotated[tuple[Text, ...], Field(min_length=1)]
    next_ideas: tuple[str, ...] = ()
    contributions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
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
