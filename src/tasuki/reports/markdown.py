"""A document as Markdown: for a case, an issue or a notebook. Tables instead of charts, and every text as text."""

import re

from tasuki.reports.document import (
    Block,
    Bullets,
    Document,
    Facts,
    Figure,
    Folded,
    Notice,
    Paragraph,
    Section,
    Table,
    Verdict,
)

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")


def to_markdown(document: Document, level: int = 1) -> str:
    """The document under a heading of the level given, so that it can be put into another document."""
    parts = [f"{'#' * level} {_text(document.title)}", _text(document.lead)]
    parts += [_section(one, level + 1) for one in document.sections]
    parts.append(f"*{_text(document.foot)}*" if document.foot else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(one: Section, level: int) -> str:
    blocks = [_block(block) for block in one.blocks]
    return "\n\n".join([f"{'#' * level} {_text(one.title)}", *(block for block in blocks if block)])


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _text(text)
        case Bullets(items):
            return _bullets(items)
        case Table():
            return _table(block)
        case Figure():
            return "" if block.table is None else _table(block.table)
        case Notice(_, label, text):
            return f"- **{_text(label)}** {_text(text)}"
        case Verdict(_, label, text, reasons, foot):
            return "\n\n".join(
                one for one in (f"**{_text(label)}: {_text(text)}**", _bullets(reasons), _text(foot)) if one
            )
        case Facts(pairs):
            return "\n".join(f"- {_text(name)}: {_text(value)}" for name, value in pairs)
        case Folded(summary, blocks):
            inside = (_block(one) for one in blocks)
            return "\n\n".join([f"**{_text(summary)}**", *(one for one in inside if one)])


def _bullets(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {_text(one)}" for one in items)


def _table(table: Table) -> str:
    head = "| " + " | ".join(_text(one.name) for one in table.columns) + " |"
    line = "|" + "|".join("---:" if one.is_number else "---" for one in table.columns) + "|"
    rows = ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in table.rows]
    return "\n".join([f"*{_text(table.caption)}*", "", head, line, *rows])


def _text(text: str) -> str:
    """A text on one line in which no sign means anything to Markdown or to HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
