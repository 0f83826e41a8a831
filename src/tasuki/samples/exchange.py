"""A simulated mobile-ad exchange: who opens which app when, which slot is on auction and what it would cost.

Everything about an opportunity that does not depend on who buys it is drawn here, its luck included: the uniform
numbers that later decide whether a shown ad is clicked and installed. Two bidders that play the same opportunities
therefore differ by what they buy and by nothing else.
Each hour has a random stream of its own (seed, day, hour), so a world is the same however it is cut into batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.prices import PRICE_SHAPES, PriceShape, prices_at

HOURS = 24
SLOTS = ("banner_top", "banner_bottom", "native_feed", "native_article", "interstitial", "reward_video")
LONGEST_MEMORY_MINUTES = 1_440.0
"""Minutes since the last ad are counted up to here; someone who never saw one has this number."""
SYSTEMS = ("ios", "android")
CATEGORIES = ("game", "news", "social", "shopping", "video", "tool", "finance", "travel")

_TASTES = 4
_LOCAL_CLOCK_HOURS = 9
_SESSION_MEAN, _SESSION_LONGEST = 4.0, 20
_GAP_MEAN_S = 75.0
_PRICE_FOLLOWS_WORTH = 0.3  # correlation of the normal scores of market price and placement
_TABLES, _TRAFFIC = 0, 1

# Share of a day's opportunities in each local hour (Japan): low at 4, lunch at 12, highest at 21.
_LOCAL_HOURS = np.array(
    [
        *(3.4, 2.3, 1.5, 1.1, 0.9, 1.3, 2.4, 4.0, 4.6, 3.9, 3.8, 4.2),
        *(5.6, 4.6, 4.0, 4.1, 4.3, 4.8, 5.4, 5.8, 6.4, 7.2, 7.0, 5.4),
    ]
)
# How inclined to click people are in each local hour, on the log-odds scale.
_LOCAL_MOODS = 0.35 * np.cos((np.arange(HOURS) - 21) * 2 * np.pi / HOURS)
_SLOT_EFFECTS = np.array([-0.45, -0.7, 0.15, 0.3, 0.75, 0.55])
# Which slots the apps of each category have on offer.
_SLOT_MIX = np.array(
    [
        [0.15, 0.20, 0.05, 0.00, 0.25, 0.35],
        [0.20, 0.20, 0.25, 0.30, 0.05, 0.00],
        [0.05, 0.10, 0.70, 0.10, 0.05, 0.00],
        [0.20, 0.25, 0.40, 0.05, 0.10, 0.00],
        [0.10, 0.15, 0.25, 0.05, 0.25, 0.20],
        [0.30, 0.40, 0.05, 0.00, 0.20, 0.05],
        [0.25, 0.30, 0.25, 0.15, 0.05, 0.00],
        [0.20, 0.20, 0.30, 0.20, 0.10, 0.00],
    ]
)


@dataclass(frozen=True)
class World:
    """The parameters of a simulated exchange; everything else follows from them.

    Args:
        seed: Of everything random.
        start: The beginning of day 0, UTC.
        users: How many people there are; the unit of experiments.
        apps: How many apps there are.
        campaign: The iPinYou campaign whose prices and click rate it has, a key of `PRICE_SHAPES`.
        fatigue: How much less inclined to click someone is who has just been shown an ad, on the log-odds scale.
        fatigue_minutes: After this long without an ad about 63 % of the fatigue is gone.
        install_rate: Installs per click, about.
        click_value: What a click is worth to the advertiser, in fen.
    """

    seed: int
    start: datetime = datetime(2026, 4, 1, tzinfo=UTC)
    users: int = 60_000
    apps: int = 120
    campaign: str = "2997"
    fatigue: float = 2.5
    fatigue_minutes: float = 60.0
    install_rate: float = 0.12
    click_value: float = 25.0

    @property
    def prices(self) -> PriceShape:
        """The shape of its market prices."""
        return PRICE_SHAPES[self.campaign]

    def day(self, number: int) -> datetime:
        """When a day begins."""
        return self.start + timedelta(days=number)


@dataclass(frozen=True, eq=False)
class Exchange:
    """The tables a world's people, apps and slots are described by. Effects are on the log-odds scale.

    The hour tables begin at the hour of the world's start.
    `worth` is what everybody on the exchange knows of a placement (app × slot), standardised: it moves market prices.
    """

    activity: NDArray[np.float64]
    tastes: NDArray[np.float64]
    inclinations: NDArray[np.float64]
    systems: NDArray[np.int8]
    popularity: NDArray[np.float64]
    categories: NDArray[np.int8]
    flavours: NDArray[np.float64]
    slot_mix: NDArray[np.float64]
    placements: NDArray[np.float64]
    worth: NDArray[np.float64]
    hour_moods: NDArray[np.float64]
    hour_shares: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Opportunities:
    """Auctions in the order of time, as columns of equal length.

    `seconds` count from the world's start. `minutes_since_last` are the minutes since the person was last shown an ad,
    whoever bought it. `market_price` (fen per thousand impressions) is what the best other bidder offers. `luck` has
    four rows of uniform numbers: click, click delay, install, install delay.
    """

    seconds: NDArray[np.float64]
    minutes_since_last: NDArray[np.float64]
    user: NDArray[np.int32]
    app: NDArray[np.int16]
    slot: NDArray[np.int8]
    system: NDArray[np.int8]
    market_price: NDArray[np.int16]
    luck: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Opportunities":
        """Those rows, in the order given."""
        return Opportunities(
            self.seconds[rows],
            self.minutes_since_last[rows],
            self.user[rows],
            self.app[rows],
            self.slot[rows],
            self.system[rows],
            self.market_price[rows],
            self.luck[:, rows],
        )


class Memory:
    """When each person was last shown an ad. Every auction is won by someone, so every opportunity shows one."""

    def __init__(self, world: World) -> None:
        self._last = np.full(world.users, -np.inf)

    def pass_on(self, user: NDArray[np.int32], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shows ads in the order of time; returns the minutes since each person's one before, to the hundredth."""
        order = np.argsort(user, kind="stable")
        sorted_user, sorted_seconds = user[order], seconds[order]
        before = np.concatenate(([-np.inf], sorted_seconds[:-1]))[: len(user)]
        first = np.diff(sorted_user, prepend=-1) != 0
        before[first] = self._last[sorted_user[first]]
        minutes = np.empty(len(user))
        minutes[order] = np.round(np.clip((sorted_seconds - before) / 60, 0.0, LONGEST_MEMORY_MINUTES), 2)
        self._last[user] = seconds
        return minutes


@lru_cache(maxsize=4)
def exchange_of(world: World) -> Exchange:
    """The tables of a world; the same world always has the same."""
    rng = np.random.default_rng(np.random.SeedSequence(world.seed, spawn_key=(_TABLES,)))
    activity = rng.lognormal(0.0, 1.0, world.users)
    popularity = 1.0 / np.arange(1, world.apps + 1) ** 1.05
    categories = rng.integers(0, len(CATEGORIES), world.apps).astype(np.int8)
    mix = _SLOT_MIX[categories]
    placements = (
        rng.normal(0.0, 0.45, world.apps)[:, None] + _SLOT_EFFECTS + rng.normal(0.0, 0.3, (world.apps, len(SLOTS)))
    )
    weights = (popularity / popularity.sum())[:, None] * mix
    centre = (weights * placements).sum()
    spread = np.sqrt((weights * (placements - centre) ** 2).sum())
    shift = world.start.hour + _LOCAL_CLOCK_HOURS
    return Exchange(
        activity=np.cumsum(activity) / activity.sum(),
        tastes=rng.normal(0.0, 1.0, (world.users, _TASTES)),
        inclinations=rng.normal(0.0, 0.3, world.users),
        systems=(rng.random(world.users) < 0.38).astype(np.int8),
        popularity=np.cumsum(popularity) / popularity.sum(),
        categories=categories,
        flavours=rng.normal(0.0, 0.25, (world.apps, _TASTES)),
        slot_mix=np.cumsum(mix, axis=1),
        placements=placements,
        worth=(placements - centre) / spread,
        hour_moods=np.roll(_LOCAL_MOODS, -shift),
        hour_shares=np.roll(_LOCAL_HOURS / _LOCAL_HOURS.sum(), -shift),
    )


def hour_counts(world: World, count: int) -> NDArray[np.int64]:
    """How many of a day's opportunities fall in each of its hours; they add up to `count`."""
    reached = np.rint(np.cumsum(exchange_of(world).hour_shares) * count).astype(np.int64)
    return np.diff(reached, prepend=0)


def draw_opportunities(world: World, day: int, count: int, memory: Memory | None = None) -> Iterator[Opportunities]:
    """The opportunities of a day, hour by hour: 24 chunks that together hold `count`.

    Args:
        world: Whose.
        day: Days since the world's start, 0 or more.
        count: Opportunities in the whole day.
        memory: When people were last shown an ad, from the day before; it moves on. Nobody ever by default.
    """
    memory = memory or Memory(world)
    for hour, size in enumerate(hour_counts(world, count)):
        yield _draw_hour(world, (day, hour), int(size), memory)


def _draw_hour(world: World, when: tuple[int, int], count: int, memory: Memory) -> Opportunities:
    """The opportunities of one hour: sessions of one person in one app, with a slot on auction every minute or so."""
    exchange = exchange_of(world)
    rng = np.random.default_rng(np.random.SeedSequence(world.seed, spawn_key=(_TRAFFIC, *when)))
    session, offset = _sessions(rng, count)
    sessions = int(session[-1]) + 1 if count else 0
    user = np.searchsorted(exchange.activity, rng.random(sessions)).astype(np.int32)
    app = _open_apps(exchange, rng, user)
    # A session that reaches over the end of its hour continues at the hour's beginning: hours stay independent.
    seconds = np.round((rng.random(sessions)[session] * 3_600 + offset) % 3_600, 3) % 3_600
    order = np.argsort(seconds, kind="stable")
    session, seconds = session[order], (when[0] * HOURS + when[1]) * 3_600.0 + seconds[order]
    user, app = user[session], app[session]
    slot = (rng.random(count)[:, None] >= exchange.slot_mix[app, :-1]).sum(axis=1).astype(np.int8)
    return Opportunities(
        seconds=seconds,
        minutes_since_last=memory.pass_on(user, seconds),
        user=user,
        app=app,
        slot=slot,
        system=exchange.systems[user],
        market_price=_market_prices(world, rng, exchange.worth[app, slot]),
        luck=rng.random((4, count), dtype=np.float32),
    )


def _market_prices(world: World, rng: np.random.Generator, worth: NDArray[np.float64]) -> NDArray[np.int16]:
    noise = rng.standard_normal(len(worth))
    return prices_at(world.prices, _PRICE_FOLLOWS_WORTH * worth + np.sqrt(1 - _PRICE_FOLLOWS_WORTH**2) * noise)


def _sessions(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of `count` opportunities, the number of its session and the seconds since the session began."""
    lengths = np.minimum(rng.geometric(1 / _SESSION_MEAN, count), _SESSION_LONGEST)
    session = np.repeat(np.arange(count), lengths)[:count]
    gaps = rng.exponential(_GAP_MEAN_S, count)
    first = np.flatnonzero(np.diff(session, prepend=-1))
    reached = np.cumsum(gaps)
    return session, reached - reached[first][session]


def _open_apps(exchange: Exchange, rng: np.random.Generator, user: NDArray[np.int32]) -> NDArray[np.int16]:
    """Of two popular apps a person opens the one they like better."""
    one, other = (np.searchsorted(exchange.popularity, rng.random(len(user))) for _ in range(2))
    tastes = exchange.tastes[user]
    liked = [np.einsum("ij,ij->i", tastes, exchange.flavours[app]) for app in (one, other)]
    return np.where(liked[0] >= liked[1], one, other).astype(np.int16)


def user_names(users: NDArray[np.int32]) -> NDArray[np.str_]:
    """The names that logs and inference requests use for people."""
    return np.char.add("u", np.char.zfill(users.astype(np.str_), 6))


def app_names(world: World) -> NDArray[np.str_]:
    """The name of each app: its category and its rank of popularity, `game-003`."""
    categories = exchange_of(world).categories
    return np.array([f"{CATEGORIES[kind]}-{rank:03d}" for rank, kind in enumerate(categories, start=1)])
