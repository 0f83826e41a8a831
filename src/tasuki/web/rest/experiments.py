"""Metrics, experiments and the calendar."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from tasuki.actions import run_documents as said
from tasuki.actions.queries import Dialect
from tasuki.web.rest.answers import Document, Key, document
from tasuki.web.rest.calculations import one_of_few
from tasuki.web.rest.ideas import Line, Text
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["experiments"]
_RUN = "/ideas/{idea:str}/experiments/{experiment:str}"
Kind = Literal["check", "comparison"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shares = Annotated[dict[str, Share], msgspec.Meta(max_length=20)]
Names = Annotated[list[Name], msgspec.Meta(max_length=50)]
Level = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Days = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class PlanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is registered before A/B 2; `tasuki experiment plan` says what each is."""

    model: Name
    primary: Name
    mde: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    rule: Line
    stop_rule: Line
    interactions: Line
    guardrails: Shares = {}
    secondary: Names = []
    arms: Shares | None = None
    power: Level = 0.8
    alpha: Level = 0.05
    days: Days | None = None
    units_per_day: Annotated[float, msgspec.Meta(ge=1e-3, le=1e12)] | None = None
    salt: Annotated[str, msgspec.Meta(max_length=200)] = ""
    adjust: Literal["none", "holm", "bh"] = "holm"
    sequential: Literal["none", "always_valid", "group_sequential"] = "none"
    looks: Annotated[list[Share], msgspec.Meta(max_length=20)] = []
    segments: Names = []
    exclusions: Annotated[list[Line], msgspec.Meta(max_length=50)] = []
    label_delay_days: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    first_day: date | None = None
    aa: Annotated[int, msgspec.Meta(ge=0, le=2_000)] = 0


class BookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which days: as planned and the first free ones, where nothing is said."""

    kind: Kind
    days: Days | None = None
    first_day: date | None = None
    lane: Annotated[str, msgspec.Meta(max_length=100)] = ""
    queue: bool = False


class StartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the traffic is split. The treatment is fetched from the workspace's own artifacts."""

    kind: Kind
    model: Name
    split: Shares
    salt: Annotated[str, msgspec.Meta(max_length=200)] = ""
    layer: Annotated[str, msgspec.Meta(max_length=100)] = ""
    range: Annotated[list[Share], msgspec.Meta(min_length=2, max_length=2)] | None = None
    expose: Share = 1.0


class RampBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of its range that takes part from now on."""

    expose: Share


class StopBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, where it ends before its time."""

    reason: Text = ""


class CheckBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the client counted, where no log says it."""

    sent: Annotated[dict[str, Count], msgspec.Meta(max_length=20)] = {}
    failed: Count | None = None
    days: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None
    days_required: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None
    daily: bool = False


class OtherQuestionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another question than the registered one: it explores, and no decision follows from it."""

    alpha: Level | None = None
    primary: Names = []
    adjust: Literal["none", "holm", "bh"] | None = None
    sequential: bool | None = None
    segments: Names = []
    increments: Literal["use", "rebuild", "ignore"] = "use"


class DecideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the business does, and why."""

    decision: Literal["ship", "do_not_ship", "extend"]
    reason: Text
    monitoring_owner: Name
    clean_up: Line
    clean_up_done: bool = False
    clean_up_due: date | None = None


@get("/metrics", sync_to_thread=True, opt={"verb": "metric.list"}, tags=_TAG, responses=described())
def list_metrics(request: AnyRequest) -> Document:
    """The metrics that the team declares."""
    from tasuki.actions.metrics import declared_metrics

    return document("metric_list/1", said.metrics_document(declared_metrics(workspace_of(request).folder)))


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
def list_experiments(request: AnyRequest) -> Document:
    """Every experiment that was booked or started."""
    from tasuki.actions.start import list_experiments as entries

    return document("experiment_list/1", {"experiments": entries(workspace_of(request))})


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
def show_calendar(request: AnyRequest) -> Document:
    """Every slot, by lane and day."""
    from tasuki.actions.booking import read_calendar

    return document("calendar/1", said.calendar_document(read_calendar(workspace_of(request))))


def _post(action: str) -> post:
    """An endpoint that does something with an idea's experiment."""
    return post(
        f"{_RUN}/{action}",
        sync_to_thread=True,
        opt={"verb": f"experiment.{action}"},
        tags=_TAG,
        status_code=200,
        responses=described(404, 409),
    )


@_post("plan")
def plan(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[PlanBody],
    key: Key = None,
) -> Document:
    """Registers A/B 2 before it starts, sized on the team's own data."""
    from tasuki.actions.comparison import PlanRequest, plan_experiment

    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in msgspec.structs.asdict(data).items()
        if value is not None and name != "mde"
    }
    given |= {"experiment": experiment, "minimal_detectable_effect": data.mde}
    wish = PlanRequest(**given)
    with one_of_few():
        plan = plan_experiment(workspace_of(request), idea, wish, actor=visitor_of(request).member, key=key)
    return document("experiment_plan/1", {"idea": idea, "plan": plan})


@_post("book")
def book(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[BookBody],
    key: Key = None,
) -> Document:
    """Books days in a lane, or moves a booking."""
    from tasuki.actions.booking import BookingRequest, book_experiment

    wish = BookingRequest(experiment, data.kind, data.days, data.first_day, data.lane, data.queue)
    booked = book_experiment(workspace_of(request), idea, wish, actor=visitor_of(request).member, key=key)
    return document("experiment_book/1", said.booking_document(booked))


@_post("start")
def start(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[StartBody],
    key: Key = None,
) -> Document:
    """Starts A/B 1 or A/B 2: the inference service splits the model's traffic within a second."""
    from tasuki.actions.start import StartRequest, start_experiment
    from tasuki.experiments.allocation import Reach

    low, high = data.range or (0.0, 1.0)
    workspace, reach = workspace_of(request), Reach(low, high, data.expose)
    where = workspace.artifacts_location
    wish = StartRequest(experiment, data.kind, data.model, data.split, where, data.salt, data.layer, reach)
    state = start_experiment(workspace, idea, wish, actor=visitor_of(request).member, key=key)
    return document("experiment_start/1", said.run_document(state, experiment))


@_post("ramp")
def ramp(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[RampBody],
    key: Key = None,
) -> Document:
    """Exposes more of an experiment's range: units are added, and none changes its arm."""
    from tasuki.actions.start import ramp_experiment

    who = visitor_of(request).member
    state = ramp_experiment(workspace_of(request), idea, experiment, data.expose, actor=who, key=key)
    return document("experiment_ramp/1", said.ramp_document(state, experiment))


@_post("stop")
def stop(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[StopBody],
    key: Key = None,
) -> Document:
    """Stops an experiment: everybody is answered by the champion again."""
    from tasuki.actions.start import stop_experiment

    who = visitor_of(request).member
    state = stop_experiment(workspace_of(request), idea, experiment, actor=who, reason=data.reason, key=key)
    return document("experiment_stop/1", said.run_document(state, experiment))


@_post("check")
def check(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[CheckBody],
    key: Key = None,
) -> Document:
    """A/B 1: does it behave as designed? Asks every probe and attaches the report; `daily` gives today's again."""
    from dataclasses import replace

    from tasuki.actions.check import ClientSaid, check_experiment, read_thresholds, report_of_the_day

    workspace, counted = workspace_of(request), ClientSaid(data.sent, data.failed, data.days)
    report = report_of_the_day(workspace, idea, experiment) if data.daily else None
    if report is None:
        limits = read_thresholds(workspace)
        if data.days_required is not None:
            limits = replace(limits, days_required=data.days_required)
        where, who = (workspace, idea, experiment), visitor_of(request).member
        with one_of_few():
            report = check_experiment(*where, actor=who, said=counted, thresholds=limits, key=key)
    return document("experiment_check/1", said.check_document(idea, report))


@_post("compare")
def compare(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[OtherQuestionBody],
    key: Key = None,
) -> Document:
    """A/B 2: is it better? Compares on the registered metrics, records the look, attaches the report."""
    from tasuki.actions.comparison import OtherQuestion, compare_experiment

    asked = OtherQuestion(data.alpha, tuple(data.primary), data.adjust, data.sequential, tuple(data.segments))
    with one_of_few():
        report = compare_experiment(
            workspace_of(request),
            idea,
            experiment,
            actor=visitor_of(request).member,
            key=key,
            other=None if asked == OtherQuestion() else asked,
            increments=data.increments,
        )
    return document("experiment_compare/1", {"idea": idea, "report": report})


@_post("decide")
def decide(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[DecideBody],
    key: Key = None,
) -> Document:
    """Records what a person decides on an A/B 2, beside what the rule recommends."""
    from tasuki.actions.decision import DecisionRequest, decide_experiment

    wish = DecisionRequest(experiment, **msgspec.structs.asdict(data))
    recorded = decide_experiment(workspace_of(request), idea, wish, actor=visitor_of(request).member, key=key)
    return document("experiment_decide/1", said.decision_document(idea, experiment, recorded))


_FILE = ResponseSpec(bytes, description="The report as a file.", media_type="text/html", generate_examples=False)


@get(
    f"{_RUN}/report",
    sync_to_thread=True,
    opt={"verb": "experiment.report"},
    tags=_TAG,
    responses={200: _FILE, **described(404)},
)
def report(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    lang: Annotated[Literal["en", "ja"], QueryParameter(name="lang")] = "en",
) -> Response[bytes]:
    """The latest comparison as a page in one file, without looking at the data again."""
    from tasuki.actions.told import report_of
    from tasuki.reports.html import to_html

    told = to_html(report_of(workspace_of(request), idea, experiment, lang))
    # A file to keep and not a page of this site, which would let it use this site's name.
    headers = {"Content-Disposition": 'attachment; filename="report.html"'}
    return Response(told.encode(), media_type="text/html", headers=headers)


EXPERIMENTS = (
    list_metrics,
    show_metric,
    check_metrics,
    list_experiments,
    show_status,
    show_calendar,
    plan,
    book,
    start,
    ramp,
    stop,
    check,
    compare,
    decide,
    report,
)
