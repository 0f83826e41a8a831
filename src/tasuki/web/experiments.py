"""Experiments as pages: all with their slots, and one with its plan, its probes, its effects and its decision."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from tasuki.actions.booking import read_calendar
from tasuki.actions.experiment_lines import Wanted, lines_named
from tasuki.actions.experiment_list import ExperimentEntry, entries_of, outlined_entries
from tasuki.actions.told import report_of
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, TasukiError, said
from tasuki.flow.state import EvidenceEntry, IdeaState
from tasuki.language import Language
from tasuki.reports.document import Figure
from tasuki.web.calendar_view import KeptCalendar
from tasuki.web.drawings import figures_in, power_of_plan
from tasuki.web.experiment_choice import KINDS, STANDINGS, part_of_list
from tasuki.web.experiment_drafts import booking_choices, doing_of, start_draft
from tasuki.web.forms import Form
from tasuki.web.models_page import Mark, mark_of
from tasuki.web.problems import status_of
from tasuki.web.site import AnyRequest, language_of, page, whole_number, workspace_of
from tasuki.web.visitors import form_of, visitor_of

_QUERY_LENGTH = 200
_ASKED = ("idea", "experiment", "kind", "days", "from", "lane")
"""What an address may fill the form of a booking in with."""


@get("/experiments", sync_to_thread=True, opt={"verb": "experiment.list"})
def show_experiments(request: AnyRequest) -> Response[str]:
    """The experiments that run or are booked, then those that are over, the newest first; a page of them at a time."""
    workspace = workspace_of(request)
    asked = {name: request.query_params.get(name) or "" for name in ("standing", "kind", "q")}
    wanted = Wanted(
        asked["standing"] if asked["standing"] in STANDINGS else "",
        asked["kind"] if asked["kind"] in KINDS else "",
        asked["q"].strip()[:_QUERY_LENGTH],
    )
    found = part_of_list(workspace.ledger.shelf(), wanted, whole_number(request.query_params.get("page")) or 1)
    entries = outlined_entries(workspace, found.lines)
    context = {"entries": entries, "found": found, "wanted": wanted, "standings": STANDINGS, "kinds": KINDS}
    return page(request, workspace, "experiments.html", {**context, "place": "experiments"})


@get("/calendar", sync_to_thread=True, opt={"verb": "calendar.show"})
def show_calendar(request: AnyRequest) -> Response[str]:
    """Lanes and slots, who waits, and from when a week is free."""
    return calendar_page(request)


def calendar_page(request: AnyRequest, error: TasukiError | None = None) -> Response[str]:
    """The calendar with the form that books; after an error with what was typed and what is wrong with it."""
    workspace, form = workspace_of(request), form_of(request)
    calendar = read_calendar(workspace)
    if error is None:
        form = Form({name: [request.query_params.get(name) or ""] for name in _ASKED})
    act, asked = workspace.act(visitor_of(request).member), form.text("idea")
    calendars: KeptCalendar = request.app.state.calendar
    kept = calendars.lanes(calendar, language_of(request, workspace.language), act.members)
    context = {
        "view": kept.view,
        "kept": kept,
        "members": act.members,
        "choices": booking_choices(workspace.ledger.shelf().active.states, act, calendar, asked),
        "kinds": KINDS,
        "today": calendar.today,
        "typed": form,
        **_told(error),
        "place": "calendar",
    }
    return page(request, workspace, "calendar.html", context, 200 if error is None else status_of(error))


def _told(error: TasukiError | None) -> dict[str, Any]:
    return {"problem": error, "faults": getattr(error, "faults", ())}


@get("/experiments/{name:str}", sync_to_thread=True, opt={"verb": "experiment.list"})
def show_experiment(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """One experiment: plan, A/B 1 by report, A/B 2 with effects, decision, and what can be done with it."""
    return experiment_page(request, name, request.query_params.get("idea"))


def experiment_page(
    request: AnyRequest, name: str, idea: str | None = None, error: TasukiError | None = None
) -> Response[str]:
    """The page of an experiment; after an error with what was typed and what is wrong with it.

    Args:
        request: Who asks.
        name: The experiment's name.
        idea: Its idea, where that is known: two ideas may have booked an experiment of one name.
        error: What went wrong. Raised again where there is no experiment to show it beside.
    """
    workspace = workspace_of(request)
    lines = lines_named(workspace.ledger.shelf(), name)
    line = next((one for one in lines if idea in (None, one.state.idea)), None)
    if line is None:
        raise error or Missing(said("there is no experiment {name!r}", name=name))
    (entry,) = entries_of(workspace, [line])
    state = workspace.ledger.state(entry.idea)
    comparisons = _of(state, "comparison_report", name)
    checks = _of(state, "check_report", name)
    plan = _newest(_of(state, "experiment_plan", name))
    language = language_of(request, workspace.language)
    calendar = read_calendar(workspace)
    slot = calendar.slot(entry.idea, name)
    context = {
        "entry": entry,
        "state": state,
        "plan": plan,
        "checks": checks,
        "probes": probes_by_report(checks),
        "days": days_of(checks[-1]) if checks else None,
        "comparison": _newest(comparisons),
        "charts": _charts(workspace, entry, language) if comparisons else {},
        "power": () if plan is None else power_of_plan(plan, language),
        "looks": tuple(comparisons),
        "decision": _decision(state, entry),
        "slot": slot,
        "sooner": None if slot is None else calendar.sooner(slot),
        "given_back": line.experiment.given_back,
        "namesakes": tuple(one.state for one in lines if one.state.idea != entry.idea),
        "today": workspace.clock().date(),
        "doing": doing_of(state, entry, workspace.act(visitor_of(request).member)),
        "typed": form_of(request) if error else Form(start_draft(state, name)),
        **_told(error),
        "place": "experiments",
    }
    return page(request, workspace, "experiment.html", context, 200 if error is None else status_of(error))


def _of(state: IdeaState, kind: str, experiment: str) -> list[EvidenceEntry]:
    return [one for one in state.evidence if one.kind == kind and one.record["experiment"] == experiment]


def _newest(entries: list[EvidenceEntry]) -> EvidenceEntry | None:
    return entries[-1] if entries else None


def _decision(state: IdeaState, entry: ExperimentEntry) -> EvidenceEntry | None:
    return state.latest("decision") if entry.kind == "comparison" else None


@dataclass(frozen=True)
class ProbeRow:
    """A probe and its verdict in each report, the oldest first; None where a report did not ask it."""

    name: str
    verdicts: tuple[bool | None, ...]


def probes_by_report(reports: list[EvidenceEntry]) -> tuple[ProbeRow, ...]:
    """The probes of every report of A/B 1 beside each other: what broke, and when it was mended."""
    seen = [{one["name"]: bool(one["passed"]) for one in report.record["probes"]} for report in reports]
    names = dict.fromkeys(name for verdicts in seen for name in verdicts)
    return tuple(ProbeRow(name, tuple(verdicts.get(name) for verdicts in seen)) for name in names)


@dataclass(frozen=True)
class DayTable:
    """The probes that a day can answer, over the days of a report of A/B 1.

    Args:
        days: The days, oldest first.
        exposures: How many were seen on each.
        rows: The probes in the report's order, each with its mark on each day.
    """

    days: tuple[date, ...]
    exposures: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Mark, ...]], ...]


def days_of(report: EvidenceEntry) -> DayTable | None:
    """What each day of a report showed; None for a report of before that was kept."""
    days = report.record.get("by_day") or ()
    asked = {name for day in days for name in day["asked"]}
    names = [one["name"] for one in report.record["probes"] if one["name"] in asked]
    if not names:
        return None
    return DayTable(
        tuple(date.fromisoformat(day["day"]) for day in days),
        tuple(day["exposures"] for day in days),
        tuple((name, tuple(mark_of(name, day["asked"], day["failed"]) for day in days)) for name in names),
    )


def _charts(workspace: Workspace, entry: ExperimentEntry, language: Language) -> dict[str, tuple[Figure, ...]]:
    """The figures of the newest comparison by the section of its report: effects, daily, segments."""
    document = report_of(workspace, entry.idea, entry.name, language)
    return {section.name: figures for section, figures in figures_in(document, "effects", "daily", "segments")}


EXPERIMENTS = (show_experiments, show_calendar, show_experiment)
