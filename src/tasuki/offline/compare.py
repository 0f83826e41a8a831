"""Champion against challenger on the same rows: every metric, overall and by segment, with what follows from it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasuki.offline.comparison import Curves, OfflineComparison, OfflineMetric, Window
from tasuki.offline.doubts import doubts_about, doubts_about_segments
from tasuki.offline.losses import (
    Pulled,
    calibration_curve,
    calibration_ratio,
    log_loss,
    normalized_entropy,
    row_losses,
)
from tasuki.offline.paired import Draws, Spread, auc_spread, clustered_spread, draws_of, interval_around
from tasuki.offline.rank import auc, auc_by_group, groups_with_both
from tasuki.offline.recommend import OfflineRule, recommend
from tasuki.offline.scored import Rows, Scored, clean, encode

LARGEST_SEGMENTS = 20
"""Of each segment column, the values with the most rows that are compared by themselves."""


def compare_scores(scored: Scored, rule: OfflineRule | None = None) -> OfflineComparison:
    """Compares two models on the same rows.

    Use it on held-out rows that are later than the training data of both models and whose labels have had their time
    to arrive. Paired: what both models get wrong together cancels.

    Args:
        scored: Labels, both models' probabilities, and units, times and segments where they are known.
        rule: What is enough for a go; the default is written out in the recommendation.

    Returns:
        Metrics with paired intervals (clustered by unit when units are given), concerns and a recommendation.

    Raises:
        Invalid: See `tasuki.offline.scored.clean`.
    """
    rule = rule or OfflineRule()
    rows, cleaning = clean(scored)
    overall = measure(rows, None, rule.alpha)
    segments = tuple(_measure_segments(rows, rule.alpha))
    concerns = cleaning + doubts_about(rows, overall) + doubts_about_segments(rows.segments, LARGEST_SEGMENTS)
    curves = Curves(calibration_curve(rows.labels, rows.champion), calibration_curve(rows.labels, rows.challenger))
    return OfflineComparison(
        rows=len(rows),
        positives=rows.positives,
        units=None if rows.units is None else int(rows.units.max()) + 1,
        alpha=rule.alpha,
        window=_window(rows),
        metrics=overall + segments,
        calibration_curve=curves,
        concerns=concerns,
        recommendation=recommend(overall, segments, concerns, rule),
    )


def measure(rows: Rows, segment: str | None, alpha: float) -> tuple[OfflineMetric, ...]:
    """Every metric on these rows. Where one class is missing, only the log loss can be computed."""
    draws = draws_of(rows.units, len(rows))
    losses = [row_losses(rows.labels, scores) for scores in (rows.champion, rows.challenger)]
    seat = _Seat(rows, draws, segment, alpha)
    found = [seat.pulled("log_loss", log_loss(losses[0]), log_loss(losses[1]))]
    if 0 < rows.positives < len(rows):
        entropies = [normalized_entropy(rows.labels, one) for one in losses]
        ratios = [calibration_ratio(rows.labels, scores) for scores in (rows.champion, rows.challenger)]
        found += [
            seat.pulled("normalized_entropy", *entropies),
            seat.auc(),
            seat.pulled("calibration_ratio", *ratios),
        ]
    else:
        found += [seat.unknown(name) for name in ("normalized_entropy", "auc")]
        found += [seat.unknown("calibration_ratio") if not rows.positives else _ratio_without_negatives(seat)]
    return (*found, seat.grouped_auc()) if rows.units is not None else tuple(found)


@dataclass(frozen=True)
class _Seat:
    """Where a metric is measured: these rows, these draws, under this segment's name."""

    rows: Rows
    draws: Draws
    segment: str | None
    alpha: float

    def pulled(self, name: str, champion: Pulled, challenger: Pulled) -> OfflineMetric:
        spread = clustered_spread(challenger.pulls - champion.pulls, self.draws)
        return self._metric(name, champion.value, challenger.value, spread)

    def auc(self) -> OfflineMetric:
        champion, challenger = (auc(self.rows.labels, one) for one in (self.rows.champion, self.rows.challenger))
        positive = challenger.positive_pulls - champion.positive_pulls
        negative = challenger.negative_pulls - champion.negative_pulls
        spread = auc_spread(self.rows.labels, positive, negative, self.draws)
        return self._metric("auc", champion.value, challenger.value, spread)

    def grouped_auc(self) -> OfflineMetric:
        """The mean of the units' AUCs weighted by their rows (G. Zhou et al. 2018, Deep interest network, eq. 8)."""
        assert self.rows.units is not None
        groups = groups_with_both(self.rows.labels, self.rows.units)
        if groups.count == 0:
            return self.unknown("grouped_auc")
        weights = groups.sizes / groups.sizes.sum()
        champion, challenger = (auc_by_group(groups, one) for one in (self.rows.champion, self.rows.challenger))
        values = [float(np.dot(weights, one)) for one in (champion, challenger)]
        pulls = weights * (challenger - champion - (values[1] - values[0]))
        return self._metric("grouped_auc", values[0], values[1], clustered_spread(pulls, Draws(None, groups.count)))

    def unknown(self, name: str) -> OfflineMetric:
        return OfflineMetric(
            name, self.segment, None, None, None, None, None, None, len(self.rows), self.rows.positives
        )

    def _metric(self, name: str, champion: float, challenger: float, spread: Spread) -> OfflineMetric:
        difference = challenger - champion
        found = interval_around(difference, spread, self.alpha)
        values = (champion, challenger, difference, found.low, found.high, found.p_value)
        return OfflineMetric(name, self.segment, *values, len(self.rows), self.rows.positives)


def _ratio_without_negatives(seat: _Seat) -> OfflineMetric:
    champion, challenger = (
        calibration_ratio(seat.rows.labels, one) for one in (seat.rows.champion, seat.rows.challenger)
    )
    return seat.pulled("calibration_ratio", champion, challenger)


def _measure_segments(rows: Rows, alpha: float) -> Iterator[OfflineMetric]:
    for column, values in rows.segments.items():
        codes, names = encode(values)
        sizes = np.bincount(codes, minlength=len(names))
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(sizes)
        for code in np.argsort(-sizes, kind="stable")[:LARGEST_SEGMENTS]:
            if sizes[code]:
                index = order[ends[code] - sizes[code] : ends[code]]
                yield from measure(rows.take(index), f"{column}={_name_of(names[code])}", alpha)


def _name_of(value: object) -> str:
    if value is None:
        return "(null)"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return str(value)


def _window(rows: Rows) -> Window | None:
    if rows.times is None or len(rows.times) == 0:
        return None
    return Window(_moment_text(rows.times.min()), _moment_text(rows.times.max()))


def _moment_text(moment: Any) -> str:
    return f"{np.datetime_as_string(moment, unit='s')}Z" if isinstance(moment, np.datetime64) else str(moment)
