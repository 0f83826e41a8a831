"""Playing the exchange: every opportunity is scored, bid for, and settled; what became of it is logged.

A play goes hour by hour. An hour's opportunities are scored together (a `ServiceClient` cuts them into batches), then
auctioned in the order of time; after each hour every arm's purse adjusts its bids. Since ads are shown on every
opportunity, whoever wins, nothing that a bidder does changes what it or the other arm is offered later.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasuki.samples.auction import Purse, Rules
from tasuki.samples.exchange import SYSTEMS, Memory, Opportunities, World, draw_opportunities
from tasuki.samples.happenings import Happenings, happenings_of
from tasuki.samples.logs import OUTCOMES, LogWriter, moments
from tasuki.samples.scoring import Answers, Request, Scorer

Progress = Callable[[int], None]
"""Told after each hour how many opportunities were answered since the last time."""


@dataclass(frozen=True)
class ArmSummary:
    """What an arm asked, was answered, bought and got. Money in fen.

    `expected_clicks` is the sum of the true click probabilities of what was bought: the clicks without their luck.
    """

    answered: int = 0
    fallbacks: int = 0
    won: int = 0
    clicks: int = 0
    installs: int = 0
    spend: float = 0.0
    budget: float = 0.0
    expected_clicks: float = 0.0


@dataclass(frozen=True)
class PlaySummary:
    """What became of a play: the client's own counts, to hold exposures against.

    Args:
        sent: Opportunities asked about.
        answered: Opportunities that got an answer: each must be an exposure in the service's log.
        arms: The same by arm.
        files: The outcome files written, one a day.
        duration_s: How long it took.
    """

    sent: int
    answered: int
    arms: dict[str, ArmSummary]
    files: tuple[Path, ...]
    duration_s: float


@dataclass(frozen=True)
class Stage:
    """Where and how a play takes place.

    Args:
        world: The exchange.
        rules: What every arm plays by.
        memory: When people were last shown an ad; nobody ever by default.
        folder: Where outcomes are logged (the folder of the table, `logs/outcomes`); nowhere by default.
        name: The beginning of the outcome files' names; two plays into one folder need two names.
    """

    world: World
    rules: Rules = field(default_factory=Rules)
    memory: Memory | None = None
    folder: Path | None = None
    name: str = "play"


def play(
    stage: Stage, days: range, opportunities: int, scorer: Scorer, progress: Progress | None = None
) -> PlaySummary:
    """Plays whole days and returns what became of them.

    Args:
        stage: World, rules and where outcomes go.
        days: Days since the world's start, one after the other.
        opportunities: How many each day has.
        scorer: A `ServiceClient`, or policies in this process.
        progress: Told how far it is.

    Raises:
        Unavailable: When the service stops answering. The outcomes of days that were complete are kept.
    """
    started = time.perf_counter()
    game, memory, files = _Game(stage, scorer), stage.memory or Memory(stage.world), []
    for day in days:
        with ExitStack() as closing:
            writer = None
            if stage.folder is not None:
                files.append(stage.folder / f"{stage.name}-day-{day:03d}.parquet")
                writer = closing.enter_context(LogWriter(files[-1], OUTCOMES))
            for hour in draw_opportunities(stage.world, day, opportunities, memory):
                game.play_hour(hour, writer)
                if progress is not None:
                    progress(len(hour))
    arms = {arm: game.summary(arm) for arm in sorted(game.purses)}
    answered = sum(one.answered for one in arms.values())
    return PlaySummary(game.sent, answered, arms, tuple(files), time.perf_counter() - started)


class _Game:
    """The state of a play: purses, memory and counts."""

    def __init__(self, stage: Stage, scorer: Scorer) -> None:
        self._stage, self._scorer = stage, scorer
        self._counts: dict[str, NDArray[np.float64]] = {}
        self.purses: dict[str, Purse] = {}
        self.sent = 0

    def play_hour(self, hour: Opportunities, writer: LogWriter | None) -> None:
        world = self._stage.world
        answers = self._scorer.score(Request(world, hour))
        self.sent += len(hour)
        bids, won = self._bid(hour, answers)
        followed = happenings_of(world, hour.take(won))
        happened = np.zeros((3, len(hour)))
        happened[:, won] = followed.clicked, followed.installed, followed.probability
        for arm in self.purses:
            mine = answers.arms == arm
            sums = (mine.sum(), answers.fallbacks[mine].sum(), won[mine].sum(), *happened[:, mine].sum(axis=1))
            self._counts[arm] = self._counts.get(arm, np.zeros(6)) + sums
        if writer is not None:
            writer.write(_outcomes(world, hour, answers, _Settled(bids, won, followed)))

    def summary(self, arm: str) -> ArmSummary:
        purse = self.purses[arm]
        answered, fallbacks, won, clicks, installs, expected = self._counts[arm].tolist()
        return ArmSummary(
            answered=int(answered),
            fallbacks=int(fallbacks),
            won=int(won),
            clicks=int(clicks),
            installs=int(installs),
            spend=purse.spent,
            budget=purse.budget,
            expected_clicks=expected,
        )

    def _bid(self, hour: Opportunities, answers: Answers) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        bids, won = np.zeros(len(hour)), np.zeros(len(hour), dtype=np.bool_)
        for arm in np.unique(answers.arms).tolist():
            purse = self.purses.setdefault(arm, Purse(self._stage.world, self._stage.rules))
            mine = answers.arms == arm
            bids[mine] = purse.bids(answers.scores[mine])
            won[mine] = purse.buy(bids[mine], hour.market_price[mine])
            purse.close_slice()
        return bids, won


@dataclass(frozen=True, eq=False)
class _Settled:
    """The bids on all opportunities, which were won, and what followed from those."""

    bids: NDArray[np.float64]
    won: NDArray[np.bool_]
    followed: Happenings


def _outcomes(world: World, hour: Opportunities, answers: Answers, settled: _Settled) -> dict[str, pa.Array]:
    price, won = hour.market_price.astype(np.float64), settled.won
    clicked, installed = np.full(len(hour), np.nan), np.full(len(hour), np.nan)
    clicked[won], installed[won] = settled.followed.clicked_seconds, settled.followed.installed_seconds
    return {
        "exposure": pa.array(answers.exposures, type=pa.string()),
        "at": moments(world, hour.seconds),
        "unit": pa.array(Request(world, hour).units(), type=pa.string()),
        "arm": pa.array(answers.arms.tolist(), type=pa.string()),
        "bid": pa.array(settled.bids),
        "won": pa.array(won),
        "price": pa.array(price, mask=~won),
        "clicked": pa.array(~np.isnan(clicked)),
        "clicked_at": moments(world, clicked),
        "installed": pa.array(~np.isnan(installed)),
        "installed_at": moments(world, installed),
        "spend": pa.array(np.where(won, price / 1_000, 0.0)),
        "value": pa.array(np.where(np.isnan(clicked), 0.0, world.click_value)),
        "os": pa.array(np.array(SYSTEMS)[hour.system].tolist(), type=pa.string()),
    }
