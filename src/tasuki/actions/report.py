"""Writing a result to a file for people: one self-contained HTML page, or Markdown."""

import glob
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tasuki.clock import Clock, system_clock
from tasuki.errors import Invalid, Missing, Unavailable, said
from tasuki.language import Language
from tasuki.reports.comparison import comparison_document
from tasuki.reports.document import Document
from tasuki.reports.origin import Origin

if TYPE_CHECKING:
    from tasuki.experiments.comparison import Comparison
    from tasuki.experiments.sizing import Plan
    from tasuki.flow.records import CheckReport
    from tasuki.offline.comparison import OfflineComparison

ENDINGS = (".html", ".md")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Question:
    """What was compared, as far as a report tells it.

    Args:
        data: The file, folder, glob or table; empty for a data frame.
        variant: The column of the arm.
        unit: The column of the unit; None when a row is a unit.
        adjust: How p-values were adjusted.
        engine: What counted.
        tables: The tables of a workspace that `data` may name.
        name: The experiment's name, where it has one.
    """

    data: str = ""
    variant: str = ""
    unit: str | None = None
    adjust: str = ""
    engine: str = "duckdb"
    tables: Mapping[str, str] | None = None
    name: str = ""


def require_report_path(path: Path) -> None:
    """Raises before anything is computed: `Invalid` for an ending no report has, `Missing` for a folder not there."""
    if path.suffix.lower() not in ENDINGS:
        raise Invalid(
            said("a report cannot be written to {path}", path=path.name),
            expected="a name that ends in .html (charts, one file) or .md (tables)",
            next_step="choose one of the two endings",
        )
    if path.is_dir():
        raise Invalid(said("{path} is a folder", path=path), expected="the name of a file")
    if not path.parent.is_dir():
        raise Missing(
            said("there is no folder {parent}", parent=path.parent),
            expected="a folder that is there",
            next_step="make it first",
        )


def save_comparison(
    path: Path, comparison: "Comparison", question: Question, language: Language, clock: Clock = system_clock
) -> None:
    """Writes a comparison to the file, in the form that its ending asks for.

    Raises:
        Invalid: The ending is neither .html nor .md.
        Missing: The folder is not there.
        Unavailable: The file cannot be written.
    """
    save_document(path, comparison_document(comparison, origin_of(question, clock), language))


def save_plan(path: Path, plan: "Plan", language: Language, data: str = "", clock: Clock = system_clock) -> None:
    """Writes a plan to the file, in the form that its ending asks for; raises as `save_comparison` does."""
    from tasuki.reports.plan import plan_document

    save_document(path, plan_document(plan, origin_of(Question(data), clock), language))


def save_offline(
    path: Path,
    comparison: "OfflineComparison",
    names: tuple[str, str],
    *,
    language: Language,
    question: Question = Question(),
    clock: Clock = system_clock,
) -> None:
    """Writes an offline comparison of champion and challenger to the file; raises as `save_comparison` does."""
    from tasuki.reports.offline import offline_document

    told = replace(question, variant=" → ".join(names))
    save_document(path, offline_document(comparison, origin_of(told, clock), language))


def save_check(path: Path, report: "CheckReport", language: Language, clock: Clock = system_clock) -> None:
    """Writes a report of A/B 1 to the file; raises as `save_comparison` does."""
    from tasuki.reports.check import check_report_document

    origin = origin_of(Question(name=report.experiment, engine=""), clock)
    save_document(path, check_report_document(report, origin, language))


def origin_of(question: Question, clock: Clock = system_clock) -> Origin:
    """Where the numbers come from, with the hash of the data's files."""
    files = _files(question)
    return Origin(
        made_at=clock(),
        version=version("tasuki"),
        source=Path(question.data).name,
        content_hash=_hash_of(files) if files else "",
        engine={"duckdb": "DuckDB", "spark": "Apache Spark"}.get(question.engine, question.engine),
        variant=question.variant,
        unit=question.unit,
        adjust=question.adjust,
        name=question.name,
    )


def save_document(path: Path, document: Document) -> None:
    """Writes a report; the file appears as a whole or not at all."""
    require_report_path(path)
    if path.suffix.lower() == ".md":
        from tasuki.reports.markdown import to_markdown

        text = to_markdown(document)
    else:
        from tasuki.reports.html import to_html

        text = to_html(document)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        what = f"{path} cannot be written: {error.strerror}"
        raise Unavailable(what, expected="a folder that can be written to", next_step="choose another place") from error


def _files(question: Question) -> list[Path]:
    if not question.data:
        return []
    named = Path(question.data)
    if named.is_file():
        return [named]
    if named.is_dir():
        return sorted(one for one in named.rglob("*") if one.is_file() and not one.name.startswith((".", "_")))
    pattern = (question.tables or {}).get(question.data, question.data)
    return [Path(one) for one in sorted(glob.glob(pattern, recursive=True)) if Path(one).is_file()]  # noqa: PTH207 - a Path cannot hold an absolute pattern


def _hash_of(files: list[Path]) -> str:
    """SHA-256 over the files one after the other; of one file it is what `sha256sum` prints."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
