"""Results that an idea carries as evidence, told again as reports: without a new look, and for its case."""

from pathlib import Path

from tasuki.actions.metrics import declared_metrics
from tasuki.actions.report import Question, origin_of, save_document
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, TasukiError, command, said
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.registered import comparison_of
from tasuki.flow.evidence import Evidence, read_evidence
from tasuki.flow.records import ComparisonReport, ExperimentPlan
from tasuki.language import Language
from tasuki.reports.comparison import comparison_document
from tasuki.reports.document import Document
from tasuki.reports.markdown import to_markdown
from tasuki.reports.titled import titled


def save_experiment(workspace: Workspace, idea: str, experiment: str, path: Path, language: Language) -> None:
    """Writes the latest comparison of an experiment to a file. Nobody looks at the data again.

    Raises:
        Missing: The experiment was not compared yet, or the folder is not there.
        Invalid: The ending is neither .html nor .md.
        Unavailable: The file cannot be written.
    """
    save_document(path, report_of(workspace, idea, experiment, language))


def report_of(workspace: Workspace, idea: str, experiment: str, language: Language) -> Document:
    """The latest comparison of an experiment, as a document.

    Raises:
        Missing: The experiment was not compared yet.
    """
    found = [one for one in comparisons(workspace, idea) if one[1].experiment == experiment]
    if not found:
        raise Missing(
            said("{experiment} was not compared yet", experiment=experiment),
            expected="a comparison report among the evidence of its idea",
            next_step=command("tasuki experiment compare {experiment}", experiment=experiment),
        )
    return document_of(workspace, idea, found[-1], language)


def comparisons(workspace: Workspace, idea: str) -> list[tuple[Evidence, ComparisonReport]]:
    """Every comparison that an idea carries, the latest last."""
    entries = [one for one in workspace.ledger.state(idea).evidence if one.kind == "comparison_report"]
    read = [read_evidence(dict(one.body)) for one in entries]
    return [(one, one.record) for one in read if isinstance(one.record, ComparisonReport)]


def document_of(
    workspace: Workspace, idea: str, told: tuple[Evidence, ComparisonReport], language: Language
) -> Document:
    """A comparison that was attached as evidence, as a document."""
    evidence, report = told
    plan = _plan(workspace, idea, report.experiment)
    adjust = "" if plan is None else plan.adjust
    origin = origin_of(Question(name=report.experiment, adjust=adjust, engine=""), lambda: evidence.at)
    return comparison_document(told_comparison(workspace, report, plan, language), origin, language)


def told_comparison(
    workspace: Workspace, report: ComparisonReport, plan: ExperimentPlan | None, language: Language
) -> Comparison:
    """The comparison that a record tells of, with metrics called as the team calls them in the language."""
    comparison = comparison_of(report, 0.05 if plan is None else plan.alpha)
    return titled(comparison, metric_titles(workspace, language))


def reports_of(workspace: Workspace, idea: str, language: Language) -> str:
    """The last comparison of each of an idea's experiments as Markdown under second headings, for its case."""
    latest = {told[1].experiment: told for told in comparisons(workspace, idea)}
    documents = (document_of(workspace, idea, told, language) for told in latest.values())
    return "\n".join(to_markdown(one, level=2) for one in documents)


def metric_titles(workspace: Workspace, language: Language) -> dict[str, str]:
    """What the team calls its metrics, as it declares them today; a faulty declaration must not hide a result."""
    try:
        declared = declared_metrics(workspace.folder)
    except TasukiError:
        return {}
    return {name: title for name, one in declared.items() if (title := one.titles.in_language(language))}


def _plan(workspace: Workspace, idea: str, experiment: str) -> ExperimentPlan | None:
    for entry in reversed(workspace.ledger.state(idea).evidence):
        if entry.kind == "experiment_plan" and entry.record["experiment"] == experiment:
            record = read_evidence(dict(entry.body)).record
            return record if isinstance(record, ExperimentPlan) else None
    return None
