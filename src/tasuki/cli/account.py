"""`tasuki account …`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasuki.actions.documents import member_document
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

if TYPE_CHECKING:
    from tasuki.flow.plan import Member

app = typer.Typer(no_args_is_help=True)

RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", help="analyst, data_scientist, data_engineer, ml_engineer or researcher. Repeatable."),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="One word: letters, digits, - _ .")],
    role: RoleOption = None,
    display: Annotated[str, typer.Option("--display", help="The name as people write it.")] = "",
    language: Annotated[Literal["ja", "en"], typer.Option("--language", help="What they read.")] = "ja",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a member of the team. The first one adds themselves."""
    from tasuki.actions.members import add_member

    with opened(workspace) as here:
        actor = actor_of(here, member) if here.ledger.members() else name
        added = add_member(here, name, actor=actor, roles=role or [], language=language, display_name=display, key=key)
    _emit_member(added, f"Added {name}.", as_json)


@app.command("role")
def role_(
    name: Annotated[str, typer.Argument(help="The member.")],
    role: RoleOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a member exactly these roles."""
    from tasuki.actions.members import change_roles

    with opened(workspace) as here:
        changed = change_roles(here, name, actor=actor_of(here, member), roles=role or [], key=key)
    _emit_member(changed, f"{name} is {', '.join(changed.roles)}.", as_json)


@app.command("list")
def list_(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the members, their roles and languages."""
    with opened(workspace) as here:
        members = [member_document(one) for one in here.ledger.members().values()]

    def show() -> None:
        rows = [(one["name"], one["display_name"], ", ".join(one["roles"]), one["language"]) for one in members]
        print_table(("name", "called", "roles", "language"), rows)

    emit("members/1", {"members": members}, as_json=as_json, for_people=show)


def _emit_member(member: "Member", said: str, as_json: bool) -> None:
    emit("member/1", member_document(member), as_json=as_json, for_people=lambda: console.print(said, markup=False))
