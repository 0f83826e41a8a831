import pytest

from relay_play import RECORDS, TEAM, Stream
from tasuki.flow import decide, experimenting
from tasuki.flow.checks import CHECKS, RUNNING, Offering, run_check


def seen(name: str, stream: Stream, actor: str = "sota") -> tuple[bool, str]:
    result = run_check(name, Offering(stream.state, actor, TEAM))
    return result.passed, result.seen


def probe(**changes):
    return {**RECORDS["check_report"]["probes"][0], **changes}


GOOD = {
    "hypothesis_lint": "hypothesis_brief",
    "interval_present": "opportunity_estimate",
    "quality_passed": "data_report",
    "features_online": "model_card",
    "schema_valid": "golden_examples",
    "rollback_rehearsed": "readiness_note",
    "reviewed_by_other": "readiness_note",
    "check_passed": "check_report",
    "power_computed": "experiment_plan",
    "split_as_planned": "comparison_report",
    "clean_up_dated": "decision",
    "monitoring_owner_known": "decision",
}


@pytest.mark.parametrize(("name", "kind"), GOOD.items())
def test_a_check_passes_what_is_right(name, kind):
    stream = Stream()
    stream.attach(kind)
    assert seen(name, stream) == (True, "passed")


BAD = [
    ("hypothesis_lint", {"expected_size": 0.0}, "moves nothing"),
    ("hypothesis_lint", {"expected_size": -0.03}, "disagree"),
    ("hypothesis_lint", {"direction": "decrease"}, "disagree"),
    ("hypothesis_lint", {"because": " "}, "because is blank"),
    ("hypothesis_lint", {"population": "\t"}, "population is blank"),
    ("hypothesis_lint", {"because": "calibrate scores per segment "}, "only repeats"),
    ("interval_present", {"size_low": 0.02, "size_high": 0.02}, "no width"),
    ("interval_present", {"size": 0.5}, "outside"),
    ("quality_passed", {"quality": [{"check": "no nulls", "passed": False, "seen": "3 nulls"}]}, "no nulls: 3 nulls"),
    ("features_online", {"features": [{"name": "age", "source": "batch", "online": False}]}, "age"),
    ("schema_valid", {"examples": [{"features": {}, "score": 0.1}]}, "app is missing"),
    ("schema_valid", {"examples": [{"features": {"app": "a", "os": "x"}, "score": 0.1}]}, "os is not in the schema"),
    ("schema_valid", {"inputs": [{"name": "app", "type": "number"}]}, "not a number"),
    ("schema_valid", {"inputs": [{"name": "app", "type": "time"}]}, "not a time"),
    ("schema_valid", {"inputs": [{"name": "app", "type": "category"}] * 2}, "named twice"),
    ("rollback_rehearsed", {"rollback_rehearsed": False}, "not rehearsed"),
    ("reviewed_by_other", {"reviewer": "sota"}, "second person"),
    ("reviewed_by_other", {"reviewer": "zoe"}, "no member"),
    (
        "check_passed",
        {"probes": [probe(passed=False, explanation="12 % fall back")], "passed": False},
        "12 % fall back",
    ),
    ("check_passed", {"passed": False}, "did not pass"),
    ("check_passed", {"days": 1}, "1 of the 2 days"),
    ("power_computed", {"kind": "check"}, "not for A/B 2"),
    ("split_as_planned", {"srm": {"p_value": 0.0001, "expected": {}, "passed": False}}, "0.0001"),
    ("clean_up_dated", {"clean_up_due": None}, "neither done nor dated"),
    ("monitoring_owner_known", {"monitoring_owner": "zoe"}, "zoe"),
]


@pytest.mark.parametrize(("name", "changes", "word"), BAD)
def test_a_check_names_what_is_wrong(name, changes, word):
    stream = Stream()
    stream.attach(GOOD[name], **changes)
    passed, what = seen(name, stream)
    assert not passed
    assert word in what


def test_golden_examples_belong_to_the_version_of_the_model_card():
    stream = Stream()
    stream.attach("model_card", version="v3")
    stream.attach("golden_examples")
    assert "of version v2, the model card of v3" in seen("schema_valid", stream)[1]


def test_past_cases_were_looked_up_or_not():
    stream = Stream()
    assert not seen("cases_looked_up", stream)[0]
    stream.write(decide.look_up_cases(stream.state, stream.act("aoi"), "較正", []))
    assert seen("cases_looked_up", stream)[0]


def test_a_rule_counts_only_when_it_was_recorded_before_the_first_report_on_that_challenger():
    stream = Stream()
    stream.attach("offline_report")
    stream.write(decide.record_rule(stream.state, stream.act("aoi"), "go when better"))
    stream.attach("offline_report")
    assert not seen("rule_before_report", stream)[0]
    stream.attach("offline_report", challenger="v3")
    assert seen("rule_before_report", stream)[0]


def test_a_plan_is_registered_before_its_report_and_is_for_the_same_experiment():
    stream = Stream()
    stream.attach("comparison_report")
    stream.attach("experiment_plan")
    assert "after the report" in seen("power_computed", stream)[1]
    stream.attach("comparison_report", experiment="another")
    assert "the report for another" in seen("power_computed", stream)[1]


@pytest.mark.parametrize(
    ("stop_rule", "days", "passed"),
    [
        ("no look before", 3, False),
        ("no look before", 7, True),
        ("always-valid, look any time", 3, True),
        ("逐次検定", 3, True),
    ],
)
def test_a_look_before_the_end_is_allowed_only_by_the_stop_rule(stop_rule, days, passed):
    stream = Stream()
    stream.attach("experiment_plan", stop_rule=stop_rule)
    stream.write(experimenting.start_experiment(stream.state, stream.act("aoi"), "comparison-1", "comparison"))
    stream.clock.advance(days=days)
    stream.write(experimenting.look_at_experiment(stream.state, stream.act("mio"), "comparison-1"))
    stream.attach("comparison_report")
    assert seen("no_look_outside_rule", stream)[0] == passed


def test_a_plan_that_came_after_the_start_is_no_plan():
    stream = Stream()
    stream.write(experimenting.start_experiment(stream.state, stream.act("aoi"), "comparison-1", "comparison"))
    stream.clock.advance(hours=1)
    stream.attach("experiment_plan")
    assert "after the start" in seen("no_look_outside_rule", stream)[1]


def test_a_case_needs_hypothesis_decision_and_learning():
    stream = Stream()
    assert seen("case_complete", stream)[1].count("the case has no") == 3
    for kind in ("hypothesis_brief", "decision", "learning"):
        stream.attach(kind)
    assert seen("case_complete", stream)[0]


def test_a_check_that_must_run_something_is_not_answered_by_looking():
    for name in RUNNING:
        with pytest.raises(ValueError, match="has to run something"):
            run_check(name, Offering(Stream().state, "aoi", TEAM))
    assert {"queries_rerun", "training_reproduces", "golden_examples_pass", "golden_parity", "job_dry_run"} == RUNNING
    assert all(check.how for check in CHECKS.values())
