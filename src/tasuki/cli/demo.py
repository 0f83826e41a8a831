"""`tasuki demo`: one idea runs the whole relay."""

import locale
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from tasuki.cli.options import WorkspaceOption
from tasuki.cli.output import console
from tasuki.errors import Fault, Invalid

app = typer.Typer()


@app.command("demo")
def demo(
    workspace: WorkspaceOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 7,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End with a summary, serve no pages.")] = False,
    logs: Annotated[
        str,
        typer.Option("--logs", metavar="exchange|obd|FILE", help="Simulated world or real logs."),
    ] = "exchange",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="The mapping file of a real log whose columns are not known.")
    ] = None,
    language: Annotated[str | None, typer.Option("--language", help="What the members write in: ja or en.")] = None,
) -> None:
    """One idea runs the whole relay, from hypothesis to case, through the same actions that users call."""
    chosen = _language(language)
    from tasuki.demo.narrator import Narrator
    from tasuki.demo.run import Show, run_demo

    folder = workspace or Path("tasuki-demo")
    lines = run_demo(Show(folder, seed, logs, mapping, chosen), Narrator())
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    if not no_serve:
        from tasuki.web.run import serve_pages

        serve_pages(
            folder, announce=lambda address, _link: console.print(f"Open {address} (Ctrl-C ends it)", markup=False)
        )


def _language(asked: str | None) -> Literal["ja", "en"]:
    if asked not in (None, "ja", "en"):
        raise Invalid("no demo was run", [Fault("--language", f"{asked!r} is no language of tasuki", "ja or en")])
    if asked is None:
        asked = (os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or "")[:2]
    return "ja" if asked == "ja" else "en"
