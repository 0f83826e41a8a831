"""What a comparison of arms says, as frozen values with the names that the command line documents."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from math import isfinite
from typing import Any, Literal

from tasuki.charts.forest import Interval
from tasuki.charts.frame import Verdict
from tasuki.charts.notebook import notebook_forest
from tasuki.experiments.daily import DayEffect
from tasuki.experiments.design import TYPICAL_SOURCE
from tasuki.experiments.looks import Monitoring
from tasuki.experiments.reasons import Reason
from tasuki.metrics.bins import Histogram
from tasuki.stats.concern import Concern
from tasuki.stats.false_win import TYPICAL_PRIOR

SCHEMA = "tasuki.compare/1"
Decision = Literal["ship", "do_not_ship", "extend", "cannot_tell"]


@dataclass(frozen=True)
class Arm:
    """An arm and the units seen in it."""

    name: str
    units: int


@dataclass(frozen=True)
class SplitTest:
    """Sample ratio mismatch: how likely the seen split is under the planned shares.

    Args:
        p_value: Of the chi-squared test; None without units.
        expected: The planned share of each arm.
        passed: Whether the split is as planned (p at least 0.001).
    """

    p_value: float | None
    expected: Mapping[str, float]
    passed: bool


@dataclass(frozen=True)
class Result:
    """One metric of one treatment arm against control. What cannot be known is None; a bound may be open (None).

    Args:
        metric: The metric's name.
        kind: `mean`, `proportion`, `ratio` or `quantile`.
        segment: `column=value`, or None for all units.
        control_arm: The arm compared with.
        treatment_arm: The arm compared.
        control: The metric in control.
        treatment: The metric in treatment.
        effect: Treatment less control.
        effect_low: Lower bound of the effect.
        effect_high: Upper bound of the effect.
        relative: The effect as a share of control.
        relative_low: Lower bound of the share.
        relative_high: Upper bound of the share.
        p_value: Two-sided, of no effect.
        p_value_adjusted: The same, adjusted for all metrics and arms (segments among themselves).
        n_control: Units with a value in control.
        n_treatment: Units with a value in treatment.
        method: How it was computed: `welch`, `delta`, `score`, `woodruff` or `bootstrap`; before it `cuped+`,
            `stratified+`, and `sequential+` or `group_sequential+`.
        variance_reduction: The share of the variance that covariates took out.
        direction: Which way is better.
        margin: The loss that a guardrail accepts, in the metric's unit.
        p_value_margin: One-sided, of "worse by the margin or more".
        standard_error: Of the effect.
    """

    metric: str
    kind: str
    segment: str | None
    control_arm: str
    treatment_arm: str
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
    method: str
    variance_reduction: float | None = None
    direction: str = "increase"
    margin: float | None = None
    p_value_margin: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True)
class Recommendation:
    """What the rule says and why. A person decides.

    Args:
        decision: `ship`, `do_not_ship`, `extend` or `cannot_tell`.
        reasons: One sentence each.
        false_win_risk: The chance that a significant improvement is none, given how often ideas work; None when
            there is none to doubt.
        extend_days: How many more days would tell, in whole weeks, where the decision is `extend` and they are known.
        grounds: The reasons as codes with their names and figures, in the same order: `reason_text` says each in
            English or Japanese.
        arm: The treatment arm that is meant by `ship` or `extend`; None with the other decisions.
    """

    decision: Decision
    reasons: tuple[str, ...]
    false_win_risk: float | None
    extend_days: int | None = None
    grounds: tuple[Reason, ...] = ()
    arm: str | None = None


@dataclass(frozen=True)
class Heterogeneity:
    """Whether one metric's effect differs between the values of a segment column. None where it cannot be tested.

    Args:
        metric: The metric's name.
        column: The segment column.
        treatment_arm: The arm compared with control.
        segments: How many of its values were tested.
        left_out: How many had too few units for it.
        q: Cochran's Q of the effects.
        degrees: Its degrees of freedom.
        p_value: Of "the same effect everywhere".
        p_value_adjusted: The same, adjusted over metrics, arms and columns.
        inconsistency: I²: the share of the spread that chance does not explain.
    """

    metric: str
    column: str
    treatment_arm: str
    segments: int
    left_out: int
    q: float | None
    degrees: int
    p_value: float | None
    p_value_adjusted: float | None
    inconsistency: float | None


@dataclass(frozen=True)
class Comparison:
    """Is it better? The arms, their split, each metric's effect, every doubt and the recommendation.

    `daily` holds the path of each effect day by day, where a column of time is known; `heterogeneity` says for each
    segment column whether effects differ; `monitoring` is the rule that makes looking early safe; `prior` is the share
    of ideas that work, which the false-win risk rests on; `distributions` says how values are spread, where it was
    asked for.
    """

    arms: tuple[Arm, ...]
    srm: SplitTest
    results: tuple[Result, ...]
    concerns: tuple[Concern, ...]
    recommendation: Recommendation
    alpha: float = 0.05
    daily: tuple[DayEffect, ...] = ()
    heterogeneity: tuple[Heterogeneity, ...] = ()
    monitoring: Monitoring | None = None
    prior: float = TYPICAL_PRIOR
    prior_source: str = TYPICAL_SOURCE
    distributions: tuple[Histogram, ...] = ()

    @property
    def chosen_arm(self) -> str | None:
        """The arm that the recommendation means, where there are several to choose from."""
        return self.recommendation.arm if len(self.arms) > 2 else None

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values, without the schema's name; what is not finite is None."""
        values: dict[str, Any] = _finite(asdict(self))
        return values

    def to_json(self) -> str:
        """The document that `tasuki compare --json` prints."""
        return json.dumps({"schema": SCHEMA, **self.to_dict()}, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in result_cells(one))}</tr>" for one in self.results
        )
        arms = ", ".join(f"{arm.name} {arm.units:,}" for arm in self.arms)
        said = self.recommendation
        chosen = f" ({self.chosen_arm})" if self.chosen_arm else ""
        notes = [f"{one.severity}: {one.message}" for one in self.concerns]
        reasons, doubts = ("".join(f"<li>{escape(one)}</li>" for one in texts) for texts in (said.reasons, notes))
        return (
            f"<p>{escape(arms)}</p><p><b>{escape(said.decision + chosen)}</b></p><ul>{reasons}</ul>{self._chart()}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{doubts}</ul>"
        )

    def _chart(self) -> str:
        overall = [one for one in self.results if one.segment is None and one.relative is not None]
        several = len({one.treatment_arm for one in overall}) > 1
        rows = [
            Interval(
                f"{one.metric} · {one.treatment_arm}" if several else one.metric,
                one.relative,
                one.relative_low,
                one.relative_high,
                _verdict(one, self.alpha),
                _limit(one),
            )
            for one in overall
        ]
        return notebook_forest(rows, f"Relative effect and its {100 * (1 - self.alpha):g}% interval")


COLUMNS = ("metric", "segment", "arm", "control", "treatment", "relative", "low", "high", "p", "adjusted")


def result_cells(one: Result) -> tuple[str, ...]:
    """A result as the texts of a table's row, under `COLUMNS`: relative effect and its interval, as percentages."""
    shown = _percent if one.kind == "proportion" else _value
    return (
        one.metric,
        one.segment or "",
        one.treatment_arm,
        shown(one.control),
        shown(one.treatment),
        _percent(one.relative, "+.3g"),
        _percent(one.relative_low, "+.3g"),
        _percent(one.relative_high, "+.3g"),
        _p_value(one.p_value),
        _p_value(one.p_value_adjusted),
    )


def _verdict(one: Result, alpha: float) -> Verdict:
    p = one.p_value if one.p_value_adjusted is None else one.p_value_adjusted
    if p is None or p >= alpha or one.effect is None:
        return "open"
    return "gain" if (one.effect > 0) is (one.direction == "increase") else "harm"


def _limit(one: Result) -> float | None:
    """Where a guardrail's margin lies, as a share of control."""
    if one.margin is None or not one.control:
        return None
    share = one.margin / abs(one.control)
    return share if one.direction == "decrease" else -share


def _value(number: float | None) -> str:
    return "–" if number is None else f"{number:.5g}"


def _percent(number: float | None, form: str = ".4g") -> str:
    return "–" if number is None else f"{100 * number:{form}}%"


def _p_value(number: float | None) -> str:
    return "–" if number is None else f"{number:.2g}"


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if isfinite(value) else None
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
    return value
