"""Backups: the ledger as one portable file of JSON lines that fits SQLite and PostgreSQL alike.

The first line names the form, then comes a line per event in the order of the feed, per idempotency key and per cursor;
the last line counts them and holds the SHA-256 of everything before it. Rows are kept letter by letter, so the hash
chain of each idea still proves them. Stored folds are not kept: a restore makes them from the events.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select

from tasuki.clock import to_text
from tasuki.errors import Fault, Invalid, Missing, Refused, Unavailable
from tasuki.flow.event import canonical_json
from tasuki.store.database import reading, writing
from tasuki.store.files import replace_file
from tasuki.store.ledger import Ledger, rebuild_streams
from tasuki.store.schema import cursors, events, keys
from tasuki.store.verify import Finding, examine_keys, examine_positions, examine_story

SCHEMA = "tasuki.backup/1"
MOST_FAULTS = 20

Rows = Sequence[Mapping[str, Any]]

_TABLES: dict[str, tuple[Table, str]] = {
    "event": (events, "position"),
    "key": (keys, "key"),
    "cursor": (cursors, "name"),
}


@dataclass(frozen=True)
class Backup:
    """What a backup file holds, proven whole.

    Args:
        at: When it was made, as text in UTC.
        rows: The rows of each kind of line: `event`, `key` and `cursor`.
    """

    at: str
    rows: Mapping[str, Rows]

    @property
    def events(self) -> int:
        """How many events it holds."""
        return len(self.rows["event"])

    @property
    def streams(self) -> int:
        """How many streams these belong to."""
        return len({row["idea"] for row in self.rows["event"]})


def write_backup(ledger: Ledger, file: Path, at: datetime) -> Backup:
    """Writes one consistent state of the ledger to a file while others go on writing to the ledger.

    Raises:
        Invalid: The ledger is damaged; nothing is written.
        Unavailable: The file cannot be written.
    """
    with reading(ledger.engine) as connection:
        rows = {
            kind: [dict(row) for row in connection.execute(select(table).order_by(table.c[order])).mappings()]
            for kind, (table, order) in _TABLES.items()
        }
    backup = Backup(to_text(at), rows)
    _refuse_damaged("the ledger", backup)
    try:
        replace_file(file, _text(backup).encode())
    except OSError as error:
        raise Unavailable(f"the backup cannot be written to {file} ({error.strerror})", next_step="check it") from error
    return read_backup(file)


def read_backup(file: Path) -> Backup:
    """The backup in a file, after its digest, counts, chains, positions and keys were checked.

    Raises:
        Missing: There is no such file.
        Invalid: It is no backup, was cut off, or was changed; names what is wrong where.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError as error:
        raise Missing(f"there is no file {file}", next_step="name a file that `tasuki backup` wrote") from error
    except OSError as error:
        raise Unavailable(f"{file} cannot be read ({error.strerror})", next_step="check its permissions") from error
    head, rows, end, body = _parsed(file, raw)
    if end.get("sha256") != hashlib.sha256(body).hexdigest():
        raise _broken(file, [Fault("the last line", "the file was changed after it was written")])
    if {kind: end.get(kind) for kind in _TABLES} != {kind: len(rows[kind]) for kind in _TABLES}:
        raise _broken(file, [Fault("the last line", "lines are missing")])
    backup = Backup(str(head.get("at")), rows)
    _refuse_damaged(str(file), backup)
    return backup


def fill(ledger: Ledger, backup: Backup) -> None:
    """Writes the backup into an empty ledger, in one transaction.

    Raises:
        Refused: The ledger is not empty.
    """
    with writing(ledger.engine) as connection:
        if connection.execute(select(events.c.position).limit(1)).first() is not None:
            raise Refused(
                "the ledger already holds events; nothing was changed",
                rule="a restore never overwrites a ledger unasked",
                next_step="restore into a new, empty place (on SQLite, --force sets the old ledger aside)",
            )
        for kind, (table, _) in _TABLES.items():
            if backup.rows[kind]:
                connection.execute(insert(table), [dict(row) for row in backup.rows[kind]])
        rebuild_streams(connection)


def _text(backup: Backup) -> str:
    lines: list[dict[str, Any]] = [{"schema": SCHEMA, "at": backup.at}]
    lines += [{kind: row} for kind in _TABLES for row in backup.rows[kind]]
    body = "".join(canonical_json(line) + "\n" for line in lines)
    digest = hashlib.sha256(body.encode()).hexdigest()
    end = {"sha256": digest, **{kind: len(backup.rows[kind]) for kind in _TABLES}}
    return body + canonical_json({"end": end}) + "\n"


def _parsed(file: Path, raw: bytes) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]], dict[str, Any], bytes]:
    """First line, rows by kind, last line, and the bytes that the last line's digest covers."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TABLES}
    lines = raw.splitlines(keepends=True)
    try:
        head, *inner = [json.loads(line) for line in lines] or [{}]
    except (ValueError, RecursionError) as error:
        raise _broken(file, [Fault("its lines", f"not JSON ({error})")]) from error
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        raise _broken(file, [Fault("line 1", "not the first line of a backup", f'"schema": "{SCHEMA}"')])
    end = inner.pop() if inner else None
    if not isinstance(end, dict) or not isinstance(end.get("end"), dict):
        raise _broken(file, [Fault("the last line", "the file was cut off", "the line that counts the others")])
    for number, line in enumerate(inner, 2):
        kind, row = next(iter(line.items())) if isinstance(line, dict) and len(line) == 1 else ("", None)
        if kind not in _TABLES or not isinstance(row, dict) or set(row) != set(_TABLES[kind][0].c.keys()):
            raise _broken(file, [Fault(f"line {number}", "not a row of a ledger", ", ".join(_TABLES))])
        rows[kind].append(row)
    return head, rows, end["end"], b"".join(lines[:-1])


def _refuse_damaged(name: str, backup: Backup) -> None:
    faults = list(_faults(backup))
    if faults:
        shown = faults[:MOST_FAULTS]
        more = [Fault("and", f"{len(faults) - MOST_FAULTS} more")] if len(faults) > MOST_FAULTS else []
        raise Invalid(f"{name} is damaged", [*shown, *more], next_step="run `tasuki doctor`; use an older backup")


def _faults(backup: Backup) -> Iterator[Fault]:
    rows = sorted(backup.rows["event"], key=lambda row: (str(row["idea"]), _number(row["sequence"])))
    findings: list[Finding] = []
    spans: dict[str, int] = {}
    for idea, group in groupby(rows, lambda row: str(row["idea"])):
        story = list(group)
        spans[idea] = _number(story[-1]["sequence"])
        findings += examine_story(idea, story)
    newest = max((_number(row["position"]) for row in rows), default=0)
    findings += examine_positions(len(rows), newest)
    findings += examine_keys(backup.rows["key"], spans)
    for one in findings:
        yield Fault(" ".join(filter(None, [one.idea, str(one.sequence or "")])) or "the ledger", one.what)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _broken(file: Path, faults: list[Fault]) -> Invalid:
    return Invalid(f"{file} is no whole backup", faults, next_step="use another backup")
