"""How much placing units costs: a call in Python, and millions of ids in SQL beside the engine's own SHA-256.

Usage: python benchmarks/assignment.py [--units N] [--quick]

Prints one table. The bars: 2 µs a call for an assignment, and at most 1.2 times the engine's own sha256 over the same
ids for plain arms, which take one hash. Hold-out and layer take one each on top.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from hashlib import sha256

import duckdb
from sqlglot import exp

import tasuki
from tasuki.experiments.allocation import Allocation, HoldOut, Reach, allocation_of, arm_sql
from tasuki.experiments.assignment import assign

TWO = {"control": 0.5, "treatment": 0.5}
FIVE = dict.fromkeys("abcde", 0.2)
PLACED = {
    "two arms": allocation_of("salt", TWO),
    "five arms": allocation_of("salt", FIVE),
    "two arms, hold-out and half of a layer": allocation_of(
        "salt", TWO, layer="layer", reach=Reach(0.0, 0.5), holdout=HoldOut("2026", 0.05)
    ),
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=10_000_000, help="ids in SQL")
    parser.add_argument("--quick", action="store_true", help="a tenth of the ids, fewer rounds")
    options = parser.parse_args()
    units, rounds = (options.units // 10, 3) if options.quick else (options.units, 5)
    print(f"{'Python, one call':<60}{'µs':>8}")
    calls = _calls(rounds)
    for name, microseconds in calls.items():
        print(f"{name:<60}{microseconds:>8.2f}")
    print(f"\n{f'DuckDB, {units:,} ids':<60}{'s':>8}{'ratio':>8}")
    taken, found = _queries(units, rounds)
    for name, seconds in taken.items():
        print(f"{name or 'sha256 alone':<60}{seconds:>8.2f}{found.get(name, 1):>8.2f}")
    count = units // 10
    began = time.perf_counter()
    tasuki.assign([f"user-{n}" for n in range(count)], salt="salt", arms=TWO)
    print(f"\ntasuki.assign of a list of {count:,} texts: {time.perf_counter() - began:.2f} s\n")
    _verdict("assign(unit, salt, arms), µs a call", calls["assign(unit, salt, arms)"], 2)
    for name in ("two arms", "five arms"):
        _verdict(f"{name} in SQL, × the engine's own sha256", found[name], 1.2)


def _verdict(what: str, value: float, most: float) -> None:
    print(f"{'pass' if value <= most else 'FAIL'}  {what}: {value:.2f}, at most {most:g}")


def _calls(rounds: int) -> dict[str, float]:
    ids = [f"user-{n}" for n in range(100_000)]
    alone = _per_call(lambda unit: sha256(f"salt:{unit}".encode()).hexdigest(), ids, rounds)
    found = {"sha256 of the text alone": alone}
    found |= {"assign(unit, salt, arms)": _per_call(lambda unit: assign(unit, "salt", TWO), ids, rounds)}
    for name, allocation in PLACED.items():
        found[f"Allocation.arm_of: {name}"] = _per_call(allocation.arm_of, ids, rounds)
    return found


def _per_call(call: Callable[[str], object], ids: list[str], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        for unit in ids:
            call(unit)
        taken.append((time.perf_counter() - began) / len(ids) * 1e6)
    return statistics.median(taken)


def _queries(units: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds, and the median over rounds of each round's ratio to sha256 alone.

    They are interleaved, so that a busy machine slows all of them: the ratios hold where the seconds do not.
    """
    connection = duckdb.connect()
    connection.execute(f"create table ids as select 'user-' || range as unit from range({units})")
    queries = {"": "sha256('salt:' || unit)"} | {name: _sql(one) for name, one in PLACED.items()}
    taken: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(rounds):
        for name, sql in queries.items():
            began = time.perf_counter()
            connection.sql(f"select max({sql}) from ids").fetchall()
            taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratios = {
        name: statistics.median(one / base for one, base in zip(times, taken[""], strict=True))
        for name, times in taken.items()
        if name
    }
    return medians, ratios


def _sql(allocation: Allocation) -> str:
    return arm_sql(exp.column("unit"), allocation).sql(dialect="duckdb")


if __name__ == "__main__":
    main()
