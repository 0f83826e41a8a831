"""What nobody in a real company can look up: the true probability of a click and of an install.

A click's log-odds are the sum of app × slot, hour, weekday, system, the person's inclination, taste (the product of the
person's and the app's hidden vectors) and fatigue, which fades with the minutes since the person's last ad.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.exchange import HOURS, Opportunities, World, draw_opportunities, exchange_of

LONGEST_MEMORY_MINUTES = 1_440.0
"""Minutes since the last ad are counted up to here; someone never shown one has this number."""

_WEEKEND_EFFECT = 0.12
_SYSTEM_EFFECTS = np.array([0.1, -0.15])
_CALIBRATION_COUNT = 100_000


@dataclass(frozen=True)
class Levels:
    """The intercepts that give a world the click rate and install rate asked for."""

    click: float
    install: float


class Memory:
    """When each person was last shown an ad: the state that makes one impression change the next."""

    def __init__(self, world: World) -> None:
        self._last = np.full(world.users, -np.inf)

    def minutes_since(self, opportunities: Opportunities) -> NDArray[np.float64]:
        """Minutes since the person's last ad, at most `LONGEST_MEMORY_MINUTES`, to the hundredth."""
        minutes = (opportunities.seconds - self._last[opportunities.user]) / 60
        return np.round(np.clip(minutes, 0.0, LONGEST_MEMORY_MINUTES), 2)

    def show(self, opportunities: Opportunities) -> None:
        """Remembers that these, in the order of time, were shown."""
        self._last[opportunities.user] = opportunities.seconds

    def show_all(self, shown: Opportunities) -> NDArray[np.float64]:
        """Shows these one after the other and returns the minutes since the person's last ad before each.

        Only for buyers that do not look at the memory: what they buy is then known before it is shown.
        """
        order = np.argsort(shown.user, kind="stable")
        user, seconds = shown.user[order], shown.seconds[order]
        before = np.concatenate(([-np.inf], seconds[:-1]))
        first = np.diff(user, prepend=-1) != 0
        before[first] = self._last[user[first]]
        minutes = np.empty(len(shown))
        minutes[order] = np.round(np.clip((seconds - before) / 60, 0.0, LONGEST_MEMORY_MINUTES), 2)
        self.show(shown)
        return minutes


def click_probability(
    world: World, opportunities: Opportunities, minutes_since_last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The true probability that an ad shown here is clicked.

    Formula: 1 / (1 + exp(−(level + placement + hour + weekday + system + inclination + taste − fatigue·e^(−m/τ)))).

    Args:
        world: Whose truth.
        opportunities: Where the ad would be shown.
        minutes_since_last: m, minutes since the person's last ad.
    """
    return _sigmoid(levels_of(world).click + _click_odds(world, opportunities, minutes_since_last))


def install_probability(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    """The true probability that a click here leads to an install: a matter of taste."""
    return _sigmoid(levels_of(world).install + _install_odds(world, opportunities))


@lru_cache(maxsize=4)
def levels_of(world: World) -> Levels:
    """Intercepts at which a buyer who takes a third of everything at random sees the world's click and install rate."""
    memory, clicks, installs = Memory(world), [], []
    for chunk in draw_opportunities(world, 0, _CALIBRATION_COUNT):
        # The luck of installs is free to choose the third: it has no part in clicks.
        shown = chunk.take(chunk.luck[2] < 1 / 3)
        clicks.append(_click_odds(world, shown, memory.show_all(shown)))
        installs.append(_install_odds(world, shown))
    click_odds, install_odds = np.concatenate(clicks), np.concatenate(installs)
    click = _level(click_odds, np.ones(len(click_odds)), world.prices.click_rate)
    return Levels(click, _level(install_odds, _sigmoid(click + click_odds), world.install_rate))


def _click_odds(world: World, opportunities: Opportunities, minutes: NDArray[np.float64]) -> NDArray[np.float64]:
    exchange = exchange_of(world)
    hours = (opportunities.seconds // 3_600).astype(np.int64)
    weekday = (world.start.weekday() + (world.start.hour + hours) // HOURS) % 7
    return (
        exchange.placements[opportunities.app, opportunities.slot]
        + exchange.hour_moods[hours % HOURS]
        + _WEEKEND_EFFECT * (weekday >= 5)
        + _SYSTEM_EFFECTS[opportunities.system]
        + exchange.inclinations[opportunities.user]
        + _taste(world, opportunities)
        - world.fatigue * np.exp(-minutes / world.fatigue_minutes)
    )


def _install_odds(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    return 1.5 * _taste(world, opportunities) - 0.3 * (opportunities.system == 0)


def _taste(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    exchange = exchange_of(world)
    tastes, flavours = exchange.tastes[opportunities.user], exchange.flavours[opportunities.app]
    return np.asarray(np.einsum("ij,ij->i", tastes, flavours))


def _level(odds: NDArray[np.float64], weights: NDArray[np.float64], rate: float) -> float:
    """The intercept at which the weighted mean probability is `rate`, by bisection."""
    low, high = -30.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.average(_sigmoid(middle + odds), weights=weights) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-odds))
