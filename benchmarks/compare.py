"""Bare SQL, tea-tasting and tasuki on the same users (and events) in one go: seconds, memory and ratios.

    python benchmarks/compare.py [--users 5000000] [--events 30000000] [--repeat 5] [--quick]

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
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


def tea_events(path: str) -> None:
    """tea-tasting on the same events, summed to users by Polars in one lazy query."""
    import polars as pl
    import tea_tasting as tt

    experiment = tt.Experiment(
        revenue=tt.Mean("revenue"), ratio=tt.RatioOfMeans("clicks", "views"), split=tt.SampleRatio()
    )

    def work(path: str) -> None:
        sums = [pl.col(one).sum() for one in ("revenue", "clicks", "views")]
        experiment.analyze(pl.scan_parquet(path).group_by("user_id").agg(pl.col("variant").first(), *sums)).to_dicts()

    report(work, path)


def report(work: Callable[[str], object], path: str) -> None:
    work(str(Path(path).with_name("few-" + Path(path).name)))
    started, before = time.perf_counter(), cpu_seconds(resource.RUSAGE_SELF)
    work(path)
    took, cpu = time.perf_counter() - started, cpu_seconds(resource.RUSAGE_SELF) - before
    print(json.dumps({"work": took, "work_cpu": cpu}))


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


# Seconds and memory are those of the command alone, measured by a small process that starts nothing else.
WRAPPER = """\
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
took = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
told = {"code": done.returncode, "error": done.stderr[-500:], "last": last}
print(json.dumps({"process": took, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024, **told}))
"""


def one_run(command: list[str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", WRAPPER, *command], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    if seen["code"] != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{seen['error']}")
    inside = json.loads(seen["last"]) if seen["last"].startswith('{"work"') else {}
    figures = {name: seen[name] for name in ("process", "cpu", "mib")}
    return {**figures, "work": inside.get("work", nan), "work_cpu": inside.get("work_cpu", nan)}


@dataclass(frozen=True)
class Bar:
    """A promise: what is measured, of whom, and its most; with `of_first` as a share of the first system's."""

    system: str
    what: str
    most: float
    of_first: bool = False


NAMES = {"work": "work s", "work_cpu": "work CPU s", "process": "process s", "cpu": "process CPU s", "mib": "peak MiB"}


def table(title: str, systems: dict[str, list[str]], repeat: int, bars: Sequence[Bar]) -> list[str]:
    """Runs the systems in turn, so that a busy machine slows all of them alike; prints medians and verdicts."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    for _ in range(repeat):
        for name, command in systems.items():
            runs[name].append(one_run(command))
    medians = {name: {key: statistics.median(one[key] for one in all_) for key in NAMES} for name, all_ in runs.items()}
    print(f"\n{title} (median of {repeat}, run in turn)\n")
    print(f"| system | work s | × first | {' | '.join(list(NAMES.values())[1:])} |\n|---|{'---|' * (len(NAMES) + 1)}")
    first = next(iter(medians.values()))
    for name, one in medians.items():
        shares = [one["work"], one["work"] / first["work"], *(one[key] for key in list(NAMES)[1:])]
        cells = [f"{value:.0f}" if value >= 100 else f"{value:.3f}" for value in shares]
        print(f"| {name} | {' | '.join('–' if cell == 'nan' else cell for cell in cells)} |")
    print()
    return [verdict(bar, runs) for bar in bars]


def verdict(bar: Bar, runs: dict[str, list[dict[str, float]]]) -> str:
    """Of a ratio the median over rounds: both were run next to each other in each of them."""
    mine = [one[bar.what] for one in runs[bar.system]]
    name, unit = NAMES[bar.what], ""
    if bar.of_first:
        base = [one[bar.what] for one in next(iter(runs.values()))]
        mine, unit = [a / b for a, b in zip(mine, base, strict=True)], " × bare SQL"
    value = statistics.median(mine)
    state = "pass" if value <= bar.most else "FAIL"
    line = f"{state}  {bar.system}: {name} {value:.3g}{unit}, at most {bar.most:g}"
    print(line)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5_000_000)
    parser.add_argument("--events", type=int, default=30_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, once: does it run at all?")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.users, chosen.events, chosen.repeat = chosen.users // 10, chosen.events // 10, 1
        print("quick: a tenth of the rows once; the bars are meant for all of them")
    if chosen.run:
        what, path = chosen.run
        tasks = {
            "bare-users": lambda: bare(path, BARE_USERS),
            "bare-events": lambda: bare(path, BARE_EVENTS),
            "tea-users": lambda: tea(path),
            "tea-events": lambda: tea_events(path),
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
    bars = [
        Bar("tasuki.compare", "work", 1.3, of_first=True),
        Bar("tasuki.compare", "work_cpu", 1.3, of_first=True),
        Bar("tasuki compare (shell)", "process", 1.2),
        Bar("tasuki compare (shell)", "mib", 300),
    ]
    said = table(f"{chosen.users:,} users", systems, chosen.repeat, bars)
    nothing = {"import tasuki": [sys.executable, "-c", "import tasuki"]}
    said += table("Nothing but an import", nothing, chosen.repeat, [Bar("import tasuki", "process", 0.3)])
    if chosen.events:
        said += events_table(events, chosen, (me, tasuki))
    quick = ["--quick"] if chosen.quick else []
    print("\nPlacing units (benchmarks/assignment.py)\n", flush=True)
    placed = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("assignment.py")), *quick],
        check=False,
        capture_output=True,
        text=True,
    )
    print(placed.stdout + placed.stderr)
    said += [line for line in placed.stdout.splitlines() if line.startswith(("pass", "FAIL"))]
    print(f"{sum(one.startswith('pass') for one in said)} of {len(said)} bars hold")


def events_table(events: str, chosen: argparse.Namespace, programs: tuple[list[str], str]) -> list[str]:
    import duckdb

    me, tasuki = programs
    duckdb.execute(EVENTS_SQL.format(n=chosen.events, users=max(1, chosen.events // 6), path=events))
    shell = [tasuki, "compare", events, "--variant", "variant", "--control", "0", "--unit", "user_id", "--mean",
             "revenue", "--ratio", "clicks/views"]  # fmt: skip
    systems = {
        "bare DuckDB SQL": [*me, "bare-events", events],
        "tea-tasting on a Polars scan": [*me, "tea-events", events],
        "tasuki.compare": [*me, "ours-events", events],
        "tasuki compare (shell)": shell,
        "tasuki compare --memory 300 (shell)": [*shell, "--memory", "300"],
    }
    needed_mib = 120 * chosen.events // 1_000_000
    if free_mib() < needed_mib:
        del systems["tea-tasting on a Polars scan"]
        print(f"\ntea-tasting is left out: {free_mib():,} MiB are free, it may take {needed_mib:,} for these events")
    bars = [
        Bar("tasuki.compare", "work", 1.3, of_first=True),
        Bar("tasuki.compare", "work_cpu", 1.3, of_first=True),
        Bar("tasuki compare --memory 300 (shell)", "mib", 300),
    ]
    return table(f"{chosen.events:,} events of {chosen.events // 6:,} users", systems, chosen.repeat, bars)


def free_mib() -> int:
    """Memory that can be had without swapping (Linux); plenty where it cannot be known."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    except OSError:
        return 1_000_000
    return int(lines["MemAvailable"].split()[0]) // 1024


if __name__ == "__main__":
    main()
