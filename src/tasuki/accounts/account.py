"""An account lets a member in; a session remembers a browser, a token lets a program in, an invitation is used once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from tasuki.accounts.rights import Scope
from tasuki.errors import Fault, said

Purpose = Literal["first_administrator", "invitation", "new_password"]

SESSION_LENGTH = timedelta(days=30)
"""A session ends this long after sign-in …"""
SESSION_IDLE = timedelta(days=7)
"""… and when nobody used it for so long."""
INVITATION_LENGTH = timedelta(days=7)
FIRST_LINK_LENGTH = timedelta(hours=24)
LONGEST_TOKEN = timedelta(days=366)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256


@dataclass(frozen=True)
class Account:
    """What lets a member in.

    Args:
        member: The member's name in the team.
        is_administrator: Whether they may invite, disable and see everybody's tokens.
        is_disabled: Whether they are kept out; their part in the ledger stays.
        password_hash: Argon2id; empty before they chose a password.
        subject: `issuer|subject` of the identity provider that vouches for them; None without one.
    """

    member: str
    is_administrator: bool = False
    is_disabled: bool = False
    password_hash: str = field(default="", repr=False)
    subject: str | None = None


@dataclass(frozen=True)
class Session:
    """A signed-in browser. Its id is a secret that only the browser holds; here is what belongs to it."""

    member: str
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended, by age or by idleness."""
        return now >= self.created_at + SESSION_LENGTH or now >= self.seen_at + SESSION_IDLE


@dataclass(frozen=True)
class Token:
    """What lets a program in, in a member's name. The secret itself is shown once and never kept.

    Args:
        id: What it is called in lists and when it is revoked.
        member: Whose right it uses: a token never may what its member may not.
        label: What it is for.
        is_service: Whether it belongs to a program of the team and not to a person's own scripts.
        scopes: What of that right it may use.
        created_at: When it was made.
        expires_at: When it ends.
        used_at: When it was last used, to the day.
    """

    id: str
    member: str
    label: str
    is_service: bool
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True)
class Invitation:
    """A link that works once and until it ends."""

    member: str
    purpose: Purpose
    expires_at: datetime


def password_faults(password: str, member: str) -> list[Fault]:
    """Everything that is wrong with a new password; length counts, not a mix of characters."""
    faults = []
    if len(password) < SHORTEST_PASSWORD:
        expected = said("at least {length}; a sentence is easiest to keep", length=SHORTEST_PASSWORD)
        faults.append(Fault("password", said("it has {count} characters", count=len(password)), expected))
    if len(password) > LONGEST_PASSWORD:
        faults.append(
            Fault(
                "password",
                said("it has {count} characters", count=len(password)),
                said("at most {length}", length=LONGEST_PASSWORD),
            )
        )
    if password and len(set(password)) < 5:
        faults.append(Fault("password", "it repeats a few characters", "at least 5 different ones"))
    if member and password.casefold() == member.casefold():
        faults.append(Fault("password", "it is the account's name", "something only you know"))
    return faults
