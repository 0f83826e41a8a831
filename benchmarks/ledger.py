"""How fast the ledger is, beside bare sqlite3 inserts with the same pragmas in the same run.

Run: python benchmarks/ledger.py [--appends N] [--ideas N]
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tasuki.flow.event import NewEvent
from tasuki.store.ledger import Ledger, open_ledger

NOW = datetime(2026, 4, 1, tzinfo=UTC)
OPENING = NewEvent(
    "idea_opened", "aoi", NOW, {"title": "t", "flow": "f", "formation": "g", "stages": ["hypothesis", "evaluation"]}
)
WORDS = "予測を較正する " * 20


def comment() -> NewEvent:
    return NewEvent("comment_added", "ren", NOW, {"text": WORDS})


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_appends(folder: Path, count: int) -> float:
    """The least a durable append can cost: one insert, one commit, synced to disk."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, idea TEXT, sequence INTEGER, body TEXT)")

        def write() -> None:
            for number in range(count):
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO events VALUES (?, 'idea-1', ?, ?)", (number, number, WORDS))
                bare.execute("COMMIT")

        return seconds(write)


def ledger_appends(ledger: Ledger, count: int, length: int) -> float:
    """Single appends to ideas of `length` events, each with an idempotency key."""

    def write() -> None:
        for number in range(count):
            place = number % length
            ledger.append(
                f"s{length}-{number // length}", place, [comment() if place else OPENING], key=f"{length}-{number}"
            )

    return seconds(write)


def report(ledger: Ledger, folder: Path, appends: int, ideas: int) -> None:
    rows: list[tuple[str, float, str]] = []
    bare = appends / bare_appends(folder, appends)
    rows.append(("bare sqlite3 insert, same pragmas", bare, "commits/s"))
    short = appends / ledger_appends(ledger, appends, 20)
    rows.append(("append, ideas of up to 20 events", short, "appends/s"))
    rows.append(("  peer / ours", bare / short, "×"))
    long = appends / ledger_appends(ledger, appends, 200)
    rows.append(("append, ideas of up to 200 events", long, "appends/s"))
    rows.append(("  peer / ours", bare / long, "×"))
    ledger.append("long", 0, [OPENING, *(comment() for _ in range(199))])
    rows.append(("state() of an idea with 200 events", _median(lambda: ledger.state("long")), "ms"))
    for number in range(ideas - len(ledger.ideas())):
        ledger.append(f"many-{number}", 0, [OPENING, *(comment() for _ in range(19))])
    held = len(ledger.ideas())
    rows.append((f"ideas() with {held:,} ideas", _median(ledger.ideas), "ms"))
    events = ledger.size()[0]
    rows.append((f"verify() of {events:,} events", seconds(ledger.verify) * 1000, "ms"))
    print(f"{'what':<42}{'figure':>12}  unit")
    for what, figure, unit in rows:
        print(f"{what:<42}{figure:>12,.1f}  {unit}")


def _median(work: Callable[[], object]) -> float:
    return statistics.median(seconds(work) for _ in range(9)) * 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--appends", type=int, default=1000)
    options.add_argument("--ideas", type=int, default=1000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(open_ledger(f"sqlite:///{folder}/ledger.db")) as ledger:
            report(ledger, folder, chosen.appends, chosen.ideas)


if __name__ == "__main__":
    main()
