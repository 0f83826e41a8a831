"""The spread of a metric's values over units, as counts in bins."""

from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log


@dataclass(frozen=True)
class Scale:
    """Bins of equal width, or of equal ratio.

    Args:
        low: Where the first bin begins.
        step: The width of a bin; on a logarithmic scale its logarithm.
        count: How many bins.
        is_log: Whether bins are of equal ratio.
        zeros_apart: Whether 0 is no part of any bin but counted by itself, as on every logarithmic scale.
    """

    low: float
    step: float
    count: int
    is_log: bool = False
    zeros_apart: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether every edge is above the one before: not where values are closer than numbers can tell."""
        return all(low < high < inf for low, high in pairwise(self.edges))

    @property
    def edges(self) -> tuple[float, ...]:
        """One more than there are bins, rising."""
        if self.is_log:
            return tuple(exp(log(self.low) + self.step * k) for k in range(self.count + 1))
        return tuple(self.low + self.step * k for k in range(self.count + 1))


@dataclass(frozen=True)
class ArmBins:
    """One arm: units in each bin, at exactly 0 (where zeros are counted apart), below and above."""

    arm: str
    counts: tuple[int, ...]
    zeros: int = 0
    below: int = 0
    above: int = 0

    @property
    def units(self) -> int:
        """Units with a value."""
        return sum(self.counts) + self.zeros + self.below + self.above


@dataclass(frozen=True)
class Histogram:
    """The spread of one metric's values over units, in each arm.

    Args:
        metric: The metric's name.
        edges: One more than there are bins, rising.
        is_log: Whether bins are of equal ratio.
        arms: In the order of their names.
    """

    metric: str
    edges: tuple[float, ...]
    is_log: bool
    arms: tuple[ArmBins, ...]
