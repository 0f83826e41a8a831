"""`tasuki metric …`: the metrics that the workspace declares in metrics.toml."""

from typing import Annotated, Literal

import typer

from tasuki.actions.run_documents import metric_document, metrics_document
from tasuki.cli.opened import opened
from tasuki.cli.options import JsonOption, WorkspaceEngineOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

Dialect = Literal["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"]
"""As in `tasuki.actions.queries`, which is not loaded for help."""

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the declared metrics."""
    from tasuki.actions.metrics import declared_metrics

    with opened(workspace) as here:
        metrics, language = declared_metrics(here.folder), here.language

    def show() -> None:
        rows = [
            (one.name, one.titles.in_language(language), one.kind, one.direction, one.table or "", one.parent or "")
            for one in metrics.values()
        ]
        print_table(("metric", "title", "kind", "better", "table", "parent"), rows)

    emit("metric_list/1", metrics_document(metrics), as_json=as_json, for_people=show)


@app.command("show")
def show_(
    name: Annotated[str, typer.Argument(help="The metric's name.")],
    sql: Annotated[
        Dialect | None, typer.Option("--sql", help="Print the query that counts it, in this engine's words.")
    ] = None,
    experiment: Annotated[str, typer.Option("--experiment", help="Whose exposures that query joins.")] = "EXPERIMENT",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one declared metric, or the SQL that counts it."""
    from tasuki.actions.metrics import metric_named
    from tasuki.actions.queries import metric_sql

    with opened(workspace) as here:
        metric = metric_named(here.folder, name)
        query = None if sql is None else metric_sql(metric, experiment, here.tables, sql)
    document = metric_document(metric)
    if query is not None:
        emit("metric/1", metric_document(metric, query), as_json=as_json, for_people=lambda: print(query))
        return
    rows = [(key, str(value)) for key, value in document.items() if value not in (None, "", ())]
    emit("metric/1", document, as_json=as_json, for_people=lambda: print_table(("", ""), rows))


@app.command()
def check(workspace: WorkspaceOption = None, engine: WorkspaceEngineOption = None, as_json: JsonOption = False) -> None:
    """Check every declared metric against the tables there are; says every fault at once."""
    from tasuki.actions.metrics import check_metrics

    with opened(workspace) as here:
        metrics = check_metrics(here.folder, here.tables, engine or here.engine)

    def show() -> None:
        console.print(f"{len(metrics)} metric(s) fit their tables.", markup=False)

    emit("metric_check/1", {"metrics": [one.name for one in metrics]}, as_json=as_json, for_people=show)
