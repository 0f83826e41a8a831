"""What impressions cost and how often they are clicked, as on a real exchange.

Source: the market-price histograms (whole fen per thousand impressions, 0..300) and the counts of impressions and
clicks of the training periods of nine iPinYou campaigns, 15,395,258 impressions (Liao, Peng, Liu, Shen, "iPinYou Global
RTB Bidding Algorithm Competition Dataset", ADKDD 2014). Only the fitted parameters are here;
`benchmarks/fit_prices.py` prints them from the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

HIGHEST_PRICE = 300


@dataclass(frozen=True)
class PriceShape:
    """The market prices of a campaign: spikes at reserve prices on a log-normal body cut at `HIGHEST_PRICE`.

    Args:
        log_mean: Mean of the logarithm of the body before the cut.
        log_deviation: Standard deviation of the same.
        spikes: Price and share of the auctions that end at it above what the body gives.
        click_rate: Clicks per impression of the campaign.
    """

    log_mean: float
    log_deviation: float
    spikes: Mapping[int, float] = field(hash=False)
    click_rate: float


# Largest distance between fitted and real distribution function, in this order:
# 0.017 0.019 0.021 0.014 0.009 0.037 0.020 0.023 0.022
PRICE_SHAPES: dict[str, PriceShape] = {
    "1458": PriceShape(
        4.095,
        1.106,
        {5: 0.0121, 20: 0.0425, 30: 0.0122, 50: 0.0898, 51: 0.0116, 59: 0.0108, 70: 0.1351, 76: 0.0141, 80: 0.0618},
        0.000796,
    ),
    "2259": PriceShape(
        4.617,
        1.361,
        {
            5: 0.0221,
            20: 0.0552,
            25: 0.0135,
            50: 0.035,
            52: 0.0113,
            70: 0.0506,
            100: 0.0113,
            101: 0.0206,
            160: 0.0482,
            166: 0.0103,
            201: 0.0316,
            281: 0.0115,
        },
        0.000335,
    ),
    "2261": PriceShape(
        5.595,
        1.937,
        {5: 0.0378, 20: 0.0972, 50: 0.021, 51: 0.0172, 70: 0.024, 101: 0.0181, 167: 0.0122, 180: 0.043},
        0.000301,
    ),
    "2821": PriceShape(
        4.929,
        1.571,
        {
            5: 0.0101,
            20: 0.037,
            31: 0.1274,
            50: 0.02,
            70: 0.035,
            100: 0.012,
            101: 0.0135,
            160: 0.0285,
            180: 0.0278,
            201: 0.0121,
            281: 0.0114,
        },
        0.000637,
    ),
    "2997": PriceShape(3.972, 1.054, {6: 0.1066, 30: 0.0357, 140: 0.0133}, 0.004436),
    "3358": PriceShape(
        4.612,
        1.208,
        {
            5: 0.0115,
            22: 0.014,
            49: 0.0103,
            55: 0.0482,
            60: 0.0142,
            77: 0.0767,
            88: 0.0201,
            89: 0.03,
            95: 0.016,
            119: 0.0166,
            225: 0.012,
            236: 0.0117,
        },
        0.00078,
    ),
    "3386": PriceShape(4.596, 1.209, {5: 0.0158, 20: 0.1027, 30: 0.0168, 50: 0.101, 70: 0.112, 80: 0.0713}, 0.000729),
    "3427": PriceShape(
        4.545,
        1.214,
        {
            5: 0.0162,
            22: 0.0545,
            33: 0.017,
            49: 0.0101,
            55: 0.097,
            66: 0.0101,
            77: 0.1201,
            88: 0.0731,
            89: 0.0148,
            236: 0.01,
        },
        0.000743,
    ),
    "3476": PriceShape(
        4.496,
        1.221,
        {5: 0.0127, 21: 0.0545, 42: 0.0106, 47: 0.0136, 52: 0.0786, 73: 0.1069, 84: 0.0814, 85: 0.012},
        0.000521,
    ),
}
"""By iPinYou campaign number; 2997 is the one on mobile apps."""


def price_distribution(shape: PriceShape) -> NDArray[np.float64]:
    """The share of auctions whose market price is at most 0, 1, …, `HIGHEST_PRICE`."""
    normal = NormalDist(shape.log_mean, shape.log_deviation)
    body = np.array([0.0, *(normal.cdf(float(np.log(price + 0.5))) for price in range(1, HIGHEST_PRICE + 1))])
    reached = body / body[-1] * (1 - sum(shape.spikes.values()))
    for price, share in shape.spikes.items():
        reached[price:] += share
    return np.asarray(reached)


@cache
def mean_price(shape: PriceShape) -> float:
    """The mean market price, in fen per thousand impressions."""
    shares = np.diff(price_distribution(shape), prepend=0.0)
    return float(shares @ np.arange(HIGHEST_PRICE + 1))


@cache
def _normal_scores(shape: PriceShape) -> NDArray[np.float64]:
    """At which standard-normal value each price ends."""
    inside = np.clip(price_distribution(shape)[:-1], 1e-12, 1 - 1e-12)
    return np.array([NormalDist().inv_cdf(float(share)) for share in inside])


def prices_at(shape: PriceShape, scores: NDArray[np.float64]) -> NDArray[np.int16]:
    """Market prices for standard-normal scores: when the scores are standard normal, the prices have the shape.

    Working on normal scores is what lets better placements cost more while the overall shape stays as fitted
    (a Gaussian copula).
    """
    found: NDArray[np.int16] = np.searchsorted(_normal_scores(shape), scores).astype(np.int16)
    return found
