"""`tasuki model serve` and `tasuki model token`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tasuki.cli.options import JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, progress_console

TokensOption = Annotated[
    Path | None,
    typer.Option("--tokens", envvar="TASUKI_TOKENS", help="The clients' tokens; without it everybody here may ask."),
]


def serve(
    workspace: WorkspaceOption = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model to serve; every published one by default.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.", min=1, max=65535)] = 8600,
    workers: Annotated[int, typer.Option("--workers", help="Processes that share the port.", min=1, max=64)] = 1,
    tokens: TokensOption = None,
    anybody: Annotated[
        bool, typer.Option("--anybody", help="Listen to the network without tokens: your network keeps others out.")
    ] = False,
    durable: Annotated[bool, typer.Option("--durable", help="Answer only once the exposure is on the disk.")] = False,
    flush_s: Annotated[
        float, typer.Option("--flush-s", help="Seconds after which exposures become a segment.", min=0.05, max=3600)
    ] = 0.5,
    drain_s: Annotated[
        float, typer.Option("--drain-s", help="Seconds to go on, not ready, when told to stop.", min=0, max=3600)
    ] = 0.0,
    replay_time: Annotated[
        str | None,
        typer.Option("--replay-time", help="For replays only: exposures carry this feature's moment instead of now."),
    ] = None,
    compact_s: Annotated[
        float,
        typer.Option("--compact-s", help="Seconds between looks for hours that are over, to compact; 0: never.", min=0),
    ] = 60.0,
    remote_poll_s: Annotated[
        float,
        typer.Option("--remote-poll-s", help="Seconds between looks at pointers in an object store.", min=0.1, max=600),
    ] = 2.0,
) -> None:
    """Serves the published versions over HTTP until it is stopped."""
    from tasuki.serving.run import Service, artifacts_of
    from tasuki.serving.run import serve as run

    folder = (workspace or Path()).resolve()
    service = Service(
        folder=folder,
        artifacts=artifacts_of(folder),
        models=tuple(model) if model else None,
        host=host,
        port=port,
        durable=durable,
        flush_s=flush_s,
        tokens=tokens,
        anybody=anybody,
        workers=workers,
        drain_s=drain_s,
        replay_time=replay_time,
        compact_s=compact_s,
        remote_poll_s=remote_poll_s,
    )
    _say(f"starting on http://{host}:{port}")
    run(service, _say)


def compact(
    workspace: WorkspaceOption = None,
    now: Annotated[bool, typer.Option("--now", help="Take finished segments of the present hour as well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Makes large files out of the small segments of the exposure log; safe at any time, also while a service runs."""
    from dataclasses import asdict

    from tasuki.clock import system_clock
    from tasuki.errors import Missing
    from tasuki.serving.compaction_told import compact_and_tell
    from tasuki.serving.exposures import LogPlace

    folder = (workspace or Path()).resolve()
    if not (folder / "tasuki.toml").is_file():
        raise Missing(f"{folder} is no workspace", expected="a folder with a tasuki.toml", next_step="tasuki init DIR")
    place = LogPlace.of(folder)
    with progress_console.status("compacting"):
        done = compact_and_tell(place.segments, place.write_ahead, system_clock(), everything=now)

    def show() -> None:
        if done.busy:
            console.print("another compaction is at work; nothing was done")
        else:
            console.print(f"{done.before:,} files are {done.after:,} now; {done.rows:,} rows were written anew")
        for one in done.left:
            console.print(f"  left as it is: {one}", markup=False)

    emit("model-compact/1", asdict(done), as_json=as_json, for_people=show)


def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the client is called.")],
    tokens: Annotated[Path, typer.Option("--tokens", envvar="TASUKI_TOKENS", help="The tokens file to add it to.")],
    model: Annotated[list[str] | None, typer.Option("--model", help="A model it may ask; all by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a token for a client of the inference service and adds it to the tokens file; it is shown only now."""
    from tasuki.errors import Invalid
    from tasuki.serving.gate import Client, client_entry, new_token, read_clients
    from tasuki.store.files import held, replace_file

    secret, digest = new_token()
    entry = client_entry(Client(name, digest, frozenset(model) if model else None))
    with held(tokens.with_name(f".{tokens.name}.lock")):
        try:
            before = tokens.read_bytes() if tokens.exists() else b""
            content = before + (b"\n" if before else b"") + entry.encode()
            read_clients(content, tokens.name)
            replace_file(tokens, content)
            tokens.chmod(0o640)
        except OSError as error:
            raise Invalid(f"{tokens} cannot be written: {error.strerror}") from error
    emit(
        "model-token/1",
        {"name": name, "token": secret, "tokens": str(tokens), "models": sorted(model) if model else None},
        as_json=as_json,
        for_people=lambda: console.print(f"token of {name}: {secret}\nIt is shown only now; {tokens} keeps its hash."),
    )


def _say(line: str) -> None:
    progress_console.print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}", markup=False, soft_wrap=True)
