"""The values an offline comparison consists of, as JSON and as a table in a notebook."""

import json
import math
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

from tasuki.offline.losses import CalibrationPoint
from tasuki.stats.concern import Concern

SCHEMA = "offline_compare/1"


@dataclass(frozen=True)
class OfflineMetric:
    """One metric of both models on the same rows; `segment` is None for all rows, else `column=value`.

    `difference` is challenger − champion, with its interval and p-value; None where it cannot be computed.
    """

    name: str
    segment: str | None
    champion: float | None
    challenger: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p_value: float | None
    rows: int
    positives: int


@dataclass(frozen=True)
class Curves:
    """Predicted against observed rate of both models."""

    champion: tuple[CalibrationPoint, ...]
    challenger: tuple[CalibrationPoint, ...]


@dataclass(frozen=True)
class Window:
    """The first and the last moment among the rows, as text."""

    first: str
    last: str


@dataclass(frozen=True)
class Recommendation:
    """What the rule says and why; `rule` is the rule in words."""

    decision: Literal["go", "no_go", "cannot_tell"]
    reasons: tuple[str, ...]
    rule: str


@dataclass(frozen=True)
class OfflineComparison:
    """What `tasuki offline compare` says; field names are those of its JSON."""

    rows: int
    positives: int
    units: int | None
    alpha: float
    window: Window | None
    metrics: tuple[OfflineMetric, ...]
    calibration_curve: Curves
    concerns: tuple[Concern, ...]
    recommendation: Recommendation

    def metric(self, name: str, segment: str | None = None) -> OfflineMetric:
        """The metric of this name, of all rows or of one segment. Raises `KeyError` when it is not there."""
        for one in self.metrics:
            if (one.name, one.segment) == (name, segment):
                return one
        raise KeyError(name if segment is None else f"{name} in {segment}")

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values, without the schema's name; what is not finite is null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values

    def to_json(self) -> str:
        """The document that `tasuki offline compare --json` prints."""
        document = {"schema": f"tasuki.{SCHEMA}", **self.to_dict()}
        return json.dumps(document, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        names = ("segment", "metric", "champion", "challenger", "difference", "low", "high", "p")
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in metric_cells(one))}</tr>" for one in self.metrics
        )
        notes = "".join(f"<li>{escape(one.severity)}: {escape(one.message)}</li>" for one in self.concerns)
        said = self.recommendation
        reasons = "; ".join(said.reasons)
        return (
            f"<p>{self.rows:,} rows, {self.positives:,} positives. <b>{escape(said.decision)}</b>: "
            f"{escape(reasons)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul>"
        )


def metric_cells(one: OfflineMetric) -> tuple[str, ...]:
    """One metric as texts for a table's row: segment, name, both values, difference with its interval, p-value."""
    differences = (one.difference, one.difference_low, one.difference_high, one.p_value)
    values = (number(one.champion, 5), number(one.challenger, 5), *(number(value, 3) for value in differences))
    return (one.segment or "all", one.name.replace("_", " "), *values)


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
