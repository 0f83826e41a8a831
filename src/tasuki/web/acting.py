"""Doing something with an idea, as whoever asks: the same for pages and for REST."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tasuki.errors import Invalid, NotAllowed
from tasuki.flow.state import IdeaState
from tasuki.web.site import ONCE_FIELD, AnyRequest, workspace_of
from tasuki.web.visitors import MARK_FIELD, form_of, visitor_of


def acted(
    request: AnyRequest, action: Callable[..., IdeaState], idea: str, key: str | None = None, **given: Any
) -> IdeaState:
    """The idea after the action, done in the name of whoever asks.

    Args:
        request: Who asks.
        action: Of `tasuki.actions`: takes workspace, idea, actor, key and what is given.
        idea: The idea's id.
        key: Idempotency key.
        given: The action's own arguments.

    Raises:
        Invalid: A text of the form is longer than a field may be. Nothing was done.
    """
    if too_long := form_of(request).too_long():
        raise Invalid("nothing was saved: a text is too long", too_long)
    return action(workspace_of(request), idea, actor=visitor_of(request).member, key=key, **given)


def form_key(request: AnyRequest) -> str | None:
    """The idempotency key of a form: pressed twice it does its thing once.

    It is made of the page that was shown and of what was typed, so that the same page can say another thing after the
    reader went back to it. None where a form carries no page, as a program's.
    """
    form = form_of(request)
    shown = form.text(ONCE_FIELD)
    if not shown:
        return None
    typed = {name: list(values) for name, values in form.fields.items() if name != MARK_FIELD}
    said = json.dumps([visitor_of(request).member, request.url.path, typed], sort_keys=True)
    return f"form-{hashlib.sha256(said.encode()).hexdigest()[:40]}"


def barred_from(asked: Callable[[], object]) -> NotAllowed | None:
    """Why somebody may not do something, told before they have typed anything; None where they may."""
    try:
        asked()
    except NotAllowed as error:
        return error
    return None
