"""The probes of A/B 1, each on counts that make it pass and on counts that make it fail."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy

from tasuki.errors import Invalid
from tasuki.experiments.check import (
    AnswersSeen,
    ArmDesign,
    ArmSeen,
    Counted,
    InputSeen,
    Recomputed,
    ScoresSeen,
    Seen,
    Thresholds,
    incidents_of,
    run_probes,
    thresholds_of,
)
from tasuki.flow.records import Probe
from tasuki.stats.stability import population_stability

DESIGN = {"control": ArmDesign(0.7, ("v1",)), "treatment": ArmDesign(0.3, ("v2",))}
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
    inputs=(InputSeen("control", "app", False, 14_000, 0, 0), InputSeen("treatment", "age", True, 6_000, 0, 3_000)),
    scores=ScoresSeen((2_000, 2_100, 1_900), (1 / 3, 1 / 3, 1 / 3), "its training rows"),
    recomputed=Recomputed(2_000, 1e-16),
    days=2.0,
    days_source="the outcomes' time",
)
UNMOVED = {"training_succeeded"}
"""What does not look at the log."""


def failing(seen: Seen, design: Any = DESIGN, limits: Thresholds | None = None) -> set[str]:
    return {one.name for one in run_probes(design, seen, limits or Thresholds()) if not one.passed}


def probe(name: str, seen: Seen) -> Probe:
    return next(one for one in run_probes(DESIGN, seen, Thresholds()) if one.name == name)


def answers(*others: AnswersSeen) -> tuple[AnswersSeen, ...]:
    return (GOOD.answers[0], *others)


FAULTS: dict[str, tuple[dict[str, Any], set[str]]] = {
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
    "moved": ({"scores": replace(GOOD.scores, counts=(5_000, 500, 500))}, {"score_distribution"}),
    "no expectation": ({"scores": None}, {"score_distribution"}),
    "no own score": ({"scores": replace(GOOD.scores, counts=(0, 0, 0))}, {"score_distribution"}),
    "differs": ({"recomputed": Recomputed(2_000, 1.1e-9)}, {"scores_recomputed"}),
    "no latency": ({"arms": {**GOOD.arms, "treatment": ArmSeen(6_000, 300, None, None)}}, {"latency"}),
    "unreadable version": ({"recomputed": Recomputed(1_400, 0.0, "600 cannot")}, {"scores_recomputed"}),
    "nothing recomputed": ({"recomputed": Recomputed(0, None)}, {"scores_recomputed"}),
    "too short": ({"days": 0.99}, {"days_covered"}),
}


def test_behaviour_as_designed_passes_every_probe() -> None:
    assert failing(GOOD) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_the_probe_that_names_it_and_no_other(fault: str) -> None:
    changes, expected = FAULTS[fault]
    assert failing(replace(GOOD, **changes)) == expected


def test_without_data_no_probe_of_the_log_passes() -> None:
    probes = run_probes(DESIGN, Seen(), Thresholds())
    assert {one.name for one in probes if one.passed} == UNMOVED
    assert all("no data" in one.explanation for one in probes if one.name not in {*UNMOVED, "version_published"})


def test_a_version_that_took_over_while_it_ran_is_as_designed_and_one_that_came_back_is_not() -> None:
    design = {**DESIGN, "treatment": ArmDesign(0.3, ("v2", "v3"))}
    swapped = (AnswersSeen("treatment", "v2", False, "", 3_000, 5), AnswersSeen("treatment", "v3", False, "", 3_000, 9))
    assert failing(replace(GOOD, answers=answers(*swapped)), design) == set()
    back = (replace(swapped[0], last_us=10), swapped[1])
    assert failing(replace(GOOD, answers=answers(*back)), design) == {"version_published"}


def test_a_pointer_or_training_that_cannot_be_read_is_named() -> None:
    design = {**DESIGN, "treatment": ArmDesign(0.3, (), "there is no artifact store at nowhere", "it is damaged")}
    assert failing(GOOD, design) == {"version_published", "training_succeeded"}
    told = {one.name: one.explanation for one in run_probes(design, GOOD, Thresholds())}
    assert "nowhere" in told["version_published"]
    assert "damaged" in told["training_succeeded"]


def test_the_explanation_says_why_an_arm_fell_back() -> None:
    seen = replace(GOOD, **FAULTS["fallbacks"][0])
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
        max_score_difference=0.0,
    )
    assert failing(GOOD, limits=strict) == {
        "days_covered", "volume", "latency", "features_present", "score_distribution", "scores_recomputed",
    }  # fmt: skip


def test_thresholds_that_cannot_be_used_are_all_named() -> None:
    with pytest.raises(Invalid) as refused:
        thresholds_of({"days_required": -1, "max_null_share": True, "speed": 1, "latency_factor": float("nan")})
    assert [one.where for one in refused.value.faults] == ["speed", "days_required", "max_null_share", "latency_factor"]
    assert thresholds_of({"days_required": 2}) == Thresholds(days_required=2)


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
