"""`tasuki case …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.actions.documents import case_found, find_case
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, LanguageOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table
from tasuki.errors import Invalid

if TYPE_CHECKING:
    from tasuki.cases.case import Case

app = typer.Typer(no_args_is_help=True)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="Words in Japanese or English; every one must be there.")],
    idea: Annotated[
        str | None, typer.Option("--idea", help="Record that this idea's past cases were looked up.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search past cases; with --idea the look-up is recorded for that idea."""
    from tasuki.actions import relay
    from tasuki.cases.search import search_prepared

    query = " ".join(words)
    with opened(workspace) as here:
        if idea is not None:
            relay.look_up_cases(here, idea, actor=actor_of(here, member), query=query, key=key)
        hits = search_prepared((one for one in relay.searched_cases(here) if one.case.idea != idea), query, limit)
    found = [case_found(hit.case, hit.score) for hit in hits]

    def show() -> None:
        if not hits:
            console.print(f"No case holds {query}.", markup=False)
            return
        rows = [(one.case.idea, one.case.title, one.case.decision, one.case.metric, _effect(one.case)) for one in hits]
        print_table(("idea", "title", "decision", "metric", "effect#"), rows)

    emit("cases/1", {"query": query, "idea": idea, "cases": found}, as_json=as_json, for_people=show)


def _effect(case: "Case") -> str:
    if case.effect is None:
        return ""
    if case.effect_low is None or case.effect_high is None:
        return f"{case.effect:.4g}"
    return f"{case.effect:.4g} ({case.effect_low:.4g} to {case.effect_high:.4g})"


@app.command()
def show(
    idea: Annotated[str, typer.Argument(help="The idea whose case it is.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a case."""
    from tasuki.cases.case import case_to_body
    from tasuki.cases.markdown import to_markdown

    with opened(workspace) as here:
        case = find_case(here, idea)
    emit(
        "case/1",
        case_to_body(case),
        as_json=as_json,
        for_people=lambda: console.print(to_markdown(case), markup=False, soft_wrap=True),
    )


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the Markdown files go, one for each case.")],
    idea: Annotated[list[str] | None, typer.Option("--idea", help="Only these ideas' cases. Repeatable.")] = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write cases as Markdown with front matter, one file each, reports of A/B 2 below them."""
    from tasuki.actions import relay
    from tasuki.actions.told import reports_of
    from tasuki.cases.markdown import to_markdown

    with opened(workspace) as here:
        cases = relay.cases(here) if not idea else [find_case(here, one) for one in idea]
        texts = ["\n".join(filter(None, (to_markdown(case), reports_of(here, case.idea, language)))) for case in cases]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{case.idea}.md" for case in cases]
        for path, text in zip(files, texts, strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{folder} cannot be written to: {error.strerror}", expected="a folder") from error
    payload = {"folder": str(folder), "files": [path.name for path in files]}
    emit(
        "case-export/1",
        payload,
        as_json=as_json,
        for_people=lambda: console.print(f"Wrote {len(files)} case(s) to {folder}.", markup=False),
    )
