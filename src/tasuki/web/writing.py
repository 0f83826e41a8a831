"""Working on an idea from the pages: opening it, writing evidence, saying something, ending it."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.actions import relay
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.workspace import Workspace
from tasuki.cases.search import similar_prepared
from tasuki.errors import Fault, Invalid, Missing, Refused, Stale, TasukiError, said
from tasuki.flow.lint import lint_brief, read_metric
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.flow.rights import Act, may_work, require_at_work, require_stage_right
from tasuki.web.acting import acted, barred_from, form_key
from tasuki.web.drafts import draft_of
from tasuki.web.evidence_form import JSON_INPUT, PEOPLE_WRITE, body_of, filled, groups_shown, inputs_of, record_of
from tasuki.web.forms import Form
from tasuki.web.offered import known_metrics, offered_of
from tasuki.web.problems import status_of
from tasuki.web.site import AnyRequest, page, workspace_of
from tasuki.web.visitors import form_of, visitor_of


def to_idea(idea: str) -> Redirect:
    """On to the idea's page: loading it again repeats nothing."""
    return Redirect(f"/ideas/{idea}", status_code=303)


@get("/new-idea", sync_to_thread=True, opt={"verb": "idea.open"})
def show_new_idea(request: AnyRequest) -> Response[str]:
    """The form that opens an idea; without a team, how to begin one."""
    workspace = workspace_of(request)
    members = workspace.ledger.members()
    if not members:
        context = {"members": members, "heading": "new.title", "place": "board"}
        return page(request, workspace, "no_members.html", context)
    return _new_idea_page(request, Form({}))


def _require_opener(act: Act) -> None:
    """Refuses whom no flow lets begin in any formation.

    Raises:
        NotAllowed: With who could.
    """
    plan, member = act.playbook, act.members.get(act.actor)
    begun = [
        (formation, flow.name, flow.stages[0]) for flow in plan.flows.values() for formation in plan.formations.values()
    ]
    if member and begun and not any(may_work(member, *one) for one in begun):
        formation, flow, stage = begun[0]
        require_stage_right(act, formation, flow, stage, said("open it in {stage}", stage=stage))


def _new_idea_page(request: AnyRequest, form: Form, error: TasukiError | None = None) -> Response[str]:
    workspace = workspace_of(request)
    act = workspace.act(visitor_of(request).member)
    barred = barred_from(lambda: _require_opener(act))
    context = {
        "barred": barred,
        "problem": (None if isinstance(error, Invalid) else error) or barred,
        "typed": form,
        "faults": error.faults if isinstance(error, Invalid) else (),
        "flows": workspace.playbook.flows,
        "formations": workspace.playbook.formations,
        "usual": {
            "flow": form.text("flow") or workspace.flow,
            "formation": form.text("formation") or workspace.formation,
        },
        "similar": similar_prepared(relay.searched_cases(workspace), form.text("title")),
        "place": "board",
    }
    return page(request, workspace, "new_idea.html", context, status_of(error) if error else 200)


@post("/new-idea", sync_to_thread=True, opt={"verb": "idea.open"})
def do_open_idea(request: AnyRequest) -> Response[Any]:
    """Opens an idea, which whoever asks owns; or only looks for similar cases (`look`)."""
    form = form_of(request)
    faults = form.too_long()
    if form.is_on("look"):
        return _new_idea_page(request, form)
    estimate = form.number("estimate", faults)
    try:
        if faults:
            raise Invalid("the idea was not opened", faults)
        state = relay.open_idea(
            workspace_of(request),
            form.text("title"),
            actor=visitor_of(request).member,
            flow=form.text("flow") or None,
            formation=form.text("formation") or None,
            estimate_days=estimate,
            key=form_key(request),
        )
    except (Invalid, Refused, Stale) as error:
        return _new_idea_page(request, form, error)
    return to_idea(state.idea)


@get("/ideas/{idea:str}/attach/{kind:str}", sync_to_thread=True, opt={"verb": "evidence.attach"})
def show_evidence_form(request: AnyRequest, idea: FromPath[str], kind: FromPath[str]) -> Response[str]:
    """The form for a kind of evidence, filled with what was attached before or is known from other evidence."""
    workspace = workspace_of(request)
    state = workspace.ledger.state(idea)
    known = state.latest(_writable(kind))
    inputs, draft = inputs_of(kind, as_json=_as_json(request)), {} if known else draft_of(kind, state)
    form = Form(filled(inputs, known.record if known else draft)) if known or draft else Form({})
    return _evidence_page(request, idea, kind, form, drafted=bool(draft))


def _as_json(request: AnyRequest) -> bool:
    """Whether the reader wants to paste what a run gave, of a kind that can also be written by hand."""
    return request.query_params.get("as") == "json"


@post("/ideas/{idea:str}/attach/{kind:str}", sync_to_thread=True, opt={"verb": "evidence.attach"})
def do_attach(request: AnyRequest, idea: FromPath[str], kind: FromPath[str]) -> Response[Any]:
    """Attaches what was written, or only looks at it (`look`): lint, similar cases, one group of inputs more."""
    form, faults = form_of(request), list[Fault]()
    body = body_of(form, _writable(kind), faults, as_json=_as_json(request))
    if form.is_on("look"):
        return _evidence_page(request, idea, kind, form)
    try:
        if faults:
            raise Invalid("the evidence cannot be read", faults)
        acted(request, attach_evidence, idea, form_key(request), body=body)
    except (Invalid, Refused, Stale) as error:
        return _evidence_page(request, idea, kind, form, error)
    return to_idea(idea)


def _writable(kind: str) -> str:
    if kind not in EVIDENCE_TYPES:
        raise Missing(said("there is no kind of evidence {kind!r}", kind=kind), expected=", ".join(EVIDENCE_TYPES))
    return kind


def _evidence_page(
    request: AnyRequest, idea: str, kind: str, form: Form, error: TasukiError | None = None, *, drafted: bool = False
) -> Response[str]:
    workspace = workspace_of(request)
    inputs = inputs_of(kind, as_json=_as_json(request))
    state, act = workspace.ledger.state(idea), workspace.act(visitor_of(request).member)
    verb = said("attach evidence to {stage}", stage=state.stage)
    barred = barred_from(lambda: require_at_work(state, act, state.stage, verb))
    context = {
        "state": state,
        "barred": barred,
        "offered": offered_of(workspace, kind, state),
        "kind": kind,
        "inputs": inputs,
        "as_json": inputs == (JSON_INPUT,),
        "may_choose": kind in PEOPLE_WRITE,
        "drafted": drafted,
        "groups": {one.name: groups_shown(form, one.name) for one in inputs if one.kind == "group"},
        "typed": form,
        "problem": (None if isinstance(error, Invalid) else error) or barred,
        "faults": _named(error),
        "members": workspace.ledger.members(),
        "place": "board",
        **_beside(workspace, kind, form),
    }
    return page(request, workspace, "evidence_form.html", context, status_of(error) if error else 200)


def _beside(workspace: Workspace, kind: str, form: Form) -> dict[str, Any]:
    """What stands beside a hypothesis while it is written."""
    if kind != "hypothesis_brief":
        return {"lint": (), "similar": (), "written": False, "metric_read": None}
    record = record_of(form, inputs_of(kind), [])
    text = "\n".join(form.text(name) for name in ("change", "because", "metric", "population"))
    lint = lint_brief(record) if text.strip() else ()
    return {
        "lint": lint,
        "similar": similar_prepared(relay.searched_cases(workspace), text),
        "written": bool(text.strip()),
        "metric_read": read_metric(form.text("metric"), known_metrics(workspace)),
    }


def _named(error: TasukiError | None) -> tuple[Fault, ...]:
    """Faults under the names of their inputs: `record.sources.0.name` stands beside `sources.0.name`."""
    if not isinstance(error, Invalid):
        return ()
    return tuple(
        Fault(one.where.removeprefix("record."), one.what, one.expected) if one.where.startswith("record.") else one
        for one in error.faults
    )


@post("/ideas/{idea:str}/look", sync_to_thread=True, opt={"verb": "case.search"})
def look_at_brief(request: AnyRequest, idea: FromPath[str]) -> Response[str]:
    """Only what stands beside a hypothesis: for the script that asks while somebody writes."""
    workspace = workspace_of(request)
    workspace.ledger.state(idea)
    context = _beside(workspace, "hypothesis_brief", form_of(request)) | {"place": ""}
    return page(request, workspace, "beside_brief.html", context)


@post("/ideas/{idea:str}/comment", sync_to_thread=True, opt={"verb": "idea.comment"})
def do_comment(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Says something about an idea."""
    text = form_of(request).text("text")
    acted(request, relay.comment, idea, form_key(request), text=text)
    return to_idea(idea)


@post("/ideas/{idea:str}/look-up", sync_to_thread=True, opt={"verb": "idea.look_up"})
def do_look_up(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Records that past cases were looked up, and shows what is there."""
    query = form_of(request).text("query")
    acted(request, relay.look_up_cases, idea, form_key(request), query=query)
    return to_idea(idea)


@post("/ideas/{idea:str}/rule", sync_to_thread=True, opt={"verb": "idea.rule"})
def do_record_rule(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Writes down a go/kill rule."""
    text = form_of(request).text("text")
    acted(request, relay.record_rule, idea, form_key(request), text=text)
    return to_idea(idea)


@post("/ideas/{idea:str}/kill", sync_to_thread=True, opt={"verb": "idea.kill"})
def do_kill(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Ends an idea with a reason and files its case."""
    reason = form_of(request).text("reason")
    acted(request, relay.kill_idea, idea, form_key(request), reason=reason)
    return to_idea(idea)


@post("/ideas/{idea:str}/skip", sync_to_thread=True, opt={"verb": "idea.skip"})
def do_skip(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Leaves out a stage with a reason."""
    form = form_of(request)
    acted(request, relay.skip_stage, idea, form_key(request), stage=form.text("stage"), reason=form.text("reason"))
    return to_idea(idea)


@post("/ideas/{idea:str}/reopen", sync_to_thread=True, opt={"verb": "idea.reopen"})
def do_reopen(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Takes a killed idea up again."""
    reason = form_of(request).text("reason")
    acted(request, relay.reopen_idea, idea, form_key(request), reason=reason)
    return to_idea(idea)


@post("/ideas/{idea:str}/debts/{number:int}", sync_to_thread=True, opt={"verb": "idea.settle_debt"})
def do_settle(request: AnyRequest, idea: FromPath[str], number: FromPath[int]) -> Redirect:
    """Settles a debt."""
    note = form_of(request).text("note")
    acted(request, relay.settle_debt, idea, form_key(request), number=number, note=note)
    return to_idea(idea)


@post("/ideas/{idea:str}/contributions", sync_to_thread=True, opt={"verb": "contribution.state"})
def do_state_contribution(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """States what one did in a stage."""
    form = form_of(request)
    acted(request, relay.state_contribution, idea, form_key(request), stage=form.text("stage"), text=form.text("text"))
    return to_idea(idea)


@post("/ideas/{idea:str}/contributions/confirm", sync_to_thread=True, opt={"verb": "contribution.confirm"})
def do_confirm_contribution(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Confirms what a peer has stated."""
    form = form_of(request)
    said = {"stage": form.text("stage"), "member": form.text("member")}
    acted(request, relay.confirm_contribution, idea, form_key(request), **said)
    return to_idea(idea)


WRITING = (
    show_new_idea,
    do_open_idea,
    show_evidence_form,
    do_attach,
    look_at_brief,
    do_comment,
    do_look_up,
    do_record_rule,
    do_kill,
    do_skip,
    do_reopen,
    do_settle,
    do_state_contribution,
    do_confirm_contribution,
)
