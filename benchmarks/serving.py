"""The inference service against its peers with the same model, one after another on the same machine, with ratios.

    python benchmarks/serving.py [--peers] [--quick] [--seconds 10] [--repeat 3] [--cores split] [--only NAME …]

One row as JSON per request, 32 connections that stay open, rows rotated (one row repeated would teach the branch
predictor), LightGBM with 200 trees of 31 leaves over 30 features. tasuki assigns two arms and logs every exposure;
`durable` answers only once the exposure is on the disk.

With `--cores shared`, the default, server and generator use all cores, as in the figures that the bars come from
(there the constant answer takes 30 µs of processor time 39,700 times a second: more than one core). With `split` the
server has the first core and the generator the second. That changes the peers: MLflow hands its interpreter from one
thread to another, which costs less on one core, so it gets about twice as fast there.

The load comes from wrk (Debian: apt-get install wrk). With `--peers` MLflow and FastAPI are installed, by pinned
version, into an environment of their own below the temporary folder; they are no requirement of the project.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from serving_world import NAMES, make_workspace, model_text

HERE = Path(__file__).parent
PEERS = ("mlflow==3.17.2", "fastapi==0.165.0", "uvicorn==0.54.0", "lightgbm==4.7.0")
CONNECTIONS = 32
LUA = """\
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local turn = 0
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
request = function()
  turn = turn %% #bodies + 1
  return wrk.format(nil, "%s", nil, bodies[turn])
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "failed": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True)
class System:
    """What is measured: how it is started, and what it is asked."""

    name: str
    command: tuple[str, ...]
    path: str
    form: str


@dataclass(frozen=True)
class Measured:
    """Medians of the runs."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    start_s: float
    memory_mb: float
    failed: int


def body(form: str, row: list[float], unit: int) -> str:
    match form:
        case "tensor":
            said: object = {"inputs": [row]}
        case "columns":
            said = {"dataframe_split": {"columns": NAMES, "data": [row]}}
        case _:
            said = {"unit": f"u{unit}", "features": dict(zip(NAMES, row, strict=True))}
    return json.dumps(said, separators=(",", ":"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(process: int) -> list[int]:
    found = [process]
    for one in found:
        listed = Path(f"/proc/{one}/task/{one}/children")
        found += [int(child) for child in listed.read_text().split()] if listed.exists() else []
    return found


def cpu_s(processes: list[int]) -> float:
    ticks = 0
    for one in processes:
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(processes: list[int]) -> float:
    kilobytes = 0
    for one in processes:
        lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def answers(port: int, path: str, content: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, content, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def measure(system: System, options: argparse.Namespace, folder: Path) -> Measured:
    drawn, port = random.Random(7), free_port()
    rows = [[round(drawn.gauss(0, 1), 4) for _ in NAMES] for _ in range(2_000)]
    bodies = folder / f"{system.form}.txt"
    bodies.write_text("\n".join(body(system.form, row, drawn.randrange(10**6)) for row in rows) + "\n")
    script = folder / f"{system.form}{len(system.path)}.lua"
    script.write_text(LUA % (bodies, system.path))
    on_server, on_generator = (["taskset", "-c", core] if options.cores == "split" else [] for core in ("0", "1"))
    command = [*on_server, *(part.format(port=port) for part in system.command)]
    log = (folder / "servers.log").open("ab")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environment |= {"PATH": f"{Path(command[len(on_server)]).parent}:{os.environ['PATH']}"}
    began = time.monotonic()
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, process_group=0)
    try:
        first = bodies.read_text().split("\n", 1)[0]
        while not answers(port, system.path, first):
            if server.poll() is not None or time.monotonic() > began + 120:
                said = (folder / "servers.log").read_text(errors="replace")[-2_000:]
                raise SystemExit(f"{system.name} did not start:\n{said}")
            time.sleep(0.01)
        start_s = time.monotonic() - began
        wrk = [*on_generator, "wrk", "-t1", f"-c{CONNECTIONS}", "--timeout", "20s", "-s", str(script)]
        address = f"http://127.0.0.1:{port}"
        subprocess.run([*wrk, "-d2s", address], capture_output=True, check=True)
        runs = []
        for _ in range(options.repeat):
            processes = descendants(server.pid)
            before = cpu_s(processes)
            said = subprocess.run([*wrk, f"-d{options.seconds}s", address], capture_output=True, text=True, check=True)
            result = json.loads(next(line for line in said.stdout.splitlines() if line.startswith("RESULT"))[7:])
            runs.append({**result, "cpu_s": cpu_s(processes) - before})
        held_mb = memory_mb(descendants(server.pid))
    finally:
        end(server)
    middle = {name: statistics.median(run[name] for run in runs) for name in ("p50_ms", "p99_ms")}
    return Measured(
        per_s=statistics.median(run["requests"] / run["seconds"] for run in runs),
        cpu_us=statistics.median(run["cpu_s"] / max(run["requests"], 1) * 1e6 for run in runs),
        start_s=start_s,
        memory_mb=held_mb,
        failed=sum(run["failed"] for run in runs),
        **middle,
    )


def end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and the processes it started, which are in a session of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.3)


def peers_python(folder: Path, install: bool) -> Path | None:
    """The Python of the peers' environment, made when it is asked for; None without one."""
    python = folder / "bin" / "python"
    if not python.exists() and install:
        print(f"installing {', '.join(PEERS)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python if python.exists() and install else None


def systems(folder: Path, python: Path | None) -> list[System]:
    program, serve = str(HERE / "serving_peers.py"), (sys.executable, "-m", "tasuki.cli", "model", "serve")
    own = (*serve, "--workspace", str(folder / "w"), "--port", "{port}")
    score = "/v1/models/ctr/score"
    found = [
        System("constant answer after reading the body", (sys.executable, program, "constant", "{port}"), score, "row"),
        System("tasuki", own, score, "row"),
        System("tasuki, durable", (*own, "--durable"), score, "row"),
    ]
    if python is not None:
        text = folder / "model.txt"
        text.write_text(model_text(folder / "w"))
        found.append(System("FastAPI", (str(python), program, "fastapi", str(text), "{port}"), "/score", "row"))
        mlflow = (str(python), "-m", "mlflow", "models", "serve", "--env-manager", "local", "-p", "{port}", "-m")
        for form in ("tensor", "columns"):
            place = folder / f"mlflow-{form}"
            saving = [str(python), program, "mlflow-save", str(text), str(place), form]
            subprocess.run(saving, capture_output=True, check=True)
            found.append(System(f"MLflow, {form}", (*mlflow, str(place)), "/invocations", form))
    return found


def show(name: str, one: Measured, limit: Measured | None) -> None:
    ratio = f"{one.per_s / limit.per_s:6.1%}" if limit else ""
    failed = f"  {one.failed} FAILED" if one.failed else ""
    print(
        f"| {name:<40} | {one.per_s:10,.0f} | {one.p50_ms:7.2f} | {one.p99_ms:7.2f} | {one.cpu_us:9,.0f} |"
        f" {one.start_s:7.2f} | {one.memory_mb:9.0f} | {ratio:>8} |{failed}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="measure MLflow and FastAPI too")
    parser.add_argument("--peers-folder", type=Path, default=Path(tempfile.gettempdir()) / "tasuki-serving-peers")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one run of 3 seconds each")
    parser.add_argument("--cores", choices=("split", "shared"), default="shared")
    parser.add_argument("--only", nargs="*", help="systems whose name begins so")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.repeat = 3, 1
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load and is not here: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="tasuki-serving-") as made:
        folder = Path(made)
        make_workspace(folder / "w")
        measured: dict[str, Measured] = {}
        load = os.getloadavg()[0]
        print(f"{options.repeat} × {options.seconds} s, cores {options.cores}, load before: {load:.1f}")
        print("| system | requests/s | p50 ms | p99 ms | CPU µs/request | start s | memory MB | to the limit |")
        print("|---|---|---|---|---|---|---|---|")
        for system in systems(folder, peers_python(options.peers_folder, options.peers)):
            if not options.only or system.name.startswith(tuple(options.only)):
                measured[system.name] = measure(system, options, folder)
                show(system.name, measured[system.name], next(iter(measured.values())))
    judge(measured)


def judge(measured: dict[str, Measured]) -> None:
    """The bars, each with what was measured."""
    limit, own = (next((one for name, one in measured.items() if name.startswith(start)), None)
                  for start in ("constant", "tasuki"))  # fmt: skip
    if own is None:
        return
    bars = [
        ("requests/s", own.per_s, own.per_s >= 15_000, "at least 15,000"),
        ("p99 ms", own.p99_ms, own.p99_ms <= 6, "at most 6"),
        ("start s", own.start_s, own.start_s <= 3, "at most 3"),
        ("memory MB", own.memory_mb, own.memory_mb <= 250, "at most 250"),
    ]
    if limit is not None and limit is not own:
        bars.append(("share of the limit", own.per_s / limit.per_s, own.per_s >= 0.38 * limit.per_s, "at least 0.38"))
    mlflow = max((one.per_s for name, one in measured.items() if name.startswith("MLflow")), default=0.0)
    if mlflow:
        bars.append(("times MLflow's faster form", own.per_s / mlflow, own.per_s >= 20 * mlflow, "at least 20"))
    for name, value, met, bar in bars:
        print(f"{'met   ' if met else 'MISSED'} {name}: {value:,.2f} ({bar})")


if __name__ == "__main__":
    main()
