"""Pages for what goes wrong: what happened, what was expected, what to do next, in the reader's language."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.response import Redirect

from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, NotAllowed, Refused, Stale, TasukiError, Unavailable
from tasuki.flow.plan import Member
from tasuki.flow.state import IdeaState
from tasuki.web.coming_in import sign_in_page
from tasuki.web.guard import local_address
from tasuki.web.kept_text import kept_of
from tasuki.web.language import Language
from tasuki.web.site import AnyRequest, address, language_of, page
from tasuki.web.texts import Texts
from tasuki.web.visitors import SignInNeeded, known_of

_STATUS: dict[type[TasukiError], int] = {
    Invalid: 400,
    NotAllowed: 403,
    Refused: 409,
    Missing: 404,
    Stale: 409,
    Unavailable: 503,
}
SUBJECT = {
    404: "not_found",
    405: "method",
    400: "invalid",
    403: "not_allowed",
    409: "refused",
    413: "too_large",
    503: "busy",
}
_log = logging.getLogger("tasuki.web")


class ForeignHost(Exception):
    """The request named a host that is not this machine."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


@dataclass(frozen=True)
class Problem:
    """What an error page says."""

    status: int
    title: str
    what: str
    expected: str
    next_step: str
    faults: tuple[Fault, ...] = ()
    rule: str = ""
    own_expected: str = ""
    own_next_step: str = ""


def problem_of(error: Exception, path: str, method: str, language: Language) -> Problem:
    """The words for an error. What the machine says of itself is told only where it is about the reader's request."""
    t = Texts(language)
    match error:
        case ForeignHost(host=host):
            return _problem(t, 400, "host", t("error.host_what", host=host))
        case Missing() if method not in ("GET", "HEAD") or path.startswith("/welcome/"):
            told = _told(_problem(t, 404, "missing", error.what), error)
            # What the machine knows better stands alone: the general words would lead elsewhere.
            return replace(
                told,
                expected="" if told.own_expected else told.expected,
                next_step="" if told.own_next_step else told.next_step,
            )
        case Missing() | NotFoundException():
            return _problem(t, 404, "not_found", t("error.not_found_what", path=path))
        case MethodNotAllowedException():
            return _problem(t, 405, "method", t("error.method_what", method=method))
        case TasukiError():
            status = status_of(error)
            if isinstance(error, Invalid):
                return _told(_problem(t, status, "input", error.what), error)
            return _told(_problem(t, status, SUBJECT[status], error.what), error)
        case HTTPException(status_code=status) if status < 500:
            return _problem(t, status, SUBJECT.get(status, "invalid"), error.detail)
    return _problem(t, 500, "broken", t("error.broken_what"))


def status_of(error: TasukiError) -> int:
    """The HTTP status of an error."""
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)


def _told(problem: Problem, error: TasukiError) -> Problem:
    """The error's own faults, rule and way out, where it knows better than the general words."""
    faults, rule = getattr(error, "faults", ()), getattr(error, "rule", "")
    return replace(problem, faults=faults, rule=rule, own_expected=error.expected, own_next_step=error.next_step)


def _problem(t: Texts, status: int, subject: str, what: str) -> Problem:
    return Problem(status, t(f"error.{subject}"), what, t(f"error.{subject}_expected"), t(f"error.{subject}_next"))


def _members(request: AnyRequest, workspace: Workspace, status: int) -> Mapping[str, Member]:
    """Whose names the page may tell: of the team to one of them, of nobody where the ledger is what fails."""
    if status >= 500 or known_of(request).visitor is None:
        return {}
    try:
        return workspace.ledger.members()
    except TasukiError:
        return {}


def _idea_above(request: AnyRequest, workspace: Workspace, status: int) -> IdeaState | None:
    """The idea below whose page something went wrong, for the way back to it; None where there is none to tell of."""
    below = re.match(r"/ideas/([^/]+)/.", request.url.path)
    if below is None or status >= 500 or known_of(request).visitor is None:
        return None
    try:
        return workspace.ledger.shelf().ideas.get(unquote(below[1]))
    except TasukiError:
        return None


def answer_problem(request: AnyRequest, workspace: Workspace, error: Exception) -> Response[Any]:
    """The page for an error, also when the ledger itself is what fails; unforeseen ones go to the log in full."""
    if isinstance(error, SignInNeeded):
        asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        onward = local_address(asked) if request.method == "GET" else "/"
        if kept_of(request) is not None:
            return sign_in_page(request, onward, "", 403)
        return Redirect(address("/sign-in", next=onward), status_code=303)
    problem = problem_of(error, request.url.path, request.method, language_of(request, workspace.language))
    allowed = _allowed(request) if problem.status == 405 else ""
    if allowed:
        problem = replace(problem, expected=allowed)
    if problem.status >= 500:
        _log.error("the page %s failed", request.url.path, exc_info=error)
    context = {
        "problem": problem,
        "place": "",
        "kept": kept_of(request),
        "members": _members(request, workspace, problem.status),
        "back_to": _idea_above(request, workspace, problem.status),
    }
    response = page(request, workspace, "error.html", context, problem.status)
    if allowed:
        response.headers["Allow"] = allowed
    return response


def _allowed(request: AnyRequest) -> str:
    """The methods that the routes take at the address which was asked for."""
    methods: set[str] = set()
    for route in request.app.routes:
        pattern = re.sub(
            r"\\\{\w+:(\w+)\\\}", lambda found: r"\d+" if found[1] == "int" else "[^/]+", re.escape(route.path)
        )
        if re.fullmatch(pattern, request.url.path.rstrip("/") or "/"):
            methods |= {str(one) for handler in getattr(route, "route_handlers", ()) for one in handler.http_methods}
    return ", ".join(sorted(methods))
