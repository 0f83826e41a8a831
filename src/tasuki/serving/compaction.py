"""Compaction of the exposure log: the many small segments of hours and days that are over become few large files.

A running service writes a segment every half second. Only finished segments are taken, those whose write-ahead file is
gone and whose hour is over; the segments of an hour become one file, the files of a day one in turn. Files of different
days are never mixed. How readers see each row once all the while is said in `tasuki.warehouse.log_folder`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tasuki.errors import Unavailable, said
from tasuki.serving.finished_hours import GRACE_S, SEGMENT_START, hour_of
from tasuki.serving.segments import ENDING
from tasuki.store.files import sync_folder, write_synced
from tasuki.warehouse.compacted import KEY, START, Replaced, joined, ranges_of, replaced_by, replaced_to
from tasuki.warehouse.log_folder import (
    DRAFT,
    LOCK,
    NOTE,
    clear_drafts,
    exclusively,
    finish_swaps,
    remove_replaced,
    room_of,
)

LARGE_BYTES = 64 * 1024 * 1024
"""A file of this size is large enough: it is not taken up again."""
LARGEST_BYTES = 4 * LARGE_BYTES
"""So many bytes of small files become one large file at most."""
ROWS_PER_GROUP = 100_000
PATIENCE_S = 30.0
"""How long a swap waits for readers before it is left for the next time."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Args:
        before: Parquet files in the log before.
        after: The same afterwards.
        rows: Rows that were written into large files.
        made: The large files.
        left: Files that were left as they are though they were due, and why.
        busy: Whether another compaction was at work, so that nothing was done.
    """

    before: int
    after: int
    rows: int = 0
    made: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    busy: bool = False


@dataclass(frozen=True)
class _File:
    """A finished file: the days of its first and last row (UTC), the hour it was written in, its size."""

    name: str
    first: date
    last: date
    written_hour: int
    size: int


def compact(segments: Path, write_ahead: Path, now: datetime, *, everything: bool = False) -> Compacted:
    """Makes large files out of the finished segments of hours and days that are over; can be repeated at any time.

    Args:
        segments: The folder of the segments.
        write_ahead: The folder of the write-ahead files: a segment whose file is still there is not finished.
        now: The present moment.
        everything: Take finished segments of the present hour as well.

    Raises:
        Unavailable: When the folder cannot be read or written.
    """
    if not segments.is_dir():
        return Compacted(0, 0)
    try:
        with _alone(segments) as first:
            if not first:
                count = len(_names(segments))
                return Compacted(count, count, busy=True)
            return _compact(segments, write_ahead, now, everything)
    except OSError as error:
        raise Unavailable(
            said("the exposure log cannot be compacted: {error}", error=str(error)),
            expected=said("a folder that may be written: {folder}", folder=str(segments)),
            next_step="mend it and repeat; every row is still there",
        ) from error


def _compact(segments: Path, write_ahead: Path, now: datetime, everything: bool) -> Compacted:
    finish_swaps(segments)
    clear_drafts(segments)
    left: list[str] = []
    made: list[str] = []
    before, rows = len(_names(segments)), 0
    files = _finished(segments, write_ahead, now, everything, left.append)
    for group in _groups(files, now, everything):
        try:
            name, count = _merge(segments, group)
        except _Unfit as error:
            left.append(error.why)
            continue
        if _swap(segments, name, [one.name for one in group]):
            made.append(name)
            rows += count
        else:
            left.append(
                said(
                    "{count} files of {day}: readers held the log for more than {seconds:g} s",
                    count=len(group),
                    day=group[0].first,
                    seconds=PATIENCE_S,
                )
            )
    return Compacted(before, len(_names(segments)), rows, tuple(made), tuple(left))


class _Unfit(Exception):
    """Files that cannot become one."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@contextlib.contextmanager
def _alone(segments: Path) -> Iterator[bool]:
    """Whether this is the only compaction at work."""
    room = room_of(segments)
    room.mkdir(exist_ok=True)
    with (room / LOCK).open("a"), (room / "compactor").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _names(segments: Path) -> list[str]:
    return sorted(one.name for one in segments.iterdir() if one.suffix == ENDING and not one.name.startswith("."))


def _finished(
    segments: Path, write_ahead: Path, now: datetime, everything: bool, leave: Callable[[str], None]
) -> list[_File]:
    """The files that may be taken up: finished, of an hour that is over, and small."""
    present, found = hour_of(now.timestamp() - GRACE_S), []
    for name in _names(segments):
        path = segments / name
        if not name.startswith((SEGMENT_START, START)):
            continue  # not the service's own: whoever put it there knows it by this name
        stat = path.stat()
        is_due = everything or name.startswith(START) or hour_of(stat.st_mtime) < present
        if stat.st_size >= LARGE_BYTES or not is_due:
            continue
        # The write-ahead file goes once the segment is on the disk, and never comes again: the order of looking counts.
        if (write_ahead / f"{name.removeprefix(SEGMENT_START).removesuffix(ENDING)}.wal").exists():
            continue
        try:
            first, last = _days(path)
        except Exception as error:  # whatever is wrong with it, the others can be taken
            leave(said("{name} cannot be read: {error}", name=name, error=str(error)))
            continue
        found.append(_File(name, first, last, hour_of(stat.st_mtime), stat.st_size))
    return found


def _days(path: Path) -> tuple[date, date]:
    """The days (UTC) of a segment's first and last row, by the statistics in its footer."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    at = metadata.schema.names.index("at")
    groups = [metadata.row_group(place).column(at).statistics for place in range(metadata.num_row_groups)]
    return min(one.min for one in groups).date(), max(one.max for one in groups).date()


def _groups(files: Sequence[_File], now: datetime, everything: bool) -> list[list[_File]]:
    """What becomes one file: of a day that is over all of its files; of another the segments of one hour.

    Files whose rows lie on other days are kept apart, so that whoever counts day by day can still tell which are over.
    """
    today = now.astimezone(UTC).date()
    groups: dict[tuple[date, date, int | None], list[_File]] = {}
    for one in files:
        is_over = everything or one.last < today
        if is_over or one.name.startswith(SEGMENT_START):
            groups.setdefault((one.first, one.last, None if is_over else one.written_hour), []).append(one)
    parts = [part for group in groups.values() for part in _parts(group)]
    return [part for part in parts if len(part) > 1]


def _parts(group: list[_File]) -> Iterator[list[_File]]:
    """The group in parts that are not too large for one file."""
    part: list[_File] = []
    for one in sorted(group, key=lambda one: (one.written_hour, one.name)):
        if part and sum(file.size for file in part) + one.size > LARGEST_BYTES:
            yield part
            part = []
        part.append(one)
    yield part


def _merge(segments: Path, group: Sequence[_File]) -> tuple[str, int]:
    """Writes a group's rows as a draft that is on the disk; returns its name and how many rows it has."""
    import pyarrow.parquet as pq

    name = f"{START}{group[0].first:%Y%m%d}-{_digest(group)}{ENDING}"
    draft = room_of(segments) / f"{name}{DRAFT}"
    schema = pq.read_schema(segments / group[0].name).remove_metadata()
    told, written = schema.with_metadata({KEY: replaced_to(_replaced(segments, group))}), 0
    try:
        with draft.open("wb") as file:
            with pq.ParquetWriter(file, told, **_FORM) as writer:
                for table in _tables(segments, group, schema):
                    writer.write_table(table.cast(told), row_group_size=ROWS_PER_GROUP)
                    written += table.num_rows
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    expected = sum(pq.read_metadata(segments / one.name).num_rows for one in group)
    if not written == expected == pq.read_metadata(draft).num_rows:
        draft.unlink()
        raise _Unfit(
            said(
                "{count} files of {day} hold {expected} rows, but {written} were written",
                count=len(group),
                day=group[0].first,
                expected=expected,
                written=written,
            )
        )
    return name, written


_FORM: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["experiment", "model", "arm", "version", "reason"],
    "write_statistics": ["at", "experiment", "model", "arm", "version", "reason"],
}


def _tables(segments: Path, group: Sequence[_File], schema: Any) -> Iterator[Any]:
    """The rows, as many together as a row group takes: no more of them than that are in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    waiting: list[Any] = []
    for one in group:
        with pq.ParquetFile(segments / one.name) as file:
            for place in range(file.num_row_groups):
                table = file.read_row_group(place).replace_schema_metadata(None)
                if table.schema != schema:
                    raise _Unfit(said("{name} has other columns than {other}", name=one.name, other=group[0].name))
                waiting.append(table)
                if sum(table.num_rows for table in waiting) >= ROWS_PER_GROUP:
                    yield pa.concat_tables(waiting)
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _replaced(segments: Path, group: Sequence[_File]) -> Replaced:
    small = ranges_of(one.name for one in group)
    large = {one.name: found for one in group if (found := replaced_by(segments / one.name)) is not None}
    files = {name: one.segments for name, one in large.items()}
    for one in large.values():
        files |= one.files
    return Replaced(joined([small, *(one.segments for one in large.values())]), files)


def _digest(group: Sequence[_File]) -> str:
    """The same for the same files: a compaction that was broken off and comes again makes the same name."""
    return hashlib.sha256("\n".join(sorted(one.name for one in group)).encode()).hexdigest()[:12]


def _swap(segments: Path, name: str, replaces: Sequence[str]) -> bool:
    """Puts the draft in the place of other files, in one step for every reader; not while readers stay."""
    room = room_of(segments)
    note, draft = room / f"{name}{NOTE}", room / f"{name}{DRAFT}"
    write_synced(note, _note_of(replaces))
    sync_folder(room)
    with exclusively(segments, PATIENCE_S) as held:
        if not held:
            note.unlink()
            draft.unlink()
            return False
        draft.rename(segments / name)
        sync_folder(segments)
        remove_replaced(segments, note)
    return True


def _note_of(replaces: Sequence[str]) -> bytes:
    return json.dumps({"replaces": list(replaces)}).encode()
