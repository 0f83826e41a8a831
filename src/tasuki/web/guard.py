"""What protects readers: which hosts are answered, and the headers every answer carries."""

from ipaddress import ip_address

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
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


def is_own_host(header: str) -> bool:
    """Whether a request means this server: another site's name that resolves to this machine must not read pages."""
    return is_loopback(host_without_port(header))
