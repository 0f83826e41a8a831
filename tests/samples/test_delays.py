from pathlib import Path

import duckdb
import numpy as np
import pytest

from tasuki.samples.delays import CLICK_DELAY, INSTALL_DELAY, delays_at

CLICKS = Path(__file__).parents[3] / "shared" / "data" / "talkingdata_100k.csv.gz"


def draw(shape, count=200_000):
    return delays_at(shape, np.random.default_rng(5).random(count))


def test_install_delays_have_the_real_quantiles():
    delays = draw(INSTALL_DELAY)
    assert np.median(delays) == pytest.approx(198, rel=0.1)
    assert (delays > 3_600).mean() == pytest.approx(0.27, abs=0.02)
    assert delays.max() <= 46_341


def test_click_delays_are_seconds_and_at_most_half_an_hour():
    delays = draw(CLICK_DELAY)
    assert np.median(delays) == pytest.approx(12, rel=0.05)
    assert delays.min() > 0
    assert delays.max() <= 1_800.001


def test_a_later_share_is_a_longer_delay():
    assert (np.diff(delays_at(INSTALL_DELAY, np.linspace(0, 1, 500))) >= 0).all()


def test_install_delays_are_close_to_the_real_ones():
    if not CLICKS.exists():
        pytest.skip(f"no real clicks at {CLICKS}")
    sql = "select epoch(attributed_time) - epoch(click_time) from read_csv(?) where is_attributed = 1 order by 1"
    real = np.array([row[0] for row in duckdb.execute(sql, [str(CLICKS)]).fetchall()])
    drawn = np.sort(draw(INSTALL_DELAY))
    reached = np.searchsorted(drawn, real, side="right") / len(drawn)
    distance = np.abs(reached - np.arange(1, len(real) + 1) / len(real)).max()
    # 1.36/√227: what a sample of this size would show of its own distribution 19 times out of 20.
    assert distance < 1.36 / np.sqrt(len(real))
