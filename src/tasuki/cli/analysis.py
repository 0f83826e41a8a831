"""`tasuki compare`, `tasuki plan` and `tasuki assign`: analysis of a file without any set-up."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasuki.cli.options import EngineOption, JsonOption, LanguageOption, OutOption, WorkspaceOption
from tasuki.cli.output import console, emit, print_table, progress_console
from tasuki.cli.parts import Parts

if TYPE_CHECKING:
    from tasuki.experiments.comparison import Comparison
    from tasuki.experiments.holidays import Holiday

app = typer.Typer(no_args_is_help=True)

FILE_HELP = "CSV (also .gz), Parquet (also a glob or folder), or a table of the workspace."
STYLES = {"error": "red", "warning": "yellow", "info": "dim"}


@app.command()
def compare(
    file: Annotated[str, typer.Argument(help=FILE_HELP)],
    *,
    variant: Annotated[str, typer.Option("--variant", help="Column that says which arm a unit was in.")],
    control: Annotated[str | None, typer.Option("--control", help="Its value for control; guessed otherwise.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Column of the unit, when rows are events.")] = None,
    mean: Annotated[list[str] | None, typer.Option("--mean", help="Column whose mean is compared.")] = None,
    proportion: Annotated[list[str] | None, typer.Option("--proportion", help="Column of 0/1 or true/false.")] = None,
    ratio: Annotated[list[str] | None, typer.Option("--ratio", metavar="NUM/DEN", help="Ratio of two sums.")] = None,
    quantile: Annotated[
        list[str] | None, typer.Option("--quantile", metavar="COL@Q", help="Quantile, as revenue@0.9.")
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option("--covariate", metavar="METRIC=COL", help="Known before the experiment; takes variance out."),
    ] = None,
    ratio_covariate: Annotated[
        list[str] | None,
        typer.Option("--ratio-covariate", metavar="METRIC=NUM/DEN", help="The same as a ratio of two sums."),
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option("--margin", metavar="METRIC=VALUE", help="Guardrail: the loss accepted, as 0.01 or 2%."),
    ] = None,
    decrease: Annotated[list[str] | None, typer.Option("--decrease", help="Metric that is better lower.")] = None,
    winsor: Annotated[
        list[str] | None,
        typer.Option("--winsor", metavar="METRIC=ENDS", help="Hold units within ends, as x=99% or x=0:500."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="METRIC=CONDITION", help="SQL that a row must fulfil to count for a metric."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Column of what was randomised, where units depend on each other.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="Column of a row's moment: tells each effect day by day.")
    ] = None,
    window_hours: Annotated[
        float | None,
        typer.Option("--window-hours", help="How long after a unit's first row its events count (by --time)."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME=SHARE,…", help="Planned shares; equal otherwise.")
    ] = None,
    segment: Annotated[list[str] | None, typer.Option("--segment", help="Column to repeat the comparison by.")] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="Two-sided level.")] = 0.05,
    adjust: Annotated[
        Literal["none", "holm", "bh"], typer.Option("--adjust", help="For several metrics and arms.")
    ] = "holm",
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Intervals that stay right however often you look.")
    ] = False,
    tuning: Annotated[
        int | None, typer.Option("--tuning", help="Units at which --sequential intervals are narrowest; else 5000.")
    ] = None,
    looks: Annotated[
        str | None,
        typer.Option("--looks", metavar="SHARE,…", help="Planned looks: 4, or 0.25,0.5,0.75,1 of --planned-units."),
    ] = None,
    planned_units: Annotated[
        int | None, typer.Option("--planned-units", help="Units of all arms at the end of the planned looks.")
    ] = None,
    spending: Annotated[
        Literal["obrien_fleming", "pocock"], typer.Option("--spending", help="How planned looks share alpha.")
    ] = "obrien_fleming",
    stratum: Annotated[
        str | None, typer.Option("--stratum", help="Column known before the start; compares arms within its values.")
    ] = None,
    method: Annotated[
        Literal["auto", "bootstrap"], typer.Option("--method", help="How intervals of means and ratios are made.")
    ] = "auto",
    prior: Annotated[
        str | None,
        typer.Option("--prior", metavar="SHARE", help="Share of your ideas that work, for the risk of a false win."),
    ] = None,
    memory: Annotated[
        int | None, typer.Option("--memory", metavar="MB", help="What it may use: events are counted in passes.")
    ] = None,
    engine: EngineOption = "duckdb",
    sql: Annotated[
        Literal["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"] | None,
        typer.Option("--sql", help="Print the queries instead, in this engine's words."),
    ] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the arms of an A/B test: is it better, how sure is it, and can the data be trusted?"""
    from tasuki.actions.compare import compare as compare_arms

    parts = Parts()
    margins = {name: values[-1] for name, values in parts.by_metric("--margin", margin or ()).items()}
    covariates = parts.covariates(covariate or (), ratio_covariate or ())
    ends = {name: values[-1] for name, values in parts.by_metric("--winsor", winsor or ()).items()}
    filters = parts.conditions("--where", where or ())
    ratios, quantiles = parts.ratios(ratio or ()), parts.quantiles(quantile or ())
    shares = parts.shares("--split", split) if split is not None else None
    moments = parts.looks(looks or "")
    believed = None if prior is None else parts.number("--prior", prior, "a share, as 0.2 or 20%")
    parts.check()
    if out is not None:
        from tasuki.actions.report import Question, require_report_path, save_comparison

        require_report_path(out)
    tables = tables_for(file, workspace)
    if sql is not None:
        from tasuki.actions.compare import asked_of
        from tasuki.actions.queries import comparison_sql
        from tasuki.experiments.options import Named

        named = Named(
            mean or (), proportion or (), ratios, quantiles, covariates, margins, decrease or (), ends, filters
        )
        columns = (variant, unit, tuple(dict.fromkeys([*(segment or ()), *([stratum] if stratum else [])])), cluster)
        text = comparison_sql(file, sql, asked_of(named, columns, (time, window_hours)), alpha, tables)
        emit("compare_sql/1", {"dialect": sql, "sql": text}, as_json=as_json, for_people=lambda: print(text))
        return
    comparison = compare_arms(
        file,
        variant=variant,
        control=control,
        unit=unit,
        means=mean or (),
        proportions=proportion or (),
        ratios=ratios,
        quantiles=quantiles,
        covariates=covariates,
        margins=margins,
        decrease=decrease or (),
        winsor=ends,
        filters=filters,
        cluster=cluster,
        time=time,
        window_hours=window_hours,
        segments=segment or (),
        split=shares,
        alpha=alpha,
        adjust=adjust,
        sequential=sequential,
        tuning=tuning,
        looks=moments,
        planned_units=planned_units,
        spending=spending,
        stratum=stratum,
        method=method,
        prior=believed,
        distributions=out is not None,
        tables=tables,
        memory_limit_mb=memory,
        engine=engine,
    )
    if out is not None:
        save_comparison(out, comparison, Question(file, variant, unit, adjust, engine, tables), language)
        progress_console.print(f"report: {out}", markup=False, soft_wrap=True)
    emit("compare/1", comparison.to_dict(), as_json=as_json, for_people=lambda: show_comparison(comparison))


@app.command()
def plan(
    *,
    kind: Annotated[Literal["mean", "proportion", "ratio"], typer.Option("--kind", help="Of the metric.")],
    baseline: Annotated[float | None, typer.Option("--baseline", help="The metric today.")] = None,
    variance: Annotated[float | None, typer.Option("--variance", help="Variance of a unit.")] = None,
    mde: Annotated[float | None, typer.Option("--mde", help="Smallest effect worth finding.")] = None,
    relative: Annotated[bool, typer.Option("--relative", help="The effect is a share of the baseline.")] = False,
    power: Annotated[float, typer.Option("--power", help="Chance to find it.")] = 0.8,
    alpha: Annotated[float, typer.Option("--alpha", help="Two-sided level over all arms.")] = 0.05,
    arms: Annotated[int, typer.Option("--arms", help="Arms of equal size, with control.")] = 2,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME=SHARE,…", help="Unequal shares instead, control first.")
    ] = None,
    units: Annotated[int | None, typer.Option("--units", help="Ask what so many units can find.")] = None,
    units_per_day: Annotated[float | None, typer.Option("--units-per-day", help="Units that come each day.")] = None,
    allocation: Annotated[float, typer.Option("--allocation", help="Share of them that takes part.")] = 1.0,
    looking: Annotated[
        Literal["none", "always_valid", "group_sequential"],
        typer.Option("--looking", help="How people look before the end; looking early takes more units."),
    ] = "none",
    look: Annotated[
        list[str] | None, typer.Option("--look", help="A planned look, as 50%; the last one is the end.")
    ] = None,
    label_delay: Annotated[int, typer.Option("--label-delay", metavar="DAYS", help="Until an outcome is final.")] = 0,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="The first day: shows holidays in it.")
    ] = None,
    calendar: Annotated[
        Path | None, typer.Option("--calendar", help="Holidays as TOML; calendar.toml of the workspace otherwise.")
    ] = None,
    aa: Annotated[
        int, typer.Option("--aa", metavar="N", help="Split the past units N times and compare: can it be trusted?")
    ] = 0,
    source: Annotated[str | None, typer.Option("--from", help="Past data to learn from. " + FILE_HELP)] = None,
    numerator: Annotated[str | None, typer.Option("--numerator", help="Its column of the metric.")] = None,
    denominator: Annotated[str | None, typer.Option("--denominator", help="Its column below the line.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Its column of the unit, when rows are events.")] = None,
    covariate: Annotated[list[str] | None, typer.Option("--covariate", help="Its columns to adjust for.")] = None,
    ratio_covariate: Annotated[
        list[str] | None, typer.Option("--ratio-covariate", metavar="NUM/DEN", help="Its ratios of sums to adjust for.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Its column of what is randomised, if coarser than a unit.")
    ] = None,
    winsor: Annotated[str | None, typer.Option("--winsor", metavar="ENDS", help="Hold units within ends: 99%.")] = None,
    out: OutOption = None,
    language: LanguageOption = "en",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan an A/B test: units and days that an effect needs, or the effect that so many units can find."""
    from tasuki.actions.plan import plan as plan_size
    from tasuki.experiments.sizing import plan_lines

    parts = Parts()
    shares = tuple(parts.shares("--split", split).values()) if split is not None else ()
    looks = [parts.number("--look", one, "a share, as 50%") for one in look or ()]
    adjusted = [*(covariate or ()), *parts.ratio_covariates(ratio_covariate or ())]
    parts.check()
    if out is not None:
        from tasuki.actions.report import require_report_path, save_plan

        require_report_path(out)
    sized = plan_size(
        kind=kind,
        baseline=baseline,
        variance=variance,
        mde=mde,
        relative=relative,
        power=power,
        alpha=alpha,
        arms=arms,
        split=shares,
        looking=looking,
        looks=[*looks, *([1.0] if looks and looks[-1] != 1 else [])],
        label_delay_days=label_delay,
        start=None if start is None else start.date(),
        holidays=holidays_of(calendar, workspace),
        aa=aa,
        units=units,
        units_per_day=units_per_day,
        allocation=allocation,
        data=source,
        numerator=numerator,
        denominator=denominator,
        unit=unit,
        covariates=adjusted,
        cluster=cluster,
        winsor=winsor,
        tables=tables_for(source, workspace) if source else None,
    )
    if out is not None:
        save_plan(out, sized, language, source or "")
        progress_console.print(f"report: {out}", markup=False, soft_wrap=True)
    emit("plan/1", sized.to_dict(), as_json=as_json, for_people=lambda: print_table(("", ""), plan_lines(sized)))


@app.command()
def assign(
    units: Annotated[
        list[str], typer.Argument(metavar="UNIT…", help="The units; - reads them from stdin, a line each.")
    ],
    *,
    salt: Annotated[str, typer.Option("--salt", help="The experiment's salt.")],
    arms: Annotated[str, typer.Option("--arms", metavar="NAME=SHARE,…", help="Shares that add up to 1.")],
    layer: Annotated[str, typer.Option("--layer", help="The layer whose range takes part.")] = "",
    held: Annotated[
        str | None, typer.Option("--range", metavar="FROM-TO", help="The range of the layer, as 0.2-0.5.")
    ] = None,
    expose: Annotated[str | None, typer.Option("--expose", help="The part of the range that is exposed.")] = None,
    holdout: Annotated[
        str | None, typer.Option("--holdout", metavar="NAME=SHARE", help="Units kept out of every experiment.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which arm each unit belongs to, exactly as the inference service does."""
    from tasuki.actions.assign import assign as assign_units

    parts = Parts()
    shares, reach, kept_out = parts.shares("--arms", arms), parts.reach(held, expose), parts.holdout(holdout)
    parts.check()
    named = _lines() if units == ["-"] else units
    found = assign_units(named, salt=salt, arms=shares, layer=layer, reach=reach, holdout=kept_out)

    def show() -> None:
        rows = ((one.unit or "", one.arm or f"({one.status})", f"{one.bucket:.6f}") for one in found.assignments)
        print_table(("unit", "arm", "bucket#"), rows)

    emit("assign/1", found.to_dict(), as_json=as_json, for_people=show)


def holidays_of(calendar: Path | None, workspace: Path | None) -> "tuple[Holiday, ...]":
    """The holidays of the file that is named, else of the workspace where there is one; none otherwise."""
    own = (workspace or Path()) / "calendar.toml"
    if calendar is None and not own.exists():
        return ()
    from tasuki.actions.plan import read_calendar_file

    return read_calendar_file(calendar or own)


def _lines() -> list[str]:
    import sys

    return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]


def tables_for(file: str, workspace: Path | None) -> dict[str, str] | None:
    """The workspace's tables when the name may be one of them; none for a path, or outside a workspace."""
    if Path(file).exists() or Path(file).suffix or not ((workspace or Path()) / "tasuki.toml").exists():
        return None
    from tasuki.cli.opened import opened

    with opened(workspace) as here:
        return dict(here.tables)


def show_comparison(comparison: "Comparison") -> None:
    """The comparison for people: arms, results, concerns and what the rule says."""
    from tasuki.cli.effects_table import is_absolute, show_effects

    arms = ", ".join(f"{arm.name} {arm.units:,}" for arm in comparison.arms)
    p = comparison.srm.p_value
    verdict = "as planned" if comparison.srm.passed else "NOT as planned"
    console.print(
        f"units: {arms}; split {verdict}" + ("" if p is None else f" (p = {p:.3g})"), markup=False, soft_wrap=True
    )
    show_effects(comparison.results, comparison.alpha)
    methods = dict.fromkeys(one.method for one in comparison.results)
    absolute = " (values without %: treatment − control)" if any(map(is_absolute, comparison.results)) else ""
    note = f"relative = treatment / control − 1{absolute} with its interval; adj. p over metrics and arms; "
    note += ", ".join(methods)
    console.print(note, style="dim", soft_wrap=True)
    for line in _rule_lines(comparison):
        console.print(line, style="dim", markup=False, soft_wrap=True)
    for one in comparison.concerns:
        console.print(f"{one.severity}: {one.message}", style=STYLES[one.severity], markup=False, soft_wrap=True)
    said = comparison.recommendation
    chosen = f" ({comparison.chosen_arm})" if comparison.chosen_arm else ""
    console.print(f"\nrecommendation: {said.decision}{chosen}", style="bold", markup=False)
    for reason in said.reasons:
        console.print(f"  - {reason}", markup=False, soft_wrap=True)
    if said.false_win_risk is not None:
        console.print(
            f"  - {said.false_win_risk:.0%} of such gains are chance where {comparison.prior:.0%} of ideas work "
            f"({comparison.prior_source})",
            markup=False,
            soft_wrap=True,
        )


def _rule_lines(comparison: "Comparison") -> list[str]:
    """Where the experiment stands under its rule for looks, and whether effects differ between segments."""
    lines, rule = [], comparison.monitoring
    if rule is not None and rule.rule == "always_valid":
        lines.append(
            f"always valid: right at any look; tuning {rule.tuning:,} units (where intervals are narrowest, chosen "
            f"before the first look); intervals span ±{rule.critical:.3g} standard errors now"
        )
    elif rule is not None:
        lines.append(
            f"look {len(rule.looks)} at {rule.looks[-1]:.0%} of {rule.planned_units:,} planned units "
            f"({rule.spending}); intervals span ±{rule.critical:.3g} standard errors"
        )
    days = sorted({one.day for one in comparison.daily})
    if days:
        lines.append(
            f"day by day: {len(days)} points from {days[0]} to {days[-1]}, always valid; "
            "--out draws them, --json lists them"
        )
    for one in comparison.heterogeneity:
        if one.p_value is not None and one.p_value_adjusted is not None:
            lines.append(
                f"{one.metric}, {one.treatment_arm} by {one.column}: effects of {one.segments} segments differ with "
                f"p = {one.p_value:.2g}, adjusted {one.p_value_adjusted:.2g} (Q = {one.q:.3g})"
            )
    return lines
