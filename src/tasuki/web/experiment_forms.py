"""Doing something with experiments from the pages: what the command line does with book, start, stop and the others."""

from typing import Any, Literal
from urllib.parse import quote

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.errors import Fault, Invalid, TasukiError, said
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import TREATMENT
from tasuki.web.acting import form_key
from tasuki.web.experiments import calendar_page, experiment_page
from tasuki.web.forms import Form
from tasuki.web.rest.calculations import one_of_few
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import form_of, visitor_of

_RUN = "/ideas/{idea:str}/experiments/{experiment:str}"
_KINDS: dict[str, Literal["check", "comparison"]] = {"check": "check", "comparison": "comparison"}


@post("/calendar/book", sync_to_thread=True, opt={"verb": "experiment.book"})
def do_book(request: AnyRequest) -> Response[Any]:
    """Books days in a lane, or moves a booking; where it fails the form comes back as it was typed."""
    from tasuki.actions.booking import BookingRequest, book_experiment

    form, faults = form_of(request), list[Fault]()
    days, first, kind = form.whole("days", faults), form.day("from", faults), _kind(form, faults)
    faults += _lacking(form, "idea", "experiment")
    try:
        if faults:
            raise Invalid("the slot was not booked", faults)
        wish = BookingRequest(form.text("experiment"), kind, days, first, form.text("lane"), form.is_on("queue"))
        who = visitor_of(request).member
        book_experiment(workspace_of(request), form.text("idea"), wish, actor=who, key=form_key(request))
    except TasukiError as error:
        return calendar_page(request, error)
    return Redirect("/calendar", status_code=303)


@post(f"{_RUN}/release", sync_to_thread=True, opt={"verb": "experiment.release"})
def do_release(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """Gives a booked slot back; the calendar then says who could begin sooner."""
    from tasuki.actions.booking import release_experiment

    reason, who = form_of(request).text("reason"), visitor_of(request).member
    try:
        release_experiment(workspace_of(request), idea, experiment, reason=reason, actor=who, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return Redirect("/calendar", status_code=303)


@post(f"{_RUN}/start", sync_to_thread=True, opt={"verb": "experiment.start"})
def do_start(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """Splits the model's traffic."""
    from tasuki.actions.start import StartRequest, start_experiment

    form, faults, workspace = form_of(request), list[Fault](), workspace_of(request)
    share, kind = form.percent("shares", faults), _kind(form, faults)
    if share is None:
        faults += _lacking(form, "shares")
        share = 0.0
    # Rounded, so that a plan's 0.95 is what stands beside its 0.05.
    shares = {"control": round(1 - share, 12), TREATMENT: share}
    try:
        if faults:
            raise Invalid(said("the experiment was not started: {count} fault(s)", count=len(faults)), faults)
        wish = StartRequest(experiment, kind, form.text("model"), shares, workspace.artifacts_location)
        start_experiment(workspace, idea, wish, actor=visitor_of(request).member, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return _to_experiment(experiment)


@post(f"{_RUN}/ramp", sync_to_thread=True, opt={"verb": "experiment.ramp"})
def do_ramp(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """Exposes more of the range that an experiment holds."""
    from tasuki.actions.start import ramp_experiment

    form, faults, who = form_of(request), list[Fault](), visitor_of(request).member
    share = form.percent("exposed", faults)
    if share is None:
        faults += _lacking(form, "exposed")
    try:
        if faults or share is None:
            raise Invalid("nothing was changed", faults)
        ramp_experiment(workspace_of(request), idea, experiment, share, actor=who, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return _to_experiment(experiment)


@post(f"{_RUN}/stop", sync_to_thread=True, opt={"verb": "experiment.stop"})
def do_stop(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """Sends all traffic back to the champion."""
    from tasuki.actions.start import stop_experiment

    reason, who = form_of(request).text("reason"), visitor_of(request).member
    try:
        stop_experiment(workspace_of(request), idea, experiment, actor=who, reason=reason, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return _to_experiment(experiment)


@post(f"{_RUN}/check", sync_to_thread=True, opt={"verb": "experiment.check"})
def do_check(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """A/B 1: asks every probe now, with what the client counted where somebody says it, and attaches the report."""
    from tasuki.actions.check import ClientSaid, check_experiment

    form, faults, who = form_of(request), list[Fault](), visitor_of(request).member
    counts = {arm: form.whole(f"sent.{arm}", faults) for arm in (CONTROL, TREATMENT)}
    sent = {arm: count for arm, count in counts.items() if count is not None}
    failed = form.whole("failed", faults)
    try:
        if faults:
            raise Invalid("the experiment was not checked", faults)
        counted = ClientSaid(sent, failed)
        with one_of_few():
            check_experiment(workspace_of(request), idea, experiment, actor=who, said=counted, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return _to_experiment(experiment)


@post(f"{_RUN}/compare", sync_to_thread=True, opt={"verb": "experiment.compare"})
def do_compare(request: AnyRequest, idea: FromPath[str], experiment: FromPath[str]) -> Response[Any]:
    """A/B 2: compares on the registered metrics now, records the look and attaches the report."""
    from tasuki.actions.comparison import compare_experiment

    who = visitor_of(request).member
    try:
        with one_of_few():
            compare_experiment(workspace_of(request), idea, experiment, actor=who, key=form_key(request))
    except TasukiError as error:
        return experiment_page(request, experiment, idea, error)
    return _to_experiment(experiment)


def _to_experiment(experiment: str) -> Redirect:
    """On to the experiment's page: loading it again repeats nothing."""
    return Redirect(f"/experiments/{quote(experiment)}", status_code=303)


def _kind(form: Form, faults: list[Fault]) -> Literal["check", "comparison"]:
    kind = _KINDS.get(form.text("kind"))
    if not form.text("kind"):
        faults += _lacking(form, "kind")
    elif kind is None:
        faults.append(Fault("kind", said("there is no kind {kind!r}", kind=form.text("kind")), "check or comparison"))
    return kind or "check"


def _lacking(form: Form, *names: str) -> list[Fault]:
    return [Fault(name, "missing") for name in names if not form.text(name)]


EXPERIMENT_FORMS = (do_book, do_release, do_start, do_ramp, do_stop, do_check, do_compare)
