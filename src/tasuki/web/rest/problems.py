"""What REST says when something goes wrong: problem+json (RFC 9457) with every fault, the rule and the way out."""

import logging
from functools import partial
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from tasuki.errors import Fault, Invalid, Missing, NotAllowed, Refused, Stale, TasukiError, Unavailable
from tasuki.language import Language
from tasuki.texts import Teller, code_of
from tasuki.web.problems import SUBJECT, ForeignHost
from tasuki.web.streams import PER_MEMBER, TooManyStreams
from tasuki.web.texts import Texts
from tasuki.web.visitors import SignInNeeded

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[TasukiError], int] = {
    Invalid: 400,
    NotAllowed: 403,
    Refused: 409,
    Missing: 404,
    Stale: 409,
    Unavailable: 503,
}
_log = logging.getLogger("tasuki.web.rest")


class FaultDocument(msgspec.Struct, frozen=True):
    """One thing that is wrong: where, what (with its stable code), what was expected, how to mend it."""

    where: str
    what: str
    expected: str = ""
    how: str = ""
    code: str = ""


class ProblemDocument(msgspec.Struct, frozen=True):
    """A problem: its kind, what happened (with its stable code), what was expected, what to do next, every fault."""

    type: str
    title: str
    status: int
    detail: str
    expected: str = ""
    next: str = ""
    rule: str = ""
    faults: list[FaultDocument] = []
    code: str = ""


def described(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that an endpoint may answer with, for its description; some every endpoint may."""
    words = {
        400: "The request has faults; all are named.",
        401: "Nobody knows who asks: a token is missing, wrong or over.",
        403: "The token or its member may not do this; the answer says who could.",
        404: "What was named does not exist.",
        409: "A rule says no, or somebody was faster.",
        413: "The body is too large.",
        429: "Too many streams are open.",
        503: "The ledger is busy or away; try again.",
    }
    always = (400, 401, 403, 413, 503)
    return {
        status: ResponseSpec(ProblemDocument, description=words[status], media_type=MEDIA_TYPE, generate_examples=False)
        for status in sorted({*always, *statuses})
    }


def problem_of(error: Exception) -> ProblemDocument:
    """The document for an error. What is unforeseen tells nothing of this machine."""
    match error:
        case SignInNeeded():
            return ProblemDocument(
                "sign_in_needed",
                "Nobody knows who asks",
                401,
                "no token was given, or it is unknown, revoked or over",
                "Authorization: Bearer TOKEN",
                "make a token under your account, then send it with each request",
            )
        case ForeignHost():
            return ProblemDocument("host", "This address is not served", 400, "the request named another host")
        case TooManyStreams():
            return ProblemDocument(
                "too_many_streams",
                "Too many streams are open",
                429,
                "you, or everybody together, read as many streams as this server gives",
                f"at most {PER_MEMBER} of one member",
                "end one of them first",
            )
        case TasukiError():
            return _told(error)
        case ValidationException():
            return ProblemDocument(
                "invalid",
                "The request has faults",
                400,
                error.detail,
                "what the description of this endpoint says: GET /api/v1/openapi.json",
                "mend every fault and send it again",
                faults=_validation_faults(error),
            )
        case RecursionError() if "deserializing" in str(error):
            deep = "the body is nested so deeply that it is not read"
            return ProblemDocument("invalid", "The request has faults", 400, deep, "a flat document")
        case HTTPException(status_code=status) if status < 500:
            return ProblemDocument("request", "The request cannot be answered", status, error.detail)
    _log.error("REST failed", exc_info=error)
    return ProblemDocument(
        "broken", "Something went wrong here", 500, "nothing was changed", next="see the log of tasuki serve"
    )


def answer_problem(error: Exception, language: Language | None = None) -> Response[Any]:
    """The answer for an error; what rooms say in it in the language that the request accepts, English otherwise."""
    problem, headers = problem_of(error), {}
    if language == "ja" and isinstance(error, TasukiError):
        problem, headers["Content-Language"] = _in_japanese(problem, error), "ja"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (429, 503):
        headers["Retry-After"] = "1"
    if isinstance(error, HTTPException) and error.headers:
        headers |= dict(error.headers)
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def _told(error: TasukiError) -> ProblemDocument:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    faults = [_fault(one) for one in getattr(error, "faults", ())]
    kind = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__).lstrip("_")
    titles = {
        400: "The request has faults",
        403: "Not allowed",
        404: "Not there",
        409: "A rule says no",
        503: "Not available now",
    }
    title = "Somebody was faster" if isinstance(error, Stale) else titles.get(status, "Something went wrong")
    rule = getattr(error, "rule", "")
    # A sentence is a kind of text that the encoder does not know: each becomes plain text.
    what, expected, next_step = str(error.what), str(error.expected), str(error.next_step)
    return ProblemDocument(kind, title, status, what, expected, next_step, str(rule), faults, code_of(error.what))


def _in_japanese(problem: ProblemDocument, error: TasukiError) -> ProblemDocument:
    t = Texts("ja")
    families = ("role", "kind", "field", "direction", "arm", "probe")
    teller = Teller({family: partial(t.term, family) for family in families})

    def say(sentence: str) -> str:
        return teller.japanese(sentence) or str(sentence)

    return msgspec.structs.replace(
        problem,
        title=t(f"error.{SUBJECT.get(problem.status, 'broken')}"),
        detail=say(error.what),
        expected=say(error.expected),
        next=say(error.next_step),
        rule=say(getattr(error, "rule", "")),
        faults=[
            FaultDocument(one.where, say(one.what), say(one.expected), say(one.how), code_of(one.what))
            for one in getattr(error, "faults", ())
        ],
    )


def _fault(fault: Fault) -> FaultDocument:
    return FaultDocument(fault.where, str(fault.what), str(fault.expected), str(fault.how), code_of(fault.what))


def _validation_faults(error: ValidationException) -> list[FaultDocument]:
    extra = error.extra if isinstance(error.extra, list) else []
    return [FaultDocument(str(one.get("key", "body")), str(one.get("message", ""))) for one in extra]
