"""Training: from the rows of a window to the files of an artifact; the same rows, file and seed give the same bytes."""

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as library_version
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.clock import to_text
from tasuki.errors import Fault, Invalid
from tasuki.models.artifact import (
    Artifact,
    Golden,
    Parameters,
    golden_file,
    inputs_of,
    parameters_files,
    prove,
    raw_value,
    read_artifact,
    schema_file,
    score_rows,
    to_json,
)
from tasuki.models.definition import LIMITS, Model
from tasuki.models.encoding import Column, WrongValue, as_moments, is_null
from tasuki.models.estimators import family_of
from tasuki.models.fitting import fit

_ALWAYS = ("tasuki", "numpy", "scikit-learn", "mmh3")
LIBRARIES = {
    "linear": (*_ALWAYS, "lightgbm"),
    "lightgbm": (*_ALWAYS, "lightgbm"),
    "xgboost": (*_ALWAYS, "xgboost-cpu", "lightgbm"),
    "scikit-learn": (*_ALWAYS, "skops"),
}
GOLDEN_EXAMPLES = 24
EXPECTED_BINS = 10


@dataclass(frozen=True)
class TrainingRows:
    """The mature rows of a window in order of time, with their labels.

    Args:
        columns: The columns the model names.
        labels: Whether a row is a positive within the target's delay.
        start: The window's beginning (included).
        end: The window's end (excluded); what was known then is what is learnt from.
        immature: Rows of the window that were left out because their label may still change.
    """

    columns: Mapping[str, Column]
    labels: npt.NDArray[np.bool_]
    start: datetime
    end: datetime
    immature: int

    @property
    def immature_share(self) -> float:
        """The share of the window's rows that was left out."""
        return self.immature / (self.immature + len(self.labels))


@dataclass(frozen=True)
class Training:
    """A finished training run, before it is stored."""

    files: Mapping[str, bytes]
    artifact: Artifact
    data_hash: str
    metrics: Mapping[str, float]
    libraries: Mapping[str, str]


@dataclass(frozen=True)
class Provenance:
    """What parameters were fitted from.

    Args:
        model_file_hash: SHA-256 of the model file.
        data_hash: SHA-256 over the rows.
        table_columns: Every column the table has: requests may carry those that the model does not use.
        more: Further entries of the training record.
    """

    model_file_hash: str
    data_hash: str
    table_columns: Collection[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def select_rows(
    model: Model,
    columns: Mapping[str, Column],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    known_until: datetime | None = None,
) -> TrainingRows:
    """The mature rows of a window.

    Args:
        model: The definition.
        columns: The table's columns that the model names.
        since: The window's beginning; `training_days` before its end by default.
        until: The window's end (excluded); just after the last row by default.
        known_until: The moment at which labels are judged; the window's end by default, so that training never learns
            what came to light later. Validation gives the end of the data.

    Raises:
        Invalid: When times or labels cannot be read, or no mature row is left.
    """
    at = _times(model, columns)
    end = _bare(until) if until else at.max() + np.timedelta64(1, "us")
    known = _bare(known_until) if known_until else end
    start = _bare(since) if since else end - np.timedelta64(round(model.training_days * 86_400_000_000), "us")
    delay = np.timedelta64(round(model.target.delay_hours * 3_600_000_000), "us")
    inside = (at >= start) & (at < end)
    mature = inside & (at + delay <= known)
    chosen = np.flatnonzero(mature)
    chosen = chosen[np.argsort(at[chosen], kind="stable")]
    if not len(chosen):
        seen = f"{int(inside.sum())} rows lie in [{start}, {end}), none is {model.target.delay_hours} h old by {known}"
        raise Invalid(
            f"no row of {model.table} can be used",
            [Fault(model.time, seen)],
            next_step="check the window, training_days and target.delay_hours",
        )
    kept = {name: column[chosen] for name, column in columns.items()}
    labels = _labels(model, kept, at[chosen], delay)
    return TrainingRows(kept, labels, _moment(start), _moment(end), int(inside.sum() - mature.sum()))


def _times(model: Model, columns: Mapping[str, Column]) -> npt.NDArray[np.datetime64]:
    try:
        at = as_moments(model.time, columns[model.time], False)
    except WrongValue as error:
        raise Invalid(
            f"table {model.table} cannot be read", [Fault(error.column, error.what, error.expected)]
        ) from error
    if not len(at):
        raise Invalid(f"table {model.table} has no rows", [Fault(model.table, "is empty")])
    return at


def train(model: Model, rows: TrainingRows, model_file_hash: str, table_columns: Collection[str] = ()) -> Training:
    """Fits the estimator and makes the artifact's files, proved on golden examples.

    Args:
        model: The definition.
        rows: What to learn from.
        model_file_hash: SHA-256 of the model file, for the record.
        table_columns: Every column the table has: requests may carry those that the model does not use.

    Raises:
        Invalid: When the rows hold only one class, or a column holds values its feature cannot take.
    """
    if rows.labels.all() or not rows.labels.any():
        said = f"{int(rows.labels.sum())} of {len(rows.labels)} rows are positive"
        raise Invalid(f"{model.name} cannot be trained", [Fault(model.target.column, said, "both classes")])
    try:
        parameters = fit(model, rows.columns, rows.labels)
    except WrongValue as error:
        raise Invalid(f"{model.name} cannot be trained", [Fault(error.column, error.what, error.expected)]) from error
    return training_of(model, parameters, rows, Provenance(model_file_hash, data_hash(rows), table_columns))


def training_of(model: Model, parameters: Parameters, rows: TrainingRows, made_from: Provenance) -> Training:
    """The artifact's files for parameters that were fitted, proved on golden examples.

    Args:
        model: The definition.
        parameters: What was fitted.
        rows: Rows to score for metrics, expectations and golden examples: what was learnt from, or a sample of it.
        made_from: What it was fitted from.
    """
    drafted = {
        **parameters_files(parameters),
        "schema.json": schema_file(inputs_of(model.features), _accepted(model, made_from.table_columns), model.default),
    }
    placeholder = golden_file((Golden({}, 0.0),))
    draft = read_artifact(model.name, "draft", {**drafted, "golden.json": placeholder, "training.json": b"{}"})
    scores = score_rows(draft, rows.columns)
    metrics = _metrics(rows.labels, scores)
    libraries = {name: library_version(name) for name in LIBRARIES[family_of(model.estimator, model.storage)]}
    training = {
        **_record(model, rows),
        **made_from.more,
        "model_file_hash": made_from.model_file_hash,
        "data_hash": made_from.data_hash,
        "metrics": metrics,
        "libraries": libraries,
        "expected_scores": expected_scores(scores),
        "null_shares": null_shares(model, rows),
    }
    golden = golden_file(_golden(draft, rows, scores), draft.tolerance)
    files = {**drafted, "golden.json": golden, "training.json": to_json(training)}
    artifact = read_artifact(model.name, "draft", files)
    prove(artifact)
    return Training(files, artifact, made_from.data_hash, metrics, libraries)


def data_hash(rows: TrainingRows) -> str:
    """SHA-256 (hex) over the names and values trained on, in order of time."""
    digest = hashlib.sha256()
    for name in sorted(rows.columns):
        column = rows.columns[name]
        digest.update(f"{name}:{column.dtype.kind}:{len(column)};".encode())
        if column.dtype.kind == "O":
            digest.update("\x1f".join(map(repr, column.tolist())).encode())
        else:
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def expected_scores(scores: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    """The distribution of scores to expect online: inner bin edges and each bin's share.

    Edges are quantiles; a score that many rows share makes fewer bins, never an empty one.
    """
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, EXPECTED_BINS + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "shares": (counts / len(scores)).tolist()}


def null_shares(model: Model, rows: TrainingRows) -> dict[str, float]:
    """The share of rows that lack each input."""
    return {name: float(_nulls(rows.columns[name]).mean()) for name in model.inputs}


def _nulls(column: Column) -> npt.NDArray[np.bool_]:
    match column.dtype.kind:
        case "M":
            return np.isnat(column)
        case "f":
            return np.isnan(column)
        case "O":
            return np.asarray([is_null(value) for value in column.tolist()])
    return np.zeros(len(column), dtype=np.bool_)


def _labels(
    model: Model, columns: Mapping[str, Column], at: npt.NDArray[np.datetime64], delay: np.timedelta64
) -> npt.NDArray[np.bool_]:
    name = model.target.column
    values = columns[name]
    if not set(np.unique(values).tolist() if values.dtype.kind in "iufb" else values.tolist()) <= {0, 1}:
        raise Invalid(
            f"table {model.table} cannot be read", [Fault(name, "holds other values", "true/false or 0/1, never null")]
        )
    labels = values.astype(np.bool_)
    if model.target.time is None:
        return labels
    try:
        arrived = as_moments(model.target.time, columns[model.target.time], True)
    except WrongValue as error:
        raise Invalid(
            f"table {model.table} cannot be read", [Fault(error.column, error.what, error.expected)]
        ) from error
    # NaT compares as false: a positive whose arrival nobody wrote down does not count.
    return labels & (arrived - at <= delay)


def _metrics(labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> dict[str, float]:
    """Log loss and normalized entropy (log loss / that of always saying the positive rate) on the training rows."""
    rate = float(labels.mean())
    safe = np.clip(scores, 1e-15, 1 - 1e-15)
    loss = float(-np.where(labels, np.log(safe), np.log1p(-safe)).mean())
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    return {
        "log_loss": loss,
        "normalized_entropy": loss / entropy,
        "positive_rate": rate,
        "mean_score": float(scores.mean()),
    }


def _accepted(model: Model, table_columns: Collection[str]) -> list[str]:
    """What a request may carry: what the table knows of a row at its moment, never what became of it."""
    later = {model.target.column, model.target.time, *model.outcomes}
    return sorted({*table_columns, *model.inputs} - later)


def _record(model: Model, rows: TrainingRows) -> dict[str, Any]:
    return {
        "window": {"start": to_text(rows.start), "end": to_text(rows.end)},
        "rows": len(rows.labels),
        "positives": int(rows.labels.sum()),
        "immature_rows": rows.immature,
        "immature_share": rows.immature_share,
        "table": model.table,
        "time": model.time,
        "unit": model.unit,
        "target": model.target.column,
        "target_time": model.target.time,
        "delay_hours": model.target.delay_hours,
        "seed": model.seed,
        "estimator": type(model.estimator).__name__,
        "segments": list(model.segments),
        "limits": {name: getattr(model, name) for name in LIMITS},
        "offline_only": [feature.name for feature in model.features if not feature.online],
    }


def _golden(draft: Artifact, rows: TrainingRows, scores: npt.NDArray[np.float64]) -> tuple[Golden, ...]:
    order = np.argsort(scores, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, GOLDEN_EXAMPLES).astype(int))]
    examples: dict[str, Golden] = {}
    for at in chosen.tolist():
        row = {name: raw_value(one, rows.columns[name][at]) for name, one in draft.inputs.items()}
        examples.setdefault(repr(row), Golden(row, float(scores[at])))
    return tuple(examples.values())


def _bare(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _moment(bare: np.datetime64) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=int(bare.astype("datetime64[us]").astype(np.int64))
    )
