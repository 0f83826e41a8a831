"""Puts a backup where a ledger is or shall be. What lay there before is set aside, never destroyed."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from tasuki.errors import Refused, TasukiError, Unavailable
from tasuki.store.backup import Backup, fill, read_backup
from tasuki.store.files import sync_folder
from tasuki.store.ledger import open_ledger

_COMPANIONS = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Restored:
    """A restore that was done.

    Args:
        backup: What was put in place.
        set_aside: Where the earlier ledger lies now; None when there was none.
    """

    backup: Backup
    set_aside: Path | None


def restore(file: Path, url: str, at: datetime, *, force: bool = False) -> Restored:
    """Puts the backup in `file` at the ledger's address, after proving it whole.

    Args:
        file: What `write_backup` wrote.
        url: The ledger's address. On PostgreSQL the ledger there must be empty.
        at: The present moment; it names the file that is set aside.
        force: On SQLite, set an earlier ledger aside instead of refusing.

    Raises:
        Missing: There is no such file.
        Invalid: The file is not a whole backup. Nothing was changed.
        Refused: A ledger with events is there. Nothing was changed.
        Unavailable: Another process has the ledger open. Nothing was changed.
    """
    backup = read_backup(file)
    if make_url(url).get_backend_name() != "sqlite":
        with closing(open_ledger(url)) as ledger:
            fill(ledger, backup)
        return Restored(backup, None)
    target = Path(make_url(url).database or "")
    occupied = _is_occupied(target)
    if occupied and not force:
        raise Refused(
            f"{target} already holds a ledger; nothing was changed",
            rule="a restore never overwrites a ledger unasked",
            next_step="repeat with --force: the present ledger is then set aside under another name",
        )
    return Restored(backup, _exchange(backup, target, at, occupied=occupied))


def _is_occupied(target: Path) -> bool:
    """Whether anything but an empty ledger is there: what cannot be read may be precious too."""
    if not target.exists():
        return False
    try:
        with closing(open_ledger(f"sqlite:///{target}")) as ledger:
            return bool(ledger.feed(0, 1))
    except TasukiError:
        return True


def _exchange(backup: Backup, target: Path, at: datetime, *, occupied: bool) -> Path | None:
    draft = target.with_name(f".{target.name}.restoring")
    _remove(draft)
    try:
        with closing(open_ledger(f"sqlite:///{draft}")) as ledger:
            fill(ledger, backup)
        _refuse_if_open(target)
        aside = target.with_name(f"{target.name}.before-{at:%Y%m%dT%H%M%S%fZ}") if occupied else None
        for ending in _COMPANIONS:  # the log of an unclosed ledger belongs to it and must not meet the new one
            old = target.with_name(target.name + ending)
            if old.exists() and aside is not None:
                old.rename(aside.with_name(aside.name + ending))
            else:
                old.unlink(missing_ok=True)
        draft.rename(target)
        sync_folder(target.parent)
    finally:
        _remove(draft)
    return aside


def _remove(draft: Path) -> None:
    for ending in _COMPANIONS:
        draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _refuse_if_open(target: Path) -> None:
    """A process that still has the old file open would go on writing to what was set aside."""
    if not target.exists():
        return
    with closing(sqlite3.connect(target, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise Unavailable(
                    f"another process has {target} open; nothing was changed",
                    next_step="stop `tasuki serve` and every other tasuki of this workspace, then repeat",
                ) from error
        except sqlite3.DatabaseError:
            return  # no database: nobody can have it open as a ledger
