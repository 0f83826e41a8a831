"""How every command speaks: one JSON document for scripts, tables for people, errors in three parts on stderr."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasuki.clock import to_text
from tasuki.errors import Invalid, Missing, Refused, Stale, TasukiError, Unavailable

EXIT_CODES: dict[type[TasukiError], int] = {Invalid: 3, Refused: 4, Missing: 5, Stale: 6, Unavailable: 7}
INTERRUPTED = 130

console = Console(highlight=False)
progress_console = Console(stderr=True, highlight=False)


def to_json_value(value: Any) -> Any:
    """A value of the rooms as JSON: dataclasses as objects, moments as text, NaN and infinity as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Enum():
            return value.value
        case datetime():
            return to_text(value)
        case date():
            return value.isoformat()
        case str() | bytes():
            return value
        case Mapping():
            return {str(key): to_json_value(one) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {one.name: to_json_value(getattr(value, one.name)) for one in fields(value)}
        case Iterable():
            return [to_json_value(one) for one in value]
    return value


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
