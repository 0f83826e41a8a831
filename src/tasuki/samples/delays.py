"""How long clicks and installs take to arrive.

Source for installs: the seconds from click to install of the 227 installs in a 100,000-click sample of the TalkingData
AdTracking logs (2017), read as a mixture of two log-normals by expectation maximisation
(`benchmarks/fit_delays.py` prints the parameters from the data), cut at the longest delay seen. Data: median 198 s,
27.3 % later than an hour, longest 46,341 s; fit: median 191 s, 25.8 % later than an hour.
Seconds from impression to click are an assumption: the data at hand have no impression times.
"""

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DelayShape:
    """A mixture of log-normals, cut at the longest delay.

    Args:
        parts: Weight, mean and deviation of the logarithm of the seconds, of each part.
        longest_s: No delay is longer.
    """

    parts: tuple[tuple[float, float, float], ...]
    longest_s: float


INSTALL_DELAY = DelayShape(((0.601, 4.220, 1.146), (0.399, 8.743, 1.182)), 46_341.0)
CLICK_DELAY = DelayShape(((1.0, 2.5, 1.0),), 1_800.0)

_POINTS = 2_000


@cache
def _table(shape: DelayShape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    logs = np.linspace(-4.0, float(np.log(shape.longest_s)), _POINTS)
    reached = np.zeros(_POINTS)
    for weight, mean, deviation in shape.parts:
        normal = NormalDist(mean, deviation)
        reached += weight * np.array([normal.cdf(float(one)) for one in logs])
    return reached / reached[-1], logs


def delays_at(shape: DelayShape, shares: NDArray[np.floating]) -> NDArray[np.float64]:
    """The seconds below which the given shares (0..1) of the delays lie: uniform shares give delays of the shape."""
    reached, logs = _table(shape)
    seconds: NDArray[np.float64] = np.exp(np.interp(shares, reached, logs))
    return seconds
