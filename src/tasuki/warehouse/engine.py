"""What every engine can do for a comparison, and which there are."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from sqlglot import exp

from tasuki.errors import Invalid, said
from tasuki.warehouse.source import Source

DUCKDB, SPARK = "duckdb", "spark"
_MASTER = re.compile(r"local(\[[^\]]+\])?|local-cluster\[\d+,\d+,\d+\]|spark://\S+|yarn|k8s://\S+")


class Engine(Protocol):
    """Runs SQL trees over sources and hands back small answers. Types are told in DuckDB's words by every engine."""

    def table(self, source: Source) -> exp.Table:
        """The table that stands for a source in a tree, made known to the engine."""

    def columns(self, source: Source) -> dict[str, str]:
        """The columns of a source, in order, and their types."""

    def types(self, tree: exp.Expr) -> dict[str, str]:
        """The columns that a tree would answer with, and their types. Nothing is read."""

    def rows(self, tree: exp.Expr) -> list[dict[str, Any]]:
        """The answer to a tree as one mapping per row: for small answers."""

    def require_columns(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming every column that the source does not have, and the closest one it has."""

    def require_everywhere(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming the files of a source that lack one of the columns, so that its rows are null."""

    def lacking(self, source: Source, names: Sequence[str]) -> tuple[dict[str, list[str]], int]:
        """The Parquet files of a source that lack some of the columns, with these, and how many files there are."""

    def close(self) -> None:
        """Lets go of what it holds."""


def require_engine(engine: str) -> None:
    """Raises `Invalid` unless the name is that of an engine that can be asked."""
    if engine in (DUCKDB, SPARK) or _MASTER.fullmatch(engine):
        return
    raise Invalid(
        said("no engine is known as {engine!r}", engine=engine),
        expected="duckdb, spark, or a Spark master: spark://HOST:PORT, local[N], local-cluster[N,CORES,MB], yarn, k8s://…",
        next_step="BigQuery, Snowflake, Trino, ClickHouse and PostgreSQL are not asked: tasuki compare FILE … "
        "--sql DIALECT prints the query in their words (docs/engines.md)",
    )


def quoted(name: str) -> exp.Column:
    """A column by its exact name, whatever characters it holds."""
    return exp.Column(this=exp.to_identifier(name, quoted=True))
