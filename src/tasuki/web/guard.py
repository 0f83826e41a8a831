"""What protects readers: which hosts are answered, and the headers every answer carries."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


HSTS = "max-age=31536000"
"""Sent only where people type an https address: browsers then never try another."""


def security_headers(is_encrypted: bool) -> dict[str, str]:
    """What every answer carries, also one that says what went wrong."""
    return SECURITY_HEADERS | ({"Strict-Transport-Security": HSTS} if is_encrypted else {})


def client_address(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """Where a request really comes from.

    Args:
        peer: Who is at the other end of the line.
        forwarded: The `X-Forwarded-For` header, to which each proxy adds whom it heard from; anybody may begin it.
        trusted: The team's own proxies, as addresses or networks; what others forward is not believed.

    Returns:
        The last address that is none of the team's proxies. Of IPv6 the network, since one household has so many.
    """
    found = peer
    for hop in reversed([one.strip() for one in forwarded.split(",") if one.strip()]):
        if not _is_in(found, trusted) or not _is_address(hop):
            break
        found = hop
    return _household(found)


def _is_in(address: str, networks: Sequence[str]) -> bool:
    return _is_address(address) and any(ip_address(address) in ip_network(one) for one in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _household(address: str) -> str:
    if not _is_address(address):
        return address
    read = ip_address(address)
    if not isinstance(read, IPv6Address) or read.is_loopback:
        return address
    return str(read.ipv4_mapped or ip_network((int(read) >> 64 << 64, 64)))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and no other."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare.lower() == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def host_without_port(header: str) -> str:
    """The host of a `Host` header: `127.0.0.1:8765` and `[::1]:8765` without their ports."""
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]


def is_own_host(header: str, public_url: str = "") -> bool:
    """Whether a request means this server: another site's name that resolves to this machine must not read pages.

    Args:
        header: The request's `Host`.
        public_url: The address people type, when the pages have one.
    """
    host = host_without_port(header)
    return is_loopback(host) or (bool(host) and host.lower() == (urlsplit(public_url).hostname or ""))


def local_address(wanted: str | None) -> str:
    """Where to go on to: a path of this site, or the board for anything that could lead elsewhere."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    if any(ord(letter) < 32 or letter == "\\" for letter in wanted):
        return "/"
    return wanted
