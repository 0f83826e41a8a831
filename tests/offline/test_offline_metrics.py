"""Values and pulls of the offline metrics, against slow plain-Python versions, scikit-learn and the jackknife."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from tasuki.offline.losses import calibration_curve, calibration_ratio, log_loss, normalized_entropy, row_losses
from tasuki.offline.paired import auc_spread, clustered_spread, draws_of
from tasuki.offline.rank import auc, auc_by_group, groups_with_both

Table = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def scored_rows(draw: st.DrawFn) -> Table:
    """Labels of both classes, probabilities with many ties, and units of unequal size."""
    size = draw(st.integers(4, 40))
    labels = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size)))
    labels[:2] = (0.0, 1.0)
    scores = np.array(draw(st.lists(st.integers(1, 19), min_size=size, max_size=size))) / 20
    units = np.array(draw(st.lists(st.integers(0, size // 2), min_size=size, max_size=size)))
    return labels, scores, np.unique(units, return_inverse=True)[1].astype(np.int64)


def slow_auc(labels, scores):
    pairs = [
        (p, n) for p, a in zip(scores, labels, strict=True) if a for n, b in zip(scores, labels, strict=True) if not b
    ]
    return math.fsum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


@settings(max_examples=60, deadline=None)
@given(scored_rows())
def test_auc_is_the_share_of_pairs_in_order(table):
    labels, scores, _ = table
    found = auc(labels, scores)
    assert found.value == pytest.approx(slow_auc(labels, scores), abs=1e-12)
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.positive_pulls.sum() == pytest.approx(0, abs=1e-12)
    assert found.negative_pulls.sum() == pytest.approx(0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(scored_rows())
def test_grouped_auc_is_the_auc_of_each_unit_with_both_classes(table):
    labels, scores, units = table
    groups = groups_with_both(labels, units)
    both = [unit for unit in range(units.max() + 1) if 0 < labels[units == unit].mean() < 1]
    assert groups.count == len(both)
    if both:
        expected = [slow_auc(labels[units == unit], scores[units == unit]) for unit in both]
        np.testing.assert_allclose(auc_by_group(groups, scores), expected, atol=1e-12)
        np.testing.assert_array_equal(groups.sizes, [np.count_nonzero(units == unit) for unit in both])


@settings(max_examples=60, deadline=None)
@given(scored_rows())
def test_losses_and_calibration_are_what_plain_python_says(table):
    labels, scores, _ = table
    rows = list(zip(labels, scores, strict=True))
    mean = math.fsum(-math.log(p if y else 1 - p) for y, p in rows) / len(rows)
    rate = labels.mean()
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    losses = row_losses(labels, scores)
    assert log_loss(losses).value == pytest.approx(mean, rel=1e-12)
    assert log_loss(losses).value == pytest.approx(sklearn_log_loss(labels, scores), rel=1e-12)
    assert normalized_entropy(labels, losses).value == pytest.approx(mean / entropy, rel=1e-12)
    assert calibration_ratio(labels, scores).value == pytest.approx(math.fsum(scores) / math.fsum(labels), rel=1e-12)


def test_a_certain_and_wrong_row_costs_the_clipped_loss_and_not_infinity():
    losses = row_losses(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(losses, [-math.log(1e-15), -math.log(1e-15), 0.0])


def test_calibration_curve_counts_every_row_once_and_has_wilson_intervals():
    rng = np.random.default_rng(3)
    scores = np.round(rng.beta(1, 8, 5_000), 2)
    labels = (rng.random(5_000) < scores).astype(float)
    curve = calibration_curve(labels, scores)
    assert sum(point.rows for point in curve) == 5_000
    assert sum(point.positives for point in curve) == labels.sum()
    assert [point.predicted for point in curve] == sorted(point.predicted for point in curve)
    for point in curve:
        expected = binomtest(point.positives, point.rows).proportion_ci(method="wilson")
        assert (point.observed_low, point.observed_high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_equal_predictions_make_one_group():
    curve = calibration_curve(np.array([0.0, 1.0, 0.0, 0.0]), np.full(4, 0.25))
    assert len(curve) == 1
    assert curve[0].observed == curve[0].predicted == 0.25


def drawn(seed=1, units=300):
    """A seeded table with unequal units, correlated rows inside a unit, and two correlated models."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, units)
    codes = np.repeat(np.arange(units), sizes)
    taste = rng.normal(0, 1, units)[codes]
    noise = rng.normal(0, 0.7, (2, len(codes)))
    labels = (rng.random(len(codes)) < 1 / (1 + np.exp(2 - taste))).astype(float)
    scores = 1 / (1 + np.exp(2 - 0.8 * taste[None, :] - noise))
    return labels, scores[0], scores[1], codes


def jackknife(statistic, codes):
    """The delete-one-unit jackknife's standard error: needs no formula for the pulls at all."""
    count = codes.max() + 1
    left_out = np.array([statistic(codes != unit) for unit in range(count)])
    return math.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum())


@pytest.mark.parametrize("metric", ["log_loss", "normalized_entropy", "calibration_ratio"])
def test_clustered_error_of_a_paired_difference_agrees_with_the_jackknife(metric):
    labels, champion, challenger, codes = drawn()

    def one(scores, keep):
        if metric == "calibration_ratio":
            return calibration_ratio(labels[keep], scores[keep])
        losses = row_losses(labels[keep], scores[keep])
        return log_loss(losses) if metric == "log_loss" else normalized_entropy(labels[keep], losses)

    everything = np.ones(len(labels), dtype=bool)
    pulls = one(challenger, everything).pulls - one(champion, everything).pulls
    spread = clustered_spread(pulls, draws_of(codes, len(labels)))
    expected = jackknife(lambda keep: one(challenger, keep).value - one(champion, keep).value, codes)
    assert spread.error == pytest.approx(expected, rel=0.02)
    assert spread.freedom == codes.max()


def test_clustered_error_of_the_auc_difference_agrees_with_the_jackknife():
    labels, champion, challenger, codes = drawn()
    first, second = auc(labels, champion), auc(labels, challenger)
    spread = auc_spread(
        labels,
        second.positive_pulls - first.positive_pulls,
        second.negative_pulls - first.negative_pulls,
        draws_of(codes, len(labels)),
    )
    expected = jackknife(
        lambda keep: auc(labels[keep], challenger[keep]).value - auc(labels[keep], champion[keep]).value, codes
    )
    assert spread.error == pytest.approx(expected, rel=0.02)


def slow_delong(labels, first, second):
    """DeLong's variance of the difference by his covariance matrices, one pair at a time."""

    def components(scores):
        high, low = scores[labels == 1], scores[labels == 0]
        order = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in low] for a in high])
        return order.mean(axis=1), order.mean(axis=0)

    (x1, y1), (x2, y2) = components(first), components(second)
    s10, s01 = np.cov(x1, x2), np.cov(y1, y2)
    total = s10 / len(x1) + s01 / len(y1)
    return math.sqrt(total[0, 0] + total[1, 1] - 2 * total[0, 1])


def test_without_units_the_auc_error_is_delongs():
    labels, champion, challenger, _ = drawn(units=60)
    first, second = auc(labels, champion), auc(labels, challenger)
    pulls = (second.positive_pulls - first.positive_pulls, second.negative_pulls - first.negative_pulls)
    spread = auc_spread(labels, *pulls, draws_of(None, len(labels)))
    assert spread.error == pytest.approx(slow_delong(labels, champion, challenger), rel=1e-10)
