"""The write-ahead file: exposures that are on the disk before their answer is sent, until a segment holds them.

A file is a sequence of groups: length and CRC-32 of the payload (little-endian, four bytes each), then the payload, the
exposures in MessagePack. One group is one `fdatasync`. What follows the last whole group was never acknowledged.

File number `n` of a log becomes its segment number `n`, and is removed once that segment is on the disk. So a file
whose segment is there holds nothing new, one whose segment is missing is turned into it: each exposure is kept once.
"""

import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tasuki.serving.segments import ENDING, draft_of, table_of, write_segment
from tasuki.store.files import sync_folder

_HEAD = struct.Struct("<II")
_FILE = re.compile(r"(?P<log>[0-9A-Za-z-]+)-(?P<number>\d{6,})\.wal")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


class WriteAheadFile:
    """One file that is being appended to.

    Args:
        path: Its name; it must not exist yet.

    Raises:
        OSError: When it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        sync_folder(path.parent)

    def append(self, rows: Sequence[Sequence[Any]]) -> None:
        """Appends a group and returns when it is on the disk.

        Raises:
            OSError: When it is not; the file's end is then in doubt, and nothing more may be appended.
        """
        payload = _encode(rows)
        group = memoryview(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        while group:
            group = group[os.write(self._handle, group) :]
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Closes the file, which stays until its segment is written."""
        os.close(self._handle)


def read_groups(content: bytes) -> Iterator[list[list[Any]]]:
    """The whole groups of a write-ahead file, up to the first that is not."""
    at = 0
    while at + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, at)
        payload = content[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield _decode(payload)
        at += _HEAD.size + length


class Claim:
    """Holds the name of a log as long as its process lives: the files of a log that nobody holds may be finished.

    Raises:
        OSError: When the lock cannot be made.
    """

    def __init__(self, folder: Path, log: str) -> None:
        self.path = folder / f"{log}.lock"
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def release(self) -> None:
        """Gives the name up; its lock goes with it."""
        self.path.unlink(missing_ok=True)
        os.close(self._handle)


def finish_abandoned(folder: Path, segments: Path) -> int:
    """Turns the write-ahead files of logs whose process is gone into segments; returns how many exposures these hold.

    Raises:
        OSError: When the disk refuses; what was not finished stays for the next time.
    """
    found = 0
    for lock in sorted(folder.glob("*.lock")):
        handle = os.open(lock, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            if lock.exists():  # another process may have finished it and removed it meanwhile
                found += _finish(folder, segments, lock.stem)
                lock.unlink()
        finally:
            os.close(handle)
    return found


def segment_name(log: str, number: int) -> str:
    """The name of a log's segment."""
    return f"exposures-{log}-{number:06d}{ENDING}"


def file_name(log: str, number: int) -> str:
    """The name of a log's write-ahead file."""
    return f"{log}-{number:06d}.wal"


def _finish(folder: Path, segments: Path, log: str) -> int:
    for draft in segments.glob(draft_of(segments / segment_name(log, 0)).name.replace("000000", "*")):
        draft.unlink(missing_ok=True)
    found = 0
    for path in sorted(folder.glob(f"{log}-*.wal")):
        named = _FILE.fullmatch(path.name)
        if named is None or named["log"] != log:
            continue
        final = segments / segment_name(log, int(named["number"]))
        rows = [row for group in read_groups(path.read_bytes()) for row in group]
        if rows and not final.exists():
            write_segment(final, table_of(rows))
            found += len(rows)
        path.unlink()
    return found
