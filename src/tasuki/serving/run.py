"""Runs the inference service: port, threads, signals, worker processes, and an end that loses no exposure."""

import asyncio
import gc
import os
import signal
import socket
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasuki.errors import Invalid, Missing, Refused, Unavailable
from tasuki.serving.compacting import COMPACT_S
from tasuki.serving.exposures import FLUSH_S
from tasuki.serving.follower import REMOTE_POLL_S

if TYPE_CHECKING:
    from tasuki.serving.app import ScoringApp

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SWITCH_S = 0.0005
"""How long a thread may keep the interpreter: a request waits so long for one that loads a model or writes the log."""
CONNECTIONS = 1024
"""Connections that are served at once, and as many that wait."""


@dataclass(frozen=True)
class Service:
    """What to serve and where.

    Args:
        folder: The workspace's folder.
        artifacts: Where its artifacts lie, relative to the folder.
        models: The models to serve; None for all that are published.
        host: The address to listen on.
        port: The port to listen on.
        durable: Whether an answer waits until its exposure is on the disk.
        flush_s: Seconds after which waiting exposures become a segment.
        tokens: The file of the clients' tokens; None lets everybody ask.
        anybody: Whether everybody on the network may ask, where there are no tokens.
        workers: How many processes share the port.
        replay_time: For replays of an earlier time: the feature whose moment exposures carry instead of now.
        drain_s: Seconds between the wish to stop, when the service ceases to be ready, and its end.
        remote_poll_s: Seconds between two looks at a pointer in an object store.
        compact_s: Seconds between looks for hours that are over, whose segments become one file; 0 for never.
    """

    folder: Path
    artifacts: str = "artifacts"
    models: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    port: int = 8600
    durable: bool = False
    flush_s: float = FLUSH_S
    tokens: Path | None = None
    anybody: bool = False
    workers: int = 1
    drain_s: float = 0.0
    replay_time: str | None = None
    compact_s: float = COMPACT_S
    remote_poll_s: float = REMOTE_POLL_S


def artifacts_of(folder: Path) -> str:
    """Where a workspace keeps its artifacts, read without opening its ledger: serving does not need one.

    Raises:
        Missing: When the folder is no workspace.
        Invalid: When `tasuki.toml` cannot be read.
    """
    path = folder / "tasuki.toml"
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8")).get("artifacts", "artifacts"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(
            f"{folder} is no workspace", expected="a folder with a tasuki.toml", next_step="tasuki init DIR"
        ) from error
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error


def serve(service: Service, say: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; then finishes the requests under way and writes what the log still holds.

    Args:
        service: What to serve and where.
        say: Told, line by line, what happens.

    Raises:
        Unavailable: When the port is in use, or the log's folder cannot be written.
        Refused: When it would listen to the network without tokens.
        Invalid: When the tokens file cannot be used.
    """
    if service.host not in LOOPBACK and service.tokens is None and not service.anybody:
        raise Refused(
            f"without tokens the service listens to this machine only, not on {service.host}",
            rule="who can reach the service over a network must show a token",
            next_step="name a tokens file with --tokens FILE, or say --anybody if your network keeps others out",
        )
    _require_free(service.host, service.port)
    from tasuki.serving.gate import open_gate

    open_gate(service.tokens)  # a file that cannot be used is said before any worker begins
    if service.workers > 1:
        from tasuki.serving.workers import Supervisor

        Supervisor(service.workers, lambda number: serve_one(service, number, say), say).run()
    else:
        serve_one(service, 1, say)


def serve_one(service: Service, number: int, say: Callable[[str], None]) -> None:
    """Serves as one process, the worker of that number."""
    from tasuki.clock import system_clock
    from tasuki.serving.app import ScoringApp
    from tasuki.serving.compacting import Compacting
    from tasuki.serving.exposures import ExposureLog, LogPlace
    from tasuki.serving.gate import open_gate
    from tasuki.serving.health import Worker
    from tasuki.serving.loop import QuietLoop
    from tasuki.serving.segments import prepare_arrow
    from tasuki.serving.watch import Watcher

    place = LogPlace.of(service.folder, durable=service.durable, flush_s=service.flush_s)
    log = ExposureLog(replace(place, replay_time=service.replay_time), system_clock)
    prepare_arrow()
    watcher = Watcher(
        service.folder, service.artifacts, service.models, system_clock, say if number == 1 else None,
        remote_poll_s=service.remote_poll_s,
    )  # fmt: skip
    try:
        log.start()
    except OSError as error:
        raise Unavailable(
            f"the exposure log cannot be kept: {error}", next_step="make logs/exposures and serving writable"
        ) from error
    if log.recovered:
        say(f"{log.recovered} exposures of a process that was killed are in the log now")
    compacting = Compacting(place, service.compact_s, system_clock, say) if number == 1 and service.compact_s else None
    reports = service.folder / "serving" / "workers" / str(service.port)
    try:
        watcher.start()
        app = ScoringApp(
            watcher, log, system_clock, open_gate(service.tokens), Worker(number, service.workers, reports)
        )
        _settle_interpreter()
        if compacting is not None:
            compacting.start()
        with asyncio.Runner(loop_factory=QuietLoop) as runner:
            runner.run(_serve(service, app))
        watcher.stop()
    finally:
        log.stop()
        if compacting is not None:
            compacting.stop()
    of = f" (worker {number} of {service.workers})" if service.workers > 1 else ""
    lost = f"; {log.waiting:,} could not be written: {log.error}" if log.waiting else ""
    say(f"stopped{of}; it wrote {log.written:,} exposures to the log{lost}")


def _settle_interpreter() -> None:
    # What is there now stays to the end; the collector need not look at it between requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    sys.setswitchinterval(SWITCH_S)


async def _serve(service: Service, app: "ScoringApp") -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    server = Server(
        app,
        address=service.host,
        port=service.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()

    def end() -> None:
        app.drain()
        loop.call_later(service.drain_s, server.stop)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    looking = loop.create_task(_look_after(app, os.getppid() if service.workers > 1 else 0, end))
    await server.serve()
    looking.cancel()


async def _look_after(app: "ScoringApp", parent: int, end: Callable[[], None]) -> None:
    from tasuki.serving.health import REPORT_S

    orphaned = False
    while True:
        app.look_after()
        if parent and os.getppid() != parent and not orphaned:
            orphaned = True  # whoever watched over the workers was killed: they end as well
            end()
        await asyncio.sleep(REPORT_S)


def _require_free(host: str, port: int) -> None:
    # Granian shares its port with other processes that ask for the same; a service must have its own.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error}",
                expected="a free port",
                next_step=f"stop what uses it, or choose another with --port {port + 1}",
            ) from error
