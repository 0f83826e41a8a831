"""What is known of the training behind an arm's version: its run, the runs that failed, and its labels now."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasuki.actions.training_table import TrainingTable
from tasuki.clock import from_text
from tasuki.errors import TasukiError, said
from tasuki.experiments.check import TrainingSeen
from tasuki.models.artifact import Artifact

if TYPE_CHECKING:
    from tasuki.warehouse import Warehouse

_DAY_S = 86_400


@dataclass(frozen=True)
class RunRecord:
    """A training run as it was recorded beside the artifacts; `fault` says why it failed."""

    model: str
    version: str
    at: datetime
    fault: str = ""


def read_runs(folder: Path) -> tuple[RunRecord, ...]:
    """The records in the workspace's `runs/`, and the jobs below `runs/unfinished/` that no later attempt made good.

    What cannot be read as either is passed over.
    """
    ended = (found for path in sorted((folder / "runs").glob("*.json")) for found in _run_in(path))
    left = (found for path in sorted((folder / "runs" / "unfinished").glob("*/state.json")) for found in _left_in(path))
    return (*ended, *left)


def _run_in(path: Path) -> Iterator[RunRecord]:
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record = said["record"]
        yield RunRecord(str(record["model"]), str(record["version"]), from_text(str(said["at"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def _left_in(path: Path) -> Iterator[RunRecord]:
    """A job that did not end: interrupted, failed, or still at work."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        began = from_text(str(said["began"]))
        log = (path.parent / "log.txt").read_text(encoding="utf-8").strip().splitlines()
        if not _is_running(int(said["pid"])):
            yield RunRecord(str(said.get("model") or ""), "", began, log[-1] if log else "did not end")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0


def with_runs(
    seen: TrainingSeen, runs: tuple[RunRecord, ...], version: str, window: tuple[datetime, datetime]
) -> TrainingSeen:
    """Adds how old the version's run was at the window's end, and the model's runs that failed in the window."""
    mine = [one for one in runs if one.version == version and not one.fault and one.at <= window[1]]
    age = (window[1] - max(one.at for one in mine)).total_seconds() / _DAY_S if mine else None
    # A journal that does not name its model may be any model's.
    models = {"", *(one.model for one in runs if one.version == version)}
    failed = [one for one in runs if one.fault and one.model in models and window[0] <= one.at <= window[1]]
    told = tuple(_begun(one) for one in failed)
    return replace(seen, age_days=age, failed_runs=told)


def _begun(run: RunRecord) -> str:
    return said("begun {at:%Y-%m-%d %H:%M}, {fault}", at=run.at, fault=run.fault)


def with_labels(seen: TrainingSeen, warehouse: "Warehouse", artifact: Artifact) -> TrainingSeen:
    """Adds the positives of the training rows as they are now, and those that came after the attribution window."""
    table = TrainingTable(warehouse, artifact)
    training = table.training
    then, delay = training.get("positives"), float(training.get("delay_hours") or 0)
    known = replace(seen, positives_then=then, delay_hours=delay)
    wanted = [name for name in (training.get("target"), training.get("target_time")) if name]
    lacking = [name for name in wanted if name not in table.columns]
    if table.fault or lacking:
        fault = table.fault or said("table {table} has no column {column}", table=training["table"], column=lacking[0])
        return replace(known, labels_fault=fault)
    try:
        now, late = _count_labels(table, delay)
    except TasukiError as error:
        return replace(known, labels_fault=error.what)
    return replace(known, positives_now=now, positives_late=late)


def _count_labels(table: TrainingTable, delay_hours: float) -> tuple[int, int]:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    label = exp.cast(quoted(str(table.training["target"])), exp.DType.BOOLEAN)
    arrived = table.training.get("target_time")
    if not arrived:
        row = table.rows([exp.alias_(exp.CountIf(this=label), "now")])[0]
        return int(row["now"] or 0), 0
    at, came = (exp.func("epoch_us", quoted(str(name)), dialect="duckdb") for name in (table.training["time"], arrived))
    limit = exp.Literal.number(round(delay_hours * 3_600_000_000))
    in_time = exp.LTE(this=exp.paren(came - at), expression=limit)
    columns: list[exp.Expr] = [
        exp.alias_(exp.CountIf(this=exp.and_(label, in_time)), "now"),
        exp.alias_(exp.CountIf(this=exp.and_(label.copy(), exp.not_(exp.paren(in_time.copy())))), "late"),
    ]
    row = table.rows(columns)[0]
    return int(row["now"] or 0), int(row["late"] or 0)
