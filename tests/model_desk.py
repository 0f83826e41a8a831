"""A small workspace with a model, a published champion and a challenger, and the service as a real process."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasuki.actions.members import add_member
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.workspace import Workspace
from tasuki.settings.workspace import Choices, init_workspace

MODEL_FILE = """\
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category, cross, hour_of_day, number

model = Model(
    name="ctr",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked", delay_hours=24, time="clicked_at"),
    features=({features}),
    estimator=LogisticRegression(C={c}, max_iter=50),
    buckets=2**12,
    segments=("app",),
    intended_use="bids",
    unsuitable_use="anything else",
    baseline="the click rate",
)
"""
CHAMPION = 'category("app"), category("slot"), hour_of_day("at", utc_offset_hours=9)'
CHALLENGER = CHAMPION + ', cross("app", "slot"), number("minutes_since_last", bins=(5, 30, 120))'


def write_impressions(folder: Path, rows: int = 4_000, seed: int = 1) -> None:
    """Ten days of impressions whose click rate depends on app and recency; some clicks come late."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2026-03-01T00:00:00", "us")
    at = start + np.sort(rng.integers(0, 10 * 86_400_000_000, rows)).astype("timedelta64[us]")
    app, slot = rng.integers(0, 8, rows), rng.integers(0, 3, rows)
    minutes = np.round(rng.exponential(60.0, rows), 3)
    clicked = rng.random(rows) < 1 / (1 + np.exp(2.0 - 0.3 * app + 0.01 * minutes))
    delay = rng.integers(1, 30 * 3600, rows).astype("timedelta64[s]")
    stamp = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "at": pa.array(at, stamp),
            "user": [f"u{one}" for one in rng.integers(0, 500, rows)],
            "app": [f"app{one}" for one in app],
            "slot": [("top", "side", "bottom")[one] for one in slot],
            "os": [("ios", "android")[one] for one in rng.integers(0, 2, rows)],
            "minutes_since_last": pa.array(minutes),
            "clicked": pa.array(clicked),
            "clicked_at": pa.array(at + delay, stamp, mask=~clicked),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-0.parquet")


def write_model(workspace: Workspace, name: str, features: str, c: float = 1.0) -> Path:
    path = workspace.folder / "models" / f"{name}.py"
    path.write_text(MODEL_FILE.format(features=features, c=c), encoding="utf-8")
    return path


def new_workspace(folder: Path) -> Workspace:
    """A workspace with a table of impressions and three members."""
    init_workspace(folder, Choices(name="desk", language="en", formation="all_in_one", member="sota")).close()
    write_impressions(folder / "logs" / "impressions")
    from tasuki.settings.workspace import open_workspace

    workspace = open_workspace(folder)
    add_member(workspace, "sota", actor="sota", roles=["ml_engineer"])
    add_member(workspace, "ren", actor="sota", roles=["data_scientist"])
    add_member(workspace, "aoi", actor="sota", roles=["analyst"])
    return workspace


def train_and_publish(workspace: Workspace, name: str, features: str, channel: str, c: float = 1.0) -> str:
    version = train_model(workspace, write_model(workspace, name, features, c), actor="ren").version
    publish_model(workspace, "ctr", version, channel=channel, actor="sota")
    return version


@dataclass
class Running:
    """A service process that listens."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, raw)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def score(self, body: Any, model: str = "ctr") -> tuple[int, Any]:
        return self.ask("POST", f"/v1/models/{model}/score", body)

    def health(self) -> Any:
        return self.ask("GET", "/health")[1]

    def wait(self, done: Any, seconds: float = 8.0) -> Any:
        """Waits until `done(health)` and returns that health."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            health = self.health()
            if done(health):
                return health
            time.sleep(0.02)
        raise AssertionError(f"health never became so: {health}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_service(folder: Path, *options: str) -> Running:
    port = free_port()
    command = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "model", "serve"]
    command += ["--workspace", str(folder), "--port", str(port), *options]
    began = time.monotonic()
    with (folder / "serving" / "service.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONWARNINGS": "error"})
    running = Running(process, port, 0.0)
    while time.monotonic() < began + 20:
        assert process.poll() is None, (folder / "serving" / "service.log").read_text()
        try:
            running.ask("GET", "/health")
        except OSError:
            time.sleep(0.02)
            continue
        running.start_s = time.monotonic() - began
        return running
    raise AssertionError("the service did not start")


def exposures(folder: Path) -> list[dict[str, Any]]:
    """Every exposure that is in a finished segment."""
    segments = sorted((folder / "logs" / "exposures").glob("*.parquet"))
    return [row for one in segments for row in pq.read_table(one).to_pylist()]
