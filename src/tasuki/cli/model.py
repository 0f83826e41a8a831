"""`tasuki model …`."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasuki.actions.run_documents import published_document, version_document
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table, progress_console
from tasuki.cli.serving import compact, serve, token

if TYPE_CHECKING:
    from tasuki.actions.models import Published
    from tasuki.actions.training_job import Limits
    from tasuki.models.default_answer import DefaultAnswer

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The model file: Python that defines `model`.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="champion, challenger, or a name of your own.")]
IdeaOption = Annotated[str | None, typer.Option("--idea", help="Attach the evidence to this idea.")]


@app.command()
def validate(
    file: FileArgument,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds it may take; it is then ended.")] = 300.0,
    memory: Annotated[
        int | None, typer.Option("--memory", help="Megabytes it may hold; three quarters of the machine's by default.")
    ] = None,
    in_process: Annotated[bool, typer.Option("--in-process", hidden=True)] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Runs a model file on a sample of its table, in a process of its own, and reports every fault with its line."""
    if in_process:
        emit("model-validate/1", _tried(file, workspace), as_json=True, for_people=lambda: None)
        return
    import json

    from tasuki.actions.validation_job import validate_apart
    from tasuki.errors import Fault

    words = ["model", "validate", str(file), "--in-process", *_given({"--workspace": workspace})]
    with progress_console.status("trying the file"):
        ended = validate_apart(words, file, timeout, memory)
    if ended.errors:
        print(ended.errors, end="", file=sys.stderr)
    if ended.code:
        raise typer.Exit(ended.code)
    # What the file itself printed comes before the document.
    printed, _, last = ended.output.rstrip("\n").rpartition("\n")
    if printed:
        print(printed, file=sys.stderr)
    payload = json.loads(last)
    payload.pop("schema")

    def show() -> None:
        features = f"{payload['model']} with {len(payload['features'])} features"
        console.print(f"{file} is sound: {features}, tried on {payload['sample_rows']:,} rows", markup=False)
        for one in payload["doubts"]:
            console.print(f"  doubt: {Fault(**one)}", markup=False)

    emit("model-validate/1", payload, as_json=as_json, for_people=show)


def _tried(file: Path, workspace: Path | None) -> dict[str, Any]:
    from tasuki.actions.models import validate_model

    with opened(workspace) as here:
        validated = validate_model(here, file)
    model = validated.model
    return {
        "model": model.name,
        "table": model.table,
        "inputs": [{"name": name, "type": kind} for name, kind in model.inputs.items()],
        "features": [{"name": one.name, "online": one.online} for one in model.features],
        "sample_rows": validated.rows,
        "doubts": [asdict(one) for one in validated.doubts],
    }


@app.command()
def train(
    file: FileArgument,
    until: Annotated[
        str | None, typer.Option("--until", help="End of the window, ISO 8601 with a zone; the data's end by default.")
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="local, or spark or a Spark master: XGBoost on several machines.")
    ] = "local",
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds one attempt may take; it is then ended.")
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", help="Attempts after one that failed by chance, each twice as late.")
    ] = 0,
    retry_wait: Annotated[float, typer.Option("--retry-wait", help="Seconds before the first of them.")] = 5.0,
    memory: Annotated[int | None, typer.Option("--memory", help="Megabytes the training may hold.")] = None,
    idea: IdeaOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trains the model of a file and keeps the artifact; the same inputs give the same version.

    An interrupted training goes on when the same command runs again. Exit codes for schedulers: docs/training.md.
    """
    from tasuki.actions.training_job import Limits

    limits = Limits(timeout, retries, memory, retry_wait)
    if limits.any:
        options = {
            "--until": until,
            "--engine": engine,
            "--idea": idea,
            "--workspace": workspace,
            "--as": member,
            "--key": key,
        }
        _train_apart(["model", "train", str(file), *_given(options)], limits, as_json)
        return
    from tasuki.actions.models import train_model

    moment = _moment(until)
    with opened(workspace) as here, progress_console.status("training"):
        who = actor_of(here, member)
        trained = train_model(here, file, until=moment, engine=engine, actor=who, idea=idea, key=key)
    _emit_trained(
        {
            "model": trained.model,
            "version": trained.version,
            "rows": trained.rows,
            "immature_share": trained.immature_share,
            "metrics": dict(trained.metrics),
            "duration_s": trained.duration_s,
            "card": trained.card.record,
            "idea": idea,
        },
        as_json,
    )


def _given(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() if value is not None for word in (name, str(value))]


def _train_apart(arguments: list[str], limits: "Limits", as_json: bool) -> None:
    """Trains in a process of its own, which prints the same document."""
    import json

    from tasuki.actions.training_job import run_limited

    with progress_console.status("training"):
        code, output = run_limited([*arguments, "--json"], limits, lambda text: print(text, file=sys.stderr))
    if code:
        raise typer.Exit(code)
    document = json.loads(output)
    document.pop("schema")
    _emit_trained(document, as_json)


def _emit_trained(payload: dict[str, Any], as_json: bool) -> None:
    def show() -> None:
        console.print(f"{payload['model']} version [bold]{payload['version']}[/] from {payload['rows']:,} rows")
        console.print(f"left out as immature: {payload['immature_share']:.1%}; {payload['duration_s']:.1f} s")
        print_table(("metric", "value#"), [(name, f"{value:.6g}") for name, value in payload["metrics"].items()])

    emit("model-train/1", payload, as_json=as_json, for_people=show)


@app.command()
def publish(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(help="The version; `tasuki model list` shows them.")],
    channel: ChannelOption = "champion",
    default: Annotated[
        float | None,
        typer.Option("--default", help="What is answered when nothing can be computed; the model file's by default."),
    ] = None,
    default_reason: Annotated[
        str | None, typer.Option("--default-reason", help="Why that number; the log carries it.")
    ] = None,
    idea: IdeaOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Proves a version on its golden examples and points the channel at it."""
    from tasuki.actions.models import publish_model

    answer = _default(default, default_reason)
    with opened(workspace) as here:
        who = actor_of(here, member)
        published = publish_model(here, model, version, channel=channel, actor=who, default=answer, idea=idea, key=key)
    _emit_published(published, as_json)


@app.command()
def rollback(
    model: ModelArgument,
    channel: ChannelOption = "champion",
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="A version that was on this channel before.")
    ] = None,
    idea: IdeaOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Points the channel back at the version it had before; once more goes one further back."""
    from tasuki.actions.models import roll_back_model

    with opened(workspace) as here:
        who = actor_of(here, member)
        published = roll_back_model(here, model, channel=channel, to=to, actor=who, idea=idea, key=key)
    _emit_published(published, as_json)


@app.command("list")
def list_models(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Lists the models, their versions and what each channel points to."""
    from tasuki.actions.artifacts import describe_models

    with opened(workspace) as here:
        models = describe_models(here)
    rows = [
        (one.name, version, ", ".join(channel for channel, at in one.channels.items() if at == version))
        for one in models
        for version in one.versions
    ]
    payload = {"models": models}

    def print_it() -> None:
        print_table(("model", "version", "channels"), rows)
        for one in models:
            for channel, said in one.broken.items():
                console.print(f"the channel {channel} of {one.name} cannot be read: {said}", markup=False)

    emit(
        "model-list/1",
        payload,
        as_json=as_json,
        for_people=print_it,
    )


@app.command()
def show(
    model: ModelArgument,
    version: Annotated[str | None, typer.Argument(help="A version; the champion's by default.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows what a version was made from, what it needs and where it is published."""
    from tasuki.actions.artifacts import describe_version

    with opened(workspace) as here:
        described = describe_version(here, model, version)

    def print_it() -> None:
        console.print(f"{described.model} version [bold]{described.version}[/]")
        rows = [(name, str(value)) for name, value in described.training.items() if not isinstance(value, dict)]
        print_table(("what", "value"), rows)
        print_table(
            ("input", "type", "may be null"),
            [(one.name, "count" if one.count else one.type, str(one.nullable)) for one in described.inputs],
        )
        history = [(channel, one.version, f"{one.at:%Y-%m-%d %H:%M}", one.by) for channel, one in described.published]
        print_table(("channel", "version", "since (UTC)", "by"), history)

    emit("model-show/1", version_document(described), as_json=as_json, for_people=print_it)


app.command()(serve)
app.command()(compact)
app.command()(token)


def _default(value: float | None, reason: str | None) -> "DefaultAnswer | None":
    from tasuki.errors import Fault, Invalid
    from tasuki.models.default_answer import DefaultAnswer

    if (value is None) != (reason is None):
        lacking = "--default" if value is None else "--default-reason"
        raise Invalid("the default answer cannot be used", [Fault(lacking, "is missing", "both, or none of them")])
    return None if value is None or reason is None else DefaultAnswer(value, reason)


def _moment(text: str | None) -> Any:
    from tasuki.clock import from_text
    from tasuki.errors import Fault, Invalid

    if text is None:
        return None
    try:
        return from_text(text)
    except ValueError as error:
        raise Invalid(
            "--until is no moment", [Fault("--until", str(error), "ISO 8601 with a zone, as 2026-04-01T00:00:00Z")]
        ) from error


def _emit_published(published: "Published", as_json: bool) -> None:
    payload = published_document(published)
    before = f" (before: {published.previous})" if published.previous else ""
    text = f"{published.model} {published.channel} is now [bold]{published.version}[/]{before}"
    if published.default is not None:
        text += f"\nits default answer is {published.default.value:g}"
    emit("model-publish/1", payload, as_json=as_json, for_people=lambda: console.print(text))


@app.command("status", hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def status(context: typer.Context) -> None:
    """What serves is told by `tasuki experiment status`, where many look for it here."""
    context.fail("No such command 'status'. Did you mean 'tasuki experiment status'?")
