"""Every sentence that rooms say to people, collected from their source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tasuki

ROOT = Path(tasuki.__file__).parent
ERRORS = {
    *("Fault", "Invalid", "Refused", "NotAllowed", "Missing", "Stale", "Unavailable"),
    *("WrongPassword", "TooManyTries", "NotOfThisTeam", "NotVouchedFor", "AccountDisabled"),
}
TOLD = {"what", "expected", "how", "rule", "next_step"}


def sentences_of(path: Path) -> Iterator[tuple[int, str]]:
    """Each sentence that a file says, with its line: what `said` is given, and texts that an error is made of."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if name in {"said", "Said"} and call.args:
            yield from ((call.lineno, text) for text in _texts(call.args[0]))
        elif name in ERRORS or ast.unparse(call.func) == "super().__init__":
            told = [*call.args[name == "Fault" :], *(one.value for one in call.keywords if one.arg in TOLD)]
            yield from ((call.lineno, text) for one in told for text in _texts(one) if _is_sentence(text))


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one), *_texts(other))
        case ast.BoolOp(values=values):
            for one in values:
                yield from _texts(one)


def unsaid_in(path: Path) -> Iterator[int]:
    """Lines on which an error is made of an f-string that reads as a sentence, which no catalogue can know."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS:
            told = [
                *call.args[call.func.id == "Fault" :],
                *(one.value for one in call.keywords if one.arg in TOLD),
            ]
            yield from (one.lineno for one in told if isinstance(one, ast.JoinedStr) and _is_sentence(_bare(one)))


def _bare(text: ast.JoinedStr) -> str:
    return "".join(str(one.value) for one in text.values if isinstance(one, ast.Constant))


def _is_sentence(text: str) -> bool:
    """Whether a text is one, not a command to type, a file, or names alone."""
    is_command = text.startswith(("tasuki ", "pip "))
    return bool(re.search(r"[a-z]{2,}", text)) and not is_command and not re.fullmatch(r"[\w./-]+\.\w+", text)
