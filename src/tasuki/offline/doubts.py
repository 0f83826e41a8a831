"""Doubts about scored rows, as values: what a reader should know before trusting the comparison."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tasuki.offline.comparison import OfflineMetric
from tasuki.offline.losses import CLIP, row_losses
from tasuki.offline.scored import Floats, Rows, encode
from tasuki.stats.concern import Concern

TOO_FEW_POSITIVES = 20
FEW_POSITIVES = 100
FEW_UNITS = 40
CALIBRATION_LIMITS = (0.8, 1.25)


def doubts_about(rows: Rows, overall: Sequence[OfflineMetric]) -> tuple[Concern, ...]:
    """Every doubt about these rows, the gravest kinds first."""
    metrics = {one.name: one for one in overall}
    found = [
        *_about_labels(rows),
        *_about_identity(rows),
        *_about_certainty(rows),
        *_about_order(metrics["auc"]),
        *_about_calibration(metrics["calibration_ratio"]),
        *_about_units(rows, metrics),
        *_about_time(rows),
    ]
    return tuple(found)


def doubts_about_segments(segments: Mapping[str, Any], largest: int) -> tuple[Concern, ...]:
    """Which values of the segment columns were not compared by themselves."""
    found = []
    for column, values in segments.items():
        codes, _ = encode(np.asarray(values))
        sizes = np.sort(np.bincount(codes))[::-1]
        sizes = sizes[sizes > 0]
        if len(sizes) > largest:
            left = int(sizes[largest:].sum())
            message = (
                f"{column} has {len(sizes):,} values; the {largest} largest are shown, {left:,} rows are in others"
            )
            told = {"column": column, "values": len(sizes), "largest": largest, "left": left}
            found.append(Concern("segments_left_out", "info", message, told))
    return tuple(found)


def _about_labels(rows: Rows) -> Iterator[Concern]:
    positives, negatives = rows.positives, len(rows) - rows.positives
    if 0 in (positives, negatives):
        seen = "1" if positives else "0"
        yield Concern(
            "one_class", "error", f"every label is {seen}: order and calibration cannot be judged", {"seen": seen}
        )
    elif min(positives, negatives) < TOO_FEW_POSITIVES:
        rarer = f"{positives:,} positives" if positives <= negatives else f"{negatives:,} negatives"
        yield Concern(
            "too_few_positives", "error", f"only {rarer} (at least {TOO_FEW_POSITIVES} are needed)", _rarer(rows)
        )
    elif min(positives, negatives) < FEW_POSITIVES:
        rarer = f"{positives:,} positives" if positives <= negatives else f"{negatives:,} negatives"
        yield Concern(
            "few_positives", "warning", f"only {rarer}: intervals are wide and only roughly right", _rarer(rows)
        )


def _rarer(rows: Rows) -> dict[str, Any]:
    """How many rows the rarer class has, as values of a concern."""
    positives = rows.positives
    negatives = len(rows) - positives
    case = "positives" if positives <= negatives else "negatives"
    return {"case": case, "rows": int(min(positives, negatives)), "needed": TOO_FEW_POSITIVES}


def _about_identity(rows: Rows) -> Iterator[Concern]:
    if np.array_equal(rows.champion, rows.challenger):
        yield Concern("identical_scores", "error", "champion and challenger give every row the same probability")


def _about_certainty(rows: Rows) -> Iterator[Concern]:
    for name, scores in (("champion", rows.champion), ("challenger", rows.challenger)):
        losses = row_losses(rows.labels, scores)
        wrong = int(np.count_nonzero(losses >= -math.log(CLIP)))
        if wrong:
            message = f"{name} was certain and wrong on {wrong:,} rows; probabilities are clipped at {CLIP:g}"
            yield Concern("certain_and_wrong", "warning", message, {"model": name, "rows": wrong, "clip": CLIP})
        if len(rows) > 1 and scores.min() == scores.max():
            yield Concern("constant_scores", "warning", f"{name} gives every row the same probability", {"model": name})


def _about_order(area: OfflineMetric) -> Iterator[Concern]:
    for name, value in (("champion", area.champion), ("challenger", area.challenger)):
        if value is None:
            continue
        if value < 0.45:
            message = f"{name} orders rows worse than chance (AUC {value:.3f}): are label or score turned round?"
            yield Concern("order_reversed", "warning", message, {"model": name, "auc": value})
        if value > 0.999:
            message = f"{name} orders rows almost perfectly (AUC {value:.4f}): does a feature know the label?"
            yield Concern("leak_suspected", "warning", message, {"model": name, "auc": value})


def _about_calibration(ratio: OfflineMetric) -> Iterator[Concern]:
    low, high = CALIBRATION_LIMITS
    for name, value in (("champion", ratio.champion), ("challenger", ratio.challenger)):
        if value is not None and not low <= value <= high:
            message = f"{name} predicts {value:.3f} times the positives there are (fine: {low:g} to {high:g})"
            yield Concern(
                "calibration_off", "warning", message, {"model": name, "ratio": value, "low": low, "high": high}
            )


def _about_units(rows: Rows, metrics: Mapping[str, OfflineMetric]) -> Iterator[Concern]:
    if rows.units is None:
        return
    sizes = np.bincount(rows.units)
    if len(sizes) < FEW_UNITS:
        message = f"only {len(sizes)} units: clustered intervals are too narrow with so few"
        yield Concern("few_units", "error" if len(sizes) < 2 else "warning", message, {"units": len(sizes)})
    if len(sizes) > 1 and sizes.max() > 0.1 * len(rows):
        share = 100 * sizes.max() / len(rows)
        yield Concern(
            "one_unit_dominates", "warning", f"one unit holds {share:.0f} % of the rows", {"share": float(share)}
        )
    if metrics["grouped_auc"].champion is None:
        yield Concern("no_mixed_units", "info", "no unit has both classes, so there is no grouped AUC")


def _about_time(rows: Rows) -> Iterator[Concern]:
    if rows.times is None or len(rows) < 2:
        return
    if rows.times.dtype.kind == "M":
        hours = (rows.times.max() - rows.times.min()) / np.timedelta64(1, "h")
        if hours < 24:
            message = f"the rows cover {hours:.1f} hours: hours of the day or weekdays are missing"
            yield Concern("short_window", "info", message, {"hours": float(hours)})
    quarter = _quarters(rows.times)
    rates = [rows.labels[quarter == part] for part in range(4)]
    if min(len(part) for part in rates) >= 50 and _rates_differ(rates):
        said = "/".join(f"{100 * part.mean():.3g}" for part in rates)
        message = f"the rate of positives changes over time ({said} % by quarter of the rows): calibration may move on"
        yield Concern("rate_drifts", "warning", message, {"rates": said})


def _quarters(times: Any) -> Any:
    rank = np.empty(len(times), dtype=np.int64)
    rank[np.argsort(times, kind="stable")] = np.arange(len(times))
    return rank * 4 // len(times)


def _rates_differ(parts: list[Floats]) -> bool:
    """Pearson's chi-squared test of equal rates, at one in a thousand (16.27 with 3 degrees of freedom)."""
    n = np.array([len(part) for part in parts], dtype=np.float64)
    k = np.array([part.sum() for part in parts])
    rate = k.sum() / n.sum()
    if rate in (0.0, 1.0):
        return False
    return bool(((k - n * rate) ** 2 / (n * rate * (1 - rate))).sum() > 16.27)
