"""What somebody typed and could not be taken: kept on the page that says why, to be sent once more by hand."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from tasuki.web.forms import Form
from tasuki.web.guard import local_address
from tasuki.web.site import ONCE_FIELD, AnyRequest
from tasuki.web.visitors import MARK_FIELD, SAFE_METHODS, form_of

SIGN_IN = "/sign-in"
KEPT_TO, KEPT = "kept_to", "kept."
"""The fields of a sign-in that carry what was typed before it."""
_WRITTEN = frozenset({"text", "reason", "note", "query", "title", "answer", "display_name"})
_CHOICE = re.compile(r"[A-Za-z0-9_.-]{0,40}")
_SECRET = ("password", "secret", "token")


@dataclass(frozen=True)
class KeptField:
    """One value that was sent; `is_seen` where a person wrote it, so that they can read and mend it."""

    name: str
    value: str
    is_seen: bool


@dataclass(frozen=True)
class Kept:
    """What was sent, and the path of this site it was sent to."""

    to: str
    fields: tuple[KeptField, ...]


def kept_of(request: AnyRequest) -> Kept | None:
    """What the request's own form said; None where nobody wrote anything, or another site filled it in.

    It is never sent again without somebody pressing a button, and passwords are not kept.
    """
    if request.method in SAFE_METHODS or not _is_from_here(request):
        return None
    form = form_of(request)
    if request.url.path == SIGN_IN:
        inner = {name.removeprefix(KEPT): form.fields[name] for name in form.fields if name.startswith(KEPT)}
        return _kept(local_address(form.text(KEPT_TO)), Form(inner))
    query = [(name, str(value)) for name, value in request.query_params.multi_items() if name != "lang"]
    path = "/" + request.url.path.lstrip("/\\")
    return _kept(local_address(f"{path}?{urlencode(query)}" if query else path), form)


def _kept(to: str, form: Form) -> Kept | None:
    fields = tuple(
        KeptField(name, value, bool(value.strip()) and (name in _WRITTEN or not _CHOICE.fullmatch(value)))
        for name, values in form.fields.items()
        if name not in (MARK_FIELD, ONCE_FIELD) and not any(word in name.lower() for word in _SECRET)
        for value in values
    )
    return Kept(to, fields) if any(one.is_seen for one in fields) else None


def _is_from_here(request: AnyRequest) -> bool:
    """Whether a page of this site sent it, as far as the browser says."""
    if site := request.headers.get("sec-fetch-site"):
        return bool(site == "same-origin")
    origin = request.headers.get("origin")
    return not origin or urlsplit(origin).netloc == request.headers.get("host", "")
