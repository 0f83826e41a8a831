"""A server that is told to stop does so within seconds, whatever its visitors are doing; and it counts who reads."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tasuki.settings.workspace import Choices, init_workspace
from tasuki.web.run import LAST_ANSWERS_S
from tasuki.web.streams import PER_MEMBER

HALF_A_REQUEST = (
    b"POST /api/v1/ideas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stopping")
    init_workspace(made, Choices(member="aoi", roles=("analyst",))).close()
    return made


@contextmanager
def serving(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", httpx.Client]]:
    words = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "serve", "--port", "0"]
    with subprocess.Popen(
        [*words, "--workspace", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[-1]
            with httpx.Client(transport=httpx.HTTPTransport(retries=20), base_url=address, timeout=20) as client:
                assert client.get("/health").status_code == 200
                yield server, client
        finally:
            server.kill()


def stopped_after_s(server: "subprocess.Popen[str]") -> float:
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0
    assert server.stderr is not None
    assert "Traceback" not in server.stderr.read()
    return time.monotonic() - began


def test_open_streams_end_when_the_server_does_and_are_counted_while_they_last(folder: Path) -> None:
    with serving(folder) as (server, client), httpx.Client(base_url=client.base_url, timeout=20) as reader:
        held = [reader.stream("GET", "/api/v1/events?after=0") for _ in range(PER_MEMBER)]
        opened = [one.__enter__() for one in held]
        assert {one.status_code for one in opened} == {200}
        wait_for(lambda: client.get("/api/v1/events?after=0&once=true").status_code == 429)
        held.pop().__exit__(None, None, None)
        wait_for(lambda: client.get("/api/v1/events?after=0&once=true").status_code == 200)
        assert stopped_after_s(server) < LAST_ANSWERS_S
        for one in held:
            one.__exit__(None, None, None)


def test_half_a_request_does_not_hold_a_server(folder: Path) -> None:
    with serving(folder) as (server, client):
        line = socket.create_connection(("127.0.0.1", urlsplit(str(client.base_url)).port or 0))
        line.sendall(HALF_A_REQUEST)
        time.sleep(0.3)
        assert stopped_after_s(server) < LAST_ANSWERS_S + 5
        line.close()


def wait_for(done: Callable[[], bool], seconds: float = 8.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)
