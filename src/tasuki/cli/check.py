"""`tasuki experiment check`: A/B 1 by hand or on a schedule."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.actions.run_documents import check_document
from tasuki.cli.numbers import counts_of
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, LanguageOption, OutOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table, progress_console
from tasuki.errors import Fault, Invalid, Unavailable

if TYPE_CHECKING:
    from tasuki.actions.client_counts import ClientSaid
    from tasuki.actions.serving_state import DayHealth
    from tasuki.actions.workspace import Workspace
    from tasuki.experiments.check import Thresholds
    from tasuki.flow.records import CheckReport, DayVerdict

_HOUR_S = 3_600.0
_LONGEST_HOURS = 744.0
_EVERY_ARM = "all"
"""What counts the answers of every arm together."""
_OF_ONE_MOMENT = {
    "--sent": "the client's counts as a table client_counts in the workspace, with columns at and sent",
    "--failed": "the client's counts as a table client_counts in the workspace, with a column failed",
    "--days": "the days as the logs tell them, without --days",
    "--key": "one report a day as it is, without --key",
}
"""What says something of one moment or one report, and what to give instead to a check that goes on for days."""


def check(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")],
    idea: Annotated[str | None, typer.Option("--idea", help="Its idea; found by the experiment's name.")] = None,
    sent: Annotated[
        str | None, typer.Option("--sent", help="The client's own count of answers, as control=9500,treatment=500.")
    ] = None,
    failed: Annotated[
        int | None, typer.Option("--failed", help="Requests that got no answer up to now, by the client.")
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", help="How long it ran up to now; read from the logs otherwise.")
    ] = None,
    days_required: Annotated[float | None, typer.Option("--days-required", help="How long it must run.")] = None,
    daily: Annotated[
        bool, typer.Option("--daily", help="At most one report a day, the day's own if there is one: for cron.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            "--every",
            metavar="HOURS",
            min=0.01,
            max=_LONGEST_HOURS,
            help="Go on in this process: look again after so many hours, one report a day, until it passes or is "
            "stopped. The client's counts come from the table client_counts then, not from --sent and --failed.",
        ),
    ] = None,
    require_pass: Annotated[
        bool, typer.Option("--require-pass", help="End with exit code 4 unless every probe passes.")
    ] = False,
    out: OutOption = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """A/B 1: does it behave as designed? Asks every probe and attaches the report to the idea."""
    from dataclasses import replace

    from tasuki.actions.check import ClientSaid, idea_of_experiment, read_thresholds
    from tasuki.experiments.check import thresholds_of

    if out is not None:
        from tasuki.actions.report import require_report_path, save_check

        require_report_path(out)
    counts = {} if sent is None else counts_of("--sent", sent)
    if every is not None:
        _require_lasting({"--sent": sent, "--failed": failed, "--days": days, "--key": key})
    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        _require_arms(counts, here, whose, experiment)
        limits = read_thresholds(here)
        if days_required is not None:
            limits = replace(limits, days_required=thresholds_of({"days_required": days_required}).days_required)
        round_ = _Round(here, whose, experiment, ClientSaid(counts, failed, days), limits, actor_of(here, member))
        report = round_.repeat(every) if every is not None else round_.check(daily, key)
        if out is not None:
            save_check(out, report, language, here.clock)
            progress_console.print(f"report: {out}", markup=False, soft_wrap=True)
    payload = check_document(whose, report)
    emit("experiment_check/1", payload, as_json=as_json, for_people=lambda: _show(report))
    if require_pass and not report.passed:
        raise typer.Exit(4)


def _require_lasting(given: dict[str, object]) -> None:
    """Refuses, for a check that goes on for days, whatever holds for one moment only."""
    faults = [
        Fault(name, "is said of one moment or one report, and --every goes on for days", _OF_ONE_MOMENT[name])
        for name, value in given.items()
        if value is not None
    ]
    if faults:
        raise Invalid("the experiment was not checked", faults)


def _require_arms(counts: dict[str, int], workspace: "Workspace", idea: str, experiment: str) -> None:
    from tasuki.actions.runs import run_of

    if not counts:
        return
    arms = [*run_of(workspace, idea, experiment).shares, _EVERY_ARM]
    faults = [Fault("--sent", f"there is no arm {name!r}", ", ".join(arms)) for name in counts if name not in arms]
    if faults:
        raise Invalid("the experiment was not checked", faults)


@dataclass(frozen=True)
class _Round:
    """One experiment that is checked, once or again and again."""

    workspace: "Workspace"
    idea: str
    experiment: str
    said: "ClientSaid"
    limits: "Thresholds"
    actor: str

    def check(self, daily: bool, key: str | None = None) -> "CheckReport":
        from tasuki.actions.check import check_experiment, report_of_the_day, require_checker

        if daily:
            # Who may not check is told today, and not on the first day without a report.
            require_checker(self.workspace, self.idea, self.actor)
            known = report_of_the_day(self.workspace, self.idea, self.experiment)
            if known is not None:
                self._tell("has a report of today already; nothing was asked anew")
                return known
        where = (self.workspace, self.idea, self.experiment)
        return check_experiment(*where, actor=self.actor, said=self.said, thresholds=self.limits, key=key)

    def repeat(self, hours: float) -> "CheckReport":
        """Checks again every so many hours, one report a day, until one passes or the experiment is over."""
        from tasuki.actions.runs import run_of

        while True:
            try:
                report = self.check(daily=True)
                is_over = run_of(self.workspace, self.idea, self.experiment).ended_at is not None
            except Unavailable as error:  # a log that is being written, a store that does not answer: it may do later
                self._tell(f"could not be checked: {error.what}")
            else:
                verdict = "passes" if report.passed else "does not pass"
                self._tell(f"{verdict} after {report.days:.2f} days")
                if report.passed or is_over:
                    return report
            self._tell(f"is looked at again in {hours:g} hours; Ctrl-C ends it")
            time.sleep(hours * _HOUR_S)

    def _tell(self, what: str) -> None:
        said = f"{self.workspace.clock():%Y-%m-%d %H:%M} UTC: {self.experiment}: {what}"
        progress_console.print(said, markup=False, highlight=False, soft_wrap=True)


def _show(report: "CheckReport") -> None:
    rows = [
        (
            "passed" if one.passed else "FAILED",
            one.name,
            "" if one.value is None else f"{one.value:.4g}",
            one.threshold,
            one.explanation,
        )
        for one in report.probes
    ]
    print_table(("verdict", "probe", "value#", "allowed", "seen"), rows)
    for day in report.by_day:
        console.print(f"{day.day}: {day.exposures:,} exposures, {told_of(day)}", markup=False)
    verdict = "passes" if report.passed else "does not pass"
    console.print(f"{report.experiment} {verdict} after {report.days:.2f} days.", markup=False)


def told_of(day: "DayVerdict | DayHealth") -> str:
    """What one day showed, for people."""
    if not day.asked:
        return "too few to judge"
    return f"fails {', '.join(day.failed)}" if day.failed else "as designed"
