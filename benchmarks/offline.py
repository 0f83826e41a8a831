"""Paired offline metrics on a million impressions against scikit-learn; and how often the intervals hold.

Run: `python benchmarks/offline.py` (speed), `python benchmarks/offline.py coverage [RUNS]` (a table of coverage).
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from tasuki.offline.compare import compare_scores
from tasuki.offline.scored import Scored

METRICS = ("log_loss", "normalized_entropy", "auc", "grouped_auc", "calibration_ratio")


def drawn(rng, users, rows_per_user, intercept):
    """Rows whose users differ in taste, which neither model sees: rows of one user go together."""
    sizes = rng.geometric(1 / rows_per_user, users)
    units = np.repeat(np.arange(users), sizes)
    taste = rng.normal(0, 1, users)[units]
    seen, hidden = rng.normal(0, 1, (2, len(units)))
    known = 0.5 * rng.normal(0, 1, users)[units]
    labels = rng.random(len(units)) < 1 / (1 + np.exp(intercept - seen - 0.5 * hidden - taste - known))
    champion = 1 / (1 + np.exp(intercept - 0.4 - seen))
    challenger = 1 / (1 + np.exp(intercept - 0.4 - seen - 0.5 * hidden - known))
    return labels, champion, challenger, units


def speed():
    """One file, each way in a process of its own: seconds of work (best of three) and peak memory."""
    rng = np.random.default_rng(1)
    labels, champion, challenger, units = (column[:1_000_000] for column in drawn(rng, 260_000, 4, 3.0))
    print(f"{len(labels):,} rows, {len(np.unique(units)):,} users, {int(labels.sum()):,} positives")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.parquet")
        columns = {"y": labels, "a": champion, "b": challenger, "unit": units}
        write(columns, path)
        found = {}
        for way in WAYS:
            child = subprocess.run(
                [sys.executable, __file__, "run", way, path], capture_output=True, check=True, text=True
            )
            seconds, peak = map(float, child.stdout.split())
            found[way] = seconds
            print(f"{way:60} {seconds:6.2f} s   peak {peak:5.0f} MiB")
    ours, peer = found.values()
    print(f"ratio {ours / peer:.2f}")


def write(columns, path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)


def ours(path):
    from tasuki.actions.offline import offline_compare

    return offline_compare(path, label="y", champion="a", challenger="b", unit="unit")


def peer(path):
    from sklearn.metrics import log_loss, roc_auc_score

    found = duckdb.connect().sql(f"select y, a, b from '{path}'").fetchnumpy()
    return [score(found["y"], found[name]) for name in "ab" for score in (log_loss, roc_auc_score)]


WAYS = {
    "tasuki: five metrics with user-clustered intervals, curve": ours,
    "scikit-learn: log loss and AUC, no intervals": peer,
}


def best(run):
    """The shortest of three runs, in seconds."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def coverage(runs):
    """How often the 95 % interval of each paired difference holds the true one, with units and without."""
    print(f"{'users':>6} {'rows/user':>9} {'positives':>9}  {'':12}" + "".join(f"{name:>20}" for name in METRICS))
    for users, rows_per_user, intercept in ((400, 10, 3.0), (2_000, 3, 3.0), (2_000, 1, 3.0), (2_000, 3, 5.0)):
        truth = average(np.random.default_rng(7), rows_per_user, intercept)
        hits = {(name, kind): [] for name in METRICS for kind in ("by unit", "by row")}
        positives = 0.0
        for run in range(runs):
            labels, champion, challenger, units = drawn(
                np.random.default_rng([run, users]), users, rows_per_user, intercept
            )
            positives += labels.sum() / runs
            for kind, given in (("by unit", units), ("by row", None)):
                for one in compare_scores(Scored(labels, champion, challenger, given)).metrics:
                    if one.difference_low is not None and one.difference_high is not None:
                        hits[one.name, kind].append(one.difference_low <= truth[one.name] <= one.difference_high)
        for kind in ("by unit", "by row"):
            cells = "".join(f"{share(hits[name, kind]):>20}" for name in METRICS)
            print(f"{users:>6} {rows_per_user:>9} {positives:>9.0f}  {kind:12}{cells}")


def share(hits):
    return f"{100 * np.mean(hits):.1f}%" if hits else "–"


def average(rng, rows_per_user, intercept):
    """The true differences, from a sample so large that its own error does not matter."""
    labels, champion, challenger, units = drawn(rng, 2_000_000 // rows_per_user, rows_per_user, intercept)
    return {one.name: one.difference for one in compare_scores(Scored(labels, champion, challenger, units)).metrics}


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        took = best(lambda: WAYS[sys.argv[2]](sys.argv[3]))
        print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    elif sys.argv[1:2] == ["coverage"]:
        coverage(int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
    else:
        speed()
