"""`tasuki webhook …`."""

from dataclasses import asdict
from typing import Annotated

import typer

from tasuki.actions.run_documents import webhook_document
from tasuki.cli.opened import opened
from tasuki.cli.options import JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As `tasuki webhook list` shows it.")]


@app.command("list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List who is told of hand-offs, how far each has come, and how the newest delivery went."""
    from tasuki.actions.webhooks import told_webhooks

    with opened(workspace) as here:
        found = [webhook_document(one) for one in told_webhooks(here)]

    def show() -> None:
        rows = [
            (one["name"], "yes" if one["signed"] else "no", "yes" if one["waiting"] else "no", _latest(one["latest"]))
            for one in found
        ]
        print_table(("webhook", "signed", "waiting", "newest delivery"), rows)

    emit("webhooks/1", {"webhooks": found}, as_json=as_json, for_people=show)


def _latest(delivery: dict[str, object] | None) -> str:
    return "none yet" if delivery is None else f"{delivery['said']} ({delivery['at']})"


@app.command()
def log(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One webhook; all otherwise.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at the most.")] = 50,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how deliveries went, the newest first."""
    from tasuki.actions.deliveries import deliveries_of
    from tasuki.actions.webhooks import webhook_named

    with opened(workspace) as here:
        if name is not None:
            webhook_named(here, name)
        found = [asdict(one) for one in deliveries_of(here, name)[:limit]]

    def show() -> None:
        rows = [(one["at"], one["webhook"], str(one["position"]), one["said"], f"{one['took_ms']} ms") for one in found]
        print_table(("when", "webhook", "position", "how it went", "took"), rows)

    emit("deliveries/1", {"deliveries": found}, as_json=as_json, for_people=show)


@app.command()
def deliver(name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Try at once what a webhook has not taken yet."""
    from tasuki.actions.webhooks import deliver_now

    with opened(workspace) as here:
        told = webhook_document(deliver_now(here, name))
    said = f"{name} has {'not taken everything' if told['waiting'] else 'taken everything'}: {_latest(told['latest'])}."
    emit("webhook/1", told, as_json=as_json, for_people=lambda: console.print(said, markup=False))
