"""`tasuki experiment list` and `show`: all experiments in a table, and one of them as a whole."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tasuki.cli.opened import opened
from tasuki.cli.options import JsonOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table

if TYPE_CHECKING:
    from tasuki.actions.experiment_list import ExperimentEntry
    from tasuki.actions.experiment_shown import ShownExperiment

WIDE = 120
"""In a narrower window model, split and lane are left to `show`."""

NAMED = 3
"""So many results and concerns are told; the report has them all."""


def list_(
    *,
    standing: Annotated[
        Literal["current", "over"] | None, typer.Option(help="current (booked or running) or over.")
    ] = None,
    kind: Annotated[
        Literal["check", "comparison"] | None, typer.Option(help="check (A/B 1) or comparison (A/B 2).")
    ] = None,
    text: Annotated[str, typer.Option("--text", help="A part of the experiment's, the idea's name or its title.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 200,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the experiments that are booked or run, then those that are over, the newest first."""
    from tasuki.actions.experiment_lines import Wanted
    from tasuki.actions.experiment_list import list_experiments

    with opened(workspace) as here:
        entries = list_experiments(here, Wanted(standing or "", kind or "", text), limit)
    emit("experiment_list/1", {"experiments": entries}, as_json=as_json, for_people=lambda: _print_list(entries))


def show(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")],
    idea: Annotated[
        str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one experiment: plan, state, arms, days, what was seen last, the decision, and what comes next."""
    from tasuki.actions.experiment_shown import show_experiment

    with opened(workspace) as here:
        shown = show_experiment(here, experiment, idea)
    emit("experiment_show/1", shown.to_dict(), as_json=as_json, for_people=lambda: _print_shown(shown))


def _print_list(entries: "tuple[ExperimentEntry, ...]") -> None:
    is_wide = console.width >= WIDE
    outcome = "recommended → decided" if is_wide else "outcome"
    rows = [
        {
            "experiment": one.name,
            "kind": "A/B 1" if one.kind == "check" else "A/B 2",
            "idea": one.idea,
            "state": state_of(one),
            "days": _days(one, is_short=True),
            "model": one.model or "",
            "split": split_of(one),
            "lane": one.lane,
            outcome: _outcome(one, is_wide),
        }
        for one in entries
    ]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    if not is_wide:  # `experiment show` tells them of one experiment
        names = [name for name in names if name not in ("model", "split", "lane")]
    print_table(names, ([row[name] for name in names] for row in rows))


def _outcome(one: "ExperimentEntry", is_wide: bool) -> str:
    told = [name for name in (one.recommended, one.decided) if name]
    return " → ".join(told) if is_wide or len(set(told)) > 1 else "".join(told[:1]).replace("_", " ")


def state_of(one: "ExperimentEntry") -> str:
    """Where an experiment stands, in a word or two."""
    if one.stopped_at:
        return "stopped"
    if one.started_at:
        return "runs"
    return f"waits #{one.position}" if one.position else "booked" if one.first_day else "planned"


def split_of(one: "ExperimentEntry") -> str:
    """The arms and their shares, and the range of the layer that they are shares of."""
    split = ", ".join(f"{name} {share:.0%}" for name, share in one.shares.items())
    low, high = one.range
    return split + (f" of {low:.0%} to {high:.0%} in {one.layer}, {one.exposed:.0%} exposed" if one.layer else "")


def _days(one: "ExperimentEntry", is_short: bool = False) -> str:
    if one.first_day is None or one.last_day is None:
        return ""
    if is_short and one.first_day.year == one.last_day.year:
        return f"{one.first_day} to {one.last_day:%m-%d}"
    return f"{one.first_day} to {one.last_day}"


def _print_shown(shown: "ShownExperiment") -> None:
    one = shown.entry
    kind = "A/B 1, a check" if one.kind == "check" else "A/B 2, a comparison"
    rows = [
        ("experiment", f"{one.name} ({kind})"),
        ("idea", f"{one.idea}: {one.title}"),
        ("state", state_of(one)),
        ("model", one.model or ""),
        ("arms", split_of(one)),
        ("lane", one.lane),
        ("days", _days(one)),
        *_plan_rows(shown.plan.record if shown.plan else None),
        *_check_rows(shown),
        *_comparison_rows(shown),
        *_decision_rows(shown),
        ("next", shown.next_step.what),
        ("", shown.next_step.command),
    ]
    print_table(("", ""), [row for row in rows if row[1]])


def _plan_rows(plan: "Any") -> list[tuple[str, str]]:
    if plan is None:
        return []
    metrics = ", ".join(f"{one['name']} ({one['role']})" for one in plan["metrics"])
    return [
        ("planned metrics", metrics),
        ("smallest effect", f"{plan['minimal_detectable_effect']:.3g} of control"),
        ("units needed", f"{plan['units_needed']:,} in {plan['days']} days"),
        ("rule", plan["rule"]),
    ]


def _check_rows(shown: "ShownExperiment") -> list[tuple[str, str]]:
    if shown.check is None:
        return []
    record = shown.check.record
    failed = [one["name"] for one in record["probes"] if not one["passed"]]
    verdict = f"{len(record['probes'])} probes passed" if not failed else f"did not pass: {', '.join(failed)}"
    return [("last check", f"{shown.check.attached_at:%Y-%m-%d %H:%M}: {verdict}, after {record['days']:.1f} days")]


def _comparison_rows(shown: "ShownExperiment") -> list[tuple[str, str]]:
    if shown.comparison is None:
        return []
    record = shown.comparison.record
    total = [one for one in record["results"] if one["segment"] is None]
    rows = [("last comparison", f"{shown.comparison.attached_at:%Y-%m-%d %H:%M}, after {record['days']:.1f} days")]
    rows += [(f"  {one['metric']}", _effect(one)) for one in total[:NAMED]]
    if len(total) > NAMED:
        rows.append(("", f"and {len(total) - NAMED} more"))
    doubts = [one["code"] for one in record["concerns"] if one["severity"] != "info"]
    rows.append(("  concerns", ", ".join(dict.fromkeys(doubts))))
    rows.append(("  recommended", record["recommendation"]["decision"]))
    return rows


def _effect(one: dict[str, "Any"]) -> str:
    if one["relative"] is None:
        return "no relative effect is known"
    ends = [f"{one[name]:+.2%}" if one[name] is not None else "open" for name in ("relative_low", "relative_high")]
    return f"{one['treatment_arm']} {one['relative']:+.2%} ({ends[0]} to {ends[1]})"


def _decision_rows(shown: "ShownExperiment") -> list[tuple[str, str]]:
    if shown.decision is None:
        return []
    record = shown.decision.record
    who = f"{shown.decision.attached_by}, {shown.decision.attached_at:%Y-%m-%d}"
    return [("decided", f"{record['decision']} ({who}): {record['reason']}")]
