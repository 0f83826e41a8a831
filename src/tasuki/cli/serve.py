"""`tasuki serve`: the pages of a workspace, on this machine."""

from typing import Annotated

import typer

from tasuki.cli.options import WorkspaceOption
from tasuki.cli.output import console

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[
        str | None, typer.Option(help="Where to listen; 127.0.0.1 by default. Reachable hosts ask for a sign-in.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 takes any free one. 8765 by default.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=32,
            help="How many processes answer: 2 where people sign in, otherwise 1 by default.",
        ),
    ] = None,
) -> None:
    """Serve the board, the ideas' stories and the cases as web pages, until Ctrl-C."""
    from tasuki.web.run import serve_pages

    def announce(address: str, first_link: str) -> None:
        console.print(f"tasuki serves its pages at [bold]{address}[/bold]\nCtrl-C stops it.")
        if first_link:
            console.print("Nobody can sign in yet. The first administrator opens this link (once, within a day):")
            console.print(first_link, markup=False, soft_wrap=True)

    serve_pages(workspace, host, port, workers=workers, announce=announce)
