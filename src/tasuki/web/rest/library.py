"""What the team knows: past cases, and what waits for whom."""

from typing import Annotated

from litestar import get
from litestar.params import FromPath, QueryParameter

from tasuki.actions import relay
from tasuki.actions.documents import case_found, find_case
from tasuki.cases.case import case_to_body
from tasuki.web.rest.answers import Cursor, Document, Limit, document, page_document, page_of
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["library"]


@get("/my-work", sync_to_thread=True, opt={"verb": "my_work.show"}, tags=_TAG, responses=described(404))
def show_my_work(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """What waits for whoever asks."""
    member = visitor_of(request).member
    items = relay.my_work(workspace_of(request), actor=member)
    page = page_of(items, lambda one: f"{one.idea} {one.next_step}", limit, cursor)
    return page_document("my-work/1", "items", page, member=member)


@get("/cases", sync_to_thread=True, opt={"verb": "case.search"}, tags=_TAG, responses=described())
def search_cases(
    request: AnyRequest,
    q: Annotated[str, QueryParameter(name="q", max_length=200, description="Words; every one must be there.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Document:
    """Past cases, the best match first; without words all of them, the newest first."""
    found = relay.found_cases(workspace_of(request), q)
    page = page_of(found, lambda hit: hit.case.idea, limit, cursor)
    return page_document("cases/1", "cases", page, lambda hit: case_found(hit.case, hit.score), query=q, idea=None)


@get("/cases/{idea:str}", sync_to_thread=True, opt={"verb": "case.show"}, tags=_TAG, responses=described(404))
def show_case(request: AnyRequest, idea: FromPath[str]) -> Document:
    """The case of an idea that has ended."""
    return document("case/1", case_to_body(find_case(workspace_of(request), idea)))


LIBRARY = (show_my_work, search_cases, show_case)
