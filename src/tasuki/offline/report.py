"""A comparison as evidence: the offline report that a hand-off carries, with the cases where the challenger fails."""

from tasuki.errors import said
from tasuki.flow.records import CalibrationBin, CalibrationCurves, ConcernNote, MetricDifference, OfflineReport
from tasuki.offline.comparison import Curves, OfflineComparison, OfflineMetric
from tasuki.texts import as_record

WORST_SEGMENTS = 5
FEWEST_POSITIVES = 5


def offline_report(comparison: OfflineComparison, champion: str, challenger: str, rule: str = "") -> OfflineReport:
    """The record that `tasuki.flow.records` describes.

    Args:
        comparison: What was measured.
        champion: The champion's version, or its column.
        challenger: The challenger's version, or its column.
        rule: The rule as it was recorded before; the comparison's own rule when empty.
    """
    verdict, failures = comparison.recommendation, failure_cases(comparison)
    told = {"reasons": verdict.reasons, "failure_cases": failures} | ({} if rule else {"rule": (verdict.rule,)})
    return OfflineReport(
        champion=champion,
        challenger=challenger,
        rows=comparison.rows,
        positives=comparison.positives,
        metrics=tuple(_difference(one) for one in comparison.metrics),
        failure_cases=tuple(map(str, failures)),
        rule=str(rule or verdict.rule),
        recommendation=verdict.decision,
        reasons=tuple(map(str, verdict.reasons)),
        concerns=tuple(ConcernNote(one.code, one.severity, one.message, one.values) for one in comparison.concerns),
        calibration_curve=_curves(comparison.calibration_curve),
        said={name: [as_record(one) for one in sentences] for name, sentences in told.items()},
    )


def _curves(curves: Curves) -> CalibrationCurves:
    champion, challenger = (
        tuple(CalibrationBin(**vars(one)) for one in points) for points in (curves.champion, curves.challenger)
    )
    return CalibrationCurves(champion, challenger)


def failure_cases(comparison: OfflineComparison) -> tuple[str, ...]:
    """Where the challenger is weakest: segments it makes worse, and those whose rate it gets most wrong.

    Segments with fewer than `FEWEST_POSITIVES` positives and as few expected ones say nothing and are left out. When
    there is nothing to name, one line says where it was looked.
    """
    worse = [
        said(
            "{segment}: log loss {champion:.5g} → {challenger:.5g} ({rows:,} rows, {positives:,} positives)",
            segment=one.segment,
            champion=one.champion,
            challenger=one.challenger,
            rows=one.rows,
            positives=one.positives,
        )
        for one in comparison.metrics
        if one.segment and one.name == "log_loss" and one.difference_low is not None and one.difference_low > 0
    ]
    ratios = [
        one
        for one in comparison.metrics
        if one.segment and one.name == "calibration_ratio" and one.challenger and one.positives >= FEWEST_POSITIVES
    ]
    ratios.sort(key=_miscalibration, reverse=True)
    off = [
        said(
            "{segment}: predicts {ratio:.2f} times the {positives:,} positives there are",
            segment=one.segment,
            ratio=one.challenger,
            positives=one.positives,
        )
        for one in ratios[:WORST_SEGMENTS]
        if _miscalibration(one) > 1.25
    ]
    return (*worse, *off) or (_nothing_seen(len(ratios)),)


def _nothing_seen(segments: int) -> str:
    """Says where it was looked, so that a reader can tell 'none' from 'nobody looked'."""
    if not segments:
        return said("not looked for: no segment has enough positives to tell")
    return said(
        "none seen: {segments} segment(s) with at least {fewest} positives: no worse, well calibrated",
        segments=segments,
        fewest=FEWEST_POSITIVES,
    )


def _miscalibration(one: OfflineMetric) -> float:
    ratio = one.challenger or 1.0
    return max(ratio, 1.0 / ratio)


def _difference(one: OfflineMetric) -> MetricDifference:
    return MetricDifference(
        name=one.name,
        segment=one.segment or "",
        champion=one.champion,
        challenger=one.challenger,
        difference=one.difference,
        difference_low=one.difference_low,
        difference_high=one.difference_high,
        p_value=one.p_value,
    )
