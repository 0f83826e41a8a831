"""Log loss, normalized entropy and calibration: values, and each row's pull on them."""

import math
from dataclasses import dataclass

import numpy as np

from tasuki.offline.scored import Floats

CLIP = 1e-15
"""Probabilities nearer than this to 0 or 1 count as this near, so that one certain and wrong row is not infinite."""


@dataclass(frozen=True)
class Pulled:
    """A value, and how much each row pulls it up or down (its influence function over the rows); pulls sum to 0."""

    value: float
    pulls: Floats


def row_losses(labels: Floats, probabilities: Floats) -> Floats:
    """The log loss of each row: −ln of the probability that was given to what happened, clipped at `CLIP`."""
    given = np.where(labels == 1, probabilities, 1.0 - probabilities)
    losses: Floats = -np.log(np.maximum(given, CLIP))
    return losses


def log_loss(losses: Floats) -> Pulled:
    """The mean of the rows' losses in nats; lower is better. Use it to compare probabilities, not only their order.

    Formula: L = Σ lᵢ/n; pull (lᵢ − L)/n.
    Source: I. Good (1952), Rational decisions; C. Bishop (2006), Pattern recognition and machine learning, eq. 4.90.
    Checked against: plain Python; `sklearn.metrics.log_loss`.
    """
    value = float(losses.mean())
    return Pulled(value, (losses - value) / len(losses))


def normalized_entropy(labels: Floats, losses: Floats) -> Pulled:
    """Log loss in units of the loss of always saying the average rate: 1 is worth nothing, lower is better.

    Use it to compare data whose average rates differ. Needs both classes.

    Formula: NE = L/H(r), r = Σyᵢ/n, H(r) = −r ln r − (1 − r) ln(1 − r); pull by the delta method
        (lᵢ − L)/(nH) − L H'(r)(yᵢ − r)/(nH²), H'(r) = ln((1 − r)/r).
    Source: X. He et al. (2014), Practical lessons from predicting clicks on ads at Facebook, eq. 1.
    Checked against: plain Python; jackknife variance.
    """
    n = len(losses)
    rate = float(labels.mean())
    entropy = -rate * math.log(rate) - (1.0 - rate) * math.log1p(-rate)
    slope = math.log((1.0 - rate) / rate)
    mean = float(losses.mean())
    pulls = (losses - mean) / (n * entropy) - mean * slope * (labels - rate) / (n * entropy**2)
    return Pulled(mean / entropy, pulls)


def calibration_ratio(labels: Floats, probabilities: Floats) -> Pulled:
    """Predicted positives over real ones: 1 is right, 1.1 promises a tenth too many. Needs a positive.

    Formula: R = Σpᵢ/Σyᵢ; pull by the delta method (pᵢ − R yᵢ)/Σyᵢ.
    Source: W. Cochran (1977), Sampling techniques, ch. 6 (ratio estimators); the ratio as in He et al. (2014), §2.
    Checked against: plain Python; jackknife variance.
    """
    positives = float(labels.sum())
    value = float(probabilities.sum()) / positives
    return Pulled(value, (probabilities - value * labels) / positives)


@dataclass(frozen=True)
class CalibrationPoint:
    """Rows with similar predictions: what was predicted on average, and what happened with its 95 % interval."""

    rows: int
    positives: int
    predicted: float
    observed: float
    observed_low: float
    observed_high: float


def calibration_curve(labels: Floats, probabilities: Floats, bins: int = 10) -> tuple[CalibrationPoint, ...]:
    """Predicted against observed rate in groups of about equal size, lowest predictions first.

    Equal predictions stay in one group, so there may be fewer groups than `bins`.

    Formula: per group mean p, k/n, and Wilson's interval (k + z²/2 ± z √(k(n − k)/n + z²/4))/(n + z²), z = 1.96.
    Source: E. Wilson (1927), Probable inference, the law of succession, and statistical inference.
    Checked against: plain Python; `scipy.stats.binomtest(...).proportion_ci(method="wilson")`.
    """
    edges = np.unique(np.quantile(probabilities, np.arange(1, bins) / bins))
    group = sum((probabilities > edge).astype(np.int64) for edge in edges)
    rows = np.bincount(group, minlength=len(edges) + 1)
    positives = np.bincount(group, weights=labels, minlength=len(edges) + 1)
    predicted = np.bincount(group, weights=probabilities, minlength=len(edges) + 1)
    return tuple(
        _point(int(n), int(k), float(total)) for n, k, total in zip(rows, positives, predicted, strict=True) if n
    )


def _point(n: int, k: int, total: float) -> CalibrationPoint:
    z = 1.959963984540054
    middle, reach = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    low, high = max(0.0, (middle - reach) / (n + z * z)), min(1.0, (middle + reach) / (n + z * z))
    return CalibrationPoint(n, k, total / n, k / n, low, high)
