"""`tasuki doctor`, `tasuki backup` and `tasuki restore`: looking after the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.options import JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

app = typer.Typer(no_args_is_help=True)

UNHEALTHY = 3
LedgerOption = Annotated[
    str | None, typer.Option("--ledger", help="The ledger's address; the workspace's own by default.")
]


@app.command()
def doctor(
    workspace: WorkspaceOption = None,
    ledger: LedgerOption = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the stored fold anew from the events.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --rebuild: even from damaged events, forgetting what was lost.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify the ledger: hash chains, gaps, stored folds, keys. Exit code 3 when something is wrong."""
    from tasuki.actions.doctor import examine

    seen = examine(_url(workspace, ledger), rebuild=rebuild, force=force)
    payload = {
        "healthy": seen.healthy,
        "events": seen.events,
        "streams": seen.streams,
        "rebuilt": seen.rebuilt,
        "findings": seen.findings,
    }

    def show() -> None:
        if seen.rebuilt is not None:
            console.print(f"The stored fold of {seen.rebuilt} stream(s) was made anew.")
        if seen.healthy:
            console.print(f"The ledger is healthy: {seen.events} event(s) in {seen.streams} stream(s).")
            return

        rows = [(one.idea, str(one.sequence or ""), one.problem, one.what, one.next_step) for one in seen.findings]
        print_table(("idea", "event#", "problem", "what", "next"), rows, f"{len(rows)} finding(s)")

    emit("doctor/1", payload, as_json=as_json, for_people=show)
    if not seen.healthy:
        raise typer.Exit(UNHEALTHY)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it (JSON lines); an earlier backup there is replaced.")],
    workspace: WorkspaceOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the ledger (every event, key and cursor) to one portable file, and prove that file whole."""
    from tasuki.actions.doctor import back_up

    made = back_up(_url(workspace, ledger), file)
    payload = {"file": str(file), "at": made.at, "events": made.events, "streams": made.streams}
    emit(
        "backup/1",
        payload,
        as_json=as_json,
        for_people=lambda: console.print(
            f"{made.events} event(s) of {made.streams} stream(s) are in {file}.", markup=False
        ),
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `tasuki backup` wrote.")],
    workspace: WorkspaceOption = None,
    ledger: LedgerOption = None,
    force: Annotated[bool, typer.Option("--force", help="Set a ledger that is already there aside (SQLite).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in place of a lost or damaged ledger. Nothing changes unless the backup proves whole."""
    from tasuki.actions.doctor import restore_backup

    done = restore_backup(file, _url(workspace, ledger), force=force)
    payload = {
        "events": done.backup.events,
        "streams": done.backup.streams,
        "backup_at": done.backup.at,
        "set_aside": None if done.set_aside is None else str(done.set_aside),
    }

    def show() -> None:
        console.print(f"{done.backup.events} event(s) of {done.backup.streams} stream(s) are back.")
        if done.set_aside is not None:
            console.print(f"The earlier ledger lies at {done.set_aside}.", markup=False)

    emit("restore/1", payload, as_json=as_json, for_people=show)


def _url(workspace: Path | None, ledger: str | None) -> str:
    from tasuki.settings.ledger_address import ledger_url

    return ledger if ledger is not None else ledger_url(workspace)
