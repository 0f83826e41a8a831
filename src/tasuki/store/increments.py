"""What a comparison keeps of the days it has read: sums per unit in Parquet, and a manifest that says of what.

The manifest is the only pointer: it is replaced as a whole after the files it names are on the disk, so that a process
killed in between leaves the old state, and at worst files that nobody names.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tasuki.store.files import replace_file, sync_folder

FORM = 2
MANIFEST, LOCK = "manifest.json", ".lock"
Mark = tuple[int, int]
"""Size and time of change (nanoseconds) of a file that was read."""


@dataclass(frozen=True)
class Kept:
    """What is kept of an experiment's metrics on one table.

    Args:
        key: The hash of everything that the numbers depend on besides the rows.
        until: The first day (UTC) that is not counted.
        columns: The columns of the metrics' table and their types.
        files: By table, each file whose rows are counted, and its mark.
        parts: By what they hold (`units`, `exposures`), the names of the Parquet files and the hashes of their content.
        days: What was known at the end of each day: the day and the statistics.
        rows: By day, how many of the rows that were read follow from an exposure.
        lacking: By table, the files that lack columns that are read, with these.
    """

    key: str
    until: date
    columns: Mapping[str, str]
    files: Mapping[str, Mapping[str, Mark]]
    parts: Mapping[str, tuple[str, str]]
    days: Sequence[Mapping[str, Any]] = field(default=())
    rows: Mapping[str, int] = field(default_factory=dict)
    lacking: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


class Damaged(Exception):
    """What is kept cannot be used; the reason is its text. It never leaves the actions: everything is read anew."""


def read_kept(folder: Path) -> Kept | None:
    """What is kept in a folder, or None when nothing is.

    Raises:
        Damaged: It cannot be read, or a file is not the one that was written.
    """
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if document.pop("form") != FORM:
            raise Damaged("it has the form of another version")
        files = {
            name: {path: (mark[0], mark[1]) for path, mark in one.items()} for name, one in document["files"].items()
        }
        parts = {name: (one[0], one[1]) for name, one in document["parts"].items()}
        kept = Kept(**{**document, "until": date.fromisoformat(document["until"]), "files": files, "parts": parts})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Damaged(f"its manifest cannot be read ({type(error).__name__})") from error
    for name, content_hash in kept.parts.values():
        if not (folder / name).is_file() or content_hash_of(folder / name) != content_hash:
            raise Damaged(f"{name} is not the file that was written")
    return kept


def new_part(folder: Path, what: str) -> Path:
    """Where a new part is to be written; no part is ever written twice."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{what}-{secrets.token_hex(6)}.parquet"


def part_of(path: Path) -> tuple[str, str]:
    """The name and the content's hash of a part that was written, once it is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.name, content_hash_of(path)


def write_kept(folder: Path, kept: Kept) -> None:
    """Points to new parts, then removes those that nobody names any more."""
    sync_folder(folder)
    document = {"form": FORM, **asdict(kept), "until": kept.until.isoformat()}
    replace_file(folder / MANIFEST, json.dumps(document, ensure_ascii=False).encode())
    named = {name for name, _ in kept.parts.values()}
    for path in folder.glob("*.parquet"):
        if path.name not in named:
            path.unlink(missing_ok=True)


def mark_of(path: str) -> Mark:
    """The size and the time of change of a file."""
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns


def content_hash_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
