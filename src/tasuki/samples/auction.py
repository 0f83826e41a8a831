"""How a bidder turns scores into bids and keeps to a budget: the same rule for every arm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.exchange import World
from tasuki.samples.prices import mean_price

_FASTEST_STEP = 0.7
_CATCH_UP = 0.2


@dataclass(frozen=True)
class Rules:
    """What every arm plays by.

    Args:
        budget_share: The budget of an arm as a share of what buying all its opportunities would cost on average.
        first_factor: The factor on bids before anything was learnt about the spending.
    """

    budget_share: float = 0.10
    first_factor: float = 0.5


class Purse:
    """One arm's money: a budget that grows with each opportunity, and the factor on bids that spends it evenly.

    A bid, in fen per thousand impressions, is 1000 × click value × score × factor. After each slice of time the factor
    follows what was spent against what came in, and catches up what is over from before. Money that has not come in
    yet is never spent: an auction it does not reach is lost.
    """

    def __init__(self, world: World, rules: Rules) -> None:
        self._value = 1_000 * world.click_value
        self._income = rules.budget_share * mean_price(world.prices) / 1_000
        self.factor = rules.first_factor
        self.budget, self.spent = 0.0, 0.0
        self._slice_budget, self._slice_spent = 0.0, 0.0

    def bids(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bids for scores, to the hundredth."""
        return np.round(self._value * self.factor * scores, 2)

    def buy(self, bids: NDArray[np.float64], market_price: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Takes part in second-price auctions, in order, and says which were won: those cost the market price."""
        income = self._income * len(bids)
        self.budget += income
        wins = (bids >= market_price) & (bids > 0)
        costs = np.cumsum(np.where(wins, market_price / 1_000, 0.0))
        wins &= costs <= self.budget - self.spent
        spent = float((market_price[wins] / 1_000).sum())
        self.spent += spent
        self._slice_budget += income
        self._slice_spent += spent
        return wins

    def close_slice(self) -> None:
        """Ends a slice of time: bids more when money is left over, less when there was not enough."""
        if self._slice_budget == 0:
            return
        left = (self.budget - self.spent) / self._slice_budget
        pace = np.log(max(self._slice_spent, 0.05 * self._slice_budget) / self._slice_budget)
        step = _CATCH_UP * (left - 1) - 0.5 * pace
        self.factor *= float(np.exp(np.clip(step, -_FASTEST_STEP, _FASTEST_STEP)))
        self._slice_budget, self._slice_spent = 0.0, 0.0
