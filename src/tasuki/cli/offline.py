"""`tasuki offline …`: which model deserves an A/B test."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, LanguageOption, OutOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table, progress_console

if TYPE_CHECKING:
    from tasuki.offline.comparison import OfflineComparison

app = typer.Typer(no_args_is_help=True)


@app.callback()
def offline() -> None:
    """Compare models on data that is already there."""


@app.command()
def compare(
    file: Annotated[str, typer.Argument(help="CSV (also .gz), Parquet (also a glob or folder), or a table's name.")],
    *,
    label: Annotated[str, typer.Option("--label", help="Column that is 1 where it happened.")],
    champion: Annotated[str, typer.Option("--champion", help="Column with the serving model's probability.")],
    challenger: Annotated[str, typer.Option("--challenger", help="Column with the new model's probability.")],
    unit: Annotated[str | None, typer.Option("--unit", help="Column to cluster intervals by, as the user.")] = None,
    time: Annotated[str | None, typer.Option("--time", help="Column of the moment a row happened.")] = None,
    segment: Annotated[list[str] | None, typer.Option("--segment", help="Column to repeat the comparison by.")] = None,
    idea: Annotated[str | None, typer.Option("--idea", help="Attach the report to this idea.")] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    actor: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two models' probabilities on the same rows: which deserves an A/B test?"""
    from tasuki.actions.offline import attach_comparison, offline_compare

    if out is not None:
        from tasuki.actions.report import Question, require_report_path, save_offline

        require_report_path(out)
    tables = _tables_for(file, workspace)
    comparison = offline_compare(
        file,
        label=label,
        champion=champion,
        challenger=challenger,
        unit=unit,
        time=time,
        segments=segment or (),
        tables=tables,
    )
    if idea is not None:
        with opened(workspace) as place:
            names = (champion, challenger)
            attach_comparison(place, idea, comparison, names, actor=actor_of(place, actor), key=key)
    if out is not None:
        question = Question(file, unit=unit, tables=tables)
        save_offline(out, comparison, (champion, challenger), language=language, question=question)
        progress_console.print(f"report: {out}", markup=False, soft_wrap=True)
    emit("offline_compare/1", comparison.to_dict(), as_json=as_json, for_people=lambda: _show(comparison))


@app.command()
def validate(
    idea: Annotated[str, typer.Argument(help="The idea the report is for.")],
    model_file: Annotated[Path, typer.Argument(help="The challenger's model file.")],
    *,
    champion: Annotated[str, typer.Option("--champion", help="The version that serves.")],
    challenger: Annotated[str, typer.Option("--challenger", help="The version that wants to.")],
    since: Annotated[datetime, typer.Option("--since", help="First moment that is held out (UTC).")],
    until: Annotated[datetime | None, typer.Option("--until", help="The end; that of the data by default.")] = None,
    workspace: WorkspaceOption = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    actor: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score held-out, mature rows with two versions of a model, compare them and attach the offline report."""
    from datetime import UTC

    from tasuki.actions.offline import Contest, validate_offline

    if out is not None:
        from tasuki.actions.report import require_report_path, save_offline

        require_report_path(out)
    start, end = (None if one is None else one.replace(tzinfo=one.tzinfo or UTC) for one in (since, until))
    assert start is not None
    contest = Contest(model_file.resolve(), champion, challenger, start, end)
    with opened(workspace) as place:
        found = validate_offline(place, idea, contest, actor=actor_of(place, actor), key=key)
    if out is not None:
        save_offline(out, found.comparison, (champion, challenger), language=language)
        progress_console.print(f"report: {out}", markup=False, soft_wrap=True)
    emit("offline_compare/1", found.comparison.to_dict(), as_json=as_json, for_people=lambda: _show(found.comparison))


def _tables_for(file: str, workspace: Path | None) -> dict[str, str]:
    """The workspace's tables when the name is no file; none outside a workspace."""
    if Path(file).exists() or not ((workspace or Path.cwd()) / "tasuki.toml").exists():
        return {}
    with opened(workspace) as place:
        return dict(place.tables)


def _show(comparison: "OfflineComparison") -> None:
    from tasuki.offline.comparison import metric_cells

    units = "" if comparison.units is None else f", {comparison.units:,} units"
    level = f"{100 * (1 - comparison.alpha):g} % interval"
    rows = [metric_cells(one) for one in comparison.metrics]
    columns = ("segment", "metric", "champion#", "challenger#", "difference#", "low#", "high#", "p#")
    skipped = 0 if any(one.segment for one in comparison.metrics) else 1
    print_table(columns[skipped:], (row[skipped:] for row in rows))
    console.print(
        f"\n{comparison.rows:,} rows, {comparison.positives:,} positives{units}; "
        f"difference = challenger − champion with its {level}"
    )
    for concern in comparison.concerns:
        console.print(f"{concern.severity}: {concern.message}", style="yellow" if concern.severity != "info" else "")
    said = comparison.recommendation
    console.print(f"\n{said.decision}: {'; '.join(said.reasons)}", style="bold")
    console.print(f"rule: {said.rule}", style="dim")
