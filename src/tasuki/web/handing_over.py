"""Handing over from the pages: offer, pick up, accept (perhaps with debts), return; each one screen."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.actions import relay
from tasuki.errors import Fault, Invalid, Refused
from tasuki.flow.plan import CASE, REASON_CODES
from tasuki.flow.relay import NewDebt
from tasuki.flow.state import IdeaState
from tasuki.web.acting import acted, form_key
from tasuki.web.board import waiting_of
from tasuki.web.forms import Form
from tasuki.web.needs import may_pick_up, needs_of
from tasuki.web.problems import status_of
from tasuki.web.site import AnyRequest, page, workspace_of
from tasuki.web.story import exhibits
from tasuki.web.visitors import form_of, visitor_of
from tasuki.web.writing import to_idea

DEBTS_SHOWN = 3


@get("/ideas/{idea:str}/hand-off", sync_to_thread=True, opt={"verb": "idea.show"})
def show_handoff(request: AnyRequest, idea: FromPath[str]) -> Response[str]:
    """What can be done now: offer it, pick it up, or judge it."""
    return _page(request, idea)


def _page(request: AnyRequest, idea: str, error: Invalid | Refused | None = None) -> Response[str]:
    """The screen; with an error only while it still has the form that was sent.

    Otherwise the error is left to its own page, which keeps what was typed: somebody was faster in another tab.
    """
    workspace, visitor = workspace_of(request), visitor_of(request)
    state = workspace.ledger.state(idea)
    if error is not None and not _has_form(request.url.path, state, visitor.member):
        raise error
    act = workspace.act(state.holder)
    form = form_of(request)
    context = {
        "state": state,
        "needs": needs_of(state, act),
        "waiting": waiting_of(state, workspace.playbook, workspace.clock()),
        "evidence": [one for one in exhibits(state.evidence) if one.evidence.stage == state.stage],
        "is_mine": state.offer is not None and state.offer.picked_up_by == visitor.member,
        "has_sash": state.holder == visitor.member,
        "may_pick_up": may_pick_up(state, workspace.act(visitor.member)),
        "concludes": state.offer is not None and state.offer.to_stage == CASE,
        "codes": REASON_CODES,
        "debts_open": any(_has_debt(form, number) for number in range(DEBTS_SHOWN)),
        "debts": range(DEBTS_SHOWN),
        "earlier": state.stages[: state.stages.index(state.stage)] if state.stage in state.stages else (),
        "typed": form,
        "faults": error.faults if error else (),
        "problem": error,
        "members": act.members,
        "place": "board",
    }
    return page(request, workspace, "hand_off.html", context, 200 if error is None else status_of(error))


def _has_form(path: str, state: IdeaState, member: str) -> bool:
    """Whether the hand-off's screen has the form for what was asked at the path."""
    if state.status != "active":
        return False
    if state.offer is not None:
        return state.offer.picked_up_by == member and not path.endswith("/offer")
    return state.holder == member and not path.endswith("/accept")


@post("/ideas/{idea:str}/hand-off/offer", sync_to_thread=True, opt={"verb": "handoff.offer"})
def do_offer(request: AnyRequest, idea: FromPath[str]) -> Response[Any]:
    """Offers the present stage; a refusal says on the same screen what is missing."""
    form = form_of(request)
    try:
        acted(
            request,
            relay.offer_handoff,
            idea,
            form_key(request),
            to_member=form.text("to") or None,
            note=form.text("note"),
        )
    except (Invalid, Refused) as error:
        return _page(request, idea, error)
    return to_idea(idea)


@post("/ideas/{idea:str}/hand-off/pick-up", sync_to_thread=True, opt={"verb": "handoff.pick_up"})
def do_pick_up(request: AnyRequest, idea: FromPath[str]) -> Redirect:
    """Picks up what was offered."""
    acted(request, relay.pick_up_handoff, idea, form_key(request))
    return Redirect(f"/ideas/{idea}/hand-off", status_code=303)


@post("/ideas/{idea:str}/hand-off/accept", sync_to_thread=True, opt={"verb": "handoff.accept"})
def do_accept(request: AnyRequest, idea: FromPath[str]) -> Response[Any]:
    """Accepts with the answer, an estimate, perhaps with debts."""
    form, faults = form_of(request), list[Fault]()
    estimate, debts = form.number("estimate", faults), _debts(form, faults)
    try:
        if faults:
            raise Invalid("it was not accepted", faults)
        acted(
            request,
            relay.accept_handoff,
            idea,
            form_key(request),
            answer=form.text("answer"),
            estimate_days=estimate,
            debts=debts,
        )
    except (Invalid, Refused) as error:
        return _page(request, idea, error)
    return to_idea(idea)


def _has_debt(form: Form, number: int) -> bool:
    """Whether somebody began to write the debt; its owner alone is chosen from the start."""
    return bool(form.text(f"debt.{number}.what") or form.text(f"debt.{number}.due"))


def _debts(form: Form, faults: list[Fault]) -> list[NewDebt]:
    debts = []
    for number in range(DEBTS_SHOWN):
        what, owner = form.text(f"debt.{number}.what"), form.text(f"debt.{number}.owner")
        due = form.day(f"debt.{number}.due", faults)
        if not what and due is None:
            continue
        if due is None or not what or not owner:
            faults.append(Fault(f"debt.{number}.what", "is not complete", "what, who and until when"))
        else:
            debts.append(NewDebt(what, owner, due))
    return debts


@post("/ideas/{idea:str}/hand-off/return", sync_to_thread=True, opt={"verb": "handoff.return"})
def do_return(request: AnyRequest, idea: FromPath[str]) -> Response[Any]:
    """Returns with a reason; with a stage, sends an accepted idea back to it."""
    form = form_of(request)
    try:
        acted(
            request,
            relay.return_handoff,
            idea,
            form_key(request),
            reason_code=form.text("code"),
            reason=form.text("reason"),
            to_stage=form.text("to_stage") or None,
        )
    except (Invalid, Refused) as error:
        return _page(request, idea, error)
    return to_idea(idea)


HANDING_OVER = (show_handoff, do_offer, do_pick_up, do_accept, do_return)
