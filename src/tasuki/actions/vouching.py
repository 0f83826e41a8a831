"""Asking an OpenID Connect provider who somebody is: authorization code flow with PKCE, state and nonce.

One random secret stays in the browser (a cookie); state, nonce and PKCE verifier are derived from it, so that nothing
is kept here meanwhile and any process can take the answer. What the provider says is believed only when its signature,
issuer, audience, time and nonce are right.
"""

import base64
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from tasuki.accounts.door import Provider
from tasuki.accounts.secret import form_mark, is_form_mark
from tasuki.clock import Clock
from tasuki.errors import NotAllowed, Unavailable, said

if TYPE_CHECKING:
    from httpx import Client
    from joserfc.jwk import KeySet

SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Only those whose key nobody but the provider has: never `none`, never one with a shared secret."""
SKEW_S = 60
PATIENCE_S = 5.0
FRESH = timedelta(hours=1)
"""How long what was discovered is used before it is asked for again."""
_LARGEST_ANSWER = 1 << 20
_BY_HEADER = ("client_secret_basic",)
"""How a client shows its secret where a provider does not say how."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class NotVouchedFor(NotAllowed):
    """The provider's answer is not one to believe, or it belongs to another browser."""


@dataclass(frozen=True)
class Return:
    """What the browser brought back from the provider.

    Args:
        secret: From the browser's cookie.
        query: The parameters of the address it came back to.
        address: That address without them.
    """

    secret: str
    query: Mapping[str, str]
    address: str


@dataclass(frozen=True)
class Vouched:
    """Whom the provider vouches for: its own lasting name of them, and the member its claims name."""

    subject: str
    member: str


@dataclass(frozen=True)
class _Discovered:
    said: Mapping[str, Any]
    keys: "KeySet"
    at: datetime


class Vouching:
    """One provider; what it says of itself is remembered for an hour.

    Args:
        provider: From the settings.
        clock: Where the time comes from.
    """

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._discovered: _Discovered | None = None
        self._lock = threading.Lock()

    def address_to_ask(self, secret: str, return_address: str) -> str:
        """Where a browser goes to be vouched for.

        Raises:
            Unavailable: The provider does not answer, or not as one.
        """
        self._secret()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form_mark(secret, "verifier").encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": return_address,
            "scope": "openid profile email",
            "state": form_mark(secret, "state"),
            "nonce": form_mark(secret, "nonce"),
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        place: str = self._known().said["authorization_endpoint"]
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def vouch(self, back: Return) -> Vouched:
        """Whom the provider vouches for.

        Raises:
            NotVouchedFor: The answer is another browser's, was used before, or is not the provider's.
            Unavailable: The provider does not answer.
        """
        if not back.secret or not is_form_mark(back.query.get("state", ""), back.secret, "state"):
            raise _not_believed("the answer belongs to another visit")
        if back.query.get("iss", self._provider.issuer) != self._provider.issuer:
            raise _not_believed("the answer is another provider's")
        if "error" in back.query or not back.query.get("code"):
            raise _not_believed("the provider did not let you through")
        token = self._exchange(back)
        claims = self._verified(token, form_mark(back.secret, "nonce"))
        return Vouched(f"{self._provider.issuer}|{claims['sub']}", member_of(claims, self._provider))

    def _exchange(self, back: Return) -> str:
        """The ID token for a code, which works once."""
        from httpx import Client, HTTPError, HTTPStatusError

        said, secret = self._known().said, self._secret()
        form = {
            "grant_type": "authorization_code",
            "code": back.query["code"],
            "redirect_uri": back.address,
            "code_verifier": form_mark(back.secret, "verifier"),
            "client_id": self._provider.client_id,
        }
        by_header = "client_secret_basic" in (said.get("token_endpoint_auth_methods_supported") or _BY_HEADER)
        basic = (quote(self._provider.client_id), quote(secret)) if secret and by_header else None
        if secret and not by_header:
            form["client_secret"] = secret
        try:
            with Client(timeout=PATIENCE_S, auth=basic) as client:
                answer = _json(client, "POST", said["token_endpoint"], data=form)
        except HTTPStatusError as error:
            if error.response.status_code >= 500:
                raise _away(self._provider) from error
            raise _not_believed("the provider did not take the code") from None
        except HTTPError as error:
            raise _away(self._provider) from error
        except (ValueError, TypeError):
            # The cause may quote the answer, and with it a secret: it is not handed on.
            raise _not_believed("the provider did not answer as one") from None
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _not_believed("the provider sent no ID token")
        return token

    def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        known = self._known()
        try:
            try:
                decoded = jwt.decode(token, known.keys, algorithms=list(SIGNATURES))
            except (JoseError, ValueError):
                # The provider may have changed its keys within the hour.
                decoded = jwt.decode(token, self._known(again=known).keys, algorithms=list(SIGNATURES))
            claims = decoded.claims
            jwt.JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                leeway=SKEW_S,
                iss={"essential": True, "value": self._provider.issuer},
                aud={"essential": True, "value": self._provider.client_id},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _not_believed(f"its ID token does not hold ({type(error).__name__})") from None
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._provider.client_id:
            raise _not_believed("its ID token was made for another program")
        if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
            raise _not_believed("its ID token names nobody")
        return claims

    def _known(self, again: _Discovered | None = None) -> _Discovered:
        """What the provider says of itself; asked anew after an hour, or when `again` did not do, once a minute."""
        with self._lock:
            found, now = self._discovered, self._clock()
            stale = found is not None and found is again and now - found.at > timedelta(minutes=1)
            if found is None or stale or now - found.at > FRESH:
                found = self._discovered = self._discover(now)
            return found

    def _discover(self, now: datetime) -> _Discovered:
        from httpx import Client, HTTPError
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        place = f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            with Client(timeout=PATIENCE_S) as client:
                said = _json(client, "GET", place)
                if said.get("issuer") != self._provider.issuer:
                    raise ValueError("another issuer")
                if not all(_is_safe(said.get(name), self._provider) for name in _ENDPOINTS):
                    raise ValueError("an address that is not encrypted")
                keys = KeySet.import_key_set(_json(client, "GET", said["jwks_uri"]))  # type: ignore[arg-type]
        except (HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            raise _away(self._provider) from error
        return _Discovered(said, keys, now)

    def _secret(self) -> str:
        """The client's secret; empty for a public client, which PKCE alone protects."""
        variable = self._provider.secret_variable
        secret = os.environ.get(variable, "") if variable else ""
        if variable and not secret:
            raise Unavailable(
                "the identity provider cannot be asked: its secret is not set here",
                expected=said("the environment variable {variable}", variable=variable),
                next_step="set it where tasuki serve runs",
            )
        return secret


def member_of(claims: Mapping[str, Any], provider: Provider) -> str:
    """The member that claims name; empty where they name none.

    An address counts only when the provider has verified it and it is of the team's own domain: then the part before
    the @ is the member.
    """
    value = claims.get(provider.member_claim)
    if not isinstance(value, str):
        return ""
    if provider.member_claim != "email":
        return value
    name, at, domain = value.rpartition("@")
    is_own = bool(at) and domain.casefold() == provider.email_domain.casefold()
    return name if is_own and claims.get("email_verified") is True else ""


def _json(client: "Client", method: str, address: str, data: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    with client.stream(method, address, headers={"Accept": "application/json"}, data=data) as answer:
        answer.raise_for_status()
        body = b""
        for part in answer.iter_bytes():
            body += part
            if len(body) > _LARGEST_ANSWER:
                raise ValueError("a large answer")
    said = json.loads(body)
    if not isinstance(said, dict):
        raise TypeError("no object")
    return said


def _is_safe(address: object, provider: Provider) -> bool:
    """An address is https, or as plain as the issuer's own, which is then on this machine."""
    if not isinstance(address, str):
        return False
    parts, issuer = urlsplit(address), urlsplit(provider.issuer)
    return parts.scheme == "https" or (issuer.scheme == "http" and parts.hostname == issuer.hostname)


def _not_believed(why: str) -> NotVouchedFor:
    return NotVouchedFor(
        said("you were not signed in: {why}", why=why),
        rule="an identity provider's answer is believed once, in the browser that asked, when its signature holds",
        next_step="sign in again",
    )


def _away(provider: Provider) -> Unavailable:
    return Unavailable(
        "the identity provider cannot be reached, or does not answer as one",
        expected=said("{issuer}/.well-known/openid-configuration", issuer=provider.issuer.rstrip("/")),
        next_step="try again, or sign in with your password",
    )
