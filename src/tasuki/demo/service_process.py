"""The inference service as a process of its own, started as a user would start it and asked over real HTTP."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tasuki.errors import Unavailable

_START_S, _STOP_S, _POLL_S = 30.0, 15.0, 0.05


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port


@contextmanager
def running_service(workspace: Path, model: str, replay_time: str | None = None) -> Iterator[str]:
    """Runs `tasuki model serve` for a workspace and gives its address; stops it gracefully at the end.

    Args:
        workspace: Its folder.
        model: What is served.
        replay_time: The feature whose moment exposures carry, since the story's days pass in seconds.
    """
    port = free_port()
    log = workspace / "serving" / "service.log"
    command = [sys.executable, "-m", "tasuki.cli", "model", "serve", "--workspace", str(workspace)]
    command += ["--model", model, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--replay-time", replay_time] if replay_time else []
    with log.open("ab") as sink, subprocess.Popen(command, stdout=sink, stderr=sink) as process:
        try:
            _wait_until_ready(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = monotonic() + _START_S
    while monotonic() < until:
        if process.poll() is not None:
            break
        if asked(port, "/ready")[0] == 200:
            return
        sleep(_POLL_S)
    raise Unavailable(
        "the inference service did not become ready",
        expected=f"an answer on port {port} within {_START_S:.0f} s",
        next_step=f"read {log}",
    )


def wait_for_health(address: str, key: str, wanted: str | None, patience_s: float = 10.0) -> None:
    """Waits until the service's health names the experiment it routes, so that play starts on the new routing."""
    port = int(address.rsplit(":", 1)[1])
    until = monotonic() + patience_s
    while monotonic() < until:
        status, health = asked(port, "/health")
        if status == 200 and health.get(key) == wanted:
            return
        sleep(_POLL_S)
    raise Unavailable(
        f"the inference service does not route {wanted!r}",
        expected=f"its health to say so within {patience_s:.0f} s",
        next_step="read serving/service.log in the workspace",
    )


def asked(port: int, path: str) -> tuple[int, Any]:
    """The status and JSON answer of the service; status 0 when nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):
        return 0, {}
    finally:
        connection.close()
    try:
        return answer.status, json.loads(body)
    except ValueError:
        return answer.status, {}
