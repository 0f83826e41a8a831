"""`tasuki handoff …`."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.cli.idea import IdeaArgument
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import progress_console
from tasuki.cli.story import emit_idea
from tasuki.errors import Fault, Invalid

if TYPE_CHECKING:
    from tasuki.flow.relay import NewDebt

app = typer.Typer(no_args_is_help=True)


@app.command()
def offer(
    idea: IdeaArgument,
    to: Annotated[str | None, typer.Option("--to", help="Whom it is meant for; anyone who may by default.")] = None,
    note: Annotated[str, typer.Option("--note", help="What the receiver should know first.")] = "",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer the present stage to the next owner. Runs every machine check; says all that is missing."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        with progress_console.status(f"checking what {idea} must carry"):
            state = relay.offer_handoff(here, idea, actor=actor, to_member=to, note=note, key=key)
        emit_idea(here, state, as_json=as_json, said="Offered.")


@app.command("pick-up")
def pick_up(
    idea: IdeaArgument,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pick up what was offered; from now on you judge it."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        state = relay.pick_up_handoff(here, idea, actor=actor_of(here, member), key=key)
        emit_idea(here, state, as_json=as_json, said="Picked up.")


@app.command()
def accept(
    idea: IdeaArgument,
    answer: Annotated[str, typer.Option("--answer", help="Your answer to the contract's question.")] = "",
    estimate: Annotated[float | None, typer.Option("--estimate", help="Days you expect to need.")] = None,
    debt: Annotated[
        list[str] | None,
        typer.Option("--debt", metavar="OWNER:DATE:WHAT", help="What may come later, by whom, until when. Repeatable."),
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept what you picked up: answer the question, estimate your days, perhaps with dated debts."""
    from tasuki.actions import relay

    debts = read_debts(debt or [])
    with opened(workspace) as here:
        state = relay.accept_handoff(
            here, idea, actor=actor_of(here, member), answer=answer, estimate_days=estimate, debts=debts, key=key
        )
        emit_idea(here, state, as_json=as_json, said="Accepted.")


def read_debts(texts: list[str]) -> list["NewDebt"]:
    """The debts that `--debt OWNER:DATE:WHAT` names; every malformed one is reported at once."""
    from tasuki.flow.relay import NewDebt

    debts, faults = [], []
    for text in texts:
        owner, _, rest = text.partition(":")
        day, _, what = rest.partition(":")
        try:
            debts.append(NewDebt(what.strip(), owner.strip(), date.fromisoformat(day.strip())))
        except ValueError:
            faults.append(
                Fault("--debt", f"{text!r} has no date", "OWNER:DATE:WHAT, as yui:2026-05-01:alarm on fallback")
            )
    if faults:
        raise Invalid(f"{len(faults)} debt(s) cannot be read", faults)
    return debts


@app.command("return")
def return_(
    idea: IdeaArgument,
    code: Annotated[
        str,
        typer.Option(
            "--code",
            help="missing_evidence, cannot_reproduce, unclear_requirement, data_problem, out_of_scope or other.",
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="What is to be mended.")] = "",
    to_stage: Annotated[
        str | None, typer.Option("--to-stage", help="Send an accepted idea back to this earlier stage.")
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Return an offer with a reason, or send an accepted idea back to an earlier stage. Normal and blameless."""
    from tasuki.actions import relay

    with opened(workspace) as here:
        actor = actor_of(here, member)
        state = relay.return_handoff(
            here, idea, actor=actor, reason_code=code, reason=reason, to_stage=to_stage, key=key
        )
        emit_idea(here, state, as_json=as_json, said="Returned.")
