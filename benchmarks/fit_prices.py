"""Fits `tasuki.samples.prices` to the market-price histograms of iPinYou: `python benchmarks/fit_prices.py DATA_DIR`.

DATA_DIR holds `ipinyou_campaigns/*.info.json`. A histogram is read as spikes (reserve prices, at which far more
auctions end than at the prices beside them) on a body. The body is a log-normal cut at 300, by maximum likelihood on
the whole-number prices. Printed: the lines of `PRICE_SHAPES`, and how far the fit is from the histogram.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

SMALLEST_SPIKE = 0.01
NEIGHBOURS = 5


def find_spikes(counts: np.ndarray) -> dict[int, float]:
    """Prices with at least three times what their neighbours have, and the share of auctions above the neighbours."""
    total = counts.sum()
    spikes = {}
    for price in range(1, len(counts)):
        low, high = max(0, price - NEIGHBOURS), price + NEIGHBOURS + 1
        beside = np.median(np.delete(counts[low:high], price - low))
        excess = (counts[price] - beside) / total
        if counts[price] >= 3 * beside and excess >= SMALLEST_SPIKE:
            spikes[price] = round(float(excess), 4)
    return spikes


def fit_body(counts: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the logarithm, for prices in (0, 300] rounded to whole numbers."""
    edges = np.concatenate(([-np.inf], np.log(np.arange(1, len(counts) + 1) - 0.5)))

    def loss(point: np.ndarray) -> float:
        mean, deviation = point[0], np.exp(point[1])
        reached = ndtr((edges - mean) / deviation)
        share = np.maximum(np.diff(reached) / reached[-1], 1e-12)
        return float(-(counts * np.log(share)).sum() / counts.sum())

    best = minimize(loss, np.array([4.0, 0.0]), method="Nelder-Mead")
    return float(best.x[0]), float(np.exp(best.x[1]))


def main(folder: Path) -> None:
    impressions = 0
    for path in sorted(folder.glob("ipinyou_campaigns/*.info.json")):
        info = json.loads(path.read_text())
        counts = np.asarray(info["price_counter_train"], dtype=float)
        impressions += int(counts.sum())
        spikes = find_spikes(counts)
        body = counts.copy()
        for price, share in spikes.items():
            body[price] -= share * counts.sum()
        mean, deviation = fit_body(np.maximum(body, 0))
        points = np.log(np.arange(301) + 0.5)
        fitted = ndtr((points - mean) / deviation) / ndtr((points[-1] - mean) / deviation)
        fitted *= 1 - sum(spikes.values())
        for price, share in spikes.items():
            fitted[price:] += share
        distance = np.abs(fitted - counts.cumsum() / counts.sum()).max()
        rate = info["clk_train"] / info["imp_train"]
        name = path.name.removesuffix(".info.json")
        print(f'    "{name}": PriceShape({mean:.3f}, {deviation:.3f}, {spikes}, {rate:.6f}),', end="")
        print(f"  # KS distance {distance:.3f}, mean price {(np.arange(301) * counts).sum() / counts.sum():.1f}")
    print(f"# {impressions:,} impressions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
