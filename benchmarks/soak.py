"""The service under steady load for a while: is its memory flat, and does nothing fail?

    python benchmarks/soak.py [--seconds 600] [--rate 2000] [--durable]

Rows differ all the time, a share of them is faulty, and a version is published now and then. Memory is
sampled after the first tenth; its slope comes with a 95 % interval, from the lowest level in each of ten parts of the
time: what is held between segments, since building one takes some megabytes for a moment. The bar is missed when the
whole interval lies above 0. Below some minutes the slope says little: the first growth of a process is still in it.
Faulty rows must be refused, and nothing else.
"""

import argparse
import http.client
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from serving_world import NAMES, make_workspace
from tasuki.actions.models import publish_model
from tasuki.settings.workspace import open_workspace

PARTS = 10
T_95 = 2.306
"""Student's t for eight degrees of freedom: a line through ten points."""


class Client(threading.Thread):
    """Asks at a steady rate; every hundredth row is faulty."""

    def __init__(self, port: int, number: int, per_s: float) -> None:
        super().__init__(daemon=True)
        self.port, self.drawn, self.pause_s = port, random.Random(number), 1 / per_s
        self.stopped = threading.Event()
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        due = time.monotonic()
        while not self.stopped.is_set():
            self.ask(connection, faulty=self.answered % 100 == 99)
            due += self.pause_s
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, *, faulty: bool) -> None:
        features: dict[str, Any] = {name: self.drawn.gauss(0, 1) for name in NAMES}
        if faulty:
            features[self.drawn.choice(NAMES)] = None
        try:
            body = json.dumps({"unit": self.drawn.random().hex(), "features": features})
            connection.request("POST", "/v1/models/ctr/score", body)
            response = connection.getresponse()
            said = response.read()
            if response.status != (400 if faulty else 200):
                self.failures.append(said.decode())
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
            connection.close()
        self.answered += 1


def wait_until_ready(port: int) -> None:
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise SystemExit("the service did not become ready")


def memory_mb(process: int) -> float:
    """What the process holds for itself: its share of libraries changes with who else on the machine has them open."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def lowest(samples: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Hours and MB of the lowest level in each of ten parts of the time."""
    size = max(1, len(samples) // PARTS)
    parts = [samples[start : start + size] for start in range(0, size * PARTS, size)]
    return [statistics.fmean(at for at, _ in part) / 3600 for part in parts], [
        min(mb for _, mb in part) for part in parts
    ]


def slope(hours: list[float], levels: list[float]) -> tuple[float, float, float]:
    """MB per hour with a 95 % interval, of a line through the levels."""
    line = statistics.linear_regression(hours, levels)
    rest = sum((level - line.intercept - line.slope * hour) ** 2 for hour, level in zip(hours, levels, strict=True))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    half = T_95 * (rest / (PARTS - 2) / spread) ** 0.5
    return line.slope, line.slope - half, line.slope + half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--rate", type=float, default=2_000, help="requests a second")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tasuki-soak-") as made:
        folder = Path(made) / "w"
        versions = make_workspace(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "tasuki.cli", "model", "serve", "--workspace", str(folder)]
        command += ["--port", str(port), *(["--durable"] if options.durable else [])]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                wait_until_ready(port)
                soak(server, port, folder, versions, options)
            finally:
                server.terminate()


def soak(
    server: subprocess.Popen[bytes], port: int, folder: Path, versions: list[str], options: argparse.Namespace
) -> None:
    clients = [Client(port, number, options.rate / options.clients) for number in range(options.clients)]
    for client in clients:
        client.start()
    workspace, began, samples, swaps = open_workspace(folder), time.monotonic(), [], 0
    while (at := time.monotonic() - began) < options.seconds:
        if at > options.seconds * swaps / 20:
            publish_model(workspace, "ctr", versions[swaps % 2], channel="challenger", actor="m")
            swaps += 1
        if at > options.seconds / 10:
            samples.append((at, memory_mb(server.pid)))
        time.sleep(min(1.0, options.seconds / 100))
    workspace.close()
    for client in clients:
        client.stopped.set()
    for client in clients:
        client.join()
    hours, levels = lowest(samples)
    per_hour, low, high = slope(hours, levels)
    failures = [one for client in clients for one in client.failures]
    answered = sum(client.answered for client in clients)
    print(f"{answered:,} requests in {options.seconds} s, {swaps} publications")
    print(f"lowest memory in each tenth of the time, MB: {', '.join(f'{level:.1f}' for level in levels)}")
    print(f"highest sample: {max(mb for _, mb in samples):.1f} MB")
    print(f"slope: {per_hour:+.1f} MB an hour (95 % interval {low:+.1f} to {high:+.1f})")
    print(f"{'met   ' if not failures else 'MISSED'} failed requests: {len(failures)} (none)")
    met, lies = ("met   ", "does not lie") if low <= 0 else ("MISSED", "lies")
    print(f"{met} flat memory: the interval of the slope {lies} above 0")
    for one in failures[:5]:
        print(one)


if __name__ == "__main__":
    main()
