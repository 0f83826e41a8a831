"""Metrics, the list of experiments, what serves, and the calendar: what is only looked at."""

from datetime import date
from typing import Annotated, Literal

from litestar import get
from litestar.params import FromPath, QueryParameter

from tasuki.actions import run_documents as said
from tasuki.actions.queries import Dialect
from tasuki.web.rest.answers import Cursor, Document, Limit, Page, document, page_document, page_of
from tasuki.web.rest.calculations import one_of_few
from tasuki.web.rest.experiment_bodies import Kind
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of

_TAG = ["experiments"]


@get("/metrics", sync_to_thread=True, opt={"verb": "metric.list"}, tags=_TAG, responses=described())
def list_metrics(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """The metrics that the team declares."""
    from tasuki.actions.metrics import declared_metrics

    declared = tuple(declared_metrics(workspace_of(request).folder).values())
    page = page_of(declared, lambda one: one.name, limit, cursor)
    return page_document("metric_list/1", "metrics", page, said.metric_document)


@get("/metrics/{metric:str}", sync_to_thread=True, opt={"verb": "metric.show"}, tags=_TAG, responses=described(404))
def show_metric(
    request: AnyRequest,
    metric: FromPath[str],
    sql: Annotated[
        Dialect | None, QueryParameter(name="sql", description="Adds the query that counts it, in these words.")
    ] = None,
    experiment: Annotated[str, QueryParameter(name="experiment", max_length=200)] = "EXPERIMENT",
) -> Document:
    """One declared metric."""
    from tasuki.actions.metrics import metric_named
    from tasuki.actions.queries import metric_sql

    workspace = workspace_of(request)
    found = metric_named(workspace.folder, metric)
    query = None if sql is None else metric_sql(found, experiment, workspace.tables, sql)
    return document("metric/1", said.metric_document(found, query))


@get("/metric-check", sync_to_thread=True, opt={"verb": "metric.check"}, tags=_TAG, responses=described(404))
def check_metrics(request: AnyRequest) -> Document:
    """Checks every declared metric against the tables there are; says every fault at once."""
    from tasuki.actions.metrics import check_metrics as check

    workspace = workspace_of(request)
    with one_of_few():
        found = check(workspace.folder, workspace.tables, workspace.engine)
    return document("metric_check/1", {"metrics": [one.name for one in found]})


@get("/experiments", sync_to_thread=True, opt={"verb": "experiment.list"}, tags=_TAG, responses=described())
def list_experiments(
    request: AnyRequest,
    *,
    standing: Annotated[
        Literal["current", "over"] | None, QueryParameter(name="standing", description="Booked or running, or over.")
    ] = None,
    kind: Annotated[Kind | None, QueryParameter(name="kind")] = None,
    q: Annotated[str, QueryParameter(name="q", max_length=200, description="A part of a name or title.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Document:
    """The experiments that were booked or started, in the order in which their ideas were opened."""
    from tasuki.actions.experiment_lines import Wanted, lines_in_order
    from tasuki.actions.experiment_list import entries_of

    workspace = workspace_of(request)
    lines = lines_in_order(workspace.ledger.shelf(), Wanted(standing or "", kind or "", q))
    page = page_of(lines, lambda line: line.key, limit, cursor)
    entries = entries_of(workspace, page.items)
    return page_document("experiment_list/1", "experiments", Page(tuple(entries), page.next_cursor))


@get(
    "/experiment-status",
    sync_to_thread=True,
    opt={"verb": "experiment.status"},
    tags=_TAG,
    responses=described(404),
)
def show_status(
    request: AnyRequest, model: Annotated[str | None, QueryParameter(name="model", max_length=200)] = None
) -> Document:
    """What serves, since when and in which version, and how its newest A/B 1 went."""
    from tasuki.actions.serving_state import what_serves

    return document("experiment_status/1", said.status_document(what_serves(workspace_of(request), model)))


@get("/calendar", sync_to_thread=True, opt={"verb": "calendar.show"}, tags=_TAG, responses=described())
def show_calendar(
    request: AnyRequest,
    since: Annotated[
        date | None,
        QueryParameter(name="since", description="Also what was over on this day or later; five weeks ago."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Document:
    """The slots that are booked, run or were over lately, by lane and day."""
    from tasuki.actions.booking import read_calendar

    told = said.calendar_document(read_calendar(workspace_of(request), since))
    page = page_of(told.pop("slots"), lambda one: f"{one['lane']} {one['idea']} {one['experiment']}", limit, cursor)
    return page_document("calendar/1", "slots", page, **told)


EXPERIMENT_LISTS = (list_metrics, show_metric, check_metrics, list_experiments, show_status, show_calendar)
