"""`tasuki experiment status`: what serves, since when, and how its A/B 1 went."""

from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.actions.run_documents import status_document
from tasuki.cli.check import told_of
from tasuki.cli.opened import opened
from tasuki.cli.options import JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

if TYPE_CHECKING:
    from tasuki.actions.serving_state import ModelServing


def status(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="One model; every model otherwise.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What serves, since when and in which version, and how its newest A/B 1 went."""
    from tasuki.actions.serving_state import what_serves

    with opened(workspace) as here:
        state = what_serves(here, model)
    payload = status_document(state)

    def show() -> None:
        service = state.service
        console.print(f"Inference service: {service.state} {service.address or ''} {service.detail}".rstrip())
        for one in state.models:
            _show_model(one)

    emit("experiment_status/1", payload, as_json=as_json, for_people=show)


def _show_model(one: "ModelServing") -> None:
    rows = []
    for channel in one.channels:
        since = f"{channel.since:%Y-%m-%d %H:%M}" if channel.since else ""
        answering = ", ".join(f"{arm.arm} {arm.version or 'nothing'}" for arm in channel.answering)
        doubt = " ".join(filter(None, (channel.doubt, channel.error)))
        # Nothing is known of a pointer that cannot be read; the service may well go on with what it has.
        is_unreadable = channel.doubt == "unreadable"
        nothing, none = ("unreadable", "unknown") if is_unreadable else ("nothing", "0")
        default = f"{channel.default.value:g}: {channel.default.reason}" if channel.default else none
        rows.append((channel.channel, channel.version or nothing, since, channel.by, answering, default, doubt))
    columns = ("channel", "published", "since (UTC)", "by", "answers with", "default answer", "doubt")
    print_table(columns, rows, title=one.name)
    for run in one.running:
        shares = ", ".join(f"{arm} {share:.0%}" for arm, share in run.shares.items())
        console.print(f"{run.name} ({run.kind}) runs since {run.started_at:%Y-%m-%d %H:%M}: {shares}", markup=False)
    for health in one.checks[:1]:
        failed = ", ".join(f"{name} ({fault})" for name, fault in health.failed)
        verdict = "passes every probe" if health.passed else f"fails {failed}"
        console.print(f"A/B 1 {health.experiment}, checked {health.at:%Y-%m-%d %H:%M}: {verdict}", markup=False)
        for day in health.by_day:
            console.print(f"  {day.day}: {day.exposures:,} exposures, {told_of(day)}", markup=False)
