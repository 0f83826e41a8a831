"""The door of the pages: open on this machine alone, or with a sign-in; and the identity provider that may vouch."""

from dataclasses import dataclass
from typing import Literal

SignIn = Literal["auto", "on"]


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider that may vouch for members.

    Args:
        issuer: Its address; the rest is discovered from it.
        client_id: What it knows this team's tasuki by.
        secret_variable: The environment variable that holds the client's secret; empty for a public client.
        member_claim: The claim that names a member. People must not be able to choose its value themselves.
        title: What the sign-in button calls it.
        email_domain: With the claim `email`: the only domain whose addresses count; the part before the @ names.
    """

    issuer: str
    client_id: str
    secret_variable: str = ""
    member_claim: str = "preferred_username"
    title: str = ""
    email_domain: str = ""


@dataclass(frozen=True)
class Door:
    """How people come to the pages.

    Args:
        sign_in: `auto` asks for a sign-in once there are accounts or the host can be reached from other machines;
            `on` always does.
        public_url: The address people type, as `https://tasuki.example`; its host is answered, its scheme decides
            whether cookies are for encrypted connections only.
        provider: Who else may vouch for members.
        trusted_proxies: Addresses or networks of the team's own proxies: only what comes from them may say, with
            `X-Forwarded-For`, where a request really comes from.
    """

    sign_in: SignIn = "auto"
    public_url: str = ""
    provider: Provider | None = None
    trusted_proxies: tuple[str, ...] = ()

    @property
    def is_encrypted(self) -> bool:
        """Whether people type an https address."""
        return self.public_url.startswith("https:")
