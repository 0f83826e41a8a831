from dataclasses import fields, replace

import numpy as np
import pytest

from tasuki.samples.exchange import (
    LONGEST_MEMORY_MINUTES,
    SLOTS,
    Memory,
    Opportunities,
    World,
    draw_opportunities,
    exchange_of,
    hour_counts,
)
from tasuki.samples.prices import PRICE_SHAPES, price_distribution
from tasuki.samples.truth import click_probability, install_probability

WORLD = World(seed=11, users=3_000)


def joined(chunks) -> Opportunities:
    chunks = list(chunks)
    columns = {
        one.name: np.concatenate([getattr(chunk, one.name) for chunk in chunks], axis=-1)
        for one in fields(Opportunities)
    }
    return Opportunities(**columns)


def days(world, numbers, count) -> Opportunities:
    memory = Memory(world)
    return joined(chunk for day in numbers for chunk in draw_opportunities(world, day, count, memory))


def equal(one: Opportunities, other: Opportunities) -> bool:
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(Opportunities))


def test_the_same_seed_draws_the_same_opportunities():
    assert equal(days(WORLD, [0, 1], 5_000), days(World(seed=11, users=3_000), [0, 1], 5_000))


def test_another_seed_or_day_draws_others():
    first = days(WORLD, [0], 5_000)
    assert not np.array_equal(first.user, days(replace(WORLD, seed=12), [0], 5_000).user)
    assert not np.array_equal(first.user, days(WORLD, [1], 5_000).user)


def test_a_day_does_not_depend_on_what_was_drawn_before_it():
    alone, after = days(WORLD, [1], 5_000), joined(draw_opportunities(WORLD, 1, 5_000, Memory(WORLD)))
    list(draw_opportunities(WORLD, 7, 100))
    assert equal(alone, after)
    both = days(WORLD, [0, 1], 5_000)
    assert np.array_equal(both.luck[:, 5_000:], alone.luck)
    assert np.array_equal(both.market_price[5_000:], alone.market_price)


@pytest.mark.parametrize("count", [0, 1, 23, 10_007])
def test_a_day_has_exactly_as_many_opportunities_as_asked(count):
    assert hour_counts(WORLD, count).sum() == count
    assert len(days(WORLD, [0], count)) == count


def test_opportunities_come_in_the_order_of_time_within_their_day():
    drawn = days(WORLD, [2], 20_000)
    assert (np.diff(drawn.seconds) >= 0).all()
    assert drawn.seconds[0] >= 2 * 86_400
    assert drawn.seconds[-1] < 3 * 86_400


def test_minutes_since_the_last_ad_are_those_a_slow_reader_counts():
    drawn = days(WORLD, [0, 1], 4_000)
    last: dict[int, float] = {}
    for user, second, minutes in zip(drawn.user, drawn.seconds, drawn.minutes_since_last, strict=True):
        since = (second - last[user]) / 60 if user in last else LONGEST_MEMORY_MINUTES
        assert minutes == pytest.approx(min(since, LONGEST_MEMORY_MINUTES), abs=0.0051)
        last[user] = second


def test_evenings_have_several_times_the_traffic_of_the_small_hours():
    # 21 to 22 in Japan is 12 to 13 UTC; 4 to 5 is 19 to 20 UTC.
    counts = hour_counts(WORLD, 100_000)
    assert counts[12] > 5 * counts[19]


def test_a_world_that_starts_at_another_hour_keeps_its_clock():
    later = replace(WORLD, start=WORLD.start.replace(hour=6))
    moved = np.roll(hour_counts(WORLD, 100_000), -6)
    assert np.abs(hour_counts(later, 100_000) - moved).max() <= 1


def test_apps_and_people_are_heavy_tailed():
    drawn = days(WORLD, range(3), 30_000)
    apps = np.sort(np.bincount(drawn.app, minlength=WORLD.apps))[::-1]
    assert apps[:6].sum() > 0.4 * len(drawn)
    people = np.sort(np.bincount(drawn.user, minlength=WORLD.users))[::-1]
    assert people[: WORLD.users // 10].sum() > 0.3 * len(drawn)


def test_market_prices_have_the_campaigns_shape():
    drawn = days(World(seed=2), [0], 150_000)
    seen = np.bincount(drawn.market_price, minlength=301).cumsum() / len(drawn)
    assert np.abs(seen - price_distribution(PRICE_SHAPES["2997"])).max() < 0.01


def test_better_placements_cost_more():
    drawn = days(World(seed=2), [0], 100_000)
    worth = exchange_of(World(seed=2)).worth[drawn.app, drawn.slot]
    assert 0.15 < np.corrcoef(worth, drawn.market_price)[0, 1] < 0.4


def test_every_slot_is_on_offer():
    assert set(np.unique(days(WORLD, [0], 20_000).slot)) == set(range(len(SLOTS)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_true_click_rate_is_the_campaigns(seed):
    world = World(seed=seed)
    drawn = days(world, [0, 1], 100_000)
    rate = click_probability(world, drawn)[100_000:].mean()
    assert rate == pytest.approx(0.00444, rel=0.07)


def test_installs_per_click_are_as_asked():
    world = World(seed=1, install_rate=0.2)
    drawn = days(world, [0, 1], 100_000)
    clicks, installs = click_probability(world, drawn), install_probability(world, drawn)
    assert (clicks * installs).sum() / clicks.sum() == pytest.approx(0.2, rel=0.07)


def test_fatigue_fades_with_time():
    drawn = days(WORLD, [0], 2_000)

    def rate(minutes):
        return click_probability(WORLD, replace(drawn, minutes_since_last=np.full(2_000, float(minutes)))).mean()

    rates = [rate(minutes) for minutes in (0, 10, 60, 240, 1_440)]
    assert rates == sorted(rates)
    assert rates[-1] / rates[0] == pytest.approx(np.exp(WORLD.fatigue), rel=0.1)
