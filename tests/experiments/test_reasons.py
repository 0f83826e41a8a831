"""A recommendation's reasons: the same sentences from codes, in two languages, and days where days would tell."""

from dataclasses import replace
from typing import Any

import pytest

from tasuki.actions.compare import compare
from tasuki.errors import Invalid
from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.experiments.reasons import TEXTS, Reason, reason_text
from tasuki.experiments.recommend import recommend
from tasuki.stats.concern import Concern

DESIGN = Design(primary=("clicks",), mde=0.05, days=14.0)
VALUES = {"arm": "treatment", "metric": "clicks", "relative": 0.031, "effect": 0.2, "p_value_adjusted": 0.012}
EVERYTHING = {
    **VALUES,
    "mde": 0.05,
    "times": 3.2,
    "days": 14,
    "others": "b",
    "message": "m",
    "what": "alpha",
    "what_ja": "有意水準",
}


def result(name: str = "clicks", low: float = 0.01, high: float = 0.05, p: float = 0.01, **more: Any) -> Result:
    middle = (low + high) / 2
    plain = Result(
        metric=name,
        kind="mean",
        segment=None,
        control_arm="control",
        treatment_arm="treatment",
        control=1.0,
        treatment=1.0 + middle,
        effect=middle,
        effect_low=low,
        effect_high=high,
        relative=middle,
        relative_low=low,
        relative_high=high,
        p_value=p,
        p_value_adjusted=p,
        n_control=1_000,
        n_treatment=1_000,
        method="welch",
    )
    return replace(plain, **more)


@pytest.mark.parametrize("code", TEXTS)
def test_every_reason_is_a_sentence_in_both_languages(code: str) -> None:
    english, japanese = (reason_text(Reason(code, EVERYTHING), language) for language in ("en", "ja"))
    assert "{" not in english + japanese
    assert english.endswith(".") or code == "concern"
    assert japanese.endswith("。") or code == "concern"
    assert code in ("concern",) or any(ord(letter) > 0x3000 for letter in japanese)


def of_arm(arm: str, low: float, p: float = 0.001, **more: Any) -> Result:
    return replace(result(low=low, high=low + 0.02, p=p, **more), treatment_arm=arm)


def test_of_several_arms_that_gain_the_one_with_the_best_lower_bound_is_meant() -> None:
    found = recommend([of_arm("b", 0.02), of_arm("c", 0.05), of_arm("d", 0.03)], [], DESIGN)
    assert (found.decision, found.arm) == ("ship", "c")
    assert "only_arm" not in {one.code for one in found.grounds}


def test_where_less_is_better_the_lower_bound_of_the_gain_counts() -> None:
    arms = [of_arm("b", -0.05, direction="decrease"), of_arm("c", -0.09, direction="decrease")]
    assert recommend(arms, [], DESIGN).arm == "c"


def test_one_arm_gains_while_another_harms() -> None:
    found = recommend([of_arm("b", -0.08), of_arm("c", 0.05)], [], DESIGN)
    assert (found.decision, found.arm) == ("ship", "c")
    assert found.grounds[0] == Reason("only_arm", {"arm": "c", "others": "b"})
    assert "c only" in found.reasons[0]


def test_without_a_gain_no_arm_is_meant() -> None:
    assert recommend([of_arm("b", -0.08), of_arm("c", -0.05)], [], DESIGN).arm is None


def test_a_gain_that_a_share_would_round_away_is_told_in_the_metrics_unit() -> None:
    values = {**VALUES, "relative": 2e-9, "effect": 2.1}
    assert "clicks +2.1 is" in reason_text(Reason("gain", values))
    assert "clicks +3.10% is" in reason_text(Reason("gain", VALUES))


@pytest.mark.parametrize("name", ["means", "proportions", "segments", "decrease"])
def test_a_single_text_is_not_taken_for_a_list_of_letters(name: str) -> None:
    with pytest.raises(Invalid) as raised:
        compare("nowhere.csv", variant="arm", **{name: "rev"})
    assert [(one.where, one.expected) for one in raised.value.faults] == [(name, "a list, as ['rev']")]


def test_a_code_of_a_newer_version_is_shown_as_it_is() -> None:
    assert reason_text(Reason("from_the_future", {}), "ja") == "from_the_future"


def test_reasons_are_the_sentences_of_their_grounds() -> None:
    found = recommend([result(), result("cost", margin=0.1)], [], DESIGN)
    assert found.decision == "ship"
    assert found.reasons == tuple(map(reason_text, found.grounds))
    assert [one.code for one in found.grounds] == ["gain", "holds"]
    assert "有意な改善" in reason_text(found.grounds[0], "ja")


def test_extend_says_how_many_whole_weeks() -> None:
    open_now = recommend([result(low=-0.02, high=0.06, p=0.3)], [], DESIGN)
    assert open_now.decision == "extend"
    assert open_now.extend_days is not None
    assert open_now.extend_days % 7 == 0
    assert f"{open_now.extend_days} more days" in open_now.reasons[-1]


def test_a_guardrail_that_more_days_would_settle_says_how_many() -> None:
    found = recommend([result(), result("cost", low=-0.06, high=0.06, margin=0.05)], [], DESIGN)
    assert (found.decision, found.extend_days) == ("extend", 7)
    hopeless = recommend([result(), result("cost", low=-0.30, high=0.22, margin=0.05)], [], DESIGN)
    assert (hopeless.decision, hopeless.extend_days) == ("extend", None)


def test_an_error_leaves_no_decision_and_names_the_concern() -> None:
    found = recommend([result()], [Concern("sample_ratio_mismatch", "error", "Broken.", {"p_value": 1e-9})], DESIGN)
    assert (found.decision, found.reasons) == ("cannot_tell", ("The data cannot answer.", "Broken."))
    assert found.grounds[1].values["code"] == "sample_ratio_mismatch"
