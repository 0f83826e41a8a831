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


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="A member of the team.")],
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a link with which a member chooses a password; it works once, within seven days."""
    from tasuki.actions.accounts import invite as make_invitation

    with opened(workspace) as here:
        secret = make_invitation(here, name, actor=actor_of(here, member))
        site = here.door.public_url or f"http://{here.serving_host}:{here.serving_port}"
    link = f"{site}/welcome/{secret}"
    said = f"Send this link to {name}:\n{link}"
    payload = {"member": name, "link": link}
    emit("invitation/1", payload, as_json=as_json, for_people=lambda: console.print(said, markup=False, soft_wrap=True))


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="In whose name it acts.")],
    label: Annotated[str, typer.Option("--label", help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="read, relay, run or admin. Repeatable; read by default.")
    ] = None,
    days: Annotated[int, typer.Option("--days", help="How long it lives, 1 to 366.")] = 90,
    service: Annotated[bool, typer.Option("--service", help="For a program of the team.")] = False,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for REST; its secret is shown this once."""
    from tasuki.actions.accounts import make_token

    with opened(workspace) as here:
        secret, made = make_token(
            here,
            name,
            actor=actor_of(here, member),
            label=label,
            scopes=scope or ["read"],  # type: ignore[arg-type]
            days=days,
            service=service,
        )
    payload = {"token": secret, "id": made.id, "member": name, "scopes": made.scopes, "expires_at": made.expires_at}
    said = f"Keep it now, it is not shown again (until {made.expires_at:%Y-%m-%d}):\n{secret}"
    emit("token/1", payload, as_json=as_json, for_people=lambda: console.print(said, markup=False, soft_wrap=True))


def _emit_member(member: "Member", said: str, as_json: bool) -> None:
    emit("member/1", member_document(member), as_json=as_json, for_people=lambda: console.print(said, markup=False))
