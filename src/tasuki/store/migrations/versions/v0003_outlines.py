"""Outlines: what lists need of each idea, beside its stored fold, so that a list of ten thousand reads little."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

from tasuki.store.outlines import fill_outlines

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table and fills it from the folds that are stored."""
    op.create_table(
        "outlines",
        Column("idea", Text, primary_key=True),
        Column("opened", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
        Column("outline", Text, nullable=False),
        sqlite_strict=True,
    )
    fill_outlines(op.get_bind())
