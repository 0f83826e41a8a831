"""`tasuki experiment plan` and `compare`: A/B 2 is registered before it starts and compared at its end."""

from typing import TYPE_CHECKING, Annotated

import typer

from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceEngineOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table
from tasuki.cli.parts import Parts

if TYPE_CHECKING:
    from tasuki.flow.records import ComparisonReport, ExperimentPlan

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
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    engine: WorkspaceEngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """A/B 2: is it better? Compares on the registered metrics, records the look, attaches the report to the idea."""
    from tasuki.actions.check import idea_of_experiment
    from tasuki.actions.comparison import compare_experiment

    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        report = compare_experiment(here, whose, experiment, actor=actor_of(here, member), key=key, engine=engine)
    payload = {"idea": whose, "report": report}
    emit("experiment_compare/1", payload, as_json=as_json, for_people=lambda: _show_report(report))


def _show_plan(plan: "ExperimentPlan") -> None:
    roles = ", ".join(f"{one.name} ({one.role})" for one in plan.metrics)
    rows = (
        ("metrics", roles),
        ("smallest effect", f"{plan.minimal_detectable_effect:.3g} of control"),
        ("power", f"{plan.power:.1%}"),
        ("units needed", f"{plan.units_needed:,}"),
        ("days", str(plan.days)),
        ("arms", ", ".join(f"{arm.name} {arm.share:.3g}" for arm in plan.arms)),
        ("rule", plan.rule),
        ("stop rule", plan.stop_rule),
    )
    print_table(("", ""), rows)


def _show_report(report: "ComparisonReport") -> None:
    from tasuki.cli.analysis import show_comparison
    from tasuki.experiments.comparison import Arm, Comparison, Recommendation, Result, SplitTest
    from tasuki.stats.concern import Concern

    show_comparison(
        Comparison(
            arms=tuple(Arm(arm.name, arm.units) for arm in report.arms),
            srm=SplitTest(report.srm.p_value, report.srm.expected, report.srm.passed),
            results=tuple(Result(**vars(one)) for one in report.results),
            concerns=tuple(Concern(one.code, one.severity, one.message, one.values) for one in report.concerns),
            recommendation=Recommendation(**vars(report.recommendation)),
        )
    )
    console.print(f"\nafter {report.days:.1f} days", style="dim")
