"""How every command speaks: one JSON document for scripts, tables for people, errors in three parts on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasuki.actions.documents import to_json_value
from tasuki.errors import Invalid, Missing, Refused, Stale, TasukiError, Unavailable

EXIT_CODES: dict[type[TasukiError], int] = {Invalid: 3, Refused: 4, Missing: 5, Stale: 6, Unavailable: 7}
INTERRUPTED = 130

# Texts are names and sentences of people: no `:word:` of them is an emoji.
console = Console(highlight=False, emoji=False)
progress_console = Console(stderr=True, highlight=False, emoji=False)


def emit(schema: str, payload: Mapping[str, Any], *, as_json: bool, for_people: Callable[[], None]) -> None:
    """Prints the result of a command: the document `tasuki.<schema>` with `--json`, else what `for_people` prints."""
    if as_json:
        document = {"schema": f"tasuki.{schema}", **to_json_value(payload)}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        for_people()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """A table for people. Columns whose name ends in `#` are numbers and stand to the right; cells are plain text."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        is_number = column.endswith("#")
        table.add_column(
            column.removesuffix("#"), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number
        )
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def report(error: TasukiError) -> int:
    """Writes the error to stderr as what happened, what was expected, what to do next; returns the exit code."""
    sys.stderr.write(f"tasuki: {error}\n")
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
