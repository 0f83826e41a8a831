"""A log's folder while small files become large ones: readers see each row once, whoever is killed at any moment.

Replacing many files by one takes several steps, and no order of them is right for a reader in between. So a reader
holds the folder (a shared lock) for as long as it looks, and the steps are taken only while nobody does. A note on the
disk says what replaces what; if the process that swaps is killed in between, the next reader or compaction finishes it.

In the folder's `.compaction/`:

    lock                  shared by readers, exclusive for a swap
    NAME.parquet.draft    the large file while it is written
    NAME.parquet.json     the note: {"replaces": [file names]}
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasuki.errors import Unavailable, said

ROOM, LOCK, DRAFT, NOTE = ".compaction", "lock", ".draft", ".json"
PAUSE_S = 0.05


def room_of(folder: Path) -> Path:
    """Where a folder's compaction keeps its lock, drafts and notes."""
    return folder / ROOM


class Reading:
    """Holds folders for a reader until it is closed; a folder that was never compacted needs no holding."""

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}

    def hold(self, folder: Path) -> None:
        """Holds a folder, after finishing a swap that was broken off in it.

        Raises:
            Unavailable: When a broken swap is there and this process may not finish it.
        """
        if folder in self._handles or not (room_of(folder) / LOCK).exists():
            return
        while True:
            handle = os.open(room_of(folder) / LOCK, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_SH)
            if not _broken(folder):
                self._handles[folder] = handle
                return
            os.close(handle)
            finish_swaps(folder)

    def close(self) -> None:
        """Lets go of every folder."""
        while self._handles:
            os.close(self._handles.popitem()[1])


def finish_swaps(folder: Path) -> None:
    """Finishes what a killed process began to swap; waits for readers.

    Raises:
        Unavailable: When this process may not write there.
    """
    if not _broken(folder):
        return
    try:
        with exclusively(folder, None) as held:
            assert held
            for note in _broken(folder):  # another may have finished it while this one waited
                remove_replaced(folder, note)
    except PermissionError as error:
        raise Unavailable(
            said("a compaction of {folder} was broken off, and its rows would count twice", folder=folder),
            expected="a process that may write there, to finish it",
            next_step="tasuki model compact, as the user who runs the service",
        ) from error


@contextmanager
def exclusively(folder: Path, patience_s: float | None) -> Iterator[bool]:
    """Waits until no reader holds the folder and keeps others out; False when readers stay longer than that.

    Args:
        folder: The folder.
        patience_s: How long to wait; None for as long as it takes.
    """
    handle = os.open(room_of(folder) / LOCK, os.O_RDWR)
    try:
        yield _locked(handle, patience_s)
    finally:
        os.close(handle)


def clear_drafts(folder: Path) -> None:
    """Removes what a killed compaction left before it swapped; for the one who holds the compaction."""
    for path in room_of(folder).iterdir():
        is_idle_note = path.name.endswith(NOTE) and not (folder / path.name.removesuffix(NOTE)).exists()
        if path.name.endswith(DRAFT) or is_idle_note:
            path.unlink()


def _broken(folder: Path) -> list[Path]:
    """The notes of swaps that were begun: their large file is there. Under a lock, none of them is under way."""
    notes = room_of(folder).glob(f"*{NOTE}")
    return [one for one in notes if (folder / one.name.removesuffix(NOTE)).exists()]


def remove_replaced(folder: Path, note: Path) -> None:
    """Removes the files that a note says were replaced, then the note; for the one who holds the folder exclusively."""
    for name in json.loads(note.read_text(encoding="utf-8"))["replaces"]:
        (folder / name).unlink(missing_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # else a machine that loses power might bring them back without the note
    finally:
        os.close(handle)
    note.unlink()


def _locked(handle: int, patience_s: float | None) -> bool:
    if patience_s is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return True
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(PAUSE_S)
        else:
            return True
