"""One POST to a webhook: to where its address may lead, within so many seconds, following nothing.

An address in the settings is the team's own word, but a name is resolved by others and a receiver may answer with a
redirect. So a name that resolves to a place inside is refused unless the settings say that it is meant (`private`),
the place that was checked is the place that is connected to, link-local places (where clouds hand out credentials)
are never asked, and a redirect is a failure.
"""

import contextlib
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from tasuki.actions.workspace import Webhook

PATIENCE_S = 2.0
"""How long a receiver may take altogether: one that answers a letter at a time is not waited for."""
_LOCAL = "localhost"


@dataclass(frozen=True)
class Outcome:
    """How a delivery went.

    Args:
        status: The receiver's HTTP status; 0 when there was none.
        said: What happened, without the address: `taken`, `refused: …`, `no answer: …`.
        took_ms: How long it took.
    """

    status: int
    said: str
    took_ms: int

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300


class _Inside(OSError):
    """The address leads to a place that must not be asked."""


def post(webhook: Webhook, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Posts a document; never raises."""
    began = time.monotonic()
    request = urllib.request.Request(webhook.url, body, dict(headers), method="POST")  # noqa: S310 - settings allow http(s) only
    open_sockets: list[socket.socket] = []
    # The patience of a socket is for each piece of an answer; this one is for the whole.
    is_late = threading.Event()
    watch = threading.Timer(PATIENCE_S, _shut, [open_sockets, is_late])
    watch.daemon = True
    watch.start()
    try:
        with _opener(webhook, open_sockets).open(request, timeout=PATIENCE_S) as answer:
            status, said = answer.status, "taken"
    except urllib.error.HTTPError as error:
        status, said = error.code, f"refused: HTTP {error.code}"
        error.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        status, said = 0, _words(reason)
    finally:
        watch.cancel()
    if is_late.is_set():  # half an answer can look like a whole one
        status, said = 0, _words(TimeoutError())
    return Outcome(status, said, round((time.monotonic() - began) * 1000))


def _words(reason: object) -> str:
    if isinstance(reason, _Inside):
        return f"not asked: {reason}"
    if isinstance(reason, TimeoutError):
        return f"no answer: nothing within {PATIENCE_S:g} s"
    words = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    return f"no answer: {words}"


def _shut(open_sockets: list[socket.socket], is_late: threading.Event) -> None:
    is_late.set()
    for one in open_sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where a receiver points to is somebody else's word; the signed document goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follows nothing: a redirect is an answer that is not 2xx."""
        return


def _opener(webhook: Webhook, open_sockets: list[socket.socket]) -> urllib.request.OpenerDirector:
    proxies = {urlsplit(one).hostname for one in urllib.request.getproxies().values()}

    def connect(place: tuple[str, int], *options: Any) -> socket.socket:
        host, port = place
        # Through the team's own proxy it is the proxy that resolves names.
        found = [host] if host in proxies else list(places_of(host, port, is_inside_meant=webhook.is_private))
        connected = socket.create_connection((found[0], port), *options)
        open_sockets.append(connected)
        return connected

    class Http(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> Any:
            return self.do_open(partial(_connection, http.client.HTTPConnection, connect), request)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> Any:
            return self.do_open(partial(_connection, http.client.HTTPSConnection, connect), request)

    return urllib.request.build_opener(_NoRedirect, Http, Https)


def _connection(kind: Any, connect: Any, host: str, **options: Any) -> Any:
    made = kind(host, **options)
    made._create_connection = connect  # the one place where a connection is opened; certificates are checked as ever
    return made


def places_of(host: str, port: int, *, is_inside_meant: bool) -> Iterator[str]:
    """The addresses that a host may be asked at.

    Args:
        host: A name or an address.
        port: For the resolver.
        is_inside_meant: Whether a name may lead inside; an address that stands in the settings itself is meant.

    Raises:
        OSError: It leads nowhere, or to a place that must not be asked.
    """
    is_meant = is_inside_meant or host.lower() == _LOCAL or _read(host) is not None
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        found = _read(str(place[0]))
        if found is None or _is_never_asked(found):
            raise _Inside("the address leads to a place of this machine's own network")
        if not found.is_global and not is_meant:
            raise _Inside("the name leads to a private place; say private = true beside it if that is meant")
        yield str(place[0])


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (read.ipv4_mapped or read) if isinstance(read, IPv6Address) else read


def _is_never_asked(found: IPv4Address | IPv6Address) -> bool:
    return found.is_link_local or found.is_multicast or found.is_unspecified or str(found) == "fd00:ec2::254"
