"""`tasuki idea …`."""

from typing import Annotated, Literal

import typer

from tasuki.actions.documents import idea_document, idea_row
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import emit, print_table
from tasuki.cli.story import emit_idea, print_story

app = typer.Typer(no_args_is_help=True)
Status = Literal["active", "killed", "concluded"]

IdeaArgument = Annotated[str, typer.Argument(help="The idea's id, as idea-7.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; the next person reads it.")]


@app.command("open")
def open_(
    title: Annotated[str, typer.Argument(help="What the idea is, in one line.")],
    flow: Annotated[str | None, typer.Option("--flow", help="model, minor_update, analysis, data or your own.")] = None,
    formation: Annotated[str | None, typer.Option("--formation", help="Who owns which stage.")] = None,
    estimate: Annotated[float | None, typer.Option("--estimate", help="Days you expect for the first stage.")] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open an idea; you own it and have its first stage."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        state = relay.open_idea(
            here, title, actor=actor, flow=flow, formation=formation, estimate_days=estimate, key=key
        )
        emit_idea(here, state, as_json=as_json, said=f"Opened {state.idea}.")


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option("--status", help="Only ideas of this status.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the ideas, in the order they were opened."""
    with opened(workspace) as here:
        now = here.clock()
        rows = [idea_row(state, now) for state in here.ledger.shelf().ideas.values() if status in (None, state.status)]

    def show_rows() -> None:
        columns = ("idea", "title", "flow", "status", "stage", "holder")
        shown = [(*(str(row[name]) for name in columns), f"{row['lead_days']:.0f}") for row in rows]
        print_table((*columns, "days#"), shown)

    emit("ideas/1", {"ideas": rows}, as_json=as_json, for_people=show_rows)


@app.command()
def show(idea: IdeaArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show everything about an idea: where it stands, its hand-offs, its evidence and its times."""
    with opened(workspace) as here:
        state = here.ledger.state(idea)
        emit("idea/1", idea_document(here, state), as_json=as_json, for_people=lambda: print_story(here, state))


@app.command()
def kill(
    idea: IdeaArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an idea with a reason and file its case. Killing well is a delivered result."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        state = relay.kill_idea(here, idea, actor=actor_of(here, member), reason=reason, key=key)
        emit_idea(here, state, as_json=as_json, said=f"Killed {idea}; its case is filed.")


@app.command()
def skip(
    idea: IdeaArgument,
    stage: Annotated[str, typer.Option("--stage", help="A stage that is still to come.")],
    reason: ReasonOption = "",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave out a stage that is still to come, with a reason."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        state = relay.skip_stage(here, idea, actor=actor, stage=stage, reason=reason, key=key)
        emit_idea(here, state, as_json=as_json, said=f"{idea} skips {stage}.")


@app.command()
def reopen(
    idea: IdeaArgument,
    reason: ReasonOption = "",
    stage: Annotated[str | None, typer.Option("--stage", help="Where to go on; where it ended by default.")] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a killed idea up again; you have the sash."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        state = relay.reopen_idea(here, idea, actor=actor, reason=reason, stage=stage, key=key)
        emit_idea(here, state, as_json=as_json, said=f"Reopened {idea}.")


@app.command()
def rule(
    idea: IdeaArgument,
    text: Annotated[str, typer.Argument(help="When it goes on and when it is killed.")],
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down a go/kill rule before its result is known."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        state = relay.record_rule(here, idea, actor=actor_of(here, member), text=text, key=key)
        emit_idea(here, state, as_json=as_json, said=f"The rule of {idea} is recorded.")


@app.command()
def comment(
    idea: IdeaArgument,
    text: Annotated[str, typer.Argument(help="What you want to say.")],
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say something about an idea."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        state = relay.comment(here, idea, actor=actor_of(here, member), text=text, key=key)
        emit_idea(here, state, as_json=as_json, said="Said.")


@app.command()
def settle(
    idea: IdeaArgument,
    number: Annotated[int, typer.Argument(help="The number of the debt, as `tasuki idea show` gives it.")],
    note: Annotated[str, typer.Option("--note", help="How it was settled.")] = "",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settle a debt that an acceptance left open."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        state = relay.settle_debt(here, idea, actor=actor, number=number, note=note, key=key)
        emit_idea(here, state, as_json=as_json, said=f"Debt {number} of {idea} is settled.")
