"""Runs the inference service as one process: port, threads, signals, and an end that loses no exposure."""

import asyncio
import gc
import signal
import socket
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tasuki.clock import system_clock
from tasuki.errors import Invalid, Missing, Unavailable
from tasuki.serving.app import ScoringApp
from tasuki.serving.exposures import FLUSH_S, ExposureLog, LogPlace
from tasuki.serving.watch import Watcher


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
    """

    folder: Path
    artifacts: str = "artifacts"
    models: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    port: int = 8600
    durable: bool = False
    flush_s: float = FLUSH_S


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


def serve(service: Service) -> None:
    """Serves until SIGTERM or SIGINT; then finishes the requests under way and writes what the log still holds.

    Raises:
        Unavailable: When the port is in use, or the log's folder cannot be written.
    """
    _require_free(service.host, service.port)
    watcher = Watcher(service.folder, service.artifacts, service.models, system_clock)
    log = ExposureLog(LogPlace.of(service.folder, durable=service.durable, flush_s=service.flush_s), system_clock)
    try:
        log.start()
    except OSError as error:
        raise Unavailable(
            f"the exposure log cannot be kept: {error}", next_step="make logs/exposures writable"
        ) from error
    try:
        watcher.start()
        # What is there now stays to the end; the collector need not look at it between requests.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        sys.setswitchinterval(0.0005)
        asyncio.run(_serve(service, ScoringApp(watcher, log, system_clock)))
        watcher.stop()
    finally:
        log.stop()


async def _serve(service: Service, app: ScoringApp) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    server = Server(
        app,
        address=service.host,
        port=service.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    await server.serve()


def _require_free(host: str, port: int) -> None:
    # Granian shares its port with other processes that ask for the same; a service of one process must have its own.
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
