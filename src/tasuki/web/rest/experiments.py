"""What is done with an idea's experiments: planned, booked, started, checked, compared, decided."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from tasuki.actions import run_documents as said
from tasuki.web.rest.answers import Document, Key, document
from tasuki.web.rest.calculations import one_of_few
from tasuki.web.rest.experiment_bodies import (
    BookBody,
    CheckBody,
    DecideBody,
    OtherQuestionBody,
    PlanBody,
    RampBody,
    ReleaseBody,
    StartBody,
    StopBody,
)
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["experiments"]
_RUN = "/ideas/{idea:str}/experiments/{experiment:str}"


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


@_post("release")
def release(
    request: AnyRequest,
    idea: FromPath[str],
    experiment: FromPath[str],
    data: JSONBody[ReleaseBody],
    key: Key = None,
) -> Document:
    """Gives a booked slot back before it starts; says who could begin sooner now."""
    from tasuki.actions.booking import release_experiment

    who = visitor_of(request).member
    freed = release_experiment(workspace_of(request), idea, experiment, reason=data.reason, actor=who, key=key)
    return document("experiment_release/1", said.release_document(freed))


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
    plan,
    book,
    release,
    start,
    ramp,
    stop,
    check,
    compare,
    decide,
    report,
)
