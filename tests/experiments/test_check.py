"""The probes of A/B 1, each on counts that make it pass and on counts that make it fail."""

import tomllib
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, ks_2samp

from tasuki.errors import Invalid
from tasuki.experiments.check import (
    DAILY,
    FAULTS,
    PROBES,
    AnswersSeen,
    ArmDesign,
    ArmSeen,
    Calibrated,
    ClockSeen,
    Counted,
    DaySeen,
    HoursSeen,
    InputSeen,
    LabelsSeen,
    Moved,
    OffsetSeen,
    Recomputed,
    RequestsSeen,
    ScoresSeen,
    Seen,
    SpendSeen,
    Thresholds,
    TrainingSeen,
    ValuesSeen,
    VersionAgain,
    covered_days,
    covered_hours,
    day_verdicts,
    incidents_of,
    run_probes,
    thresholds_of,
    thresholds_text,
)
from tasuki.flow.records import Probe
from tasuki.stats.contrast import Estimate
from tasuki.stats.stability import kolmogorov_smirnov, population_stability


def again(rows: int, difference: float, tolerance: float = 0.0, cause: str = "", how: str = "") -> Recomputed:
    """One version's scores, computed again."""
    return Recomputed((VersionAgain("v1", rows, difference, tolerance),), cause=cause, how=how)


TRAINED = TrainingSeen("", 2.0, (), 500, 500, 10, 1.0)
DESIGN = {
    "control": ArmDesign(0.7, ("v1",), training=TRAINED),
    "treatment": ArmDesign(0.3, ("v2",), training=TRAINED),
}
FLAT = (1 / 24,) * 24
LIVE = OffsetSeen("at", "a", 0.4, 2.0)
REPLAYED = OffsetSeen("at", "a", 90_000.0, 100_000.0)
GOOD = Seen(
    arms={"control": ArmSeen(14_000, 700, 0.4, 2.0), "treatment": ArmSeen(6_000, 300, 0.5, 3.0)},
    answers=(
        AnswersSeen("control", "v1", False, "", 14_000, 9),
        AnswersSeen("treatment", "v2", False, "", 6_000, 9),
    ),
    exposures=20_000,
    distinct_exposures=20_000,
    units=1_000,
    counted=(Counted("control", 14_000, 14_000), Counted("treatment", 6_000, 6_000)),
    hours=(Counted("09:00", 10_000, 9_990), Counted("10:00", 10_000, 10_010)),
    requests=RequestsSeen(20_010, 10, "the client"),
    values=(ValuesSeen("app", 20_000, 0.02, 0.0, "news", 0.3, 0.28), ValuesSeen("minutes", 19_000, 0.04)),
    clock=ClockSeen(20_000, 0, 0.0, (LIVE,), (HoursSeen("at", (833,) * 24, FLAT),)),
    inputs=(InputSeen("control", "app", False, 14_000, 0, 0), InputSeen("treatment", "age", True, 6_000, 0, 3_000)),
    scores=ScoresSeen((2_000, 2_100, 1_900), (1 / 3, 1 / 3, 1 / 3), "its training rows"),
    recomputed=again(2_000, 1e-16),
    labels=LabelsSeen(20_000, 19_990, ((0.12, 0.1), (0.5, 0.5), (0.88, 0.9)), 800),
    calibrated=(Calibrated("control", 12_000, 600.0, 590), Calibrated("treatment", 5_000, 250.0, 262)),
    spend=SpendSeen("spend", {"control": Estimate(10.0, 0.01, 700), "treatment": Estimate(10.2, 0.03, 300)}),
    days=2.0,
    days_source="the outcomes' time",
)
UNMOVED = {"training_succeeded", "training_on_schedule", "labels_mature"}
"""What does not look at the log."""


def failing(seen: Seen, design: Any = DESIGN, limits: Thresholds | None = None) -> set[str]:
    return {one.name for one in run_probes(design, seen, limits or Thresholds()) if not one.passed}


def probe(name: str, seen: Seen) -> Probe:
    return next(one for one in run_probes(DESIGN, seen, Thresholds()) if one.name == name)


def answers(*others: AnswersSeen) -> tuple[AnswersSeen, ...]:
    return (GOOD.answers[0], *others)


CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "fallbacks": (
        {
            "answers": answers(
                AnswersSeen("treatment", "v2", False, "", 5_880, 9),
                AnswersSeen("treatment", "v1", True, "parameters_unavailable", 120, 8),
            )
        },
        {"parameters_fetched", "fallback_rate"},
    ),
    "control falls back": (
        {
            "answers": (
                AnswersSeen("control", "v1", False, "", 13_000, 9),
                AnswersSeen("control", None, True, "model_failed", 1_000, 8),
                GOOD.answers[1],
            )
        },
        {"fallback_rate"},
    ),
    "another version": (
        {"answers": answers(AnswersSeen("treatment", "v0", False, "", 6_000, 9))},
        {"version_published"},
    ),
    "slow arm": ({"arms": {**GOOD.arms, "treatment": ArmSeen(6_000, 300, 0.5, 8.001)}}, {"latency"}),
    "few exposures": ({"arms": {**GOOD.arms, "treatment": ArmSeen(99, 300, 0.5, 3.0)}}, {"volume"}),
    "unbalanced": ({"arms": {**GOOD.arms, "treatment": ArmSeen(6_000, 400, 0.5, 3.0)}}, {"split"}),
    "an arm nobody designed": ({"arms": {**GOOD.arms, "third": ArmSeen(1, 1, 0.5, 3.0)}}, {"split"}),
    "misassigned": ({"misassigned_units": 1}, {"assignment_recomputed"}),
    "two arms": ({"units_in_several_arms": 1}, {"units_in_one_arm"}),
    "lost": ({"counted": (GOOD.counted[0], Counted("treatment", 6_000, 5_993))}, {"exposures_complete"}),
    "more than sent": ({"counted": (GOOD.counted[0], Counted("treatment", 6_000, 6_007))}, {"exposures_complete"}),
    "nobody counted": ({"counted": ()}, {"exposures_complete"}),
    "twice": ({"distinct_exposures": 19_999}, {"exposures_unique"}),
    "renamed": ({"inputs": (InputSeen("control", "app", False, 14_000, 14_000, 0),)}, {"features_present"}),
    "null": ({"inputs": (InputSeen("control", "app", False, 14_000, 0, 141),)}, {"features_present"}),
    "always null": ({"inputs": (InputSeen("treatment", "age", True, 6_000, 0, 6_000),)}, {"features_present"}),
    "moved": ({"scores": replace(GOOD.scores, counts=(5_000, 500, 500))}, {"score_distribution", "score_distance"}),
    "no expectation": ({"scores": None}, {"score_distribution", "score_distance"}),
    "no own score": ({"scores": replace(GOOD.scores, counts=(0, 0, 0))}, {"score_distribution", "score_distance"}),
    "differs": ({"recomputed": again(2_000, 1.1e-9)}, {"scores_recomputed"}),
    "no latency": ({"arms": {**GOOD.arms, "treatment": ArmSeen(6_000, 300, None, None)}}, {"latency"}),
    "unreadable version": ({"recomputed": replace(again(1_400, 0.0), fault="600 cannot")}, {"scores_recomputed"}),
    "nothing recomputed": ({"recomputed": Recomputed(())}, {"scores_recomputed"}),
    "too short": ({"days": 0.99}, {"days_covered"}),
    "an hour lost": ({"hours": (GOOD.hours[0], Counted("10:00", 10_000, 9_000))}, {"exposures_complete"}),
    "requests failed": ({"requests": RequestsSeen(20_000, 21, "the client")}, {"requests_answered"}),
    "no count of failures": ({"requests": None}, {"requests_answered"}),
    "from the future": ({"clock": replace(GOOD.clock, future_rows=3, ahead_s=900.0)}, {"clock"}),
    "clocks apart": ({"clock": replace(GOOD.clock, offsets=(replace(LIVE, offset_s=-301.0),))}, {"clock"}),
    "a zone off": ({"clock": replace(GOOD.clock, offsets=(replace(LIVE, offset_s=32_400.0),))}, {"time_zone"}),
    "replayed at the right hours": ({"clock": replace(GOOD.clock, offsets=(REPLAYED,))}, set()),
    "no hours to compare": (
        {"clock": ClockSeen(20_000, hours=(HoursSeen("at", (100, *(0,) * 23), FLAT),))},
        {"time_zone"},
    ),
    "an input without any value": (
        {"values": (*(GOOD.values or ()), ValuesSeen("age", 0, 0.0))},
        {"features_as_trained"},
    ),
    "no values to compare": ({"values": None, "values_fault": "there is no table"}, {"features_as_trained"}),
    "no outcomes": ({"labels": None, "calibrated": ()}, {"labels_arrived", "calibration"}),
    "outcomes lost": ({"labels": replace(GOOD.labels, with_outcome=15_000)}, {"labels_arrived"}),
    "labels late": ({"labels": replace(GOOD.labels, delays=((0.2, 0.9),))}, {"labels_arrived"}),
    "few late labels": ({"labels": replace(GOOD.labels, delays=((0.2, 0.9),), positives=3)}, set()),
    "too many positives": ({"calibrated": (Calibrated("treatment", 5_000, 250.0, 400),)}, {"calibration"}),
    "too few to tell": ({"calibrated": (Calibrated("treatment", 50, 2.5, 6),)}, set()),
    "spends twice": (
        {"spend": replace(GOOD.spend, arms={**GOOD.spend.arms, "treatment": Estimate(20.0, 0.1, 300)})},
        {"guardrail"},
    ),
    "spends nothing": (
        {"spend": replace(GOOD.spend, arms={**GOOD.spend.arms, "treatment": Estimate(0.1, 0.01, 300)})},
        {"guardrail"},
    ),
}


def test_behaviour_as_designed_passes_every_probe() -> None:
    assert failing(GOOD) == set()


@pytest.mark.parametrize("fault", CASES)
def test_each_fault_fails_the_probe_that_names_it_and_no_other(fault: str) -> None:
    changes, expected = CASES[fault]
    assert failing(replace(GOOD, **changes)) == expected


NAMED: dict[str, tuple[dict[str, Any], str, str]] = {
    "sampled evenly": (
        {"counted": (Counted("control", 14_000, 1_400), Counted("treatment", 6_000, 610))}, "log_sampled", "1 in 9.95",
    ),
    "lost in one arm": (
        {"counted": (GOOD.counted[0], Counted("treatment", 6_000, 600))}, "exposures_lost", "treatment",
    ),
    "more than sent": ({"counted": (Counted("all", 10, 20),)}, "exposures_strange", "20 logged of 10"),
    "stuck where they were": (
        {"misassigned_units": 40, "earlier_experiment": "e0"}, "unit_sticks", "their arm of e0",
    ),
    "stuck in one arm": (
        {"misassigned_units": 40, "moved": (Moved("control", "treatment", 40),)}, "unit_sticks", "in treatment",
    ),
    "swapped": ({"misassigned_units": 1_000}, "arms_exchanged", "nearly all"),
    "assigned otherwise": (
        {"misassigned_units": 40, "moved": (Moved("control", "treatment", 20), Moved("treatment", "control", 20))},
        "assignment_other", "40 of 1,000",
    ),
    "renamed": (
        {"inputs": (InputSeen("treatment", "age", True, 6_000, 6_000, 0, 0.1, "years"),)}, "feature_renamed", "years",
    ),
    "null more often": (
        {"inputs": (InputSeen("treatment", "age", True, 6_000, 0, 3_000, 0.1),)}, "feature_missing", "age",
    ),
    "exchanged": ({"values": (ValuesSeen("app", 9, 3.0, 1.0, looks_like="slot"),)}, "columns_exchanged", "slot"),
    "relabelled": ({"values": (ValuesSeen("app", 9, 3.0, is_relabelled=True),)}, "category_map_other", "app"),
    "default": ({"values": (ValuesSeen("app", 9, 0.6, 0.0, "none", 0.9, 0.1),)}, "value_default", "none"),
    "unknown": ({"values": (ValuesSeen("app", 9, 0.1, 0.06),)}, "values_unknown", "6.0%"),
    "moved": ({"values": (ValuesSeen("app", 9, 0.6),)}, "values_moved", "0.60"),
    "another's scores": (
        {"recomputed": again(9, 0.1, cause="parameters_other", how="they are v7's")}, "parameters_other", "v7",
    ),
    "another zone's scores": (
        {"recomputed": again(9, 0.1, cause="time_zone_shifted", how="+9 h")}, "time_zone_shifted", "+9 h",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED)
def test_a_failed_probe_names_the_fault_and_what_to_do(case: str) -> None:
    changes, fault, said = NAMED[case]
    failed = [one for one in run_probes(DESIGN, replace(GOOD, **changes), Thresholds()) if not one.passed]
    assert [one.fault for one in failed] == [fault]
    assert said in failed[0].explanation
    assert FAULTS[fault].remedy.en in failed[0].explanation


@pytest.mark.parametrize("shift", [-11, -9, -3, 5, 9, 12])
def test_a_time_zone_that_is_off_is_named_by_its_hours_when_traffic_is_replayed(shift: int) -> None:
    expected = tuple((1 + np.sin(2 * np.pi * np.arange(24) / 24) * 0.8) / 24)
    seen = tuple(round(expected[(hour - shift) % 24] * 10_000) for hour in range(24))
    clock = ClockSeen(10_000, offsets=(REPLAYED,), hours=(HoursSeen("at", seen, expected),))
    found = probe("time_zone", replace(GOOD, clock=clock))
    assert (found.fault, found.value) == ("time_zone_shifted", shift)


def test_training_that_failed_is_old_or_saw_immature_labels_is_named() -> None:
    for change, name, fault in (
        ({"age_days": 46.0}, "training_on_schedule", "training_stale"),
        ({"age_days": None}, "training_on_schedule", "no_data"),
        ({"failed_runs": ("2026-04-01 out of memory",)}, "training_on_schedule", "training_failed"),
        ({"positives_now": 511}, "labels_mature", "labels_immature"),
        ({"positives_late": 60}, "labels_mature", "labels_immature"),
        ({"labels_fault": "there is no table"}, "labels_mature", "no_data"),
        ({"fault": "fails its golden examples"}, "training_succeeded", "golden_mismatch"),
    ):
        design = {**DESIGN, "treatment": replace(DESIGN["treatment"], training=replace(TRAINED, **change))}  # type: ignore[arg-type]
        failed = [one for one in run_probes(design, GOOD, Thresholds()) if not one.passed]
        assert [(one.name, one.fault) for one in failed] == [(name, fault)]


def test_without_data_no_probe_of_the_log_passes() -> None:
    probes = run_probes(DESIGN, Seen(), Thresholds())
    assert {one.name for one in probes if one.passed} == UNMOVED
    assert all("no data" in one.explanation for one in probes if one.name not in {*UNMOVED, "version_published"})


def test_a_version_that_took_over_while_it_ran_is_as_designed_and_one_that_came_back_is_not() -> None:
    design = {**DESIGN, "treatment": ArmDesign(0.3, ("v2", "v3"), training=TRAINED)}
    swapped = (AnswersSeen("treatment", "v2", False, "", 3_000, 5), AnswersSeen("treatment", "v3", False, "", 3_000, 9))
    assert failing(replace(GOOD, answers=answers(*swapped)), design) == set()
    back = (replace(swapped[0], last_us=10), swapped[1])
    assert failing(replace(GOOD, answers=answers(*back)), design) == {"version_published"}


def test_a_pointer_or_training_that_cannot_be_read_is_named() -> None:
    damaged = replace(TRAINED, fault="it is damaged")
    design = {**DESIGN, "treatment": ArmDesign(0.3, (), "there is no artifact store at nowhere", damaged)}
    assert failing(GOOD, design) == {"version_published", "training_succeeded"}
    told = {one.name: one.explanation for one in run_probes(design, GOOD, Thresholds())}
    assert "nowhere" in told["version_published"]
    assert "damaged" in told["training_succeeded"]
    assert "half-written" in told["training_succeeded"]


def test_the_explanation_says_why_an_arm_fell_back() -> None:
    seen = replace(GOOD, **CASES["fallbacks"][0])
    assert "parameters_unavailable" in probe("fallback_rate", seen).explanation
    assert incidents_of(seen) == ("treatment: 120 × parameters_unavailable",)


def test_every_threshold_is_data() -> None:
    strict = Thresholds(
        days_required=3,
        exposures_required=6_001,
        latency_factor=1.0,
        latency_allowance_ms=0.5,
        max_nullable_null_share=0.4,
        max_stability_index=0.0001,
        max_score_distance=0.001,
        max_score_difference=0.0,
        max_training_age_days=1,
        max_late_label_share=0.01,
        max_failed_share=0.0001,
        max_hour_difference=0.0001,
        max_clock_offset_s=0.1,
        max_input_index=0.01,
        min_outcome_share=1.0,
        max_calibration_error=0.0,
        max_spend_increase=0.0,
    )
    assert failing(GOOD, limits=strict) == {
        "days_covered", "volume", "latency", "features_present", "score_distribution", "score_distance",
        "scores_recomputed", "training_on_schedule", "labels_mature", "requests_answered", "exposures_complete",
        "clock", "features_as_trained", "labels_arrived",
    }  # fmt: skip


def test_thresholds_that_cannot_be_used_are_all_named() -> None:
    with pytest.raises(Invalid) as refused:
        thresholds_of({"days_required": -1, "max_null_share": True, "speed": 1, "latency_factor": float("nan")})
    assert [one.where for one in refused.value.faults] == ["speed", "days_required", "max_null_share", "latency_factor"]
    assert thresholds_of({"days_required": 2}) == Thresholds(days_required=2)


def test_scores_of_a_form_with_32_bits_are_held_to_what_that_form_can_and_exact_ones_are_not() -> None:
    assert failing(replace(GOOD, recomputed=again(9, 3e-7, tolerance=1e-6))) == set()
    assert failing(replace(GOOD, recomputed=again(9, 1.1e-6, tolerance=1e-6))) == {"scores_recomputed"}
    assert failing(replace(GOOD, recomputed=again(9, 3e-7))) == {"scores_recomputed"}
    both = Recomputed((VersionAgain("exact", 9, 2e-9, 0.0), VersionAgain("onnx", 9, 5e-7, 1e-6)))
    found = probe("scores_recomputed", replace(GOOD, recomputed=both))
    assert (found.passed, found.value) == (False, 2e-9)  # the exact one is at fault, though the other differs more
    assert "1e-06 for onnx" in found.threshold
    looser = Thresholds(max_score_difference=1e-5)
    assert failing(replace(GOOD, recomputed=again(9, 9e-6, tolerance=1e-6)), limits=looser) == set()


@given(hours=st.sets(st.integers(0, 300)), quiet=st.integers(0, 12))
def test_hours_count_when_they_have_rows_or_lie_in_a_short_quiet_stretch(hours: set[int], quiet: int) -> None:
    covered = covered_hours(hours, quiet)
    # A slow, obvious judge: hour by hour, how far away the next row is on either side.
    counted = 0
    for hour in range(301):
        before = max((one for one in hours if one <= hour), default=None)
        after = min((one for one in hours if one >= hour), default=None)
        if before is not None and after is not None and (hour in hours or after - before - 1 <= quiet):
            counted += 1
    assert covered.hours == counted
    span = max(hours) - min(hours) + 1 if hours else 0
    assert (covered.with_rows, covered.hours + covered.interrupted) == (len(hours), span)


def test_days_are_those_of_the_arm_that_was_seen_least() -> None:
    day = range(24)
    lane = [0, 1, 5, 9, 10, 15, 16, 23]  # a lane of 1 % has quiet hours, never more than six in a row
    assert covered_days({"control": day, "treatment": lane}, ("control", "treatment"), 6).days == 1.0
    assert covered_days({"control": day, "treatment": lane}, ("control", "treatment"), 5).days == pytest.approx(18 / 24)
    assert covered_days({"control": day}, ("control", "treatment"), 6).days == 0.0
    # Two bursts a week apart are two hours, not a week.
    bursts = covered_days({"control": [0, 167], "treatment": [0, 167]}, ("control", "treatment"), 6)
    assert bursts.days == pytest.approx(2 / 24)
    assert "166 h of interruption left out" in bursts.told


def test_the_stability_index_is_the_sum_of_both_divergences() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        expected = rng.dirichlet(np.full(8, 4.0))
        counts = rng.multinomial(500, rng.dirichlet(np.full(8, 4.0))) + 1
        seen = counts / counts.sum()
        judged = entropy(seen, expected) + entropy(expected, seen)
        assert population_stability(counts.tolist(), expected.tolist()) == pytest.approx(judged, rel=1e-9)
    assert population_stability([10, 10], [0.5, 0.5]) == 0
    assert 0 < population_stability([0, 20], [0.5, 0.5]) < float("inf")
    assert np.isnan(population_stability([0, 0], [0.5, 0.5]))


def test_every_fault_of_a_probe_is_known_in_both_languages_and_told_in_the_documentation() -> None:
    told = (Path(__file__).parents[2] / "docs" / "ab-check.md").read_text(encoding="utf-8")
    for name, fault in FAULTS.items():
        assert f"| `{name}` | {fault.what.en}<br>{fault.what.ja} | {fault.remedy.en}<br>{fault.remedy.ja} |" in told
    assert all(f"| `{name}` |" in told for name in PROBES)
    lacking = [one.name for one in fields(Thresholds) if f"`{one.name}`" not in told and f"{one.name} =" not in told]
    assert lacking == []


def test_a_probe_that_the_team_does_not_ask_is_told_as_an_incident() -> None:
    limits = thresholds_of({"not_asked": ["guardrail"]}, tuple(PROBES))
    assert "guardrail" not in {one.name for one in run_probes(DESIGN, GOOD, limits)}
    assert incidents_of(GOOD, limits) == ("not asked, as playbook/check.toml says: guardrail",)
    with pytest.raises(Invalid, match="guardrails"):
        thresholds_of({"not_asked": ["guardrails"]}, tuple(PROBES))


def test_the_distance_of_binned_scores_is_that_of_their_rows() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        bins = np.arange(6)
        seen, wanted = rng.integers(0, 6, 300), rng.choice(6, 500, p=rng.dirichlet(np.full(6, 3.0)))
        counts = [int((seen == one).sum()) for one in bins]
        expected = [float((wanted == one).mean()) for one in bins]
        assert kolmogorov_smirnov(counts, expected) == pytest.approx(ks_2samp(seen, wanted).statistic, abs=1e-12)
    assert np.isnan(kolmogorov_smirnov([0, 0], [0.5, 0.5]))


def test_each_day_is_judged_by_itself_and_a_day_with_hardly_any_traffic_is_not_judged() -> None:
    bad = replace(GOOD, units_in_several_arms=3)
    few = replace(GOOD, exposures=199)
    days = [DaySeen(date(2026, 4, day), seen) for day, seen in ((1, GOOD), (2, bad), (3, few))]
    verdicts = day_verdicts(DESIGN, days, Thresholds())
    assert [(one.day.day, one.asked == DAILY, one.failed) for one in verdicts] == [
        (1, True, ()), (2, True, ("units_in_one_arm",)), (3, False, ()),
    ]  # fmt: skip


def test_the_file_of_a_new_workspace_says_every_threshold_and_its_default() -> None:
    text = thresholds_text()
    assert thresholds_of(tomllib.loads(text)) == Thresholds()
    uncommented = "\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line)
    assert thresholds_of(tomllib.loads(uncommented), tuple(PROBES)) == Thresholds()
    assert text.count(" = ") == len(fields(Thresholds))
