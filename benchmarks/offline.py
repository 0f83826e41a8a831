"""Paired offline metrics on a million impressions against scikit-learn; and how often the intervals hold.

Run: `python benchmarks/offline.py` (speed), `python benchmarks/offline.py coverage [RUNS]` (a table of coverage).
"""

import resource
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
    """One file, each way in turn, best of three."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.metrics import log_loss, roc_auc_score

    from tasuki.warehouse import Warehouse, source_of

    rng = np.random.default_rng(1)
    labels, champion, challenger, units = (column[:1_000_000] for column in drawn(rng, 260_000, 4, 3.0))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.parquet")
        pq.write_table(pa.table({"y": labels, "a": champion, "b": challenger, "unit": units}), path)

        def ours():
            columns = Warehouse().read_columns(source_of(path), ["y", "a", "b", "unit"])
            return compare_scores(Scored(columns["y"], columns["a"], columns["b"], columns["unit"]))

        def peer():
            found = duckdb.connect().sql(f"select y, a, b from '{path}'").fetchnumpy()
            return [score(found["y"], found[name]) for name in "ab" for score in (log_loss, roc_auc_score)]

        mine, before = best(ours), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        theirs = best(peer)
    print(f"{len(labels):,} rows, {len(np.unique(units)):,} users, {int(labels.sum()):,} positives")
    print(f"tasuki, all metrics with clustered intervals   {mine:6.2f} s   peak {before:,.0f} MiB")
    print(f"scikit-learn, log loss and AUC, no intervals   {theirs:6.2f} s   ratio {mine / theirs:.2f}")


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
    if sys.argv[1:2] == ["coverage"]:
        coverage(int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
    else:
        speed()
