"""Charts on the pages: drawn once for each content, then kept, since drawing takes a tenth of a second."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from tasuki.charts.draw import can_draw, to_svg
from tasuki.charts.frame import Spec
from tasuki.flow.evidence import read_evidence
from tasuki.flow.records import CalibrationCurves, ExperimentPlan
from tasuki.flow.state import EvidenceEntry
from tasuki.language import Language
from tasuki.reports.calibration import calibration_figure
from tasuki.reports.document import Document, Figure, Section
from tasuki.reports.registered_plan import plan_figures

KEPT = 512
"""So many drawings of about 15 KB each are kept."""


def drawn(spec: Spec, label: str, name: str) -> str:
    """A chart as an SVG element for a page; empty where the drawing library is missing: its table says the same.

    Args:
        spec: The chart.
        label: What it shows, for those who cannot see it.
        name: Its own on the page.
    """
    return _svg(json.dumps(spec, sort_keys=True), label, name) if can_draw() else ""


@lru_cache(maxsize=KEPT)
def _svg(spec: str, label: str, name: str) -> str:
    return to_svg(json.loads(spec), label, name)


def calibration_of(record: Mapping[str, Any], language: Language) -> Figure | None:
    """The calibration curves that an offline report keeps; None where it keeps none."""
    curves = record.get("calibration_curve")
    if curves is None:
        return None
    return calibration_figure(TypeAdapter(CalibrationCurves).validate_python(curves), language)


def power_of_plan(entry: EvidenceEntry, language: Language) -> tuple[Figure, ...]:
    """The power curves of a registered comparison; A/B 1 asks something else and has none."""
    plan = read_evidence(dict(entry.body)).record
    if not isinstance(plan, ExperimentPlan) or plan.kind != "comparison":
        return ()
    return plan_figures(plan, language)


def figures_in(document: Document, *names: str) -> Iterator[tuple[Section, tuple[Figure, ...]]]:
    """The sections of a report that go by these names, each with its figures; those without one are left out."""
    for section in document.sections:
        figures = tuple(one for one in section.blocks if isinstance(one, Figure))
        if section.name in names and figures:
            yield section, figures
