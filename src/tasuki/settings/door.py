"""The part `[web]` of `tasuki.toml`: how people come to the pages. Every fault is collected."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, cast
from urllib.parse import urlsplit

from tasuki.accounts.door import Door, Provider, SignIn
from tasuki.errors import Fault

_WHERE = "tasuki.toml web"
_PROVIDER = ("issuer", "client_id", "secret_variable", "member_claim", "title", "email_domain")


def read_door(table: Mapping[str, Any], faults: list[Fault]) -> Door:
    """The door that the settings describe; what is wrong is added to `faults`."""
    _known(table, ("sign_in", "public_url", "provider", "trusted_proxies"), _WHERE, faults)
    sign_in = table.get("sign_in", "auto")
    if sign_in not in ("auto", "on"):
        faults.append(Fault(_WHERE, f"sign_in is {sign_in!r}", "auto or on"))
        sign_in = "auto"
    public_url = str(table.get("public_url", ""))
    if public_url and not _is_address(public_url):
        faults.append(Fault(_WHERE, f"public_url is {public_url!r}", "https://HOST, without a path"))
    proxies = _proxies(table.get("trusted_proxies", []), faults)
    return Door(cast(SignIn, sign_in), public_url.rstrip("/"), _provider(table.get("provider"), faults), proxies)


def _proxies(entries: object, faults: list[Fault]) -> tuple[str, ...]:
    if not isinstance(entries, list):
        faults.append(Fault(_WHERE, "trusted_proxies is no list", '["127.0.0.1"]'))
        return ()
    for one in entries:
        try:
            ip_network(one if isinstance(one, str) else "")
        except ValueError:
            faults.append(Fault(_WHERE, f"trusted_proxies has {one!r}", "addresses or networks, as 10.0.0.0/8"))
    return tuple(str(one) for one in entries)


def _provider(entry: object, faults: list[Fault]) -> Provider | None:
    if entry is None:
        return None
    where = f"{_WHERE}.provider"
    if not isinstance(entry, Mapping):
        faults.append(Fault(where, "is no table", "[web.provider] with issuer and client_id"))
        return None
    _known(entry, _PROVIDER, where, faults)
    texts = {name: entry[name] for name in _PROVIDER if name in entry}
    for name, value in texts.items():
        if not isinstance(value, str):
            faults.append(Fault(where, f"{name} is no text", 'a text in "quotes"'))
    for name in ("issuer", "client_id"):
        if not texts.get(name):
            faults.append(Fault(where, f"{name} is missing", "as the provider gave it"))
    issuer = str(texts.get("issuer", ""))
    if issuer and not _is_issuer(issuer):
        faults.append(Fault(where, f"issuer is {issuer!r}", "https://…; http:// only for this machine"))
    if texts.get("member_claim") == "email" and not texts.get("email_domain"):
        expected = 'the team\'s own domain, as "tasuki.example"; anybody may have an address elsewhere'
        faults.append(Fault(where, "email_domain is missing", expected))
    return Provider(**{name: str(value) for name, value in {"issuer": "", "client_id": "", **texts}.items()})


def _known(table: Mapping[str, Any], known: tuple[str, ...], where: str, faults: list[Fault]) -> None:
    faults += [Fault(where, f"unknown key {key!r}", ", ".join(known)) for key in table if key not in known]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
    except ValueError:
        return False


def _is_issuer(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
