"""`tasuki serve`: starts, tells its address, stops when asked, and says clearly why it cannot."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tasuki.errors import Invalid, Missing, Unavailable
from tasuki.settings.workspace import init_workspace
from tasuki.web.run import address_of, free_port, require_public_url, serve_pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("served")
    init_workspace(made).close()
    return made


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


def command(folder: Path, *options: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        "from tasuki.cli.main import run; run()",
        "serve",
        "--workspace",
        str(folder),
        *options,
    ]


@pytest.mark.parametrize(
    ("how", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGTERM, "2"), (signal.SIGINT, "2")]
)
def test_serve_tells_its_address_answers_and_stops_when_asked(folder: Path, how: signal.Signals, workers: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command(folder, "--port", "0", "--workers", workers),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            address = line.split()[-1]
            transport = httpx.HTTPTransport(retries=20)
            with httpx.Client(transport=transport, timeout=20) as client:
                assert client.get(f"{address}health").json() == {"status": "ok"}
                assert client.get(address).status_code == 200
            server.send_signal(how)
            assert server.wait(20) == 0
            assert server.stderr is not None
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()


@pytest.mark.parametrize(("sign_in", "processes"), [("auto", 0), ("on", 2)])
def test_two_processes_answer_a_team_and_one_a_person_alone(tmp_path: Path, sign_in: str, processes: int) -> None:
    init_workspace(tmp_path).close()
    settings = tmp_path / "tasuki.toml"
    settings.write_text(f'{settings.read_text(encoding="utf-8")}\n[web]\nsign_in = "{sign_in}"\n', encoding="utf-8")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command(tmp_path, "--port", "0"), stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[-1]
            with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=20) as client:
                assert client.get(f"{address}health").json() == {"status": "ok"}
            workers = [
                one for one in psutil.Process(server.pid).children() if "resource_tracker" not in str(one.cmdline())
            ]
            assert len(workers) == processes
            server.terminate()
            assert server.wait(20) == 0
        finally:
            server.kill()


def test_a_port_in_use_is_said_with_another_one_to_try(folder: Path, taken_port: int) -> None:
    ran = subprocess.run(
        command(folder, "--port", str(taken_port)), capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 7
    assert f"port {taken_port}" in ran.stderr
    assert "Next:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_host_that_others_could_reach_needs_the_address_they_type(folder: Path) -> None:
    with pytest.raises(Invalid, match="without the address"):
        serve_pages(folder, "0.0.0.0", 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_only_this_machine_is_served_without_a_public_address(host: str) -> None:
    with pytest.raises(Invalid):
        require_public_url(host, "")
    require_public_url(host, "https://tasuki.example")


def test_no_workspace_says_so(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        serve_pages(tmp_path, "127.0.0.1", 0)


def test_port_zero_takes_a_free_one(taken_port: int) -> None:
    assert free_port("localhost", 0) > 0
    with pytest.raises(Unavailable) as refused:
        free_port("127.0.0.1", taken_port)
    assert f"--port {taken_port + 1}" in refused.value.next_step


def test_an_address_can_be_opened_as_it_is() -> None:
    assert address_of("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert address_of("::1", 80) == "http://[::1]:80/"
