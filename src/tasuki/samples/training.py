"""The log that models learn from: what a simple bidder with a lot of noise has won over some days."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasuki.samples.exchange import (
    HOURS,
    SLOTS,
    SYSTEMS,
    Memory,
    Opportunities,
    World,
    app_names,
    draw_opportunities,
    exchange_of,
    user_names,
)
from tasuki.samples.happenings import Happenings, happenings_of
from tasuki.samples.logs import IMPRESSIONS, LogWriter, moments, names

_BIDS = 2
_BID_LOG_MEAN, _BID_FOLLOWS_WORTH, _BID_NOISE = 3.3, 0.3, 0.8
_WEEKDAY_TRAFFIC = (0.98, 0.97, 0.97, 0.98, 1.01, 1.06, 1.03)


@dataclass(frozen=True)
class LogSummary:
    """What a training log holds. `memory` is when each person was last shown an ad, for whoever plays on from here."""

    opportunities: int
    impressions: int
    clicks: int
    installs: int
    spend: float
    files: tuple[Path, ...]
    memory: Memory


def training_log(world: World, days: range, opportunities: int, folder: Path) -> LogSummary:
    """Writes the impressions that the logging bidder won, a file per day, as they are known when the last day ends.

    The bidder knows what everybody knows of a placement, adds noise (so that every kind of impression is bought now
    and then) and does not look at when a person saw their last ad. Clicks and installs that would arrive after the
    last day are not in the log: a label is false until it arrives.

    Args:
        world: Whose exchange.
        days: Days since the world's start, one after the other.
        opportunities: How many a day has on average; weekends have more.
        folder: Where the files go: the folder of the table, `logs/impressions`.
    """
    memory, files = Memory(world), []
    total, won, clicks, installs, spend = 0, 0, 0, 0, 0.0
    known_at_s = days.stop * HOURS * 3_600.0
    for day in days:
        files.append(folder / f"day-{day:03d}.parquet")
        count = round(opportunities * _WEEKDAY_TRAFFIC[world.day(day).weekday()])
        rng = np.random.default_rng(np.random.SeedSequence(world.seed, spawn_key=(_BIDS, day)))
        with LogWriter(files[-1], IMPRESSIONS) as writer:
            for chunk in draw_opportunities(world, day, count, memory):
                bids = _noisy_bids(world, chunk, rng)
                wins = bids >= chunk.market_price
                shown = chunk.take(wins)
                followed = happenings_of(world, shown, known_at_s)
                writer.write(_columns(world, shown, bids[wins], followed))
                total, won = total + len(chunk), won + len(shown)
                clicks, installs = clicks + int(followed.clicked.sum()), installs + int(followed.installed.sum())
                spend += float(shown.market_price.sum()) / 1_000
    return LogSummary(total, won, clicks, installs, spend, tuple(files), memory)


def _noisy_bids(world: World, chunk: Opportunities, rng: np.random.Generator) -> NDArray[np.float64]:
    worth = exchange_of(world).worth[chunk.app, chunk.slot]
    noise = rng.standard_normal(len(chunk))
    bids: NDArray[np.float64] = np.exp(_BID_LOG_MEAN + _BID_FOLLOWS_WORTH * worth + _BID_NOISE * noise)
    return np.round(bids, 2)


def _columns(
    world: World,
    shown: Opportunities,
    bids: NDArray[np.float64],
    followed: Happenings,
) -> dict[str, pa.Array]:
    return {
        "at": moments(world, shown.seconds),
        "user": pa.array(user_names(shown.user)),
        "app": names(app_names(world), shown.app),
        "slot": names(SLOTS, shown.slot),
        "os": names(SYSTEMS, shown.system),
        "minutes_since_last": pa.array(shown.minutes_since_last),
        "bid": pa.array(bids),
        "price": pa.array(shown.market_price.astype(np.float64)),
        "clicked": pa.array(followed.clicked),
        "clicked_at": moments(world, followed.clicked_seconds),
        "installed": pa.array(followed.installed),
        "installed_at": moments(world, followed.installed_seconds),
    }
