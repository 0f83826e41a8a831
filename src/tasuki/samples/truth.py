"""What nobody in a real company can look up: the true probability of a click and of an install.

A click's log-odds are the sum of app × slot, hour, weekday, system, the person's inclination, taste (the product of the
person's and the app's hidden vectors) and fatigue, which fades with the minutes since the person's last ad.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.exchange import HOURS, Memory, Opportunities, World, draw_opportunities, exchange_of

_WEEKEND_EFFECT = 0.08
_SYSTEM_EFFECTS = np.array([0.1, -0.15])
_CALIBRATION_COUNT = 100_000


@dataclass(frozen=True)
class Levels:
    """The intercepts that give a world the click rate and install rate asked for."""

    click: float
    install: float


def click_probability(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    """The true probability that an ad shown here is clicked.

    Formula: 1 / (1 + exp(−(level + placement + hour + weekday + system + inclination + taste − fatigue·e^(−m/τ)))),
    with m the minutes since the person's last ad and τ the world's `fatigue_minutes`.

    Args:
        world: Whose truth.
        opportunities: Where the ad would be shown.
    """
    return _sigmoid(levels_of(world).click + _click_odds(world, opportunities))


def install_probability(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    """The true probability that a click here leads to an install: a matter of taste."""
    return _sigmoid(levels_of(world).install + _install_odds(world, opportunities))


@lru_cache(maxsize=4)
def levels_of(world: World) -> Levels:
    """Intercepts at which the opportunities of an ordinary day have the world's click and install rate."""
    memory = Memory(world)
    for _ in draw_opportunities(world, 0, _CALIBRATION_COUNT, memory):
        pass
    chunks = list(draw_opportunities(world, 1, _CALIBRATION_COUNT, memory))
    clicks = [_click_odds(world, chunk) for chunk in chunks]
    installs = [_install_odds(world, chunk) for chunk in chunks]
    click_odds, install_odds = np.concatenate(clicks), np.concatenate(installs)
    click = _level(click_odds, np.ones(len(click_odds)), world.prices.click_rate)
    return Levels(click, _level(install_odds, _sigmoid(click + click_odds), world.install_rate))


def _click_odds(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    exchange = exchange_of(world)
    hours = (opportunities.seconds // 3_600).astype(np.int64)
    weekday = (world.start.weekday() + (world.start.hour + hours) // HOURS) % 7
    odds: NDArray[np.float64] = (
        exchange.placements[opportunities.app, opportunities.slot]
        + exchange.hour_moods[hours % HOURS]
        + _WEEKEND_EFFECT * (weekday >= 5)
        + _SYSTEM_EFFECTS[opportunities.system]
        + exchange.inclinations[opportunities.user]
        + _taste(world, opportunities)
        - world.fatigue * np.exp(-opportunities.minutes_since_last / world.fatigue_minutes)
    )
    return odds


def _install_odds(world: World, opportunities: Opportunities) -> NDArray[np.float64]:
    odds: NDArray[np.float64] = 1.5 * _taste(world, opportunities) - 0.3 * (opportunities.system == 0)
    return odds


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
