"""`tasuki experiment …`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasuki.actions.run_documents import run_document
from tasuki.cli import booking, check, comparison, deciding, experiment_shown, status
from tasuki.cli.numbers import numbers_of
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit

if TYPE_CHECKING:
    from tasuki.flow.state import IdeaState

app = typer.Typer(no_args_is_help=True)
app.command("plan")(comparison.plan)
app.command("compare")(comparison.compare)
app.command("report")(comparison.report)
app.command("list")(experiment_shown.list_)
app.command("show")(experiment_shown.show)
app.command("check")(check.check)
app.command("status")(status.status)
app.command("book")(booking.book)
app.command("release")(booking.release)
app.command("ramp")(booking.ramp)
app.command("decide")(deciding.decide)

NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")]
IdeaOption = Annotated[str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")]
Kind = Literal["check", "comparison"]


@app.command()
def start(
    experiment: NameArgument,
    *,
    idea: Annotated[str, typer.Option("--idea", help="The idea it belongs to.")],
    kind: Annotated[Kind, typer.Option("--kind", help="check is A/B 1, comparison is A/B 2.")],
    model: Annotated[str, typer.Option("--model", help="The model whose traffic is split.")],
    split: Annotated[str, typer.Option("--split", help="Shares, as control=0.95,treatment=0.05.")],
    location: Annotated[
        str | None, typer.Option("--location", help="Where the treatment is fetched; the workspace's artifacts.")
    ] = None,
    salt: Annotated[str, typer.Option("--salt", help="What units are hashed with; the plan's or the name.")] = "",
    layer: Annotated[str, typer.Option("--layer", help="The layer whose range it holds; the model's own.")] = "",
    held: Annotated[
        str | None, typer.Option("--range", metavar="FROM-TO", help="Its range of the layer, as 0.2-0.5; all of it.")
    ] = None,
    expose: Annotated[
        str | None, typer.Option("--expose", help="The part of the range to begin with, as 10%; see ramp.")
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start A/B 1 or A/B 2: the inference service splits the model's traffic within a second."""
    from tasuki.actions.start import StartRequest, start_experiment
    from tasuki.cli.parts import Parts

    parts = Parts()
    reach = parts.reach(held, expose)
    parts.check()
    with opened(workspace) as here:
        shares = numbers_of("--split", split)
        where = location or here.artifacts_location
        request = StartRequest(experiment, kind, model, shares, where, salt, layer, reach)
        state = start_experiment(here, idea, request, actor=actor_of(here, member), key=key)
    _emit_state("experiment_start/1", state, experiment, "runs", as_json)


@app.command()
def stop(
    experiment: NameArgument,
    idea: IdeaOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, where it ends before its time.")] = "",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop an experiment: everybody is answered by the champion again."""
    from tasuki.actions.start import idea_of_experiment, stop_experiment

    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        state = stop_experiment(here, whose, experiment, actor=actor_of(here, member), reason=reason, key=key)
    _emit_state("experiment_stop/1", state, experiment, "is stopped", as_json)


def _emit_state(schema: str, state: "IdeaState", experiment: str, said: str, as_json: bool) -> None:
    payload = run_document(state, experiment)
    emit(schema, payload, as_json=as_json, for_people=lambda: console.print(f"{experiment} {said}.", markup=False))
