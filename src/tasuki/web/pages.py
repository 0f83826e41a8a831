"""The pages: each reads the ledger, builds its view and hands it to its template. Nothing here changes anything."""

import json
from dataclasses import fields
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from tasuki.actions.booking import read_calendar
from tasuki.actions.relay import ideas_at_work
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, said
from tasuki.flow.plan import ROLES
from tasuki.flow.state import IdeaState
from tasuki.web.board import BoardChoice, build_board, ended_of, waiting_of
from tasuki.web.case_choice import CaseChoice
from tasuki.web.case_list import list_cases
from tasuki.web.evidence_form import PEOPLE_WRITE
from tasuki.web.fragments import Drawn, DrawnCards, DrawnCases, Fragments, team_mark
from tasuki.web.language import Formats
from tasuki.web.my_work import moving_up, waits_for_slot, work_of
from tasuki.web.needs import may_pick_up, needs_of
from tasuki.web.site import AnyRequest, assets, language_of, page, whole_number, workspace_of
from tasuki.web.story import Story, build_story
from tasuki.web.story_parts import part_of, part_with
from tasuki.web.visitors import visitor_of

FRESH = "idea_opened handoff_offered handoff_picked_up handoff_accepted handoff_returned idea_killed"
"""What makes a board stale."""
_FOREVER = "public, max-age=31536000, immutable"
_QUERY_LENGTH = 200


@get("/", sync_to_thread=True, opt={"verb": "idea.list"})
def show_board(request: AnyRequest) -> Response[str]:
    """The board of one flow."""
    workspace = workspace_of(request)
    flows = workspace.playbook.flows
    asked = request.query_params.get("flow") or _usual_flow(workspace)
    if asked not in flows:
        raise Missing(said("there is no flow {flow!r}", flow=asked), expected=", ".join(flows))
    role = request.query_params.get("role") or None
    if role is not None and role not in ROLES:
        raise Missing(said("there is no role {role!r}", role=role), expected=", ".join(ROLES))
    choice = BoardChoice(asked, request.query_params.get("person") or None, role)
    board = build_board(workspace.ledger.shelf(), workspace.playbook, workspace.formation, choice, workspace.clock())
    waiting = sum(card.waiting is not None for column in board.columns for card in column.cards)
    members, formats = workspace.ledger.members(), Formats(language_of(request, workspace.language))
    context = {
        "board": board,
        "kept": DrawnCards(request.app.state.fragments, formats, team_mark(members)),
        "members": members,
        "waiting_count": waiting,
        "place": "board",
        "fresh_kinds": FRESH,
        "roles": ROLES,
    }
    return page(request, workspace, "board.html", context)


def _usual_flow(workspace: Workspace) -> str:
    flows = workspace.playbook.flows
    return workspace.flow if workspace.flow in flows else next(iter(flows))


@get("/ideas/{idea:str}", sync_to_thread=True, opt={"verb": "idea.show"})
def show_idea(request: AnyRequest, idea: FromPath[str]) -> Response[str]:
    """The story of one idea, and what its next hand-off needs."""
    workspace = workspace_of(request)
    state = workspace.ledger.state(idea)
    now = workspace.clock()
    act = workspace.act(state.holder)
    story = build_story(state, now)
    fragments: Fragments = request.app.state.fragments
    context = {
        "story": story,
        "shown": part_of(story, _asked_part(request, story)),
        "kept": Drawn(fragments, idea, language_of(request, workspace.language), team_mark(act.members)),
        "needs": needs_of(state, act),
        "waiting": waiting_of(state, workspace.playbook, now),
        "may_pick_up": may_pick_up(state, workspace.act(visitor_of(request).member)),
        "is_mine": state.offer is not None and state.offer.picked_up_by == visitor_of(request).member,
        "ended": ended_of(state) if state.status != "active" else None,
        "returns": sum(one.outcome == "returned" for one in state.handoffs),
        "today": now.date(),
        "members": act.members,
        "writable": PEOPLE_WRITE,
        "place": "board" if state.status == "active" else "cases",
    }
    return page(request, workspace, "idea.html", context)


def _asked_part(request: AnyRequest, story: Story) -> int | None:
    """The part of the story that the address asks for, by its number or by the evidence in it."""
    if (wanted := request.query_params.get("evidence")) is not None:
        return part_with(story, wanted)
    return whole_number(request.query_params.get("part"))


@get("/ideas/{idea:str}/evidence/{file:str}", sync_to_thread=True, opt={"verb": "evidence.show"})
def download_evidence(request: AnyRequest, idea: FromPath[str], file: FromPath[str]) -> Response[bytes]:
    """One record as it lies in the ledger."""
    body = _evidence_body(workspace_of(request).ledger.state(idea), file.removesuffix(".json"))
    return Response(
        json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False).encode(),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{body["kind"]}-{file[:12]}.json"'},
    )


def _evidence_body(state: IdeaState, content_hash: str) -> dict[str, Any]:
    found = next((dict(one.body) for one in state.evidence if one.content_hash == content_hash), None)
    if found is None:
        raise Missing(said("{idea} has no evidence {content_hash}", idea=state.idea, content_hash=content_hash))
    return found


@get("/cases", sync_to_thread=True, opt={"verb": "case.search"})
def show_cases(request: AnyRequest) -> Response[str]:
    """Every idea that has ended, with a search."""
    workspace = workspace_of(request)
    query = (request.query_params.get("q") or "").strip()[:_QUERY_LENGTH]
    asked = {one.name: (request.query_params.get(one.name) or "")[:_QUERY_LENGTH] for one in fields(CaseChoice)}
    choice = CaseChoice(**asked)
    number = whole_number(request.query_params.get("page")) or 1
    found = list_cases(workspace.ledger.shelf().ended, query, number, choice=choice)
    members, language = workspace.ledger.members(), language_of(request, workspace.language)
    context = {
        "found": found,
        "cases": found.lines,
        "kept": DrawnCases(request.app.state.cases, language, team_mark(members)),
        "members": members,
        "query": query,
        "choice": choice,
        "place": "cases",
    }
    return page(request, workspace, "cases.html", context)


@get("/my-work", sync_to_thread=True, opt={"verb": "my_work.show"})
def show_my_work(request: AnyRequest) -> Response[str]:
    """What waits for a member; for whoever asks when none is named."""
    workspace = workspace_of(request)
    members = workspace.ledger.members()
    asked = request.query_params.get("member")
    name = asked or visitor_of(request).member
    if asked and asked not in members:
        raise Missing(said("the team has no member {member!r}", member=asked), expected=", ".join(members))
    if not name:
        return page(
            request, workspace, "no_members.html", {"members": members, "heading": "work.title", "place": "my_work"}
        )
    ideas = ideas_at_work(workspace.ledger.shelf())
    work = work_of(members[name], ideas, workspace.playbook, workspace.clock(), members.values())
    booked = {state.idea for state in ideas if state.holder == name and waits_for_slot(state)}
    movable = moving_up(read_calendar(workspace), booked) if booked else ()
    context = {"work": work, "movable": movable, "member": members[name], "members": members, "place": "my_work"}
    return page(request, workspace, "my_work.html", context)


@get("/assets/{name:str}", opt={"open": True})
async def send_asset(name: FromPath[str]) -> Response[bytes]:
    """A style sheet or picture. Its address changes with its content, so it may be kept for ever."""
    if name not in assets():
        raise Missing(said("there is no asset {name!r}", name=name))
    asset = assets()[name]
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": _FOREVER})


@get("/health", sync_to_thread=True, opt={"open": True})
def tell_health(request: AnyRequest) -> Response[dict[str, str]]:
    """Whether the pages can read the ledger."""
    workspace_of(request).ledger.members()
    return Response({"status": "ok"}, media_type="application/json")


PAGES = (show_board, show_idea, download_evidence, show_cases, show_my_work, send_asset, tell_health)
