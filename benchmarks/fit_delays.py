"""Fits `tasuki.samples.delays` to real click-to-install delays: `python benchmarks/fit_delays.py DATA_DIR`.

DATA_DIR holds `talkingdata_100k.csv.gz`. The logarithm of the seconds from click to install is read as two normals
(people who install at once, and those who come back to it), by expectation maximisation. Printed: the parameters and
the quantiles of data and fit.
"""

import sys
from pathlib import Path

import duckdb
import numpy as np
from scipy.special import ndtr


def read_delays(path: Path) -> np.ndarray:
    rows = duckdb.execute(
        "select epoch(attributed_time) - epoch(click_time) from read_csv(?) where is_attributed = 1", [str(path)]
    ).fetchall()
    return np.sort(np.array([row[0] for row in rows], dtype=float))


def fit(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights, means, deviations = np.array([0.6, 0.4]), np.array([4.5, 9.0]), np.array([1.0, 1.0])
    for _ in range(2_000):
        densities = weights * np.exp(-0.5 * ((logs[:, None] - means) / deviations) ** 2) / deviations
        shares = densities / densities.sum(axis=1, keepdims=True)
        sizes = shares.sum(axis=0)
        weights, means = sizes / len(logs), (shares * logs[:, None]).sum(axis=0) / sizes
        deviations = np.sqrt((shares * (logs[:, None] - means) ** 2).sum(axis=0) / sizes)
    return weights, means, deviations


def main(folder: Path) -> None:
    delays = read_delays(folder / "talkingdata_100k.csv.gz")
    weights, means, deviations = fit(np.log(delays))
    print(f"weights {weights.round(3)}  log means {means.round(3)}  log deviations {deviations.round(3)}")
    grid = np.log(np.linspace(1, 46_341, 400_000))
    reached = (weights * ndtr((grid[:, None] - means) / deviations)).sum(axis=1)
    reached /= reached[-1]
    for share in (0.1, 0.25, 0.5, 0.73, 0.9, 0.99):
        fitted = float(np.exp(np.interp(share, reached, grid)))
        print(f"  quantile {share}: data {np.quantile(delays, share):.0f} s, fit {fitted:.0f} s")
    later = 1 - np.interp(np.log(3_600), grid, reached)
    print(f"  later than 1 h: data {(delays > 3_600).mean():.3f}, fit {later:.3f}; {len(delays)} installs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
