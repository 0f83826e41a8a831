"""The options that many commands share, written once. Use as `workspace: WorkspaceOption = None`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", envvar="TASUKI_WORKSPACE", help="The workspace's folder; the current one by default."),
]
AsOption = Annotated[
    str | None, typer.Option("--as", envvar="TASUKI_MEMBER", help="Who does it; the configured member by default.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write a report as well: .html (charts) or .md (tables).")
]
LanguageOption = Annotated[Literal["en", "ja"], typer.Option("--lang", help="The report's language.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="Idempotency key: the same key twice does the thing once.")
]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="ENGINE", help="duckdb, spark, or a Spark master as spark://HOST:PORT.")
]
WorkspaceEngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="ENGINE", help="duckdb, spark, or a Spark master; as tasuki.toml says when none is named."
    ),
]
