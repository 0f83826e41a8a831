"""How likely an idea is to work before its own test is seen, and where that number comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasuki.experiments.design import TYPICAL_SOURCE
from tasuki.stats.false_win import LEAST_IDEAS, TYPICAL_PRIOR, learnt_prior

BELIEVED_SOURCE = "believed beforehand, in the hypothesis"
LEARNT_SOURCE = "learnt from {won} wins in {ended} of your comparisons"


@dataclass(frozen=True)
class Prior:
    """The share of ideas that truly improve, and where it comes from, in words."""

    value: float
    source: str


def prior_of(won: Sequence[bool], believed: float | None = None) -> Prior:
    """The best that is known: the team's own history, else what the idea's author believed, else the field's share.

    Args:
        won: For each of the team's ended comparisons, whether it showed a significant improvement.
        believed: The probability that the hypothesis gave, in (0, 1).
    """
    if len(won) >= LEAST_IDEAS:
        return Prior(learnt_prior(sum(won), len(won)), LEARNT_SOURCE.format(won=sum(won), ended=len(won)))
    if believed is not None and 0 < believed < 1:
        return Prior(believed, BELIEVED_SOURCE)
    return Prior(TYPICAL_PRIOR, TYPICAL_SOURCE)
