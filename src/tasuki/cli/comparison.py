"""`tasuki experiment plan` and `compare`: A/B 2 is registered before it starts and compared at its end."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import (
    AsOption,
    JsonOption,
    KeyOption,
    LanguageOption,
    OutOption,
    WorkspaceEngineOption,
    WorkspaceOption,
)
from tasuki.cli.output import console, emit, print_table, progress_console
from tasuki.cli.parts import Parts

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.flow.records import ComparisonReport, ExperimentPlan
    from tasuki.language import Language

AdjustName = Literal["none", "holm", "bh"]
NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")]


def plan(
    experiment: NameArgument,
    *,
    idea: Annotated[str, typer.Option("--idea", help="The idea that is to be tested.")],
    model: Annotated[str, typer.Option("--model", help="The model whose traffic is split.")],
    primary: Annotated[str, typer.Option("--primary", help="The declared metric that decides.")],
    mde: Annotated[float, typer.Option("--mde", help="Smallest effect worth finding, as a share of control.")],
    rule: Annotated[str, typer.Option("--rule", help="When it is shipped.")],
    stop_rule: Annotated[str, typer.Option("--stop-rule", help="When it ends; whether anyone looks before.")],
    interactions: Annotated[str, typer.Option("--interactions", help="Other experiments on the same units.")],
    guardrail: Annotated[
        list[str] | None,
        typer.Option("--guardrail", metavar="METRIC=SHARE", help="The loss accepted, as a share of control."),
    ] = None,
    secondary: Annotated[list[str] | None, typer.Option("--secondary", help="A metric that informs.")] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME=SHARE,…", help="Control first.")
    ] = "control=0.5,treatment=0.5",
    power: Annotated[float, typer.Option("--power", help="Chance to find the effect.")] = 0.8,
    alpha: Annotated[float, typer.Option("--alpha", help="Two-sided level.")] = 0.05,
    days: Annotated[int | None, typer.Option("--days", help="How long; as the effect needs otherwise.")] = None,
    units_per_day: Annotated[
        float | None, typer.Option("--units-per-day", help="Units that take part each day; learnt otherwise.")
    ] = None,
    salt: Annotated[str, typer.Option("--salt", help="What units are hashed with; the name otherwise.")] = "",
    adjust: Annotated[AdjustName, typer.Option("--adjust", help="For several metrics and arms.")] = "holm",
    sequential: Annotated[
        Literal["none", "always_valid", "group_sequential"],
        typer.Option("--sequential", help="How people may look before the end."),
    ] = "none",
    look: Annotated[
        list[str] | None, typer.Option("--look", help="A planned look, as 50%; the last one is the end.")
    ] = None,
    segment: Annotated[list[str] | None, typer.Option("--segment", help="Column to repeat the comparison by.")] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Who or what is left out, in words.")] = None,
    label_delay: Annotated[int, typer.Option("--label-delay", metavar="DAYS", help="Until an outcome is final.")] = 0,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="The first day: shows holidays in it.")
    ] = None,
    aa: Annotated[
        int, typer.Option("--aa", metavar="N", help="Split the past units N times and compare: can it be trusted?")
    ] = 0,
    baseline: Annotated[
        float | None, typer.Option("--baseline", help="The primary metric today, where no data says it.")
    ] = None,
    variance: Annotated[
        float | None, typer.Option("--variance", help="Of a unit, beside --baseline; a proportion has its own.")
    ] = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register A/B 2 before it starts: sized on the team's own data, attached to the idea as evidence."""
    from tasuki.actions.comparison import PlanRequest, plan_experiment

    parts = Parts()
    guards = parts.by_metric("--guardrail", guardrail or ())
    margins = {name: parts.number("--guardrail", values[-1], "a share, as 0.02") for name, values in guards.items()}
    shares = parts.shares("--split", split)
    looks = [parts.number("--look", one, "a share, as 50%") for one in look or ()]
    parts.check()
    request = PlanRequest(
        experiment=experiment,
        model=model,
        primary=primary,
        guardrails=margins,
        minimal_detectable_effect=mde,
        rule=rule,
        stop_rule=stop_rule,
        interactions=interactions,
        secondary=tuple(secondary or ()),
        arms=shares,
        power=power,
        alpha=alpha,
        days=days,
        units_per_day=units_per_day,
        salt=salt,
        adjust=adjust,
        sequential=sequential,
        looks=(*looks, *((1.0,) if looks and looks[-1] != 1 else ())),
        segments=tuple(segment or ()),
        exclusions=tuple(exclude or ()),
        label_delay_days=label_delay,
        first_day=None if start is None else start.date(),
        aa=aa,
        baseline=baseline,
        variance=variance,
    )
    with opened(workspace) as here:
        registered = plan_experiment(here, idea, request, actor=actor_of(here, member), key=key)
    payload = {"idea": idea, "plan": registered}
    emit("experiment_plan/1", payload, as_json=as_json, for_people=lambda: _show_plan(registered))


def compare(
    experiment: NameArgument,
    idea: Annotated[
        str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")
    ] = None,
    alpha: Annotated[float | None, typer.Option("--alpha", help="Another level than registered: explores.")] = None,
    primary: Annotated[
        list[str] | None, typer.Option("--primary", help="Other registered metrics that decide: explores.")
    ] = None,
    adjust: Annotated[AdjustName | None, typer.Option("--adjust", help="Another adjustment: explores.")] = None,
    sequential: Annotated[
        bool | None, typer.Option("--sequential/--once", help="Other looks than registered: explores.")
    ] = None,
    segment: Annotated[list[str] | None, typer.Option("--segment", help="One more segment: explores.")] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    engine: WorkspaceEngineOption = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read every day anew, and keep that instead of what is kept.")
    ] = False,
    no_increments: Annotated[
        bool, typer.Option("--no-increments", help="Read every day anew, and keep nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """A/B 2: is it better? Compares on the registered metrics, records the look, attaches the report to the idea.

    What was not registered is named as a concern; from another question than the registered one no decision follows.
    """
    from tasuki.actions.check import idea_of_experiment
    from tasuki.actions.comparison import OtherQuestion, compare_experiment
    from tasuki.actions.report import require_report_path

    if out is not None:
        require_report_path(out)
    asked = OtherQuestion(alpha, tuple(primary or ()), adjust, sequential, tuple(segment or ()))
    other = None if asked == OtherQuestion() else asked
    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        report = compare_experiment(
            here,
            whose,
            experiment,
            actor=actor_of(here, member),
            key=key,
            engine=engine,
            other=other,
            increments="ignore" if no_increments else "rebuild" if rebuild else "use",
        )
        if out is not None:
            _save(here, whose, experiment, out, language)
    payload = {"idea": whose, "report": report}
    emit("experiment_compare/1", payload, as_json=as_json, for_people=lambda: _show_report(report))


def report(
    experiment: NameArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where it goes: .html (charts) or .md (tables).")],
    idea: Annotated[
        str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")
    ] = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the latest comparison as a report, without looking at the data again."""
    from tasuki.actions.check import idea_of_experiment

    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        _save(here, whose, experiment, out, language)
    payload = {"idea": whose, "experiment": experiment, "file": str(out)}
    emit("experiment_report/1", payload, as_json=as_json, for_people=lambda: None)


def _save(here: "Workspace", idea: str, experiment: str, out: Path, language: "Language") -> None:
    from tasuki.actions.told import save_experiment

    save_experiment(here, idea, experiment, out, language)
    progress_console.print(f"report: {out}", markup=False, soft_wrap=True)


def _show_plan(plan: "ExperimentPlan") -> None:
    roles = ", ".join(f"{one.name} ({one.role})" for one in plan.metrics)
    rows = (
        ("metrics", roles),
        ("smallest effect", f"{plan.minimal_detectable_effect:.3g} of control"),
        ("power", f"{plan.power:.1%}"),
        ("units needed", f"{plan.units_needed:,}"),
        ("days", f"{plan.days}" + (f", and {plan.label_delay_days} for labels" if plan.label_delay_days else "")),
        *((("planned days", f"{plan.first_day} to {plan.last_day}"),) if plan.first_day else ()),
        *((("WARNING: holidays in them", ", ".join(plan.holidays)),) if plan.holidays else ()),
        ("looking early", plan.sequential + "".join(f" {look:.0%}" for look in plan.looks)),
        *((("A/A false alarms", f"{plan.aa.false_positives:.1%} of {plan.aa.splits:,} splits"),) if plan.aa else ()),
        *(("A/A WARNING", finding) for finding in (plan.aa.findings if plan.aa else ())),
        ("arms", ", ".join(f"{arm.name} {arm.share:.3g}" for arm in plan.arms)),
        ("rule", plan.rule),
        ("stop rule", plan.stop_rule),
    )
    print_table(("", ""), rows)


def _show_report(report: "ComparisonReport") -> None:
    from tasuki.cli.analysis import show_comparison
    from tasuki.experiments.registered import comparison_of

    show_comparison(comparison_of(report))
    console.print(f"\nafter {report.days:.1f} days", style="dim")
