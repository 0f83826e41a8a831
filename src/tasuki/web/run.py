"""Serves the pages of a workspace until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar

from tasuki.actions.accounts import first_link
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, TasukiError, Unavailable
from tasuki.settings.workspace import open_workspace
from tasuki.web.app import create_app
from tasuki.web.guard import is_loopback
from tasuki.web.visitors import signs_in

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LAST_ANSWERS_S = 5.0
"""After the signal to stop, whoever has not got their answer by then gets none."""


TEAM_WORKERS = 2
"""So many processes answer a team: twenty readers of a large ledger at once are too many for one."""


def serve_pages(
    workspace_folder: Path | None,
    host: str | None = None,
    port: int | None = None,
    *,
    workers: int | None = None,
    announce: Callable[[str, str], None] | None = None,
) -> None:
    """Serves the pages of the workspace in a folder; returns after Ctrl-C or SIGTERM, when the last answer is out.

    A host that other machines can reach asks for a sign-in. While there is no administrator yet, the announcement holds
    a link that makes one.

    Args:
        workspace_folder: The workspace; the current folder when None.
        host: Where to listen; the workspace's own when None.
        port: 0 takes any free one; the workspace's own when None.
        workers: How many processes answer; each keeps its own shelf of ideas, and one that dies is started again.
            When None, `TEAM_WORKERS` where people sign in, otherwise one.
        announce: Called with the address, and the first administrator's link, once the server is about to listen.

    Raises:
        Invalid: Others can reach the host, and the address they type is not set.
        Unavailable: The port is in use.
    """
    workspace = open_workspace(workspace_folder)
    try:
        at = workspace.serving_host if host is None else host
        reachable = not is_loopback(at)
        require_public_url(at, workspace.door.public_url)
        taken = free_port(at, workspace.serving_port if port is None else port)
        is_team = signs_in(workspace, reachable)
        workers = workers or (TEAM_WORKERS if is_team else 1)
        if announce is not None:
            place = address_of(at, taken)
            link = first_link(workspace) if is_team else None
            announce(place, f"{workspace.door.public_url or place.rstrip('/')}/welcome/{link}" if link else "")
        if workers == 1:
            settle(workspace)
            application = create_app(workspace, reachable=reachable)
            server = server_of(application, at, taken)
            asyncio.run(run_server(server, application.state.streams.end))
    finally:
        workspace.close()
    if workers > 1:  # they are forked: no connection of this process may be open
        _serve_by_workers(workspace.folder, (at, taken), workers, reachable=reachable)


def settle(workspace: Workspace) -> None:
    """Reads what lists are made of before a first reader waits for it, and keeps the collector from looking again."""
    with contextlib.suppress(TasukiError):  # each page says for itself what is wrong with the ledger
        workspace.ledger.shelf()
        workspace.ledger.started_models()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _serve_by_workers(folder: Path, place: tuple[str, int], workers: int, *, reachable: bool) -> None:
    """Serves by several processes on one port until SIGINT or SIGTERM."""
    from granian import Granian

    sys.stdout.flush()
    host, port = place
    Granian(
        str(folder),
        address=_bare(host),
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=round(LAST_ANSWERS_S),  # a live board's stream would keep a worker for ever
    ).serve(target_loader=partial(_pages_in_worker, reachable=reachable))


def _pages_in_worker(folder: str, *, reachable: bool) -> Litestar:
    workspace = open_workspace(Path(folder))
    settle(workspace)
    return create_app(workspace, reachable=reachable)


def server_of(application: object, host: str, port: int) -> Server:
    """The server, not yet started; `run_server` runs it."""
    return Server(
        application,
        address=_bare(host),
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.error,
    )


def require_public_url(host: str, public_url: str) -> None:
    """A host that others can reach needs the address people type: requests that name another host are refused.

    Raises:
        Invalid: It is not set.
    """
    if not is_loopback(host) and not public_url:
        raise Invalid(
            f"the pages cannot be served on {host!r} without the address that people type",
            expected='public_url = "https://HOST" in the part [web] of tasuki.toml',
            next_step="set it; or serve on 127.0.0.1 and forward the port with ssh -L",
        )


def free_port(host: str, port: int) -> int:
    """The port itself when nobody listens on it, or any free one for port 0.

    Raises:
        Unavailable: The port is in use, or this user may not use it.
    """
    bare = _bare(host)
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} on {host} cannot be used: {error.strerror}",
                expected="a port that no other program listens on",
                next_step=f"stop that program, or choose another port: tasuki serve --port {_another(port)}",
            ) from error
        found: int = probe.getsockname()[1]
        return found


def _another(port: int) -> int:
    return port + 1 if 1024 <= port < 65535 else 8765


def address_of(host: str, port: int) -> str:
    """What to open in a browser."""
    bare = _bare(host)
    return f"http://[{bare}]:{port}/" if ":" in bare else f"http://{bare}:{port}/"


def _bare(host: str) -> str:
    """`127.0.0.1` for localhost (which some machines resolve to the other family), `::1` without its brackets."""
    return "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")


async def run_server(server: Server, end_streams: Callable[[], None]) -> None:
    """Runs a server until SIGINT or SIGTERM, then lets it finish what it is answering, for some seconds.

    Args:
        server: The server.
        end_streams: Tells answers without an end of their own to end.
    """
    loop = asyncio.get_running_loop()
    serving = asyncio.ensure_future(server.serve())

    def stop() -> None:
        end_streams()
        server.stop()  # type: ignore[no-untyped-call]
        loop.call_later(LAST_ANSWERS_S, serving.cancel)

    with contextlib.ExitStack() as undo:
        for one in _STOP_SIGNALS:
            loop.add_signal_handler(one, stop)
            undo.callback(loop.remove_signal_handler, one)
        with contextlib.suppress(asyncio.CancelledError):
            await serving
