"""A document as one HTML file: nothing is loaded, nothing is run, every text is escaped."""

from functools import cache
from html import escape
from importlib.resources import files

from tasuki.charts.draw import to_svg
from tasuki.charts.frame import chart_style
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
from tasuki.texts import Texts

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the file may do, told to the browser: show its own styles, and nothing else."""


def to_html(document: Document) -> str:
    """The document as a page that stands alone, in light and dark, on a screen, a phone or paper."""
    words = Texts(document.language, "tasuki.reports")
    writer = _Writer(words)
    body = "\n".join(writer.section(one) for one in document.sections)
    links = "".join(
        f'<li><a href="#{escape(one.name, quote=True)}">{escape(one.title)}</a></li>' for one in document.sections
    )
    return f"""<!DOCTYPE html>
<html lang="{document.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(document.title)}</title>
<style>
{chart_style()}
{_style()}
</style>
</head>
<body>
<header>
<h1>{escape(document.title)}</h1>
<p class="lead">{escape(document.lead)}</p>
<nav aria-label="{escape(words("frame.contents"), quote=True)}"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
<footer><p>{escape(document.foot)}</p></footer>
</body>
</html>
"""


@cache
def _style() -> str:
    return (files("tasuki.reports") / "report.css").read_text(encoding="utf-8")


class _Writer:
    """Writes blocks one after the other; it counts the figures, so that no two ids are the same."""

    def __init__(self, words: Texts) -> None:
        self._words = words
        self._figures = 0

    def section(self, one: Section) -> str:
        name = escape(one.name, quote=True)
        blocks = "\n".join(self.block(block) for block in one.blocks)
        return (
            f'<section id="{name}" aria-labelledby="{name}-title">\n'
            f'<h2 id="{name}-title">{escape(one.title)}</h2>\n{blocks}\n</section>'
        )

    def block(self, block: Block) -> str:
        match block:
            case Paragraph(text, tone):
                return f'<p class="{tone}">{escape(text)}</p>'
            case Bullets(items):
                return _bullets(items)
            case Table():
                return _table(block)
            case Figure():
                return self._figure(block)
            case Notice(severity, label, text):
                return f'<p class="notice {severity}"><strong>{escape(label)}</strong> {escape(text)}</p>'
            case Verdict(mood, label, text, reasons, foot):
                end = f'<p class="quiet">{escape(foot)}</p>' if foot else ""
                return (
                    f'<div class="verdict {mood}"><p class="quiet">{escape(label)}</p>'
                    f'<p class="answer">{escape(text)}</p>{_bullets(reasons)}{end}</div>'
                )
            case Facts(pairs):
                rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
                return f"<dl>{rows}</dl>"
            case Folded(summary, blocks):
                inside = "\n".join(self.block(one) for one in blocks)
                return f"<details><summary>{escape(summary)}</summary>\n{inside}\n</details>"

    def _figure(self, one: Figure) -> str:
        self._figures += 1
        drawn = "".join(
            f'<div class="{name}">{to_svg(spec, one.label, f"figure-{self._figures}-{name}")}</div>'
            for name, spec in (("wide", one.wide), ("narrow", one.narrow))
        )
        note = f"<figcaption>{escape(one.note)}</figcaption>" if one.note else ""
        behind = ""
        if one.table is not None:
            behind = f"<details><summary>{escape(self._words('frame.numbers'))}</summary>{_table(one.table)}</details>"
        title = f'<p class="title">{escape(one.title)}</p>' if one.title else ""
        return f"{title}<figure>{drawn}{note}</figure>{behind}"


def _bullets(items: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>" if items else ""


def _table(table: Table) -> str:
    kinds = [' class="number"' if one.is_number else "" for one in table.columns]
    head = "".join(
        f'<th scope="col"{kind}>{escape(one.name)}</th>' for one, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in table.rows)
    label = escape(table.caption, quote=True)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table><caption>{escape(table.caption)}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(row: tuple[str, ...], kinds: list[str]) -> str:
    first = f'<th scope="row"{kinds[0]}>{escape(row[0])}</th>'
    return first + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
