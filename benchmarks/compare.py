"""Bare SQL, tea-tasting and tasuki on the same users (and events) in one go: seconds, memory and ratios.

    python benchmarks/compare.py [--users 5000000] [--events 30000000] [--repeat 3] [--quick]

Each system runs in a process of its own: mean, proportion, ratio of sums, one CUPED covariate and the split test.
"Work" is what comes after imports and one warm-up on a thousand users; "process" is from the shell to the result.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

USERS_SQL = """\
copy (select (range % 2)::int as variant, hash(range) % 100 as before_score, (hash(range, 3) % 9)::int as views,
             least((hash(range, 3) % 9)::int, (hash(range, 4) % 5)::int) as clicks,
             (hash(range, 5) % 10 = 0)::int as bought,
             (hash(range) % 100) * 0.2 + (hash(range, 6) % 100000) * 0.0003 as revenue
      from range({n})) to '{path}' (format parquet)"""
EVENTS_SQL = """\
copy (select ((hash(range) % {users}) % 2)::int as variant, (hash(range) % {users})::bigint as user_id,
             (hash(range, 6) % 100000) * 0.00005 as revenue, 1 as views, (hash(range, 4) % 5 = 0)::int as clicks
      from range({n})) to '{path}' (format parquet)"""
BARE_USERS = """\
select variant, count(*), avg(revenue), var_samp(revenue), avg(bought), var_samp(bought), avg(clicks), avg(views),
       var_samp(clicks), var_samp(views), covar_samp(clicks, views), avg(before_score), var_samp(before_score),
       covar_samp(revenue, before_score)
from '{path}' group by variant"""
BARE_EVENTS = """\
select variant, count(*), avg(r), var_samp(r), avg(c), avg(v), var_samp(c), var_samp(v), covar_samp(c, v)
from (select any_value(variant) as variant, sum(revenue) as r, sum(clicks) as c, sum(views) as v
      from '{path}' group by user_id) group by variant"""


def bare(path: str, sql: str) -> None:
    """The limit: hand-written SQL, one pass, no result object."""
    import duckdb

    def work(path: str) -> None:
        duckdb.connect().execute(sql.format(path=path)).fetchall()

    report(work, path)


def tea(path: str) -> None:
    """tea-tasting on a Polars scan: its fastest way (Ibis does not run on DuckDB 2)."""
    import polars as pl
    import tea_tasting as tt

    experiment = tt.Experiment(
        revenue=tt.Mean("revenue", "before_score"),
        bought=tt.Mean("bought"),
        ratio=tt.RatioOfMeans("clicks", "views"),
        split=tt.SampleRatio(),
    )
    report(lambda path: experiment.analyze(pl.scan_parquet(path)).to_dicts(), path)


def ours(path: str, events: bool) -> None:
    """tasuki's function."""
    import tasuki
    from tasuki.actions.compare import compare

    assert tasuki.compare is compare
    options = (
        {"unit": "user_id", "means": ["revenue"]}
        if events
        else {"means": ["revenue"], "proportions": ["bought"], "covariates": {"revenue": ["before_score"]}}
    )
    report(lambda path: compare(path, variant="variant", control="0", ratios=[("clicks", "views")], **options), path)


def report(work: Callable[[str], object], path: str) -> None:
    work(str(Path(path).with_name("few-" + Path(path).name)))
    started = time.perf_counter()
    work(path)
    print(json.dumps({"work": time.perf_counter() - started, "mib": peak_mib(resource.RUSAGE_SELF)}))


def peak_mib(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def measured(command: list[str], repeat: int) -> dict[str, float]:
    """Medians over the repeats: work, whole process, and the peak of memory."""
    runs = []
    for _ in range(repeat):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", WRAPPER, *command], capture_output=True, text=True, check=True)
        process = time.perf_counter() - started
        *_, last = done.stdout.strip().splitlines()
        peak, *output = json.loads(last)
        inside = json.loads(output[0]) if output and output[0].startswith('{"work"') else {}
        runs.append({"work": inside.get("work", float("nan")), "process": process, "mib": peak})
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


WRAPPER = """\
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([peak, done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""]))
"""


def table(title: str, systems: dict[str, list[str]], repeat: int) -> None:
    print(f"\n{title}\n| system | work s | × bare SQL | process s | peak MiB |\n|---|---|---|---|---|")
    base = None
    for name, command in systems.items():
        one = measured(command, repeat)
        base = one["work"] if base is None else base
        work = "–" if one["work"] != one["work"] else f"{one['work']:.3f} | {one['work'] / base:.2f}"
        if work == "–":
            work = "– | –"
        print(f"| {name} | {work} | {one['process']:.2f} | {one['mib']:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5_000_000)
    parser.add_argument("--events", type=int, default=30_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, once: does it run at all?")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.users, chosen.events, chosen.repeat = chosen.users // 10, chosen.events // 10, 1
    if chosen.run:
        what, path = chosen.run
        tasks = {
            "bare-users": lambda: bare(path, BARE_USERS),
            "bare-events": lambda: bare(path, BARE_EVENTS),
            "tea-users": lambda: tea(path),
            "ours-users": lambda: ours(path, events=False),
            "ours-events": lambda: ours(path, events=True),
        }
        tasks[what]()
        return
    with tempfile.TemporaryDirectory() as folder:
        compare_all(Path(folder), chosen)


def compare_all(folder: Path, chosen: argparse.Namespace) -> None:
    import duckdb

    users, events = str(folder / "users.parquet"), str(folder / "events.parquet")
    few = {users: USERS_SQL, events: EVENTS_SQL}
    for path, sql in few.items():
        duckdb.execute(sql.format(n=1_000, users=200, path=Path(path).with_name("few-" + Path(path).name)))
    duckdb.execute(USERS_SQL.format(n=chosen.users, path=users))
    me, tasuki = [sys.executable, __file__, "--run"], str(Path(sys.executable).with_name("tasuki"))
    shell = [tasuki, "compare", users, "--variant", "variant", "--control", "0", "--mean", "revenue", "--proportion",
             "bought", "--ratio", "clicks/views", "--covariate", "revenue=before_score"]  # fmt: skip
    systems = {
        "bare DuckDB SQL": [*me, "bare-users", users],
        "tea-tasting on a Polars scan": [*me, "tea-users", users],
        "tasuki.compare": [*me, "ours-users", users],
        "tasuki compare (shell)": shell,
    }
    table(f"{chosen.users:,} users", systems, chosen.repeat)
    table("Nothing but an import", {"import tasuki": [sys.executable, "-c", "import tasuki"]}, chosen.repeat)
    if not chosen.events:
        return
    duckdb.execute(EVENTS_SQL.format(n=chosen.events, users=max(1, chosen.events // 6), path=events))
    shell = [tasuki, "compare", events, "--variant", "variant", "--control", "0", "--unit", "user_id", "--mean",
             "revenue", "--ratio", "clicks/views"]  # fmt: skip
    systems = {
        "bare DuckDB SQL": [*me, "bare-events", events],
        "tasuki.compare": [*me, "ours-events", events],
        "tasuki compare (shell)": shell,
        "tasuki compare --memory 300 (shell)": [*shell, "--memory", "300"],
    }
    table(f"{chosen.events:,} events of {chosen.events // 6:,} users", systems, chosen.repeat)


if __name__ == "__main__":
    main()
