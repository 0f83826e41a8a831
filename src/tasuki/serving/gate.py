"""Which client may ask which model: tokens are random, only their SHA-256 is kept, compared in constant time."""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasuki.errors import Fault, Invalid, TasukiError
from tasuki.models.definition import is_plain_name

Verdict = Literal["", "no token", "wrong token", "not this model"]
_HEX = re.compile(r"[0-9a-f]{64}")
_KEYS = ("name", "sha256", "models")


@dataclass(frozen=True)
class Client:
    """Somebody who may ask.

    Args:
        name: What the client is called.
        sha256: The SHA-256 of its token, in hexadecimal.
        models: The models it may ask; None for all.
    """

    name: str
    sha256: str
    models: frozenset[str] | None = None


def new_token() -> tuple[str, str]:
    """A token of 256 random bits, and its SHA-256. So long a secret needs no slow hash."""
    token = f"tsk_{secrets.token_urlsafe(32)}"
    return token, hashlib.sha256(token.encode()).hexdigest()


def read_clients(content: bytes, where: str) -> tuple[Client, ...]:
    """The clients of a tokens file.

    Raises:
        Invalid: With every fault at once.
    """
    try:
        listed = tomllib.loads(content.decode()).get("client", [])
    except ValueError as error:
        raise Invalid(
            f"{where} is no tokens file", [Fault(where, str(error), "TOML with [[client]] tables")]
        ) from error
    if not isinstance(listed, list) or not listed:
        raise Invalid(f"{where} names no client", [Fault(where, "there is no [[client]]")], next_step=_HOW)
    faults: list[Fault] = []
    clients = [_client(one, f"{where} client {place}", faults) for place, one in enumerate(listed, 1)]
    names = [one.name for one in clients]
    faults += [
        Fault(where, f"{name} is named twice") for name in sorted({one for one in names if names.count(one) > 1})
    ]
    if faults:
        raise Invalid(f"{where} has {len(faults)} fault(s)", faults, next_step=_HOW)
    return tuple(clients)


def client_entry(client: Client) -> str:
    """A client as the lines of a tokens file."""
    named = ", ".join(f'"{one}"' for one in sorted(client.models or ()))
    models = "" if client.models is None else f"models = [{named}]\n"
    return f'[[client]]\nname = "{client.name}"\nsha256 = "{client.sha256}"\n{models}'


class Gate:
    """Lets clients in by their tokens; without a tokens file it lets everybody in.

    Args:
        path: The tokens file, which is read again when it changes; None for no tokens.

    Raises:
        Invalid: When the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._clients: tuple[Client, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self.error = ""
        self.closed = path is not None
        if path is not None:
            self._read(path)

    def refresh(self) -> None:
        """Takes a changed tokens file in; one that cannot be used leaves the clients as they were."""
        if self._path is None:
            return
        try:
            if _stamp(self._path) != self._stamp:
                self._read(self._path)
            self.error = ""
        except (TasukiError, OSError) as error:
            self.error = " ".join(str(error).split())

    def check(self, authorization: str | None, model: str) -> Verdict:
        """Why the header's token may not ask the model; empty when it may. All are compared, so time tells nothing."""
        if not self.closed:
            return ""
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return "no token"
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found: Client | None = None
        for one in self._clients:
            if hmac.compare_digest(one.sha256, given):
                found = one
        if found is None:
            return "wrong token"
        return "" if found.models is None or model in found.models else "not this model"

    def _read(self, path: Path) -> None:
        stamp = _stamp(path)
        self._clients = read_clients(path.read_bytes(), path.name)
        self._stamp = stamp


def open_gate(path: Path | None) -> Gate:
    """The gate of a tokens file.

    Raises:
        Invalid: When the file is not there or cannot be used.
    """
    try:
        return Gate(path)
    except OSError as error:
        raise Invalid(f"the tokens file {path} cannot be read: {error.strerror}", next_step=_HOW) from error


def _stamp(path: Path) -> tuple[int, int]:
    said = path.stat()
    return said.st_mtime_ns, said.st_size


def _client(entry: object, where: str, faults: list[Fault]) -> Client:
    given: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    faults += [Fault(where, f"unknown key {key!r}", ", ".join(_KEYS)) for key in given if key not in _KEYS]
    name, digest, models = given.get("name"), given.get("sha256"), given.get("models")
    if not isinstance(name, str) or not is_plain_name(name):
        faults.append(Fault(where, f"name is {name!r}", "letters, digits, - and _"))
    if not isinstance(digest, str) or not _HEX.fullmatch(digest):
        faults.append(Fault(where, "sha256 is no SHA-256", "64 hexadecimal digits"))
    if models is not None and not _are_names(models):
        faults.append(Fault(where, "models is no list of names", 'models = ["ctr"], or leave it out for all'))
    return Client(str(name), str(digest), None if models is None else frozenset(map(str, _listed(models))))


def _are_names(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


_HOW = "tasuki model token NAME --tokens FILE makes a token and its entry"
