"""Passwords: hashed with Argon2id, tried by a few at once."""

import threading
from functools import cache
from typing import TYPE_CHECKING

from tasuki.accounts.account import Account
from tasuki.accounts.secret import new_secret
from tasuki.errors import Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 4
"""Each hash takes 64 MiB and a fifth of a second: a crowd of guesses must neither fill the memory nor the machine."""
PATIENCE_S = 5.0
_few = threading.BoundedSemaphore(AT_ONCE)


@cache
def hasher() -> "PasswordHasher":
    """Argon2id with the library's own costs."""
    from argon2 import PasswordHasher

    return PasswordHasher()


def hash_password(password: str) -> str:
    """What is kept of a password.

    Raises:
        Unavailable: Too many are being hashed.
    """
    with _Place():
        return hasher().hash(password)


def is_password(account: Account | None, password: str) -> bool:
    """Whether it is the account's; takes as long for accounts that are not there, so that nobody can list them.

    Raises:
        Unavailable: Too many are being tried.
    """
    from argon2.exceptions import Argon2Error, InvalidHashError

    usable = account is not None and bool(account.password_hash) and not account.is_disabled
    known = account.password_hash if account is not None and usable else nobodys_hash()
    try:
        with _Place():
            return hasher().verify(known, password) and usable
    except (Argon2Error, InvalidHashError):
        return False


@cache
def nobodys_hash() -> str:
    """The hash of a password that nobody knows."""
    return hasher().hash(new_secret())


class _Place:
    """One of the few places for hashing."""

    def __enter__(self) -> None:
        if not _few.acquire(timeout=PATIENCE_S):
            raise Unavailable("too many passwords are being tried at once", next_step="try again in a moment")

    def __exit__(self, *_: object) -> None:
        _few.release()
