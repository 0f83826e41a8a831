"""The `tasuki` command. It only translates: options to actions, results to tables or JSON, errors to exit codes."""

import sys
from typing import Annotated

import typer

from tasuki.cli import (
    account,
    analysis,
    case,
    demo,
    doctor,
    evidence,
    experiment,
    handoff,
    idea,
    metric,
    model,
    offline,
    serve,
    webhook,
    workspace,
)
from tasuki.cli.output import INTERRUPTED, report
from tasuki.errors import TasukiError

app = typer.Typer(
    name="tasuki",
    help="Carries a data-science team's improvement ideas from hypothesis to decision.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (analysis, workspace, serve, demo, doctor):
    app.add_typer(module.app)
app.add_typer(idea.app, name="idea", help="Open, list, show, end and reopen ideas.")
app.add_typer(handoff.app, name="handoff", help="Offer, pick up, accept and return.")
app.add_typer(evidence.app, name="evidence", help="Attach, list and show evidence.")
app.add_typer(case.app, name="case", help="Search, show and export the cases of ended ideas.")
app.add_typer(account.app, name="account", help="The members of the team, their roles, accounts and tokens.")
app.add_typer(webhook.app, name="webhook", help="Who is told of hand-offs, and how that went.")
app.add_typer(metric.app, name="metric", help="The metrics the workspace declares.")
app.add_typer(experiment.app, name="experiment", help="A/B 1 and A/B 2.")
app.add_typer(model.app, name="model", help="Train, publish and serve models.")
app.add_typer(offline.app, name="offline", help="Compare models on data that is already there.")


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""
    _debug["on"] = debug


_debug = {"on": False}


def run() -> None:
    """The entry point: runs the command and ends the process with its exit code."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code; never a traceback unless `--debug`."""
    try:
        app(args=arguments)
    except TasukiError as error:
        if _debug["on"]:
            raise
        return report(error)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        sys.stderr.write("tasuki: interrupted\n")
        return INTERRUPTED
    return 0
