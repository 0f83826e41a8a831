"""The records of experiments: A/B 1, the plan of A/B 2, and what it found."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from pydantic.dataclasses import dataclass

from tasuki.flow.record_fields import STRICT, ConcernNote, Days, Direction, Probability, Text


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class DayVerdict:
    """One day of A/B 1: the probes that a day can answer, and those of them that failed."""

    day: date
    exposures: Annotated[int, Field(ge=0)]
    asked: tuple[Text, ...]
    failed: tuple[Text, ...]


@dataclass(frozen=True, config=STRICT)
class CheckReport:
    """A/B 1: does it behave as designed? One verdict per probe over the days covered, and what each day showed.

    `said` keeps each incident as its code with values, so that pages can say it in Japanese.
    """

    experiment: Text
    days: Days
    days_required: Days
    passed: bool
    probes: Annotated[tuple[Probe, ...], Field(min_length=1)]
    incidents: tuple[str, ...] = ()
    by_day: tuple[DayVerdict, ...] = ()
    said: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class ArmShare:
    """An arm and its share of the traffic."""

    name: Text
    share: Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class AACheck:
    """What splitting the past units by the assignment's hash showed: can the analysis be trusted on this data?

    `said` keeps each finding as its code with values, so that pages can say it in Japanese.
    """

    splits: Annotated[int, Field(ge=1)]
    units: Annotated[int, Field(ge=1)]
    false_positives: Probability
    error_ratio: float | None
    trusted: bool
    findings: tuple[str, ...] = ()
    said: tuple[JsonValue, ...] = ()


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class ArmCount:
    """An arm and the units seen in it."""

    name: Text
    units: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class SplitCheck:
    """Sample ratio mismatch: the chi-squared p-value of the split against the planned shares."""

    p_value: float | None
    expected: Mapping[str, float]
    passed: bool


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class Ground:
    """A reason as `tasuki.experiments.reasons.Reason` writes it."""

    code: Text
    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
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
