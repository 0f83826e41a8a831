"""Which model deserves an A/B test: the comparison on a file, and the validation of two versions as evidence."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasuki.errors import Fault, Invalid, said

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.flow.state import IdeaState
    from tasuki.offline.comparison import OfflineComparison
    from tasuki.offline.recommend import OfflineRule


def offline_compare(
    data: Any,
    *,
    label: str,
    champion: str,
    challenger: str,
    unit: str | None = None,
    time: str | None = None,
    segments: Sequence[str] = (),
    tables: Mapping[str, str] | None = None,
) -> "OfflineComparison":
    """Compares two models' probabilities on the rows of a file, table or data frame.

    Use it on held-out rows, later than both models' training data, whose labels have had their time to arrive.

    Args:
        data: A path (CSV, .gz, Parquet, folder or glob), a pandas, Polars or PyArrow table, or a DuckDB relation.
        label: The column that is 1 (or true) where it happened.
        champion: The column with the probability of the model that serves now.
        challenger: The column with the probability of the model that wants to.
        unit: The column of what is randomised online, as the user: intervals are then clustered by it.
        time: The column of the moment a row happened.
        segments: Columns by whose values the comparison is repeated.
        tables: Tables of a workspace that `data` may name.

    Returns:
        The comparison, with `.metrics`, `.concerns`, `.recommendation`, `.to_json()`, and a table in a notebook.

    Raises:
        Invalid: Columns that are missing or are no labels or probabilities: every fault at once.
        Missing: There is no such file.
    """
    from tasuki.offline.compare import compare_scores
    from tasuki.offline.scored import Scored
    from tasuki.warehouse import Warehouse, source_of

    chosen = [label, champion, challenger, *(one for one in (unit, time) if one), *segments]
    with closing(Warehouse(tables)) as warehouse:
        columns = warehouse.read_columns(source_of(data), chosen)
    chosen_segments = {name: columns[name] for name in segments}
    scores = (columns[label], columns[champion], columns[challenger])
    return compare_scores(
        Scored(*scores, columns[unit] if unit else None, columns[time] if time else None, chosen_segments)
    )


@dataclass(frozen=True)
class Contest:
    """Two versions of a model and the held-out time they are compared on.

    Args:
        model_file: The challenger's model file, relative to the workspace or absolute: says table, label and segments.
        champion: The version that serves.
        challenger: The version that wants to.
        since: The first moment that is held out: not before the end of either version's training window.
        until: Where the data end; the end of the table when None. Rows whose labels may still change are left out.
    """

    model_file: Path
    champion: str
    challenger: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Validation:
    """An offline validation: what was measured, and the idea after its report was attached."""

    comparison: "OfflineComparison"
    state: "IdeaState"


def validate_offline(
    workspace: "Workspace",
    idea: str,
    contest: Contest,
    *,
    actor: str,
    rule: "OfflineRule | None" = None,
    key: str | None = None,
) -> Validation:
    """Scores held-out mature rows with both versions, compares them and attaches the offline report to the idea.

    Record the rule first (`record_rule`, for instance with `OfflineRule().text()`): the report carries the newest
    recorded rule, and a hand-off whose rule came after its report is refused.

    Raises:
        Invalid: There is no mature row in the held-out time, or the scores cannot be compared.
        Missing: There is no such idea, file or version.
    """
    from tasuki.actions.evidence import attach_evidence
    from tasuki.actions.models import score_versions
    from tasuki.flow.evidence import DataWindow, evidence_of
    from tasuki.offline.compare import compare_scores
    from tasuki.offline.report import offline_report
    from tasuki.offline.scored import Scored

    versions = {"champion": contest.champion, "challenger": contest.challenger}
    model_file = workspace.folder / contest.model_file
    rows = score_versions(workspace, model_file, versions, since=contest.since, until=contest.until)
    if not len(rows.labels):
        fault = Fault(
            "since", said("no mature row from {since:%Y-%m-%d %H:%M} on", since=contest.since), "an earlier moment"
        )
        raise Invalid("there is nothing to validate on", [fault])
    scores = rows.scores
    scored = Scored(rows.labels, scores["champion"], scores["challenger"], rows.units, rows.times, rows.segments)
    comparison = compare_scores(scored, rule)
    recorded = workspace.ledger.state(idea).rules
    report = offline_report(comparison, contest.champion, contest.challenger, recorded[-1].text if recorded else "")
    window = DataWindow(contest.since, _end_of(rows.times, contest.since))
    evidence = evidence_of(report, "tasuki offline validate", workspace.clock(), window)
    return Validation(comparison, attach_evidence(workspace, idea, evidence, actor=actor, key=key))


def attach_comparison(
    workspace: "Workspace",
    idea: str,
    comparison: "OfflineComparison",
    names: tuple[str, str],
    *,
    actor: str,
    key: str | None = None,
) -> "IdeaState":
    """Attaches a comparison that was made on a file to an idea, under the names of champion and challenger."""
    from tasuki.actions.evidence import attach_evidence
    from tasuki.flow.evidence import evidence_of
    from tasuki.offline.report import offline_report

    recorded = workspace.ledger.state(idea).rules
    report = offline_report(comparison, *names, recorded[-1].text if recorded else "")
    evidence = evidence_of(report, "tasuki offline compare", workspace.clock())
    return attach_evidence(workspace, idea, evidence, actor=actor, key=key)


def _end_of(times: Any, since: datetime) -> datetime:
    """Just after the last row, so that the window holds it."""
    from datetime import UTC, timedelta

    import numpy as np

    last: datetime = np.max(times).astype("datetime64[us]").item()
    return max(since, last.replace(tzinfo=UTC)) + timedelta(microseconds=1)
