"""`tasuki account …`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasuki.actions.documents import member_document
from tasuki.actions.run_documents import account_document, new_token_document, token_document
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.flow.plan import Member

app = typer.Typer(no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The member.")]
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
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a link with which a member chooses a password; it works once, within seven days."""
    from tasuki.actions.accounts import invite as make_invitation

    with opened(workspace) as here:
        secret = make_invitation(here, name, actor=actor_of(here, member), key=key)
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
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for REST; its secret is shown this once."""
    from tasuki.actions.tokens import TokenWish, make_token

    wish = TokenWish(label, scope or ["read"], days, service)
    with opened(workspace) as here:
        secret, made = make_token(here, name, wish, actor=actor_of(here, member), key=key)
    payload = new_token_document(secret, made)
    said = f"Keep it now, it is not shown again (until {made.expires_at:%Y-%m-%d}):\n{secret}"
    emit("token/1", payload, as_json=as_json, for_people=lambda: console.print(said, markup=False, soft_wrap=True))


@app.command()
def tokens(
    name: Annotated[str | None, typer.Argument(help="Whose; one's own otherwise.")] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a member's tokens. Their secrets are shown once, when they are made."""
    from tasuki.actions.tokens import tokens_of

    with opened(workspace) as here:
        who = actor_of(here, member)
        found = tokens_of(here, name or who, actor=who)

    def show() -> None:
        rows = [(one.id, one.label, ", ".join(one.scopes), f"{one.expires_at:%Y-%m-%d}") for one in found]
        print_table(("id", "what for", "scopes", "until"), rows)

    payload = {"tokens": [token_document(one) for one in found]}
    emit("tokens/1", payload, as_json=as_json, for_people=show)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id; `tasuki account tokens` shows it.")],
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a token at once."""
    from tasuki.actions.tokens import revoke_token

    with opened(workspace) as here:
        revoke_token(here, token_id, actor=actor_of(here, member), key=key)
    said = f"The token {token_id} opens nothing any more."
    emit(
        "token_revoked/1",
        {"id": token_id},
        as_json=as_json,
        for_people=lambda: console.print(said, markup=False),
    )


@app.command()
def disable(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a member out: sessions end, tokens stop. Their part in the ledger stays."""
    from tasuki.actions.accounts import change_access

    with opened(workspace) as here:
        change_access(here, name, disabled=True, actor=actor_of(here, member), key=key)
        _emit_account(here, name, f"{name} is kept out.", as_json)


@app.command()
def enable(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a member in again."""
    from tasuki.actions.accounts import change_access

    with opened(workspace) as here:
        change_access(here, name, disabled=False, actor=actor_of(here, member), key=key)
        _emit_account(here, name, f"{name} may come in again.", as_json)


@app.command()
def administrator(
    name: NameArgument,
    no: Annotated[bool, typer.Option("--no", help="No longer an administrator. One always stays.")] = False,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a member an administrator, who may invite, disable and see everybody's tokens."""
    from tasuki.actions.accounts import change_access

    with opened(workspace) as here:
        change_access(here, name, administrator=not no, actor=actor_of(here, member), key=key)
        said = f"{name} is {'no longer' if no else 'now'} an administrator."
        _emit_account(here, name, said, as_json)


def _emit_account(here: "Workspace", name: str, said: str, as_json: bool) -> None:
    from tasuki.actions.account_story import store_of

    payload = account_document(here.ledger.members()[name], store_of(here).account(name))
    emit("account/1", payload, as_json=as_json, for_people=lambda: console.print(said, markup=False))


def _emit_member(member: "Member", said: str, as_json: bool) -> None:
    emit("member/1", member_document(member), as_json=as_json, for_people=lambda: console.print(said, markup=False))
