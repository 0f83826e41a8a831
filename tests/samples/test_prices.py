import json
from pathlib import Path

import numpy as np
import pytest

from tasuki.samples.prices import PRICE_SHAPES, mean_price, price_distribution, prices_at

CAMPAIGNS = Path(__file__).parents[3] / "shared" / "data" / "ipinyou_campaigns"


@pytest.mark.parametrize("campaign", PRICE_SHAPES)
def test_a_price_distribution_rises_from_nothing_to_one(campaign):
    reached = price_distribution(PRICE_SHAPES[campaign])
    assert reached[0] == 0
    assert reached[-1] == pytest.approx(1)
    assert (np.diff(reached) > 0).all()


@pytest.mark.parametrize("campaign", ["2997", "1458", "2261"])
def test_prices_at_normal_scores_have_the_shape(campaign):
    shape = PRICE_SHAPES[campaign]
    prices = prices_at(shape, np.random.default_rng(3).standard_normal(400_000))
    seen = np.bincount(prices, minlength=301).cumsum() / len(prices)
    assert np.abs(seen - price_distribution(shape)).max() < 0.004
    assert prices.mean() == pytest.approx(mean_price(shape), rel=0.01)


def test_a_higher_score_never_costs_less():
    prices = prices_at(PRICE_SHAPES["2997"], np.linspace(-6, 6, 10_000))
    assert (np.diff(prices) >= 0).all()
    assert (prices[0], prices[-1]) == (1, 300)


@pytest.mark.parametrize("campaign", PRICE_SHAPES)
def test_fitted_prices_are_close_to_the_real_histogram(campaign):
    path = CAMPAIGNS / f"{campaign}.info.json"
    if not path.exists():
        pytest.skip(f"no real histograms in {CAMPAIGNS}")
    info = json.loads(path.read_text())
    counts = np.array(info["price_counter_train"], dtype=float)
    shape = PRICE_SHAPES[campaign]
    assert np.abs(counts.cumsum() / counts.sum() - price_distribution(shape)).max() < 0.04
    assert shape.click_rate == pytest.approx(info["clk_train"] / info["imp_train"], abs=1e-6)
