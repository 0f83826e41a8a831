"""`tasuki experiment decide`: what a person makes of a recommendation."""

from datetime import datetime
from typing import Annotated, Literal

import typer

from tasuki.actions.run_documents import decision_document
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit

NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")]


def decide(
    experiment: NameArgument,
    *,
    decision: Annotated[
        Literal["ship", "do_not_ship", "extend"], typer.Option("--decision", help="What the business does.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; most of all where it is not what was recommended.")],
    watcher: Annotated[str, typer.Option("--monitoring-owner", help="The member who watches over it from now on.")],
    clean_up: Annotated[str, typer.Option("--clean-up", help="What is to be cleaned up.")],
    done: Annotated[bool, typer.Option("--clean-up-done", help="It is cleaned up already.")] = False,
    due: Annotated[
        datetime | None, typer.Option("--clean-up-due", formats=["%Y-%m-%d"], help="Until when, if it is not.")
    ] = None,
    idea: Annotated[
        str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what a person decides on an A/B 2, beside what the rule recommends."""
    from tasuki.actions.decision import DecisionRequest, decide_experiment
    from tasuki.actions.start import idea_of_experiment

    day = None if due is None else due.date()
    request = DecisionRequest(experiment, decision, reason, watcher, clean_up, done, day)
    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        recorded = decide_experiment(here, whose, request, actor=actor_of(here, member), key=key)
    as_recommended = recorded.decision == recorded.recommended
    payload = decision_document(whose, experiment, recorded)

    def show() -> None:
        said = "as recommended" if as_recommended else f"while {recorded.recommended} was recommended"
        console.print(f"{experiment}: {recorded.decision}, {said}. {recorded.reason}", markup=False, soft_wrap=True)

    emit("experiment_decide/1", payload, as_json=as_json, for_people=show)
