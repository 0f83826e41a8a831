"""What is known of the log's compaction, kept beside the service: when it last went well, and why it last did not.

One worker compacts, in a process of its own, and `tasuki model compact` does it by hand; whichever worker is asked
tells of both. Reasons stay as they were kept, in both languages: the service hands them on and needs no catalogue.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasuki.clock import from_text, to_text
from tasuki.errors import Unavailable, said
from tasuki.store.files import replace_file

if TYPE_CHECKING:
    from tasuki.serving.compaction import Compacted

FILE = "compaction.json"


@dataclass(frozen=True)
class CompactionTold:
    """What is known of the log's compaction.

    Args:
        at: When one last went through, also when it left files as they were; None when none did yet.
        before: Segments it found.
        after: Segments it left.
        rows: Rows it wrote into large files.
        failed_at: When one last failed, or left files that were due; None when none did.
        reasons: Why: `text` in English, and `said` to be told in either language.
    """

    at: datetime | None = None
    before: int = 0
    after: int = 0
    rows: int = 0
    failed_at: datetime | None = None
    reasons: tuple[Mapping[str, Any], ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the last compaction failed or left something: what is due stays due until somebody mends it."""
        return self.failed_at is not None and (self.at is None or self.failed_at >= self.at)


def read_told(folder: Path) -> CompactionTold:
    """What was kept in a folder; nothing when nothing was, or when it cannot be read."""
    try:
        kept = json.loads((folder / FILE).read_bytes())
        before, after, rows = (int(kept[name]) for name in ("before", "after", "rows"))
        reasons = tuple({"text": str(one["text"]), "said": one["said"]} for one in kept["reasons"])
        return CompactionTold(_moment(kept["at"]), before, after, rows, _moment(kept["failed_at"]), reasons)
    except (OSError, ValueError, KeyError, TypeError):
        return CompactionTold()


def compact_and_tell(segments: Path, write_ahead: Path, now: datetime, *, everything: bool = False) -> "Compacted":
    """Compacts as `tasuki.serving.compaction.compact` does, and keeps how it went beside the write-ahead files.

    Raises:
        Unavailable: When the log cannot be read or written, or how it went cannot be kept.
    """
    from tasuki.serving.compaction import compact

    folder = write_ahead.parent
    try:
        done = compact(segments, write_ahead, now, everything=everything)
    except Unavailable as error:
        tell_failed(folder, [error.what], now)
        raise
    if not done.busy:  # another one is at work, and tells
        told = replace(read_told(folder), at=now, before=done.before, after=done.after, rows=done.rows)
        _keep(folder, replace(told, failed_at=now, reasons=_records(done.left)) if done.left else told)
    return done


def tell_failed(folder: Path, reasons: Sequence[str], now: datetime) -> None:
    """Keeps why a compaction failed.

    Raises:
        Unavailable: When it cannot be kept.
    """
    _keep(folder, replace(read_told(folder), failed_at=now, reasons=_records(reasons)))


def told_document(told: CompactionTold) -> dict[str, Any]:
    """What `/health` says of it."""
    last = {"at": to_text(told.at), "before": told.before, "after": told.after, "rows": told.rows} if told.at else None
    failure = {"at": to_text(told.failed_at), "reasons": list(told.reasons)} if told.failed_at else None
    return {"last": last, "failure": failure, "fails": told.fails}


def _records(reasons: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    from tasuki.texts import as_record

    return tuple({"text": str(one), "said": as_record(one)} for one in reasons)


def _keep(folder: Path, told: CompactionTold) -> None:
    document = {
        "at": to_text(told.at) if told.at else None,
        "before": told.before,
        "after": told.after,
        "rows": told.rows,
        "failed_at": to_text(told.failed_at) if told.failed_at else None,
        "reasons": told.reasons,
    }
    try:
        replace_file(folder / FILE, json.dumps(document, ensure_ascii=False).encode())
    except OSError as error:
        raise Unavailable(
            said("how the compaction went cannot be kept: {error}", error=str(error)),
            expected=said("a folder that may be written: {folder}", folder=str(folder)),
            next_step="mend it and repeat; every row is still there",
        ) from error


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None
