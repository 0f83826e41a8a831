"""`tasuki init` and `tasuki my-work`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

app = typer.Typer(no_args_is_help=True)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to make it.")] = Path(),
    name: Annotated[str, typer.Option("--name", help="What it is called; the folder's name by default.")] = "",
    language: Annotated[Literal["ja", "en"], typer.Option("--language", help="Of pages and reports.")] = "ja",
    flow: Annotated[str, typer.Option("--flow", help="The flow of a new idea.")] = "model",
    formation: Annotated[
        str,
        typer.Option(
            "--formation", help="all_in_one, planner_implementer, planner_maker_evaluator or lab_and_platform."
        ),
    ] = "planner_maker_evaluator",
    member: Annotated[str, typer.Option("--member", help="Who acts when no --as is given.")] = "",
    role: Annotated[
        list[str] | None, typer.Option("--role", help="Add that member with this role. Repeatable.")
    ] = None,
    ledger: Annotated[str, typer.Option("--ledger", help="Where the ledger is.")] = "sqlite:///ledger.db",
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: settings, playbook, metrics, folders and an empty ledger."""
    from tasuki.settings.workspace import Choices, init_workspace

    chosen = Choices(name, language, flow, formation, member, tuple(role or ()), ledger)
    here = init_workspace(folder, chosen)
    try:
        payload = {
            "folder": str(here.folder),
            "name": here.name,
            "language": here.language,
            "flow": here.flow,
            "formation": here.formation,
            "member": here.member,
            "members": list(here.ledger.members()),
        }
    finally:
        here.close()

    def show() -> None:
        console.print(f"Made the workspace {payload['name']} in {payload['folder']}.", markup=False)
        console.print("Next: tasuki account add NAME --role ROLE, then tasuki idea open TITLE", markup=False)

    emit("workspace/1", payload, as_json=as_json, for_people=show)


@app.command("my-work")
def my_work(workspace: WorkspaceOption = None, member: AsOption = None, as_json: JsonOption = False) -> None:
    """What waits for you: offers to judge or to pick up, debts, and what you have in hand."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        items = relay.my_work(here, actor=actor)
        now = here.clock()

    def show() -> None:
        if not items:
            console.print(f"Nothing waits for {actor}.", markup=False)
            return
        rows = [
            (one.what.replace("_", " "), one.idea, one.title, one.stage, f"{(now - one.since).days}",
             str(one.due or ""), one.next_step)
            for one in items
        ]  # fmt: skip
        print_table(("what", "idea", "title", "stage", "days#", "due", "next"), rows)

    emit("my-work/1", {"member": actor, "items": items}, as_json=as_json, for_people=show)
