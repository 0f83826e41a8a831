"""A TOML file of `[metric.NAME]` blocks: where one of them is no TOML, the others are read all the same."""

import re
import tomllib
from typing import Any

from tasuki.errors import Fault

_HEAD = re.compile(r"""^\s*\[\s*metric\s*\.\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*\]\s*(#.*)?$""")
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def read_blocks(text: str, file: str, faults: list[Fault]) -> dict[str, Any]:
    """The document, or as much of it as can be read; what is no TOML is added to the faults with its line.

    Args:
        text: The file's text.
        file: Its name.
        faults: What is wrong is added here: the first fault of each block, and every name that is declared twice.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        whole = _fault(error, file, 0)
    before = len(faults)
    found: dict[str, Any] = {}
    lines_of: dict[str, int] = {}
    for start, block in _blocks(text):
        try:
            part = tomllib.loads(block)
        except tomllib.TOMLDecodeError as error:
            faults.append(_fault(error, file, start))
            continue
        for name, value in part.pop("metric", {}).items():
            if name in lines_of:
                what = f"metric.{name} is declared twice, first in line {lines_of[name]}"
                faults.append(Fault(f"{file}, line {start + 1}", what, "a name of its own"))
            lines_of.setdefault(name, start + 1)
            found.setdefault("metric", {}).setdefault(name, value)
        found.update(part)
    if len(faults) == before:
        faults.append(whole)
    return found


def _blocks(text: str) -> list[tuple[int, str]]:
    """The number of lines before each block, and the block."""
    blocks: list[tuple[int, list[str]]] = [(0, [])]
    for number, line in enumerate(text.splitlines()):
        if _HEAD.match(line):
            blocks.append((number, []))
        blocks[-1][1].append(line)
    return [(start, "\n".join(lines)) for start, lines in blocks]


def _fault(error: tomllib.TOMLDecodeError, file: str, before: int) -> Fault:
    what = str(error)
    place = _PLACE.search(what)
    where = file if place is None else f"{file}, line {before + int(place[1])}"
    return Fault(where, _PLACE.sub("", what), "TOML")
