"""Accounts: who is let in, by password, session, token or invitation, and how often somebody failed to come in."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables of accounts."""
    op.create_table(
        "accounts",
        Column("member", Text, primary_key=True),
        Column("administrator", Integer, nullable=False),
        Column("disabled", Integer, nullable=False),
        Column("password_hash", Text, nullable=False),
        Column("subject", Text, nullable=True, unique=True),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        Column("secret_hash", Text, primary_key=True),
        Column("member", Text, nullable=False),
        Column("csrf", Text, nullable=False),
        Column("created_at", Text, nullable=False),
        Column("seen_at", Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "invitations",
        Column("secret_hash", Text, primary_key=True),
        Column("member", Text, nullable=False),
        Column("purpose", Text, nullable=False),
        Column("expires_at", Text, nullable=False),
        sqlite_strict=True,
    )
    _make_tokens_and_failures()


def _make_tokens_and_failures() -> None:
    op.create_table(
        "tokens",
        Column("id", Text, primary_key=True),
        Column("secret_hash", Text, nullable=False, unique=True),
        Column("member", Text, nullable=False),
        Column("label", Text, nullable=False),
        Column("service", Integer, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("created_at", Text, nullable=False),
        Column("expires_at", Text, nullable=False),
        Column("used_at", Text, nullable=True),
        sqlite_strict=True,
    )
    op.create_table(
        "failures",
        Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("subject", Text, nullable=False, index=True),
        Column("at", Text, nullable=False),
        sqlite_strict=True,
    )
