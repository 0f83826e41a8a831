"""How fast the world is drawn and played, and what is true in it: `python benchmarks/world.py`.

Prints the seconds and the peak memory of one million opportunities (drawn; drawn, bought and logged as Parquet;
drawn, scored within the process, bought and logged), and the true effect and power of the sample models' A/B 2.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import NormalDist

import duckdb
import numpy as np
import pyarrow.parquet as pq

from tasuki.experiments.assignment import assign_many
from tasuki.models.artifact import read_artifact
from tasuki.models.file import load_model_file
from tasuki.models.training import score_rows, select_rows, train
from tasuki.samples import exchange, oracle, play, scoring, training
from tasuki.samples.exchange import World

MILLION = 1_000_000
LEARNING_DAYS, LEARNING_COUNT = 10, 90_000
DAYS, COUNT = range(15, 22), 70_000
FILES = Path(training.__file__).parent / "files"


def timed(what: str, run) -> None:
    started = time.perf_counter()
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<58} {time.perf_counter() - started:6.2f} s   peak {peak:5.0f} MiB")


def in_halves(units: list[str]) -> np.ndarray:
    return np.array([arm for arm, _ in assign_many(units, "ab", {"control": 0.5, "treatment": 0.5})])


def time_a_million(world: World, folder: Path) -> None:
    timed("1 M opportunities drawn", lambda: [len(one) for one in exchange.draw_opportunities(world, 0, MILLION)])
    timed(
        "1 M opportunities drawn, bought and logged (8 days)",
        lambda: training.training_log(world, range(8), MILLION // 8, folder / "log"),
    )
    arms = {"control": oracle.recency_blind, "treatment": oracle.all_knowing}
    stage = play.Stage(world, folder=folder / "outcomes")
    scorer = scoring.LocalScorer(arms, in_halves)
    timed("1 M opportunities played with two arms and logged", lambda: play.play(stage, range(4), MILLION // 4, scorer))


def learn(world: World, folder: Path) -> dict[str, scoring.Policy]:
    training.training_log(world, range(LEARNING_DAYS), LEARNING_COUNT, folder / "impressions")
    table = pq.read_table(folder / "impressions")
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    policies = {}
    for arm, name in (("control", "ctr_champion"), ("treatment", "ctr_recency")):
        file = load_model_file(FILES / f"{name}.py")
        trained = train(file.model, select_rows(file.model, columns), file.content_hash, table.column_names)
        artifact = read_artifact("ctr", name, trained.files)
        policies[arm] = lambda request, artifact=artifact: score_rows(artifact, as_table(request))
    return policies


def as_table(request: scoring.Request) -> dict[str, np.ndarray]:
    columns = {
        name: np.array(values, dtype=float if name == "minutes_since_last" else object)
        for name, values in request.columns().items()
    }
    start = np.datetime64(request.world.start.replace(tzinfo=None), "us")
    return columns | {"at": start + np.rint(request.opportunities.seconds * 1e6).astype("timedelta64[us]")}


def tell_the_truth(world: World, folder: Path) -> None:
    policies = learn(world, folder)
    effect = oracle.true_effect(play.Stage(world), DAYS, COUNT, policies["control"], policies["treatment"])
    best = oracle.true_effect(play.Stage(world), DAYS, COUNT, oracle.recency_blind, oracle.all_knowing)
    print(f"\ntrue click rate {oracle.mean_click_rate(world, 1, 200_000):.4%}")
    print(f"true effect on clicks, same budget: learnt models {effect.relative:+.1%}")
    print(f"  policies that know the truth, without and with recency: {best.relative:+.1%}")
    outcomes = folder / "ab2"
    scorer = scoring.LocalScorer(policies, in_halves)
    summary = play.play(play.Stage(world, folder=outcomes), DAYS, COUNT, scorer)
    for arm, one in summary.arms.items():
        print(f"  {arm:<9} {one.answered:,} answered, {one.won:,} won, {one.clicks} clicks, spend {one.spend:,.0f} fen")
    per_user = f"select unit, arm, sum(clicked::integer) as clicks from '{outcomes}/*.parquet' group by all"
    rows = duckdb.sql(f"select var_samp(clicks), count(*) from ({per_user}) group by arm").fetchall()
    spread = sum(variance / users for variance, users in rows) ** 0.5
    users = sum(count for _, count in rows)
    gap = (effect.challenger - effect.champion) / users
    power = NormalDist().cdf(gap / spread - 1.96)
    print(f"clicks per user: true difference {gap:.5f}, standard error {spread:.5f}, power at 5 %: {power:.4f}")


def main() -> None:
    world = World(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    with tempfile.TemporaryDirectory() as folder:
        time_a_million(world, Path(folder))
        tell_the_truth(world, Path(folder))


if __name__ == "__main__":
    main()
