"""What a report says, before it is HTML or Markdown: sections of paragraphs, tables, figures and notices."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tasuki.charts.frame import NARROW_PX, STYLED, WIDE_PX, Frame, Spec
from tasuki.language import Language

Tone = Literal["plain", "quiet"]
Mood = Literal["good", "bad", "open", "plain"]


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    name: str
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of texts under named columns; the first cell of a row names it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A chart in two widths, what it shows in a sentence, and the table behind it.

    Args:
        label: What it shows, for those who do not see it.
        wide: The chart for a screen or paper.
        narrow: The chart for a phone.
        note: How it is read.
        table: Its numbers; None where the table stands in the text already.
        title: What the numbers are, above it.
    """

    label: str
    wide: Spec
    narrow: Spec
    note: str = ""
    table: Table | None = None
    title: str = ""


@dataclass(frozen=True)
class Notice:
    """A concern with its severity in words."""

    severity: Literal["info", "warning", "error"]
    label: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """The answer of the whole report, in large."""

    mood: Mood
    label: str
    text: str
    reasons: tuple[str, ...] = ()
    foot: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, str], ...]


Plain = Paragraph | Bullets | Table | Figure | Notice | Verdict | Facts


@dataclass(frozen=True)
class Folded:
    """What only some readers want: closed on a screen, open on paper."""

    summary: str
    blocks: tuple[Plain, ...]


Block = Plain | Folded


@dataclass(frozen=True)
class Section:
    """A part of a report under a title of its own; `name` is its address within the page."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report in one language.

    Args:
        language: Of every text in it.
        title: What it is of.
        lead: Where it comes from, in a line.
        sections: In the order they are read.
        foot: What made it.
    """

    language: Language
    title: str
    lead: str
    sections: tuple[Section, ...]
    foot: str = field(default="")


@dataclass(frozen=True)
class Caption:
    """The texts of a figure: its title, what it shows for those who do not see it, and how it is read."""

    language: Language
    title: str
    label: str
    note: str = ""


def figure(draw: Callable[[Frame], Spec], caption: Caption, table: Table | None) -> Figure:
    """A chart in both widths, in the colours of the page."""
    wide, narrow = (draw(Frame(caption.language, STYLED, width)) for width in (WIDE_PX, NARROW_PX))
    return Figure(caption.label, wide, narrow, caption.note, table, caption.title)
