"""Where the marks of an interval stand on its strip: geometry only, in percent of the width."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["above", "below", "undecided"]
_ROOM = 1.08
"""A little air, so that the longest interval does not touch the edge."""


@dataclass(frozen=True)
class Strip:
    """One interval on a scale from −reach to +reach with zero in the middle; places are percentages."""

    low: float
    point: float
    high: float
    verdict: Verdict

    @property
    def width(self) -> float:
        """How wide the bar is; never so thin that it cannot be seen."""
        return max(0.6, round(self.high - self.low, 2))


def reach_of(bounds: Iterable[float | None]) -> float:
    """How far from zero the scale must go so that all these bounds are on it; 1 when there is nothing to show."""
    furthest = max((abs(bound) for bound in bounds if bound is not None), default=0.0)
    return furthest * _ROOM or 1.0


def strip(low: float | None, point: float | None, high: float | None, reach: float) -> Strip | None:
    """The marks of one interval, or None where the interval could not be computed."""
    if low is None or point is None or high is None:
        return None
    verdict: Verdict = "above" if low > 0 else "below" if high < 0 else "undecided"
    return Strip(_place(low, reach), _place(point, reach), _place(high, reach), verdict)


def _place(value: float, reach: float) -> float:
    return round(50 + 50 * max(-1.0, min(1.0, value / reach)), 2)
