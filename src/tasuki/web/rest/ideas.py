"""Ideas, their evidence and their hand-offs."""

from collections.abc import Iterable
from datetime import date
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from tasuki.actions import relay
from tasuki.actions.documents import evidence_line, find_evidence, idea_document, idea_row
from tasuki.actions.evidence import attach_evidence
from tasuki.flow.relay import NewDebt
from tasuki.flow.state import IdeaState
from tasuki.web.acting import acted
from tasuki.web.rest.answers import Cursor, Document, Key, Limit, document, page_document, page_of
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["ideas"]
Text = Annotated[str, msgspec.Meta(max_length=20_000)]
Line = Annotated[str, msgspec.Meta(max_length=500)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: unknown fields are faults, not silently dropped wishes."""


class NewIdeaBody(Body, frozen=True):
    """An idea to open."""

    title: Line
    flow: str | None = None
    formation: str | None = None
    estimate_days: float | None = None


class TextBody(Body, frozen=True):
    """A text: a comment, a rule."""

    text: Text


class QueryBody(Body, frozen=True):
    """Words that were searched for among past cases."""

    query: Line


class ReasonBody(Body, frozen=True):
    """Why."""

    reason: Text


class SkipBody(Body, frozen=True):
    """A stage to leave out, and why."""

    stage: str
    reason: Text


class ReopenBody(Body, frozen=True):
    """Why an idea is taken up again, and where it goes on."""

    reason: Text
    stage: str | None = None


class SettleBody(Body, frozen=True):
    """How a debt was settled."""

    note: Text = ""


class EvidenceBody(Body, frozen=True):
    """Evidence as docs/cli-json.md describes it: a kind and its record; the stage is the present one by default."""

    kind: str
    record: dict[str, Any]
    stage: str | None = None
    producer: Line | None = None


class OfferBody(Body, frozen=True):
    """Whom an offer is meant for (anyone who may, by default), and what they should know first."""

    to: str | None = None
    note: Text = ""


class DebtBody(Body, frozen=True):
    """What may come later, by whom, until when."""

    what: Line
    owner: str
    due: date


class AcceptBody(Body, frozen=True):
    """The answer to the contract's question, the days one expects to need, and perhaps debts."""

    answer: Text
    estimate_days: float | None = None
    debts: Annotated[list[DebtBody], msgspec.Meta(max_length=50)] = []


class ReturnBody(Body, frozen=True):
    """Why an offer goes back; with a stage, an accepted idea goes back to that earlier one."""

    code: str
    reason: Text
    to_stage: str | None = None


class StatementBody(Body, frozen=True):
    """What a member did in a stage."""

    stage: str
    text: Text


class ConfirmBody(Body, frozen=True):
    """Whose statement about which stage is confirmed."""

    stage: str
    member: str


def _said(request: AnyRequest, state: IdeaState) -> Document:
    return document("idea/1", idea_document(workspace_of(request), state))


@get("/ideas", sync_to_thread=True, opt={"verb": "idea.list"}, tags=_TAG, responses=described())
def list_ideas(
    request: AnyRequest,
    status: Annotated[Literal["active", "killed", "concluded"] | None, QueryParameter(name="status")] = None,
    flow: Annotated[str | None, QueryParameter(name="flow", max_length=100)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Document:
    """The ideas, in the order they were opened."""
    workspace = workspace_of(request)
    now = workspace.clock()
    wanted: Iterable[IdeaState] = workspace.ledger.shelf().ideas.values()
    if (status, flow) != (None, None):
        wanted = (one for one in wanted if status in (None, one.status) and flow in (None, one.flow))
    page = page_of(wanted, attrgetter("idea"), limit, cursor)
    return page_document("ideas/1", "ideas", page, lambda state: idea_row(state, now))


@post("/ideas", sync_to_thread=True, opt={"verb": "idea.open"}, tags=_TAG, responses=described(404, 409))
def open_idea(request: AnyRequest, data: JSONBody[NewIdeaBody], key: Key = None) -> Document:
    """Opens an idea; whoever asks owns it and has its first stage."""
    state = relay.open_idea(
        workspace_of(request),
        data.title,
        actor=visitor_of(request).member,
        flow=data.flow,
        formation=data.formation,
        estimate_days=data.estimate_days,
        key=key,
    )
    return _said(request, state)


@get("/ideas/{idea:str}", sync_to_thread=True, opt={"verb": "idea.show"}, tags=_TAG, responses=described(404))
def show_idea(request: AnyRequest, idea: FromPath[str]) -> Document:
    """Everything about an idea."""
    return _said(request, workspace_of(request).ledger.state(idea))


def _post(path: str, verb: str) -> post:
    """An endpoint that changes an idea."""
    return post(
        path, sync_to_thread=True, opt={"verb": verb}, tags=_TAG, status_code=200, responses=described(404, 409)
    )


@_post("/ideas/{idea:str}/comments", "idea.comment")
def comment(request: AnyRequest, idea: FromPath[str], data: JSONBody[TextBody], key: Key = None) -> Document:
    """Says something about an idea."""
    return _said(request, acted(request, relay.comment, idea, key, text=data.text))


@_post("/ideas/{idea:str}/look-ups", "idea.look_up")
def look_up(request: AnyRequest, idea: FromPath[str], data: JSONBody[QueryBody], key: Key = None) -> Document:
    """Searches past cases and records that it was done for this idea."""
    return _said(request, acted(request, relay.look_up_cases, idea, key, query=data.query))


@_post("/ideas/{idea:str}/rules", "idea.rule")
def record_rule(request: AnyRequest, idea: FromPath[str], data: JSONBody[TextBody], key: Key = None) -> Document:
    """Writes down a go/kill rule before its result is known."""
    return _said(request, acted(request, relay.record_rule, idea, key, text=data.text))


@_post("/ideas/{idea:str}/skip", "idea.skip")
def skip(request: AnyRequest, idea: FromPath[str], data: JSONBody[SkipBody], key: Key = None) -> Document:
    """Leaves out a stage that is still to come."""
    state = acted(request, relay.skip_stage, idea, key, stage=data.stage, reason=data.reason)
    return _said(request, state)


@_post("/ideas/{idea:str}/kill", "idea.kill")
def kill(request: AnyRequest, idea: FromPath[str], data: JSONBody[ReasonBody], key: Key = None) -> Document:
    """Ends an idea and files its case. Killing well is a delivered result."""
    return _said(request, acted(request, relay.kill_idea, idea, key, reason=data.reason))


@_post("/ideas/{idea:str}/reopen", "idea.reopen")
def reopen(request: AnyRequest, idea: FromPath[str], data: JSONBody[ReopenBody], key: Key = None) -> Document:
    """Takes a killed idea up again."""
    state = acted(request, relay.reopen_idea, idea, key, reason=data.reason, stage=data.stage)
    return _said(request, state)


@_post("/ideas/{idea:str}/debts/{number:int}/settle", "idea.settle_debt")
def settle(
    request: AnyRequest, idea: FromPath[str], number: FromPath[int], data: JSONBody[SettleBody], key: Key = None
) -> Document:
    """Settles a debt that an acceptance left open."""
    state = acted(request, relay.settle_debt, idea, key, number=number, note=data.note)
    return _said(request, state)


@get(
    "/ideas/{idea:str}/evidence",
    sync_to_thread=True,
    opt={"verb": "evidence.list"},
    tags=_TAG,
    responses=described(404),
)
def list_evidence(request: AnyRequest, idea: FromPath[str], limit: Limit = 50, cursor: Cursor = None) -> Document:
    """The evidence of an idea, the oldest first, without its bodies."""
    entries = list(enumerate(workspace_of(request).ledger.state(idea).evidence))
    page = page_of(entries, lambda one: f"{one[0]} {one[1].content_hash}", limit, cursor)
    return page_document("evidence-list/1", "evidence", page, lambda one: evidence_line(one[1]), idea=idea)


@get(
    "/ideas/{idea:str}/evidence/{which:str}",
    sync_to_thread=True,
    opt={"verb": "evidence.show"},
    tags=_TAG,
    responses=described(404),
)
def show_evidence(request: AnyRequest, idea: FromPath[str], which: FromPath[str]) -> Document:
    """One piece of evidence: by the beginning of its hash, or a kind (the newest one)."""
    entry = find_evidence(workspace_of(request).ledger.state(idea), which)
    return document("evidence/1", {"idea": idea, **evidence_line(entry), "evidence": dict(entry.body)})


@_post("/ideas/{idea:str}/evidence", "evidence.attach")
def attach(request: AnyRequest, idea: FromPath[str], data: JSONBody[EvidenceBody], key: Key = None) -> Document:
    """Attaches evidence; all its faults are told at once."""
    body: dict[str, Any] = {"kind": data.kind, "record": data.record}
    if data.producer is not None:
        body["producer"] = data.producer
    return _said(request, acted(request, attach_evidence, idea, key, body=body, stage=data.stage))


@_post("/ideas/{idea:str}/hand-off/offer", "handoff.offer")
def offer(request: AnyRequest, idea: FromPath[str], data: JSONBody[OfferBody], key: Key = None) -> Document:
    """Offers the present stage to the next owner after every machine check of the contract."""
    state = acted(request, relay.offer_handoff, idea, key, to_member=data.to, note=data.note)
    return _said(request, state)


@_post("/ideas/{idea:str}/hand-off/pick-up", "handoff.pick_up")
def pick_up(request: AnyRequest, idea: FromPath[str], key: Key = None) -> Document:
    """Picks up what was offered; from now on the one who asks judges it."""
    return _said(request, acted(request, relay.pick_up_handoff, idea, key))


@_post("/ideas/{idea:str}/hand-off/accept", "handoff.accept")
def accept(request: AnyRequest, idea: FromPath[str], data: JSONBody[AcceptBody], key: Key = None) -> Document:
    """Accepts what was picked up: the answer, an estimate, perhaps dated debts."""
    state = acted(
        request,
        relay.accept_handoff,
        idea,
        key,
        answer=data.answer,
        estimate_days=data.estimate_days,
        debts=[NewDebt(one.what, one.owner, one.due) for one in data.debts],
    )
    return _said(request, state)


@_post("/ideas/{idea:str}/hand-off/return", "handoff.return")
def give_back(request: AnyRequest, idea: FromPath[str], data: JSONBody[ReturnBody], key: Key = None) -> Document:
    """Returns an offer with a reason, or sends an accepted idea back to an earlier stage. Normal and blameless."""
    state = acted(
        request, relay.return_handoff, idea, key, reason_code=data.code, reason=data.reason, to_stage=data.to_stage
    )
    return _said(request, state)


@_post("/ideas/{idea:str}/case", "idea.file_case")
def file_case(request: AnyRequest, idea: FromPath[str], key: Key = None) -> Document:
    """Files the case of an ended idea anew."""
    return _said(request, acted(request, relay.file_case, idea, key))


@_post("/ideas/{idea:str}/contributions", "contribution.state")
def state_contribution(
    request: AnyRequest, idea: FromPath[str], data: JSONBody[StatementBody], key: Key = None
) -> Document:
    """States what one did in a stage."""
    state = acted(request, relay.state_contribution, idea, key, stage=data.stage, text=data.text)
    return _said(request, state)


@_post("/ideas/{idea:str}/contributions/confirm", "contribution.confirm")
def confirm_contribution(
    request: AnyRequest, idea: FromPath[str], data: JSONBody[ConfirmBody], key: Key = None
) -> Document:
    """Confirms what a peer has stated."""
    state = acted(request, relay.confirm_contribution, idea, key, stage=data.stage, member=data.member)
    return _said(request, state)


IDEAS = (
    list_ideas,
    open_idea,
    show_idea,
    comment,
    look_up,
    record_rule,
    skip,
    kill,
    reopen,
    settle,
    list_evidence,
    show_evidence,
    attach,
    offer,
    pick_up,
    accept,
    give_back,
    file_case,
    state_contribution,
    confirm_contribution,
)
