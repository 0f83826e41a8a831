"""Real logs in a workspace: read by their mapping, learnt from, and replayed through the inference service."""

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, Refused, Unavailable
from tasuki.stats.concern import Concern
from tasuki.store.files import replace_file

if TYPE_CHECKING:
    import pyarrow as pa

    from tasuki.models import Model
    from tasuki.samples.mapping import LogMapping
    from tasuki.samples.replay import Asking, ReplaySummary

OBD = "obd"
PRIMARY, GUARDRAILS = "captured_share", ("spend_per_row",)
"""The metrics of a replay, declared in the workspace when a log is prepared: what decides, and what must not rise."""


@dataclass(frozen=True)
class LogContents:
    """What is in a real log.

    Args:
        rows: Rows in the impressions table.
        positives: Positives among them.
        units: Different units.
        start: The first row.
        end: The last row.
        concerns: Doubts about it.
        sources: The files it was read from.
    """

    rows: int
    positives: int
    units: int
    start: datetime
    end: datetime
    concerns: tuple[Concern, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class RealLog:
    """A real log that lies in a workspace, ready to learn from and to replay.

    Args:
        name: The mapping's name.
        model: The name both model files share.
        champion_file: Relative to the workspace.
        challenger_file: Relative to the workspace.
        label: The column of what counts: `clicked` or `installed`.
        delay_hours: Its attribution window.
        inputs: The features that either model reads: what a request must give.
        segments: The columns that offline validation reports by.
        contents: How much there is, from when to when, and doubts about it.
        held_out_since: Training ends here; offline validation and replay begin.
        held_out_until: The last moment whose labels have had their time.
        share: The share of its opportunities an arm may buy.
        notes: What a reader should know of this log, by language.
    """

    name: str
    model: str
    champion_file: Path
    challenger_file: Path
    label: Literal["clicked", "installed"]
    delay_hours: float
    inputs: tuple[str, ...]
    segments: tuple[str, ...]
    contents: LogContents
    held_out_since: datetime
    held_out_until: datetime
    share: float
    notes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ReplayPart:
    """A part of the held-out time, and the name of its outcome file (two replays need two names)."""

    name: str
    since: datetime
    until: datetime


def prepare_real_log(workspace: Workspace, logs: str | Path, mapping: Path | None = None) -> RealLog:
    """Reads a real log into the workspace: the impressions table and both model files.

    Args:
        workspace: Where it goes. An earlier log of the same name is replaced.
        logs: `obd` for the Open Bandit logs of the obp wheel, or a CSV or Parquet file.
        mapping: The mapping file; by default `FILE.toml` beside the log, or the built-in one that knows its columns.

    Raises:
        Missing: There is no such file, or no mapping for it.
        Invalid: The mapping, the log or a model file is wrong, with every fault. Nothing was written.
        Refused: The workspace holds another log.
        Unavailable: The logs come with a package that is not installed.
    """
    from tasuki.samples.mapping import read_mapping

    path = mapping_for(logs, mapping)
    described = read_mapping(path)
    _require_one_log(workspace, described.name)
    files = _files_of(described, logs)
    table, concerns = read_log(described, files)
    models = [path.parent / name for name in (described.models.champion, described.models.challenger)]
    champion, challenger = _checked_models(models, table)
    since, until = _held_out(described, table)
    _write_table(_impressions(workspace, described.name), table)
    copied = [_copied(workspace, file) for file in models]
    _declare_metrics(workspace)
    return RealLog(
        name=described.name,
        model=champion.name,
        champion_file=copied[0],
        challenger_file=copied[1],
        label=described.label_name,
        delay_hours=described.label.delay_hours,
        inputs=tuple(dict.fromkeys([*champion.inputs, *challenger.inputs])),
        segments=challenger.segments,
        contents=_contents_of(table, described.label_name, concerns, tuple(file.name for file in files)),
        held_out_since=since,
        held_out_until=until,
        share=described.replay.share,
        notes={"en": described.notes_en, "ja": described.notes_ja},
    )


def check_real_log(logs: str | Path, mapping: Path | None = None) -> None:
    """Raises what `prepare_real_log` would of a log, its mapping and its model files, before there is a workspace."""
    from tasuki.samples.mapping import read_mapping

    path = mapping_for(logs, mapping)
    described = read_mapping(path)
    table, _ = read_log(described, _files_of(described, logs))
    _checked_models([path.parent / name for name in (described.models.champion, described.models.challenger)], table)


def _contents_of(table: "pa.Table", label: str, concerns: tuple[Concern, ...], sources: tuple[str, ...]) -> LogContents:
    return LogContents(
        rows=table.num_rows,
        positives=int(table[label].to_numpy().sum()),
        units=len(table["user"].unique()),
        start=table["at"][0].as_py().astimezone(UTC),
        end=table["at"][-1].as_py().astimezone(UTC),
        concerns=concerns,
        sources=sources,
    )


def read_log(mapping: "LogMapping", files: tuple[Path, ...]) -> "tuple[pa.Table, tuple[Concern, ...]]":
    """The files' rows in the workspace's own columns, sorted by time, and doubts about them."""
    import numpy as np

    from tasuki.samples.real_logs import impressions_of
    from tasuki.warehouse import Warehouse, source_of

    parts = []
    with closing(Warehouse()) as warehouse:
        for file in files:
            columns = warehouse.read_columns(source_of(file), mapping.columns)
            if mapping.log.origin:
                columns[mapping.log.origin] = np.full(len(columns[mapping.time.column]), file.stem, dtype=object)
            parts.append(columns)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    log = impressions_of(mapping, joined)
    return log.table, log.concerns


def replay(
    workspace: Workspace, log: RealLog, asking: "Asking", part: ReplayPart | None = None, share: float | None = None
) -> "ReplaySummary":
    """Plays held-out rows through the inference service and writes what became of them to `logs/outcomes`.

    Args:
        workspace: Where the log was prepared.
        log: What `prepare_real_log` gave.
        asking: The service's client (`tasuki.samples.client.ServiceClient`), or a scorer in this process.
        part: Which part of the held-out time; all of it by default.
        share: Which share of its opportunities an arm may buy; the mapping's by default.

    Raises:
        Unavailable: The service does not answer.
        Invalid: There is no row in that part of the log.
    """
    import pyarrow.parquet as pq

    from tasuki.samples.replay import ReplaySummary, ReplayTerms, caveats, replay_rows

    part = part or ReplayPart(f"{log.name}-replay", log.held_out_since, log.held_out_until)
    terms = ReplayTerms(log.label, share or log.share, log.inputs)
    rows = pq.read_table(_impressions(workspace, log.name))
    rows = _attributed(_between(rows, part.since, part.until), log)
    if not rows.num_rows:
        fault = Fault(part.name, f"no row from {part.since:%Y-%m-%d %H:%M} until {part.until:%Y-%m-%d %H:%M}")
        raise Invalid(f"there is nothing to replay of {log.name}", [fault])
    played = replay_rows(rows, terms, asking)
    _write_table(workspace.folder / "logs" / "outcomes" / f"{part.name}.parquet", played.outcomes)
    arms, seconds = played.arms, played.duration_s
    summary = ReplaySummary(rows.num_rows, part.since, part.until, terms.share, arms, duration_s=seconds)
    return replace(summary, caveats=caveats(summary, log.label, log.delay_hours, log.notes))


def mapping_for(logs: str | Path, mapping: Path | None = None) -> Path:
    """The mapping file of a log: the one named, the one beside it, or the built-in one that knows its columns.

    Raises:
        Missing: There is none.
    """
    from tasuki.samples.mapping import built_in_mappings, read_mapping
    from tasuki.warehouse import Warehouse, source_of

    if mapping is not None:
        return mapping
    known = built_in_mappings()
    if str(logs) == OBD:
        return known[OBD]
    beside = Path(f"{logs}.toml")
    if beside.is_file():
        return beside
    with closing(Warehouse()) as warehouse:
        there = warehouse.columns(source_of(str(logs)))
    for path in known.values():
        described = read_mapping(path)
        if not described.log.files and set(described.columns) <= set(there):
            return path
    raise Missing(
        f"no mapping says what the columns of {logs} are ({', '.join(there)})",
        expected=f"a mapping file at {beside}, or the columns of a known log ({', '.join(known)})",
        next_step="write one as docs/real-logs.md shows",
    )


def _files_of(mapping: "LogMapping", logs: str | Path) -> tuple[Path, ...]:
    from tasuki.warehouse import source_of

    if str(logs) == OBD:
        return package_files(str(mapping.log.package), mapping.log.files)
    return tuple(Path(path) for path in source_of(str(logs)).paths)


def package_files(package: str, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Files that an installed distribution carries. Its code is not imported.

    Raises:
        Unavailable: The distribution, or one of the files, is not there.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        carried = {str(file): file for file in distribution(package).files or ()}
    except PackageNotFoundError:
        carried = {}
    paths = tuple(Path(str(carried[name].locate())) for name in names if name in carried)
    lacking = [name for name in names if name not in carried] + [str(path) for path in paths if not path.is_file()]
    if lacking:
        raise Unavailable(
            f"the logs inside the package {package} are not there ({', '.join(lacking)})",
            expected=f"{package} installed without what its code needs",
            next_step=f"make install, or: pip install --no-deps {package}",
        )
    return paths


def _checked_models(files: list[Path], table: "pa.Table") -> "list[Model]":
    """The definitions in both model files, checked against the columns there will be and against each other."""
    from tasuki.models.file import check_model_file, load_model_file

    loaded = [load_model_file(file) for file in files]
    for one in loaded:
        check_model_file(one, table.column_names)
    if len({one.model.name for one in loaded}) > 1:
        faults = [Fault(str(one.path), f"names its model {one.model.name!r}") for one in loaded]
        raise Invalid("the two model files name different models", faults, expected="the same name in both")
    return [one.model for one in loaded]


def _held_out(mapping: "LogMapping", table: "pa.Table") -> tuple[datetime, datetime]:
    """From when to when rows are held out: the last hours whose labels have had their time."""
    start, end = table["at"][0].as_py(), table["at"][-1].as_py()
    until = (
        end - timedelta(hours=mapping.label.delay_hours) if mapping.label.delay_hours else end + timedelta.resolution
    )
    since = until - timedelta(hours=mapping.replay.held_out_hours)
    if since <= start:
        hours = (end - start).total_seconds() / 3600
        fault = Fault("replay.held_out_hours", f"leaves nothing to learn from: the log covers {hours:.1f} h", "less")
        raise Invalid(f"the log {mapping.name} is too short for its mapping", [fault])
    return since.astimezone(UTC), until.astimezone(UTC)


def _between(rows: "pa.Table", since: datetime, until: datetime) -> "pa.Table":
    import pyarrow.compute as pc

    return rows.filter((pc.field("at") >= since) & (pc.field("at") < until))


def _attributed(rows: "pa.Table", log: RealLog) -> "pa.Table":
    """The rows with only those labels that came within the attribution window."""
    import numpy as np
    import pyarrow as pa

    if not log.delay_hours or rows[f"{log.label}_at"].null_count == rows.num_rows:
        return rows
    waited = rows[f"{log.label}_at"].to_numpy() - rows["at"].to_numpy()
    in_time = rows[log.label].to_numpy() & (waited <= np.timedelta64(round(log.delay_hours * 3600), "s"))
    return rows.set_column(rows.column_names.index(log.label), log.label, pa.array(in_time))


def _impressions(workspace: Workspace, name: str) -> Path:
    return workspace.folder / "logs" / "impressions" / f"{name}.parquet"


def _require_one_log(workspace: Workspace, name: str) -> None:
    """All files of the impressions are one table: two logs would be mixed."""
    path = _impressions(workspace, name)
    others = sorted(one.name for one in path.parent.glob("*.parquet") if one != path)
    if others:
        raise Refused(
            f"this workspace learns from another log already ({', '.join(others[:3])})",
            rule="a workspace has one impressions log",
            next_step="tasuki init ANOTHER_FOLDER, and prepare the log there",
        )


def _write_table(path: Path, table: "pa.Table") -> None:
    from tasuki.samples.logs import LogWriter

    with LogWriter(path, table.schema) as writer:
        writer.write({name: table[name] for name in table.column_names})


def _declare_metrics(workspace: Workspace) -> None:
    from tasuki.metrics.declared import FILE, read_metrics
    from tasuki.samples.mapping import BUILT_IN

    if PRIMARY not in read_metrics(workspace.folder):
        path = workspace.folder / FILE
        team = path.read_text(encoding="utf-8") if path.exists() else ""
        ours = (BUILT_IN.parent / "real" / FILE).read_text(encoding="utf-8")
        replace_file(path, (team + ours).encode())


def _copied(workspace: Workspace, file: Path) -> Path:
    """The model file's copy in the workspace, by its path there. One that the team has changed stays as it is."""
    there = Path("models") / file.name
    target = workspace.folder / there
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copyfile(file, target)
    return there
