"""Serves the pages of a workspace until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from tasuki.errors import Invalid, Unavailable
from tasuki.settings.workspace import open_workspace
from tasuki.web.app import create_app
from tasuki.web.guard import is_loopback

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_pages(
    workspace_folder: Path | None,
    host: str | None = None,
    port: int | None = None,
    *,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serves the pages of the workspace in a folder; returns after Ctrl-C or SIGTERM, when the last answer is out.

    Args:
        workspace_folder: The workspace; the current folder when None.
        host: An address of this machine only; the workspace's own when None.
        port: 0 takes any free one; the workspace's own when None.
        announce: Called with the address once the server is about to listen.

    Raises:
        Invalid: The host could be reached from other machines.
        Unavailable: The port is in use.
    """
    workspace = open_workspace(workspace_folder)
    try:
        at = workspace.serving_host if host is None else host
        require_loopback(at)
        taken = free_port(at, workspace.serving_port if port is None else port)
        server = server_of(create_app(workspace), at, taken)
        if announce is not None:
            announce(address_of(at, taken))
        asyncio.run(run_server(server))
    finally:
        workspace.close()


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


def require_loopback(host: str) -> None:
    """Refuses a host that other machines could reach: there is no sign-in yet.

    Raises:
        Invalid: Says which hosts may be served.
    """
    if not is_loopback(host):
        raise Invalid(
            f"the pages cannot be served on {host!r}: whoever reaches it could read everything, as there is no sign-in",
            expected="an address of this machine only: 127.0.0.1, localhost or ::1",
            next_step="tasuki serve --host 127.0.0.1; to read from another machine, forward the port with ssh -L",
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


async def run_server(server: Server) -> None:
    """Runs a server until SIGINT or SIGTERM, then lets it finish what it is answering."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as undo:
        for one in _STOP_SIGNALS:
            loop.add_signal_handler(one, server.stop)
            undo.callback(loop.remove_signal_handler, one)
        await server.serve()
