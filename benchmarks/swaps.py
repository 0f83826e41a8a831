"""Swaps of the served version under load: failed requests, answers that mix versions, and the longest gap.

    python benchmarks/swaps.py [--swaps 50] [--connections 8] [--cores shared]

One process asks without a pause over connections that stay open, another publishes, and the service is a third. Every
answer is compared with what its version gives offline, to the last bit; the gap is the longest time in which no
connection got an answer. With `--cores split` the service has the first core and the others the second.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving_world import NAMES, make_workspace
from tasuki.actions.models import publish_model
from tasuki.models.artifact import read_artifact
from tasuki.settings.workspace import open_workspace
from tasuki.store.artifacts import ArtifactStore


@dataclass
class Connection:
    """A connection with its own row; what it was answered is kept as it came."""

    port: int
    number: int
    answers: list[tuple[float, bytes]] = field(default_factory=list)
    asked_at: float = 0.0
    longest_s: float = 0.0

    def __post_init__(self) -> None:
        drawn = random.Random(self.number)
        self.features = {name: round(drawn.gauss(0, 1), 4) for name in NAMES}
        body = json.dumps({"unit": f"u{self.number}", "features": self.features}).encode()
        head = f"POST /v1/models/ctr/score HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        self.request = head.encode() + body
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self) -> None:
        self.asked_at = time.monotonic()
        self.socket.sendall(self.request)

    def take(self) -> None:
        answer = self.socket.recv(65_536)
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self.asked_at)
        self.answers.append((now, answer))
        if not answer:  # the service closed the connection: counted as a failure, and asked anew
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)


def health(port: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def publish(folder: Path, port: int, versions: list[str], swaps: int) -> None:
    """What the publishing process does: each version is waited for, then the next is published."""
    workspace = open_workspace(folder)
    for turn in range(swaps):
        version = versions[turn % len(versions)]
        publish_model(workspace, "ctr", version, channel="challenger", actor="m")
        while health(port)["models"]["ctr"]["arms"]["treatment"]["version"] != version:
            time.sleep(0.02)
    workspace.close()


def ask_until(port: int, count: int, publisher: subprocess.Popen[bytes]) -> list[Connection]:
    connections = [Connection(port, number) for number in range(count)]
    with selectors.DefaultSelector() as selector:
        for one in connections:
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.ask()
        while publisher.poll() is None:
            for key, _ in selector.select(1.0):
                before = key.fileobj
                key.data.take()
                if key.data.socket is not before:
                    selector.unregister(before)
                    selector.register(key.data.socket, selectors.EVENT_READ, key.data)
                key.data.ask()
    if publisher.returncode:
        raise SystemExit("the publishing process failed")
    return connections


def play(folder: Path, versions: list[str], options: argparse.Namespace) -> list[Connection]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    pin = ["taskset", "-c", "0"] if options.cores == "split" else []
    command = [sys.executable, "-m", "tasuki.cli", "model", "serve", "--workspace", str(folder), "--port", str(port)]
    with subprocess.Popen([*pin, *command], stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(400):
                try:
                    if health(port)["status"] == "ok":
                        break
                except OSError:
                    time.sleep(0.05)
            if options.cores == "split":
                os.sched_setaffinity(0, {1})
            publishing = [sys.executable, __file__, "--publish", str(folder), str(port), *versions[:0:-1]]
            with subprocess.Popen([*publishing, "--swaps", str(options.swaps)]) as publisher:
                return ask_until(port, options.connections, publisher)
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--cores", choices=("split", "shared"), default="split")
    parser.add_argument("--publish", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        folder, port, *versions = options.publish
        publish(Path(folder), int(port), versions, options.swaps)
        return
    with tempfile.TemporaryDirectory(prefix="tasuki-swaps-") as made:
        folder = Path(made) / "w"
        versions = make_workspace(folder, ("champion", "challenger", "spare"))
        connections = play(folder, versions, options)
        store = ArtifactStore(folder / "artifacts")
        scorers = {one: read_artifact("ctr", one, store.load("ctr", one)).scorer for one in versions}
    failed = mixed = 0
    for one in connections:
        offline = {version: scorer.score_row(one.features) for version, scorer in scorers.items()}
        for _, answer in one.answers:
            if not answer.startswith(b"HTTP/1.1 200"):
                failed += 1
                continue
            said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
            belongs = (said["version"] == versions[0]) == (said["arm"] == "control") and not said["fallback"]
            mixed += said["score"] != offline[said["version"]] or not belongs
    moments = sorted(moment for one in connections for moment, _ in one.answers)
    gap_s = max(after - before for before, after in itertools.pairwise(moments))
    seconds = moments[-1] - moments[0]
    print(f"{options.swaps} swaps, {len(moments):,} answers in {seconds:.1f} s, load {os.getloadavg()[0]:.1f}")
    print(f"longest wait of one connection: {max(one.longest_s for one in connections) * 1e3:.1f} ms")
    bars = [
        ("failed requests", failed, failed == 0, "none"),
        ("answers that mix versions", mixed, mixed == 0, "none"),
        ("longest time without any answer, ms", round(gap_s * 1e3, 1), gap_s <= 0.05, "at most 50"),
    ]
    for name, value, met, bar in bars:
        print(f"{'met   ' if met else 'MISSED'} {name}: {value:,} ({bar})")


if __name__ == "__main__":
    main()
