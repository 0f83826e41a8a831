"""Secrets that open something: made here, shown once, kept only as hashes.

They are random and long, so a plain SHA-256 keeps them: nobody can try them all. Passwords are short and get Argon2.
"""

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "tasuki_"  # noqa: S105 (a prefix by which leaked tokens are recognised, no secret)


def new_secret() -> str:
    """192 random bits as text that fits into a link or a header."""
    return secrets.token_urlsafe(24)


def secret_hash(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_mark(csrf: str, purpose: str = "form") -> str:
    """What a form carries to show that this site made it for this session."""
    return hmac.new(csrf.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def is_form_mark(mark: str, csrf: str, purpose: str = "form") -> bool:
    """Whether a form's mark belongs to the session; takes the same time for any mark."""
    return hmac.compare_digest(mark.encode(), form_mark(csrf, purpose).encode())
