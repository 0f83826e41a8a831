"""`tasuki evidence …`."""

from pathlib import Path
from typing import Annotated

import typer

from tasuki.actions.documents import evidence_line, find_evidence
from tasuki.cli.idea import IdeaArgument
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table
from tasuki.cli.story import emit_idea

app = typer.Typer(no_args_is_help=True)


@app.command()
def attach(
    idea: IdeaArgument,
    file: Annotated[Path, typer.Argument(help="A JSON file: {kind, record, …}, or the record alone with --kind.")],
    kind: Annotated[str | None, typer.Option("--kind", help="The kind, when the file holds the record alone.")] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="A stage already reached; the present by default.")
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attach evidence to an idea. All its faults are reported at once."""
    from tasuki.actions.evidence import attach_evidence, read_evidence_file

    body = read_evidence_file(file)
    with opened(workspace) as here:
        actor = actor_of(here, member)
        whole = body if kind is None else {"kind": kind, "record": body}
        state = attach_evidence(here, idea, whole, actor=actor, stage=stage, key=key)
        entry = state.evidence[-1]
        emit_idea(
            here, state, as_json=as_json, said=f"Attached {entry.kind} {entry.content_hash[:12]} to {entry.stage}."
        )


@app.command("list")
def list_(idea: IdeaArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the evidence of an idea, the oldest first."""
    with opened(workspace) as here:
        lines = [evidence_line(entry) for entry in here.ledger.state(idea).evidence]

    def show_lines() -> None:
        rows = [
            (one["kind"], one["stage"], one["content_hash"][:12], one["attached_by"], one["summary"]) for one in lines
        ]
        print_table(("kind", "stage", "hash", "by", "says"), rows)

    emit("evidence-list/1", {"idea": idea, "evidence": lines}, as_json=as_json, for_people=show_lines)


@app.command()
def show(
    idea: IdeaArgument,
    which: Annotated[str, typer.Argument(help="The beginning of its hash, or a kind (the newest one is shown).")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one piece of evidence with everything it says."""
    import json

    with opened(workspace) as here:
        entry = find_evidence(here.ledger.state(idea), which)
    body = dict(entry.body)
    emit(
        "evidence/1",
        {"idea": idea, **evidence_line(entry), "evidence": body},
        as_json=as_json,
        for_people=lambda: console.print(json.dumps(body, ensure_ascii=False, indent=2), markup=False, soft_wrap=True),
    )
