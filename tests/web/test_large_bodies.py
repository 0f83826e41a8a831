"""What is sent without an end: by a real server in its own process, whose memory is measured while it is sent."""

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tasuki.settings.workspace import Choices, init_workspace

MIB = 1 << 20
SENT_MIB = 200
GROWTH_MIB = 48
"""Bodies are at most 2 MiB; the rest is what a server keeps for its lines."""


@dataclass(frozen=True)
class Served:
    """A served workspace: its process and port."""

    pid: int
    port: int

    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB

    def is_quick(self) -> float:
        began = time.monotonic()
        assert httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=10).status_code == 200
        return time.monotonic() - began


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if not Path("/proc/self/statm").exists():
        pytest.skip("this machine does not say how much memory a process has")
    folder = tmp_path_factory.mktemp("bodies") / "w"
    init_workspace(folder, Choices()).close()
    command = [sys.executable, "-m", "tasuki.cli", "serve", "--workspace", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", said)):
                line = process.stdout.readline() if process.stdout else ""
                assert line, f"the server did not start: {said}"
                said += line
            one = Served(process.pid, int(found[1]))
            for _ in range(100):
                with suppress(httpx.TransportError):
                    one.is_quick()
                    break
                time.sleep(0.1)
            yield one
        finally:
            process.terminate()
            process.wait(20)


PLACES = ("/api/v1/ideas", "/new-idea", "/sign-in", "/ideas/idea-1/attach/learning", "/no-such-place")
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
FIRST = {
    "application/json": b'{"title": "',
    "application/x-www-form-urlencoded": b"title=",
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
}


def of_this_site(served: Served) -> str:
    """The headers of a browser that has this site's page open, so that bodies are read and not refused before."""
    page = httpx.get(f"http://127.0.0.1:{served.port}/accounts")
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', page.text)
    assert mark
    return f"Cookie: tasuki_visit={page.cookies['tasuki_visit']}\r\nX-Tasuki-Mark: {mark[1]}\r\n"


def pour(served: Served, place: str, kind: str, mib: int) -> tuple[int, float]:
    """Sends a body without a length until the server has had enough: its status and the most memory it had."""
    most = 0.0
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        head = f"POST {place} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n"
        head += f"{of_this_site(served)}\r\n"
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with suppress(OSError):
            line.sendall(head.encode() + f"{len(FIRST[kind]):x}\r\n".encode() + FIRST[kind] + b"\r\n")
            for n in range(mib * 16):
                line.sendall(piece)
                if n % 64 == 0:
                    most = max(most, served.resident_mib())
            line.sendall(b"0\r\n\r\n")
        with suppress(OSError, http.client.HTTPException):
            answer = http.client.HTTPResponse(line)
            answer.begin()
            return answer.status, most
    return 0, most


def test_a_body_without_an_end_takes_no_memory_and_no_time(served: Served) -> None:
    before = served.resident_mib()
    for place in PLACES:
        for kind in KINDS:
            mib = SENT_MIB if place in PLACES[:2] else 8
            status, most = pour(served, place, kind, mib)
            # A server that has had enough may close the line before its answer is read.
            assert status in (0, 400, 403, 404, 405, 413), (place, kind, status)
            assert most - before < GROWTH_MIB, f"{place} as {kind}: {most - before:.0f} MiB more"
            assert served.is_quick() < 2
    assert served.resident_mib() - before < GROWTH_MIB


def test_a_body_that_says_it_is_large_is_not_read(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        head = "POST /api/v1/ideas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}{of_this_site(served)}Content-Length: {SENT_MIB * MIB}\r\n\r\n{{".encode())
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 413


def test_bodies_that_come_a_letter_at_a_time_hold_nobody_up(served: Served) -> None:
    before, lines = served.resident_mib(), []
    try:
        for _ in range(60):
            line = socket.create_connection(("127.0.0.1", served.port), timeout=10)
            head = "POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            line.sendall(f"{head}Content-Length: 1000\r\n\r\nname=".encode())
            lines.append(line)
        for _ in range(3):
            for line in lines:
                line.sendall(b"x")
            assert served.is_quick() < 2
        assert served.resident_mib() - before < GROWTH_MIB
    finally:
        for line in lines:
            line.close()
    assert served.is_quick() < 2


@pytest.mark.parametrize(
    "bomb",
    [b"[" * 1_500_000, b'{"a":' * 300_000, b'{"title":' + b"9" * 1_500_000 + b"}", b'"' + b"\\u0000" * 200_000 + b'"'],
    ids=["arrays", "objects", "a number", "zeros"],
)
def test_a_body_that_is_nested_or_strange_is_a_fault_of_the_request(served: Served, bomb: bytes) -> None:
    before = served.resident_mib()
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}") as client:
        own = dict(one.split(": ") for one in of_this_site(served).strip().split("\r\n"))
        headers = {"content-type": "application/json", **own}
        answer = client.post("/api/v1/ideas", content=bomb, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert served.resident_mib() - before < 2 * GROWTH_MIB
    assert served.is_quick() < 2
