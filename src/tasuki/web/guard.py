"""What protects readers: which hosts are answered, and the headers every answer carries."""

from ipaddress import ip_address
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
