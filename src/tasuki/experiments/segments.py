"""Where the effect differs: by each segment column, tested against chance, and Simpson's paradox named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

from tasuki.experiments.comparison import Heterogeneity, Result
from tasuki.experiments.design import Design
from tasuki.metrics.statistics import Cell, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.distributions import chi_squared_tail
from tasuki.stats.heterogeneity import heterogeneity
from tasuki.stats.multiple import benjamini_hochberg, holm
from tasuki.stats.score import FEW_EVENTS
from tasuki.stats.split import SRM_THRESHOLD

NAMED = 5
"""So many segments without data are named; the others are counted."""
SURELY = 10
"""Where so many units of a share are expected, none at all is no chance."""
LEAST_UNITS = 30
"""A segment with fewer units in either arm is not tested: its standard error is too uncertain for a chi-squared."""


@dataclass(frozen=True)
class _Group:
    metric: str
    column: str
    arm: str
    results: tuple[Result, ...]

    @property
    def usable(self) -> tuple[Result, ...]:
        return tuple(
            one
            for one in self.results
            if one.effect is not None and one.standard_error and min(one.n_control, one.n_treatment) >= LEAST_UNITS
        )


def heterogeneities(results: Sequence[Result], design: Design) -> tuple[Heterogeneity, ...]:
    """For each metric, treatment arm and segment column: does the effect differ between its values?

    The p-values are adjusted over all of them together, as the design says. They are for one look at the end.
    """
    found = [_tested(group) for group in _groups(results)]
    known = [(at, one.p_value) for at, one in enumerate(found) if one.p_value is not None]
    p_values = [p for _, p in known]
    adjust = {"holm": holm, "bh": benjamini_hochberg}.get(design.adjust, tuple)
    for (at, _), p in zip(known, adjust(p_values), strict=True):
        found[at] = replace(found[at], p_value_adjusted=p)
    return tuple(found)


def _tested(group: _Group) -> Heterogeneity:
    usable = group.usable
    effects = [one.effect or 0.0 for one in usable]
    spread = heterogeneity(effects, [one.standard_error or inf for one in usable])
    tested = len(usable) > 1
    return Heterogeneity(
        metric=group.metric,
        column=group.column,
        treatment_arm=group.arm,
        segments=len(usable),
        left_out=len(group.results) - len(usable),
        q=spread.q if tested else None,
        degrees=spread.degrees,
        p_value=spread.p_value if tested else None,
        p_value_adjusted=None,
        inconsistency=spread.inconsistency if tested else None,
    )


def doubts_about_segments(
    results: Sequence[Result], tests: Sequence[Heterogeneity], cells: Sequence[Cell], design: Design
) -> Iterator[Concern]:
    """Effects that differ, a total that says the opposite of its parts, and arms that hold different people."""
    overall = {(one.metric, one.treatment_arm): one for one in results if one.segment is None}
    yield from _without_data(results, overall)
    yield from _with_few_events(results)
    groups = {(one.metric, one.column, one.arm): one for one in _groups(results)}
    for test in tests:
        group = groups[test.metric, test.column, test.treatment_arm]
        if test.p_value_adjusted is not None and test.p_value_adjusted < design.alpha:
            yield _effects_differ(test, group)
        yield from _contradiction(overall.get((group.metric, group.arm)), group, design)
    for column in dict.fromkeys(cell.segment[0] for cell in cells if cell.segment is not None):
        yield from _imbalance(column, [cell for cell in cells if cell.segment and cell.segment[0] == column])


def doubts_about_varying(statistics: Statistics, design: Design) -> Iterator[Concern]:
    """Segments that change within a unit: what a unit does may choose its segment, and the treatment what it does."""
    units = sum(cell.units for cell in statistics.cells if cell.segment is None)
    for column, count in statistics.varying_segments.items():
        if count:
            yield Concern(
                "segment_varies",
                "error" if column == design.stratum else "warning",
                f"{count:,} of {units:,} units have more than one value of {column} and are put under the smallest. "
                "What a unit does after the start must not choose its segment: take its value before the start.",
                {"column": column, "varying": count, "units": units},
            )


def _without_data(results: Sequence[Result], overall: Mapping[tuple[str, str], Result]) -> Iterator[Concern]:
    """Segments in which a metric has no value, or nothing but 0, although it has some over all units."""
    for metric in dict.fromkeys(one.metric for one in results):
        total = [one for (name, _), one in overall.items() if name == metric]
        if all(_is_empty(one, None) for one in total):
            continue
        mine = [one for one in results if one.metric == metric and one.segment is not None]
        rate = max((max(one.control or 0.0, one.treatment or 0.0) for one in total), default=0.0)
        empty = list(dict.fromkeys(one.segment or "" for one in mine if _is_empty(one, rate)))
        if empty:
            named = ", ".join(empty[:NAMED]) + (", …" if len(empty) > NAMED else "")
            segments = len({one.segment for one in mine})
            yield Concern(
                "no_data_in_segments",
                "warning",
                f"{metric}: in {len(empty):,} of {segments:,} segments ({named}) an arm has no unit with a value, or "
                "every unit is 0. That is no data, not no effect.",
                {"metric": metric, "named": named, "count": len(empty), "segments": segments},
            )


def _with_few_events(results: Sequence[Result]) -> Iterator[Concern]:
    """Segments in which a share rests on so few units that one more would change its interval."""
    shares = [
        one for one in results if one.kind == "proportion" and one.segment is not None and "delta" not in one.method
    ]
    for metric in dict.fromkeys(one.metric for one in shares):
        mine = [one for one in shares if one.metric == metric]
        few = list(dict.fromkeys(one.segment or "" for one in mine if 0 <= _fewest(one) < FEW_EVENTS))
        if few:
            named = ", ".join(few[:NAMED]) + (", …" if len(few) > NAMED else "")
            segments = len({one.segment for one in mine})
            yield Concern(
                "few_events",
                "info",
                f"{metric}: in {len(few):,} of {segments:,} segments ({named}) fewer than {FEW_EVENTS} units of an arm "
                "have it, or lack it: intervals there may hold the truth more or less often than they say.",
                {"metric": metric, "named": named, "count": len(few), "segments": segments, "least": FEW_EVENTS,
                 "case": "segments"},
            )  # fmt: skip


def _fewest(one: Result) -> int:
    """The fewest successes or failures of an arm; −1 where an arm has no unit."""
    arms = ((one.control, one.n_control), (one.treatment, one.n_treatment))
    counts = [(round(share * n), n) for share, n in arms if share is not None and n]
    return min(min(k, n - k) for k, n in counts) if len(counts) == 2 else -1


def _is_empty(one: Result, rate: float | None) -> bool:
    if min(one.n_control, one.n_treatment) == 0:
        return True
    if one.kind == "proportion":
        units = one.n_control + one.n_treatment
        return one.control == one.treatment == 0 and (rate is None or rate * units >= SURELY)
    return one.kind != "quantile" and one.effect is None and one.control == one.treatment == 0


def _effects_differ(test: Heterogeneity, group: _Group) -> Concern:
    ordered = sorted(group.usable, key=lambda one: one.effect or 0.0)
    low, high = ordered[0], ordered[-1]
    return Concern(
        "effects_differ",
        "info",
        f"{test.metric}, {test.treatment_arm}: the effect differs between the values of {test.column} "
        f"(Q = {test.q:.1f}, {test.degrees} degrees of freedom, adjusted p = {test.p_value_adjusted:.2g}), from "
        f"{low.effect:+.4g} in {low.segment} to {high.effect:+.4g} in {high.segment}: one number does not describe it.",
        {
            "metric": test.metric,
            "arm": test.treatment_arm,
            "column": test.column,
            "q": test.q,
            "degrees": test.degrees,
            "p": test.p_value_adjusted,
            "effects": {low.segment or "": low.effect, high.segment or "": high.effect},
        },
    )


def _contradiction(overall: Result | None, group: _Group, design: Design) -> Iterator[Concern]:
    """Simpson's paradox: weighed by all units' shares of the segments, the parts say the opposite of the total."""
    usable = group.usable
    if overall is None or not overall.effect or overall.p_value is None or len(usable) < 2:
        return
    opposite = [one for one in usable if (one.effect or 0.0) * overall.effect < 0]
    units = [one.n_control + one.n_treatment for one in usable]
    inside = sum(n * (one.effect or 0.0) for n, one in zip(units, usable, strict=True)) / sum(units)
    clear = overall.p_value < design.alpha
    if 2 * len(opposite) > len(usable) and inside * overall.effect < 0 and clear:
        yield Concern(
            "segments_contradict",
            "warning",
            f"{group.metric}, {group.arm}: the effect is {overall.effect:+.4g} over all units, but {inside:+.4g} "
            f"within the values of {group.column} ({len(opposite)} of {len(usable)} of them have the opposite sign). "
            f"The arms hold different mixes (Simpson's paradox): compare within strata (--stratum {group.column}).",
            {
                "metric": group.metric,
                "arm": group.arm,
                "column": group.column,
                "effect": overall.effect,
                "inside": inside,
                "opposite": len(opposite),
                "segments": len(usable),
            },
        )


def _imbalance(column: str, cells: Sequence[Cell]) -> Iterator[Concern]:
    """Whether the arms hold the same mix of a segment's values: Pearson's test of independence."""
    values = list(dict.fromkeys(cell.segment for cell in cells))
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    total = sum(cell.units for cell in cells)
    of_arm = {arm: sum(cell.units for cell in cells if cell.arm == arm) for arm in arms}
    of_value = {value: sum(cell.units for cell in cells if cell.segment == value) for value in values}
    seen = {(cell.arm, cell.segment): cell.units for cell in cells}
    # Values with so few units that fewer than five are expected in an arm would break the chi-squared.
    counted = [one for one in values if min(of_arm.values()) * of_value[one] / total >= 5] if total else []
    if len(counted) < 2 or len(arms) < 2:
        return
    inside = sum(of_value[value] for value in counted)
    in_arm = {arm: sum(seen.get((arm, value), 0) for value in counted) for arm in arms}
    expected = {(arm, value): in_arm[arm] * of_value[value] / inside for arm in arms for value in counted}
    statistic = sum((seen.get(key, 0) - wanted) ** 2 / wanted for key, wanted in expected.items() if wanted)
    p = chi_squared_tail(statistic, (len(arms) - 1) * (len(counted) - 1))
    if p < SRM_THRESHOLD:
        worst = max(expected, key=lambda key: abs(seen.get(key, 0) - expected[key]) / sqrt(expected[key] or inf))
        yield Concern(
            "segment_imbalance",
            "warning",
            f"The arms hold different mixes of {column} (p = {p:.2g}): {worst[0]} has {seen.get(worst, 0):,} units of "
            f"{(worst[1] or ('', ''))[1]!r} where {expected[worst]:,.0f} are expected. Either the assignment is "
            f"broken, or {column} was changed by the treatment and must not be used as a segment or stratum.",
            {
                "column": column,
                "p": p,
                "arm": worst[0],
                "value": (worst[1] or ("", ""))[1],
                "units": seen.get(worst, 0),
                "expected": round(expected[worst]),
            },
        )


def _groups(results: Sequence[Result]) -> list[_Group]:
    found: dict[tuple[str, str, str], list[Result]] = {}
    for one in results:
        if one.segment is not None:
            found.setdefault((one.metric, one.segment.partition("=")[0], one.treatment_arm), []).append(one)
    return [_Group(*key, tuple(several)) for key, several in found.items()]
