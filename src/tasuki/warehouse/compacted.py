"""What a large file of a log replaces: so that whoever counted the small ones knows that it is nothing new.

Small segments are `exposures-LOG-NUMBER.parquet`. A large file says in its own Parquet metadata which it holds, as
ranges of numbers by log, and the same of every large file it replaced on the way.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

START = "compact-"
KEY = "tasuki.replaces"
_SEGMENT = re.compile(r"exposures-(?P<log>.+)-(?P<number>\d{6,})\.parquet")
Ranges = Mapping[str, tuple[tuple[int, int], ...]]
"""Numbers of segments by log: first and last of each run."""


@dataclass(frozen=True)
class Replaced:
    """What a large file holds.

    Args:
        segments: The small segments.
        files: Every large file it replaced, and the small segments of each.
    """

    segments: Ranges
    files: Mapping[str, Ranges] = field(default_factory=dict)

    def covers(self, name: str) -> bool:
        """Whether every row of a file is in this one."""
        return name in self.files or (bool(ranges_of([name])) and is_within(ranges_of([name]), self.segments))


def ranges_of(names: Iterable[str]) -> Ranges:
    """The segments that names are of, as ranges; other names are left out."""
    numbers: dict[str, set[int]] = {}
    for name in names:
        found = _SEGMENT.fullmatch(name)
        if found is not None:
            numbers.setdefault(found["log"], set()).add(int(found["number"]))
    return {log: _runs(sorted(every)) for log, every in sorted(numbers.items())}


def joined(parts: Iterable[Ranges]) -> Ranges:
    """All segments of several, as ranges."""
    every: dict[str, list[tuple[int, int]]] = {}
    for part in parts:
        for log, runs in part.items():
            every.setdefault(log, []).extend(runs)
    return {log: _merged(sorted(runs)) for log, runs in sorted(every.items())}


def is_within(inner: Ranges, outer: Ranges) -> bool:
    """Whether every segment of one is among another's."""
    return all(
        any(first <= start and end <= last for first, last in outer.get(log, ()))
        for log, runs in inner.items()
        for start, end in runs
    )


def replaced_to(replaced: Replaced) -> bytes:
    """The form in which a large file says it."""
    return json.dumps({"segments": replaced.segments, "files": replaced.files}).encode()


def replaced_by(path: Path) -> Replaced | None:
    """What a file replaced; None for one that replaced nothing, or does not say it."""
    if not path.name.startswith(START):
        return None
    import pyarrow.parquet as pq

    said = (pq.read_metadata(path).metadata or {}).get(KEY.encode())
    if said is None:
        return None
    document = json.loads(said)
    return Replaced(_read(document["segments"]), {name: _read(one) for name, one in document["files"].items()})


def _read(document: Mapping[str, list[list[int]]]) -> Ranges:
    return {log: tuple((first, last) for first, last in runs) for log, runs in document.items()}


def _runs(numbers: list[int]) -> tuple[tuple[int, int], ...]:
    return _merged([(one, one) for one in numbers])


def _merged(runs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in runs:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)
