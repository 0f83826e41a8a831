"""What follows when an ad is shown: a click, an install, and when each becomes known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.delays import CLICK_DELAY, INSTALL_DELAY, delays_at
from tasuki.samples.exchange import Opportunities, World
from tasuki.samples.truth import click_probability, install_probability

ALL_KNOWN_AFTER_HOURS = 14
"""So long after the last impression every click and install has arrived."""


@dataclass(frozen=True, eq=False)
class Happenings:
    """What is known, at some moment, to have followed from impressions.

    Moments are seconds from the world's start, NaN where nothing happened or nothing has arrived yet.
    `probability` is the true probability of a click, which only the truth functions may look at.
    """

    clicked_seconds: NDArray[np.float64]
    installed_seconds: NDArray[np.float64]
    probability: NDArray[np.float64]

    @property
    def clicked(self) -> NDArray[np.bool_]:
        """Whether a click has arrived."""
        return ~np.isnan(self.clicked_seconds)

    @property
    def installed(self) -> NDArray[np.bool_]:
        """Whether an install has arrived."""
        return ~np.isnan(self.installed_seconds)


def happenings_of(world: World, shown: Opportunities, known_at_s: float = np.inf) -> Happenings:
    """What followed from ads that were shown, as far as it has arrived.

    Args:
        world: Whose truth decides.
        shown: The impressions, with the luck they were drawn with.
        known_at_s: The moment of knowing, in seconds from the world's start; what arrives later is not known yet.
    """
    probability = click_probability(world, shown)
    clicked, installed = np.full(len(shown), np.nan), np.full(len(shown), np.nan)
    clicks = np.flatnonzero(shown.luck[0] < probability)
    clicked[clicks] = shown.seconds[clicks] + delays_at(CLICK_DELAY, shown.luck[1, clicks])
    installs = clicks[shown.luck[2, clicks] < install_probability(world, shown.take(clicks))]
    installed[installs] = clicked[installs] + delays_at(INSTALL_DELAY, shown.luck[3, installs])
    for moments in (clicked, installed):
        moments[moments > known_at_s] = np.nan
    return Happenings(clicked, installed, probability)
