"""Knowing the truth: the best policies that could be learnt, and the true effect of one policy against another."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.exchange import World, draw_opportunities
from tasuki.samples.play import Stage, play
from tasuki.samples.scoring import LocalScorer, Policy, Request
from tasuki.samples.truth import click_probability

_NOBODY_RECENTLY = 90.0


@dataclass(frozen=True)
class TrueEffect:
    """Clicks that everybody's opportunities give in expectation when one policy buys them all, for two policies."""

    champion: float
    challenger: float

    @property
    def relative(self) -> float:
        """Challenger against champion: 0.1 is 10 % more clicks."""
        return self.challenger / self.champion - 1


def true_effect(stage: Stage, days: range, opportunities: int, champion: Policy, challenger: Policy) -> TrueEffect:
    """Lets each policy play the same days alone, under the same rules, and counts clicks without their luck.

    Args:
        stage: World and rules. Nothing is logged, and its memory is not used.
        days: Which days.
        opportunities: How many each day has.
        champion: The policy in place.
        challenger: The one that wants to be.
    """
    alone = replace(stage, folder=None, memory=None)
    clicks = [
        play(alone, days, opportunities, LocalScorer({"all": policy})).arms["all"].expected_clicks
        for policy in (champion, challenger)
    ]
    return TrueEffect(*clicks)


def all_knowing(request: Request) -> NDArray[np.float64]:
    """Scores with the true probability, hidden tastes included: no policy could score better."""
    return click_probability(request.world, request.opportunities)


def recency_blind(request: Request) -> NDArray[np.float64]:
    """Scores with the truth, except that it takes everybody to have seen their last ad equally long ago."""
    asked = request.opportunities
    same = np.full(len(asked), _NOBODY_RECENTLY)
    return click_probability(request.world, replace(asked, minutes_since_last=same))


def mean_click_rate(world: World, day: int, opportunities: int) -> float:
    """The true click rate of all opportunities of a day."""
    chunks = list(draw_opportunities(world, day, opportunities))
    return float(np.concatenate([click_probability(world, chunk) for chunk in chunks]).mean())
