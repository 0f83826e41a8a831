"""`tasuki serve`: the pages of a workspace, on this machine."""

from typing import Annotated

import typer

from tasuki.cli.options import WorkspaceOption
from tasuki.cli.output import console

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[str | None, typer.Option(help="An address of this machine; 127.0.0.1 by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 takes any free one. 8765 by default.")
    ] = None,
) -> None:
    """Serve the board, the ideas' stories and the cases as web pages, until Ctrl-C."""
    from tasuki.web.run import serve_pages

    def announce(address: str) -> None:
        console.print(f"tasuki serves its pages at [bold]{address}[/bold]\nCtrl-C stops it.")

    serve_pages(workspace, host, port, announce=announce)
