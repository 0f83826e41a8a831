"""Trying a model file on a sample of its table: every fault with its line, and doubts that do not stop training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from tasuki.actions.model_table import Asked, Columns, read_newest, table_columns
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, TasukiError, said
from tasuki.models.artifact import Artifact
from tasuki.models.definition import Model, is_readable, is_sound
from tasuki.models.encoding import Column, WrongValue, as_moments, as_numbers, codes_and_keys, is_null
from tasuki.models.features import Feature, HourOfDay, TimePart
from tasuki.models.file import ModelFile, line_in, load_model_file, model_file_faults, placed_fault
from tasuki.models.training import TrainingRows, select_rows, train
from tasuki.models.trees import is_plain

LEAK_POSITIVES = 20
"""Positives that a feature has to tell apart without a mistake before it is called a leak."""
LEAK_SHARE = 0.999
LATE_SHARE = 0.5


@dataclass(frozen=True)
class Validated:
    """A sound model, the rows it was tried on, and what may still be wrong with it."""

    model: Model
    rows: int
    doubts: tuple[Fault, ...]


def validate_model(workspace: Workspace, model_file: Path) -> Validated:
    """Runs the file, reads a sample of its table, computes each feature and trains once.

    Raises:
        Invalid: With every fault, each with file and line; also when it wants more memory than the process may hold.
        Missing: When there is no such file.
    """
    try:
        return _validated(workspace, model_file)
    except MemoryError as error:
        where = f"{model_file}:{line_in(model_file, error)}"
        fault = Fault(where, "wants more memory than the validation may hold", "less, or a higher --memory")
        raise Invalid(said("{path} cannot be tried", path=model_file), [fault]) from error


def _validated(workspace: Workspace, model_file: Path) -> Validated:
    file = load_model_file(model_file)
    model = file.model
    faults = model_file_faults(file)
    if not is_readable(model) or any(fault.where.endswith((" table", " features")) for fault in faults):
        raise _refused(file, faults)
    try:
        there = table_columns(workspace, model.table)
    except Missing as error:
        faults.append(placed_fault(file, Fault("table", error.what, error.expected)))
        raise _refused(file, faults) from error
    faults = model_file_faults(file, there)
    readable = tuple(one for one in model.features if is_sound(one) and _sources(one) <= set(there))
    needed = {model.time, model.target.column, *([model.target.time] if model.target.time else [])}
    if not needed <= set(there):
        raise _refused(file, faults)
    if not 0 <= model.target.delay_hours < inf:  # said already; what else is wrong shows without a delay
        model = replace(model, target=replace(model.target, delay_hours=0.0))
    asked = Asked(model.table, model.time, readable, tuple(name for name in model.columns if name in there))
    try:
        sample = read_newest(workspace, asked, days=model.target.delay_hours / 24 + 1)
        rows = select_rows(replace(model, training_days=10_000), sample)
    except Invalid as error:
        raise _refused(file, [*faults, *(_of_column(file, one) for one in error.faults)]) from error
    found = [*_feature_faults(readable, sample), *_leaks(model, readable, rows)]
    faults += [placed_fault(file, one) for one in found]
    if faults:
        raise _refused(file, faults)
    try:
        training = train(model, rows, file.content_hash, there)
    except Invalid as error:
        raise _refused(
            file, [_of_column(file, one) for one in error.faults] or [Fault(str(file.path), error.what)]
        ) from error
    size_mb = sum(map(len, training.files.values())) / 1e6
    if size_mb > model.max_size_mb:
        what = f"the artifact has {size_mb:.2f} MB on the sample already"
        raise _refused(
            file,
            [
                placed_fault(
                    file, Fault("max_size_mb", what, said("at most {max_size_mb:g}", max_size_mb=model.max_size_mb))
                )
            ],
        )
    doubts = [*_offline_only(model), *_undeclared(model, there), *_constants(readable, sample)]
    doubts += _slowness(model, training.artifact)
    return Validated(model, len(sample[model.time]), tuple(placed_fault(file, one) for one in doubts))


def _refused(file: ModelFile, faults: list[Fault]) -> Invalid:
    return Invalid(said("{path} has {count} fault(s)", path=file.path, count=len(faults)), faults)


def _of_column(file: ModelFile, fault: Fault) -> Fault:
    """A fault about a column or an estimator, placed where the file names it."""
    model = file.model
    if fault.where == "estimator" or "." in fault.where:
        return placed_fault(file, fault)
    roles = {model.time: "time", model.target.column: "target", model.target.time: "target"}
    feature = next((one for one in model.features if fault.where in _sources(one) | {one.name}), None)
    place = roles.get(fault.where) or (f"features.{feature.name}" if feature else "table")
    return replace(placed_fault(file, replace(fault, where=place)), what=f"{fault.where} {fault.what}")


def _sources(feature: Feature) -> set[str]:
    from tasuki.models.definition import sources_of

    return set(sources_of((feature,)))


def _feature_faults(features: tuple[Feature, ...], sample: Columns) -> Iterator[Fault]:
    for feature in features:
        try:
            _, _ = codes_and_keys(feature, sample)
        except WrongValue as error:
            what, values = f"{error.column}: {error.what}", sample[error.column]
            if "null" in error.what:
                nulls = sum(map(is_null, values.tolist())) if values.dtype.kind == "O" else int(_missing(values).sum())
                what = f"{error.column} is null in {nulls:,} of {len(values):,} rows"
            yield Fault(f"features.{feature.name}", what, error.expected)


def _missing(values: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    missing: npt.NDArray[np.bool_] = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values.astype(float))
    return missing


def _leaks(model: Model, features: tuple[Feature, ...], rows: TrainingRows) -> Iterator[Fault]:
    """A feature that tells every positive apart, or a moment that lies after its row, knows what came later."""
    # The column as it is, too: what tells late labels apart is as much a leak as what tells the ones that count.
    raw = rows.columns[model.target.column].astype(np.bool_)
    positives, negatives = int(rows.labels.sum()), int((~raw).sum())
    for feature in features:
        where = f"features.{feature.name}"
        try:
            if isinstance(feature, HourOfDay | TimePart) and feature.column != model.time:
                late = _late_share(model, feature, rows)
                if late > LATE_SHARE:
                    what = f"{feature.column} lies after the row's own moment in {late:.0%} of the rows: a leak"
                    yield Fault(where, what, "what is known before")
            elif min(positives, negatives) >= LEAK_POSITIVES and (
                max(_separation(feature, rows.columns, labels) for labels in (rows.labels, raw)) >= LEAK_SHARE
            ):
                yield Fault(
                    where,
                    said("tells {positives:,} positives from the rest alone: a leak", positives=positives),
                    "what is known before",
                )
        except WrongValue:
            continue  # said as a fault of the feature


def _late_share(model: Model, feature: HourOfDay | TimePart, rows: TrainingRows) -> float:
    moments = as_moments(feature.column, rows.columns[feature.column], True)
    own = as_moments(model.time, rows.columns[model.time], False)
    return float((moments > own).mean())


def _separation(feature: Feature, columns: Mapping[str, Column], labels: npt.NDArray[np.bool_]) -> float:
    """The share of rows that the best rule on this feature alone gets right beyond the larger class, 0 to 1.

    Keys that hold few rows are left out: a name of its own for each row tells nothing that can be learnt.
    """
    if is_plain(feature):
        values = as_numbers(feature.name, columns[feature.name], True)
        there = ~np.isnan(values)
        order = np.argsort(values[there], kind="stable")
        ranked = labels[there][order]
        ahead = np.cumsum(ranked) / max(1, ranked.sum()) - np.cumsum(~ranked) / max(1, (~ranked).sum())
        edges = np.flatnonzero(np.diff(values[there][order], append=np.inf) > 0)
        return float(np.abs(ahead[edges]).max()) if len(edges) else 0.0
    codes, _ = codes_and_keys(feature, columns)
    counts, hits = np.bincount(codes), np.bincount(codes, weights=labels)
    large = counts >= 5
    if counts[large].sum() < 0.9 * len(labels):
        return 0.0
    pure = (hits[large] == 0) | (hits[large] == counts[large])
    return float(counts[large][pure].sum() / counts[large].sum())


def _constants(features: tuple[Feature, ...], sample: Columns) -> Iterator[Fault]:
    for feature in features:
        if is_plain(feature):
            same = len(np.unique(as_numbers(feature.name, sample[feature.name], True))) < 2
        else:
            same = len(np.unique(codes_and_keys(feature, sample)[0])) < 2
        if same:
            how = "leave it out, or check where its column is filled"
            yield Fault(f"features.{feature.name}", "is the same in every row of the sample", "some variety", how)


def _offline_only(model: Model) -> Iterator[Fault]:
    for feature in model.features:
        if not feature.online:
            how = "fine for offline validation; publication will refuse the version"
            yield Fault(f"features.{feature.name}", "is marked online=False", "available online", how)


def _undeclared(model: Model, there: tuple[str, ...]) -> Iterator[Fault]:
    """A column with a moment of its own beside it (`installed`, `installed_at`) mostly says what came later."""
    known = {*model.columns, *model.outcomes}
    for name in there:
        moment = next((f"{name}{end}" for end in _MOMENTS if f"{name}{end}" in there), None)
        if moment is not None and not {name, moment} & known:
            what = said("{column} with {moment} looks like an outcome", column=name, moment=moment)
            how = said(
                "if it is known only later, declare it: outcomes=({column!r}, {moment!r})", column=name, moment=moment
            )
            yield Fault("outcomes", what, "columns known at the row's time", how)


_MOMENTS = ("_at", "_time")


def _slowness(model: Model, artifact: Artifact) -> Iterator[Fault]:
    taken = []
    try:
        for one in artifact.golden * 5:
            began = perf_counter()
            artifact.scorer.score_row(one.row)
            taken.append((perf_counter() - began) * 1_000)
    except TasukiError:
        return
    slow = float(np.median(taken))
    if slow > model.latency_p99_ms:
        what = f"one score takes {slow:.2f} ms here (median)"
        yield Fault(
            "latency_p99_ms",
            what,
            said("at most {latency_p99_ms:g} (p99)", latency_p99_ms=model.latency_p99_ms),
            "a smaller model, or ONNX",
        )
