"""Predicted against observed rates of two models, drawn and as a table."""

from collections.abc import Sequence

from tasuki.charts.curves import CalibrationPoint, calibration
from tasuki.flow.records import CalibrationBin, CalibrationCurves
from tasuki.language import Formats, Language
from tasuki.reports.document import Caption, Column, Figure, Table, figure
from tasuki.texts import Texts


def calibration_figure(curves: CalibrationCurves, language: Language) -> Figure | None:
    """Both models' curves beside the line of a perfect one; None where there is nothing to draw."""
    if not curves.champion or not curves.challenger:
        return None
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    models = ((t("calibration.champion"), curves.champion), (t("calibration.challenger"), curves.challenger))
    title = t("calibration.title")
    series = [
        (
            name,
            [CalibrationPoint(one.predicted, one.observed, one.observed_low, one.observed_high) for one in bins],
        )
        for name, bins in models
    ]
    numbers = ("predicted", "observed", "low", "high", "rows", "positives")
    columns = (Column(t("calibration.model")), *(Column(t(f"calibration.{one}"), True) for one in numbers))
    rows = tuple(_row(name, one, formats) for name, bins in models for one in bins)
    label = t("calibration.chart", list=" ".join(_said(name, bins, language) for name, bins in models))
    caption = Caption(language, title, label, t("calibration.note"))
    return figure(lambda frame: calibration(series, frame), caption, Table(title, columns, rows))


def _row(name: str, one: CalibrationBin, formats: Formats) -> tuple[str, ...]:
    shares = (one.predicted, one.observed, one.observed_low, one.observed_high)
    return (name, *(formats.percent(share, 2) for share in shares), *map(formats.number, (one.rows, one.positives)))


def _said(name: str, bins: Sequence[CalibrationBin], language: Language) -> str:
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    inside = sum(one.observed_low <= one.predicted <= one.observed_high for one in bins)
    highest = bins[-1]
    return t(
        "calibration.said",
        name=name,
        inside=inside,
        bins=len(bins),
        predicted=formats.percent(highest.predicted, 2),
        observed=formats.percent(highest.observed, 2),
    )
