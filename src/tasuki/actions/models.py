"""Train, publish, roll back and score with models: what `tasuki model` and the demo call."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.actions.artifacts import attach_once, read_version, store_of
from tasuki.actions.model_table import Asked, read_table, table_columns
from tasuki.actions.publication import Published, publish_model, roll_back_model
from tasuki.actions.training_journal import Journal, job_of, open_journal
from tasuki.actions.validation import validate_model
from tasuki.actions.workspace import Workspace
from tasuki.clock import from_text
from tasuki.errors import Fault, Invalid, Refused, said
from tasuki.flow.evidence import DataWindow, Evidence, evidence_of, to_body
from tasuki.flow.records import FeatureNote, GoldenExample, GoldenExamples, ModelCard, SchemaField
from tasuki.flow.rights import require_member
from tasuki.models.artifact import Artifact, prove, read_artifact, score_rows
from tasuki.models.features import Feature
from tasuki.models.file import ModelFile, check_model_file, load_model_file
from tasuki.models.training import Training, TrainingRows, data_hash, select_rows, train
from tasuki.store.files import replace_file

__all__ = [
    "Published",
    "ScoredRows",
    "TrainedModel",
    "publish_model",
    "roll_back_model",
    "score_versions",
    "train_model",
    "validate_model",
]

PRODUCER = "tasuki model train"
LOCAL = "local"


@dataclass(frozen=True)
class TrainedModel:
    """What a training run gives.

    Args:
        model: The model's name.
        version: The artifact's version: the same inputs give the same.
        card: The model card, as evidence.
        golden: The golden examples, as evidence.
        rows: Rows trained on.
        immature_share: The share of the window's rows that was left out because their labels may still change.
        metrics: On the training rows: log_loss, normalized_entropy, positive_rate, mean_score.
        duration_s: How long it took.
    """

    model: str
    version: str
    card: Evidence
    golden: Evidence
    rows: int
    immature_share: float
    metrics: Mapping[str, float]
    duration_s: float


@dataclass(frozen=True)
class ScoredRows:
    """Mature rows of a model's table in order of time: their labels, and the scores of each version asked for."""

    labels: npt.NDArray[np.bool_]
    units: npt.NDArray[Any]
    times: npt.NDArray[Any]
    scores: Mapping[str, npt.NDArray[np.float64]]
    segments: Mapping[str, npt.NDArray[Any]]


def train_model(
    workspace: Workspace,
    model_file: Path,
    *,
    until: datetime | None = None,
    engine: str = LOCAL,
    actor: str,
    idea: str | None = None,
    key: str | None = None,
) -> TrainedModel:
    """Trains the model of a file and keeps the artifact; the same inputs give the same version.

    Args:
        workspace: Whose table is read and whose store keeps the artifact.
        model_file: The model file.
        until: The end of the training window and of what is known; the end of the data by default.
        engine: `local` for this process; `spark` or a Spark master for XGBoost on several machines.
        actor: Who trains.
        idea: The idea to which card and golden examples are attached, if any.
        key: Idempotency key for attaching.

    Raises:
        Invalid: When the file, the table or its rows are wrong. Nothing was stored.
        Refused: When the memory does not suffice.
    """
    require_member(workspace.act(actor))
    try:
        file = load_model_file(model_file)
        check_model_file(file)
        asked = {"file": file.content_hash, "until": until, "idea": idea, "key": key, "actor": actor, "engine": engine}
        with open_journal(workspace.folder / "runs", job_of(asked), workspace.clock) as journal:
            # A job that is left unfinished is told of by its model in A/B 1.
            journal.keep(model=file.model.name)
            learn = _learn_here if engine == LOCAL else _learn_on_spark
            return _trained(
                Job(workspace, file, until, engine, journal), learn, Attached(actor, idea, key or journal.run)
            )
    except MemoryError as error:
        raise _out_of_memory(model_file.name) from error
    except Exception as error:
        # Libraries say it in errors of their own: LightGBM's, the engine's, the loader of shared libraries.
        if any(
            word in str(error)
            for word in ("bad_alloc", "ran out of memory", "Cannot allocate memory", "Out of Memory Error")
        ):
            raise _out_of_memory(model_file.name) from error
        raise


@dataclass(frozen=True)
class Attached:
    """To which idea a training's evidence goes, by whom, and under which key it goes there only once."""

    actor: str
    idea: str | None
    key: str


@dataclass(frozen=True)
class Job:
    """One training: of which file, up to when, where, and its journal."""

    workspace: Workspace
    file: ModelFile
    until: datetime | None
    engine: str
    journal: Journal


@dataclass(frozen=True)
class Learnt:
    """What a training learnt from, and the version it left."""

    window: DataWindow
    rows: int
    immature_share: float
    training: Training
    version: str


def _trained(job: Job, learn: Callable[[Job], Learnt], attached: Attached) -> TrainedModel:
    began = time.monotonic()
    learnt = learn(job)
    duration_s = time.monotonic() - began
    run = _Run(job.workspace, job.file, learnt, duration_s)
    card, golden = run.evidence(run.card()), run.evidence(run.golden())
    if attached.idea is not None:
        attach_once(job.workspace, attached.idea, card, attached.actor, f"{attached.key}/card")
        attach_once(job.workspace, attached.idea, golden, attached.actor, f"{attached.key}/golden")
        job.journal.say(f"card and golden examples are attached to {attached.idea}")
    job.journal.say(f"version {learnt.version} after {duration_s:.1f} s")
    _record_run(job.workspace, learnt.version, card, job.journal)
    share, metrics = learnt.immature_share, learnt.training.metrics
    return TrainedModel(job.file.model.name, learnt.version, card, golden, learnt.rows, share, metrics, duration_s)


def _learn_here(job: Job) -> Learnt:
    there, columns = _read(job.workspace, job.file)
    rows = select_rows(job.file.model, columns, until=job.until)
    job.journal.say(f"{len(rows.labels):,} rows; {rows.immature_share:.2%} left out as immature")
    training, version = _fitted(job, rows, there)
    return Learnt(DataWindow(rows.start, rows.end), len(rows.labels), rows.immature_share, training, version)


def _learn_on_spark(job: Job) -> Learnt:
    from tasuki.actions.spark_training import train_on_spark

    check_model_file(job.file, table_columns(job.workspace, job.file.model.table))
    rows, training = train_on_spark(job.workspace, job.file, job.engine, job.until, job.journal.say)
    version = store_of(job.workspace).put(job.file.model.name, training.files)
    return Learnt(DataWindow(rows.start, rows.end), rows.count, rows.immature_share, training, version)


def _fitted(job: Job, rows: TrainingRows, there: tuple[str, ...]) -> tuple[Training, str]:
    """The stored version: the one an interrupted attempt left, when it learnt from the same rows; else trained now."""
    name, journal = job.file.model.name, job.journal
    store, digest = store_of(job.workspace), data_hash(rows)
    kept = journal.state.get("version")
    if kept and journal.state.get("data_hash") == digest and kept in store.versions(name):
        journal.say(f"version {kept} was stored before the interruption: it is not trained again")
        files = store.load(name, kept)
        artifact = read_artifact(name, kept, files)
        prove(artifact)
        told = artifact.training
        return Training(files, artifact, digest, told["metrics"], told["libraries"]), kept
    training = train(job.file.model, rows, job.file.content_hash, there)
    version = store.put(name, training.files)
    journal.keep(version=version, data_hash=digest)
    journal.say(f"trained and stored: {', '.join(f'{name} {value:.6g}' for name, value in training.metrics.items())}")
    return training, version


def _out_of_memory(model: str) -> Refused:
    return Refused(
        said("{model} cannot be trained: the memory does not suffice", model=model),
        rule="a training stays within the memory of its process (--memory, or this machine's)",
        next_step="allow more, take fewer training_days, or train on Spark (--engine spark)",
    )


def score_versions(
    workspace: Workspace,
    model_file: Path,
    versions: Mapping[str, str],
    *,
    since: datetime,
    until: datetime | None = None,
) -> ScoredRows:
    """Scores rows that no version was trained on, for the offline comparison.

    Args:
        workspace: Whose table and store are read.
        model_file: The file that says which table, label, unit and segments.
        versions: The versions to score with, by any name: {"champion": …, "challenger": …}.
        since: The first moment (included); at or after the end of every version's training window.
        until: The last (excluded); the end of the data by default. Labels are judged at the end of the data.

    Raises:
        Invalid: When a version had learnt from rows of the window.
    """
    file = load_model_file(model_file)
    store = store_of(workspace)
    artifacts = {name: read_version(store, file.model.name, version) for name, version in versions.items()}
    seen = [name for name, one in artifacts.items() if datetime.fromisoformat(one.training["window"]["end"]) > since]
    if seen:
        faults = [
            Fault(name, said("was trained up to {end}", end=artifacts[name].training["window"]["end"])) for name in seen
        ]
        raise Invalid(
            "the rows are not held out",
            faults,
            expected=said("versions trained on what was before {since}", since=since),
        )
    _, columns = _read(workspace, file, tuple(one for artifact in artifacts.values() for one in artifact.features))
    last = _latest(columns[file.model.time])
    rows = select_rows(file.model, columns, since=since, until=until, known_until=max(last, until or last))
    return ScoredRows(
        rows.labels,
        rows.columns[file.model.unit],
        rows.columns[file.model.time],
        {name: score_rows(one, rows.columns) for name, one in artifacts.items()},
        {name: rows.columns[name] for name in file.model.segments},
    )


@dataclass(frozen=True)
class _Run:
    """A training run, from which the records are made."""

    workspace: Workspace
    file: ModelFile
    learnt: Learnt
    duration_s: float

    def evidence(self, record: ModelCard | GoldenExamples) -> Evidence:
        commit = code_commit(self.file.path.resolve().parent)
        return evidence_of(record, PRODUCER, self.workspace.clock(), self.learnt.window, commit)

    def card(self) -> ModelCard:
        model = self.file.model
        size_mb = sum(map(len, self.learnt.training.files.values())) / 1e6
        cost = f"{self.learnt.rows:,} rows in {self.duration_s:.1f} s; artifact {size_mb:.2f} MB"
        return ModelCard(
            model=model.name,
            version=self.learnt.version,
            baseline=model.baseline,
            model_file=_relative(self.file.path, self.workspace.folder),
            model_file_hash=self.file.content_hash,
            data_hash=self.learnt.training.data_hash,
            seed=model.seed,
            training_rows=self.learnt.rows,
            features=tuple(
                FeatureNote(one.name, ", ".join(column for column, _ in one.inputs), one.online)
                for one in model.features
            ),
            intended_use=model.intended_use,
            unsuitable_use=model.unsuitable_use,
            cost_estimate=cost,
            latency_estimate_ms=_latency_ms(self.learnt.training.artifact),
            training_metrics={**self.learnt.training.metrics, "immature_share": self.learnt.immature_share},
            libraries=self.learnt.training.libraries,
            duration_s=self.duration_s,
        )

    def golden(self) -> GoldenExamples:
        model, artifact = self.file.model, self.learnt.training.artifact
        return GoldenExamples(
            model=model.name,
            version=self.learnt.version,
            inputs=tuple(SchemaField(one.name, one.type) for one in artifact.inputs.values()),
            output="probability",
            examples=tuple(GoldenExample(dict(one.row), one.score) for one in artifact.golden),  # type: ignore[arg-type]  # rows hold the JSON values the record takes
            tolerance=artifact.tolerance,
            latency_p99_ms=model.latency_p99_ms,
            max_size_mb=model.max_size_mb,
            retraining_cadence=model.retraining_cadence,
            fallback=f"the control arm's answer; when control cannot answer either, {_default_told(artifact)}",
        )


def _default_told(artifact: Artifact) -> str:
    default = artifact.default
    return "the score 0" if default is None else f"the default answer {default.value:g} ({default.reason})"


def code_commit(folder: Path) -> str | None:
    """The commit that the folder's git repository stands at, marked when files differ from it; None outside one."""
    try:
        head = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10
        )
        changed = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--", "."],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _read(
    workspace: Workspace, file: ModelFile, more: tuple[Feature, ...] = ()
) -> tuple[tuple[str, ...], dict[str, npt.NDArray[Any]]]:
    """The names of all the table's columns, and the ones that these features need, with their counts over windows."""
    there = table_columns(workspace, file.model.table)
    check_model_file(file, there)
    model = file.model
    return there, read_table(workspace, Asked(model.table, model.time, (*model.features, *more), model.columns))


def _latest(times: npt.NDArray[Any]) -> datetime:
    last: datetime = times.max().astype("datetime64[us]").item()
    return last.replace(tzinfo=UTC)


def _relative(path: Path, folder: Path) -> str:
    resolved, home = path.resolve(), folder.resolve()
    return str(resolved.relative_to(home) if resolved.is_relative_to(home) else resolved)


def _latency_ms(artifact: Artifact) -> float:
    """The median time of one score, alone, over the golden examples."""
    times = []
    for one in artifact.golden * 5:
        began = time.perf_counter()
        artifact.scorer.score_row(one.row)
        times.append(time.perf_counter() - began)
    return round(float(np.median(times)) * 1000, 4)


def _record_run(workspace: Workspace, version: str, card: Evidence, journal: Journal) -> None:
    """Keeps what a run was made of and gave, and its log, beside the artifacts; one pair of files a run."""
    began = from_text(journal.state["began"]).strftime("%Y%m%dT%H%M%S%fZ")
    path = workspace.folder / "runs" / f"{began}-{version}.json"
    replace_file(path.with_suffix(".log"), journal.log().encode())
    replace_file(path, json.dumps(to_body(card), ensure_ascii=False, indent=1).encode())
