"""The cookies that let people in: closed to scripts and other sites, and named so that no neighbour can plant one.

A browser takes `__Host-` only over https from this very host and for all its paths, and `__Secure-` only over https: a
page on a neighbouring host name, or a plain connection, cannot put a session or a form's mark of its own there.
"""

from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from tasuki.accounts.door import Door

SESSION_COOKIE, VISIT_COOKIE, PROVIDER_COOKIE = "tasuki_session", "tasuki_visit", "tasuki_provider"


def name_of(cookie: str, door: Door, path: str = "/") -> str:
    """What a cookie is called where people come by this door."""
    if not door.is_encrypted:
        return cookie
    return f"{'__Host-' if path == '/' else '__Secure-'}{cookie}"


def read_cookie(connection: ASGIConnection[Any, Any, Any, Any], cookie: str, path: str = "/") -> str:
    """The value that the browser holds; empty where it holds none."""
    return connection.cookies.get(name_of(cookie, connection.app.state.workspace.door, path), "")


def cookie_for(
    cookie: str,
    value: str,
    door: Door,
    *,
    path: str = "/",
    samesite: Literal["lax", "strict"] = "lax",
    max_age: int | None = None,
) -> Cookie:
    """A cookie to be set; with an age of 0 the browser forgets it.

    Args:
        cookie: One of this module's.
        value: What the browser sends back.
        door: How people come to the pages.
        path: The paths that get it.
        samesite: Whether it comes along when another site leads here.
        max_age: Seconds; for as long as the browser is open where it is not given.
    """
    return Cookie(
        name_of(cookie, door, path),
        value=value,
        path=path,
        httponly=True,
        samesite=samesite,
        secure=door.is_encrypted,
        max_age=max_age,
    )
