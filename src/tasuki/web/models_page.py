"""The page of models: what serves, since when, who published it, and what A/B 1 found, day by day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

from litestar import Response, get

from tasuki.actions.serving_state import CheckHealth, ModelServing, what_serves
from tasuki.web.site import AnyRequest, page, workspace_of

Mark = Literal["passed", "failed", "not_asked"]
SHOWN_DAYS = 14


@dataclass(frozen=True)
class ProbeLine:
    """A probe over the days, and its verdict in the report.

    Args:
        name: The probe.
        fault: What it found in the report; None when it passed.
        days: Its mark on each day.
    """

    name: str
    fault: str | None
    days: tuple[Mark, ...]


@dataclass(frozen=True)
class HealthTable:
    """A report of A/B 1 as the page shows it: what failed apart from what did not.

    Args:
        check: The report.
        days: The days, oldest first.
        lines: The probes, in the report's order.
    """

    check: CheckHealth
    days: tuple[date, ...]
    lines: tuple[ProbeLine, ...]

    @property
    def troubled(self) -> tuple[ProbeLine, ...]:
        """The probes that failed in the report or on a day."""
        return tuple(one for one in self.lines if _is_troubled(one))

    @property
    def quiet(self) -> tuple[ProbeLine, ...]:
        """The others."""
        return tuple(one for one in self.lines if not _is_troubled(one))


@dataclass(frozen=True)
class ModelPanel:
    """A model with its reports as tables."""

    model: ModelServing
    health: tuple[HealthTable, ...]


def health_table(check: CheckHealth) -> HealthTable:
    """A report's probes over its last days."""
    days = check.by_day[-SHOWN_DAYS:]
    failed = dict(check.failed)
    lines = []
    for name in check.asked:
        marks = tuple(mark_of(name, one.asked, one.failed) for one in days)
        lines.append(ProbeLine(name, failed.get(name), marks))
    return HealthTable(check, tuple(one.day for one in days), tuple(lines))


def mark_of(name: str, asked: Collection[str], failed: Collection[str]) -> Mark:
    """What a day says of a probe."""
    if name in failed:
        return "failed"
    return "passed" if name in asked else "not_asked"


def _is_troubled(line: ProbeLine) -> bool:
    return line.fault is not None or "failed" in line.days


@get("/models", sync_to_thread=True, opt={"verb": "experiment.status"})
def show_models(request: AnyRequest) -> Response[str]:
    """Every model that is stored."""
    workspace = workspace_of(request)
    state = what_serves(workspace)
    panels = tuple(ModelPanel(one, tuple(map(health_table, one.checks))) for one in state.models)
    return page(request, workspace, "models.html", {"service": state.service, "panels": panels, "place": "models"})


MODEL_PAGES = (show_models,)
