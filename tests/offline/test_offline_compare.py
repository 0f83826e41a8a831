"""The comparison as a whole: paired, clustered, symmetric, honest about doubtful rows, and never wrong on bad ones."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.errors import Invalid
from tasuki.offline.compare import compare_scores
from tasuki.offline.comparison import OfflineMetric
from tasuki.offline.recommend import OfflineRule, recommend, significantly_worse
from tasuki.offline.scored import Scored
from tasuki.stats.concern import Concern


def drawn(seed=1, rows=4_000, units=500, *, gain=0.3):
    """Labels and two models of which the challenger knows `gain` more of what drives the label."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, units, rows)
    taste = rng.normal(0, 1, units)[codes]
    seen, hidden = rng.normal(0, 1, (2, rows))
    labels = (rng.random(rows) < 1 / (1 + np.exp(2.5 - taste - gain * hidden - seen))).astype(float)
    champion = 1 / (1 + np.exp(2.2 - seen))
    challenger = 1 / (1 + np.exp(2.2 - seen - gain * hidden))
    return Scored(labels, champion, challenger, codes)


def values(comparison, *, of="difference"):
    return {one.name: getattr(one, of) for one in comparison.metrics if one.segment is None}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_swapping_the_models_flips_every_sign(seed):
    scored = drawn(seed, rows=300, units=60)
    there = compare_scores(scored)
    back = compare_scores(Scored(scored.labels, scored.challenger, scored.champion, scored.units))
    for one, other in zip(there.metrics, back.metrics, strict=True):
        assert one.champion == other.challenger
        assert one.difference == pytest.approx(-other.difference, abs=1e-15)
        assert one.difference_low == pytest.approx(-other.difference_high, abs=1e-12)
        assert one.p_value == pytest.approx(other.p_value, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_and_the_names_of_units_do_not_matter(seed):
    scored = drawn(seed, rows=300, units=60)
    rng = np.random.default_rng(seed)
    order = rng.permutation(300)
    names = np.array([f"user {code}" for code in np.asarray(scored.units)], dtype=object)
    columns = (np.asarray(column)[order] for column in (scored.labels, scored.champion, scored.challenger, names))
    for one, other in zip(compare_scores(scored).metrics, compare_scores(Scored(*columns)).metrics, strict=True):
        for field in ("champion", "difference", "difference_low", "p_value"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-9, abs=1e-12)


def test_a_monotone_transform_of_the_scores_leaves_both_aucs_as_they_are():
    scored = drawn()
    bent = Scored(scored.labels, np.asarray(scored.champion) ** 3, np.sqrt(scored.challenger), scored.units)
    for name in ("auc", "grouped_auc"):
        one, other = compare_scores(scored).metric(name), compare_scores(bent).metric(name)
        assert (one.difference, one.difference_low) == pytest.approx((other.difference, other.difference_low))


def test_repeating_rows_inside_their_unit_adds_no_certainty_but_new_users_do():
    scored = drawn()
    twice = [np.tile(np.asarray(column), 2) for column in (scored.labels, scored.champion, scored.challenger)]
    units = np.asarray(scored.units)
    widths = []
    for codes in (units, np.tile(units, 2), np.concatenate([units, units + 1_000])):
        columns = [np.asarray(scored.labels), scored.champion, scored.challenger] if len(codes) == len(units) else twice
        one = compare_scores(Scored(*columns, codes)).metric("log_loss")
        widths.append(one.difference_high - one.difference_low)
    assert widths[1] == pytest.approx(widths[0], rel=1e-9)
    assert widths[2] == pytest.approx(widths[0] / np.sqrt(2), rel=0.005)


def test_intervals_agree_with_a_bootstrap_over_units():
    scored = drawn(seed=5, rows=3_000, units=400)
    found = compare_scores(scored)
    rng = np.random.default_rng(6)
    columns = [np.asarray(column) for column in (scored.labels, scored.champion, scored.challenger)]
    rows_of = [np.flatnonzero(np.asarray(scored.units) == unit) for unit in range(400)]
    rows_of = [rows for rows in rows_of if len(rows)]
    draws = []
    for _ in range(400):
        index = np.concatenate([rows_of[unit] for unit in rng.integers(0, len(rows_of), len(rows_of))])
        draws.append(values(compare_scores(Scored(*(column[index] for column in columns)))))
    for name in ("log_loss", "normalized_entropy", "auc", "calibration_ratio"):
        spread = np.std([draw[name] for draw in draws], ddof=1)
        one = found.metric(name)
        assert (one.difference_high - one.difference_low) / 2 / 1.966 == pytest.approx(spread, rel=0.12), name


def test_pairing_cancels_what_both_models_get_wrong():
    scored = drawn(gain=0.02)
    one = compare_scores(scored).metric("log_loss")
    alone = np.std(-np.log(np.where(scored.labels == 1, scored.champion, 1 - np.asarray(scored.champion)))) / np.sqrt(
        4_000
    )
    assert one.difference_high - one.difference_low < 2 * 1.96 * alone / 10


def test_segments_are_measured_like_files_of_their_own():
    scored = drawn()
    app = np.array(["news", "game"], dtype=object)[np.asarray(scored.units) % 2]
    with_segments = compare_scores(
        Scored(scored.labels, scored.champion, scored.challenger, scored.units, None, {"app": app})
    )
    keep = app == "game"
    alone = compare_scores(
        Scored(*(np.asarray(one)[keep] for one in (scored.labels, scored.champion, scored.challenger, scored.units)))
    )
    for one in alone.metrics:
        other = with_segments.metric(one.name, "app=game")
        assert (one.champion, one.difference_low, one.rows) == (other.champion, other.difference_low, other.rows)


def test_a_segment_column_with_many_values_shows_the_largest_and_says_so():
    scored = drawn()
    found = compare_scores(
        Scored(scored.labels, scored.champion, scored.challenger, segments={"unit": np.asarray(scored.units)})
    )
    assert len({one.segment for one in found.metrics}) == 21
    assert "segments_left_out" in codes_of(found)


def codes_of(comparison):
    return {concern.code for concern in comparison.concerns}


def test_a_better_challenger_is_a_go_and_its_reverse_a_no_go():
    scored = drawn(gain=1.0, rows=8_000)
    assert compare_scores(scored).recommendation.decision == "go"
    back = compare_scores(Scored(scored.labels, scored.challenger, scored.champion, scored.units))
    assert back.recommendation.decision == "no_go"


def test_an_interval_that_holds_zero_cannot_tell_and_says_how_many_rows_would():
    said = compare_scores(drawn(seed=8, rows=500, gain=0.1)).recommendation
    assert said.decision == "cannot_tell"
    assert "the interval holds 0" in said.reasons[0]
    assert "times the rows" in said.reasons[1]


def test_a_gain_that_breaks_calibration_is_no_go():
    rng = np.random.default_rng(2)
    labels = (rng.random(20_000) < 0.05).astype(float)
    champion = np.full(20_000, labels.mean()) + 1e-6 * rng.random(20_000)
    found = compare_scores(Scored(labels, champion, np.where(labels == 1, 0.9, 0.03)))
    assert found.metric("log_loss").difference_high < 0
    assert found.metric("calibration_ratio").challenger > 1.4
    assert found.recommendation.decision == "no_go"
    assert "calibration ratio" in found.recommendation.reasons[1]
    nearer = compare_scores(Scored(labels, champion * 1.8, np.where(labels == 1, 0.9, 0.03)))
    assert nearer.recommendation.decision == "go"


def measured(segment, p_value, difference):
    return OfflineMetric("log_loss", segment, 0.1, 0.2, difference, difference - 0.01, difference + 0.01, p_value, 9, 3)


def test_worse_segments_are_named_after_holms_correction():
    segments = [measured("a=1", 0.012, 0.1), measured("a=2", 0.02, 0.1), measured("a=3", 0.9, 0.1)]
    assert [text.split()[1] for text in significantly_worse(segments, 0.05)] == ["a=1", "a=2"]
    assert significantly_worse([measured("a=1", 0.02, 0.1), *segments[1:]], 0.05) == ()
    assert significantly_worse([measured("a=1", 0.001, -0.1)], 0.05) == ()


def test_a_better_challenger_with_a_worse_segment_cannot_tell():
    overall = compare_scores(drawn(gain=1.0, rows=8_000)).metrics
    said = recommend(overall, [measured("app=7", 0.001, 0.1)], (), OfflineRule())
    assert said.decision == "cannot_tell"
    assert "app=7" in said.reasons[1]


def test_an_error_among_the_concerns_forbids_a_go():
    overall = compare_scores(drawn(gain=1.0, rows=8_000)).metrics
    said = recommend(overall, (), (Concern("broken", "error", "the log is broken"),), OfflineRule())
    assert (said.decision, said.reasons) == ("cannot_tell", ("the log is broken",))


def test_one_class_has_a_log_loss_but_no_order_and_no_recommendation():
    found = compare_scores(Scored(np.zeros(50), np.full(50, 0.1), np.linspace(0.01, 0.2, 50)))
    assert found.metric("auc").champion is None
    assert found.metric("log_loss").champion == pytest.approx(-np.log(0.9))
    assert {"one_class"} <= codes_of(found)
    assert found.recommendation.decision == "cannot_tell"
    assert json.loads(found.to_json())["metrics"][2]["champion"] is None


def test_only_positives_still_have_a_calibration_ratio():
    found = compare_scores(Scored(np.ones(10), np.full(10, 0.5), np.full(10, 0.25)))
    assert found.metric("calibration_ratio").challenger == 0.25


def test_rows_with_nulls_are_left_out_and_counted_by_column():
    labels = np.array([0, 1, None, 1, 0, 1] * 50, dtype=object)
    champion = np.ma.masked_array(np.tile([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 50), mask=np.tile([1, 0, 0, 0, 0, 0], 50))
    challenger = np.tile([0.2, np.nan, 0.3, 0.5, 0.4, 0.7], 50)
    found = compare_scores(Scored(labels, champion, challenger))
    assert found.rows == 150
    [concern] = [one for one in found.concerns if one.code == "nulls_dropped"]
    assert "150 of 300" in concern.message
    assert "label 50, champion 50, challenger 50" in concern.message


def test_every_fault_of_the_columns_is_reported_at_once_with_its_rows():
    labels, champion = np.array([0, 1, 2, -1.0]), np.array([0.5, 1.5, -0.1, np.inf])
    with pytest.raises(Invalid) as caught:
        compare_scores(Scored(labels, champion, np.array(["a", "b", "c", "d"])))
    assert {str(fault).split(":")[0] for fault in caught.value.faults} == {"label", "champion", "challenger"}
    assert "3 rows are outside [0, 1]" in str(caught.value)
    assert "2 rows are neither 0 nor 1" in str(caught.value)


@pytest.mark.parametrize(
    ("scored", "said"),
    [
        (Scored([], [], []), "no rows"),
        (Scored([0, 1], [0.5], [0.5, 0.5]), "differ in length"),
        (Scored([None, None], [0.5, 0.5], [0.5, 0.5]), "every row has a null"),
        (Scored([0, 1], [0.5, 0.5], [0.5, 0.5], times=["yesterday", "today"]), "time column"),
    ],
)
def test_columns_that_cannot_be_compared_are_refused(scored, said):
    with pytest.raises(Invalid, match=said):
        compare_scores(scored)


def test_certain_and_wrong_rows_are_clipped_and_said():
    labels = np.tile([0.0, 1.0], 100)
    found = compare_scores(Scored(labels, np.where(labels == 1, 0.0, 0.5), np.full(200, 0.5)))
    assert found.metric("log_loss").champion < 20
    assert {"certain_and_wrong", "constant_scores"} <= codes_of(found)


def test_identical_scores_have_no_difference_and_no_p_value():
    scored = drawn()
    found = compare_scores(Scored(scored.labels, scored.champion, scored.champion, scored.units))
    assert set(values(found).values()) == {0.0}
    assert set(values(found, of="p_value").values()) == {None}
    assert found.recommendation.decision == "cannot_tell"


def test_doubts_are_raised_only_where_they_belong():
    assert codes_of(compare_scores(drawn())) <= {"calibration_off"}
    few = drawn(rows=200, units=30)
    assert {"too_few_positives", "few_units"} <= codes_of(compare_scores(few))
    assert "few_positives" in codes_of(compare_scores(drawn(rows=600)))
    reversed_labels = compare_scores(Scored(1 - np.asarray(few.labels), few.champion, few.challenger))
    assert "order_reversed" in codes_of(reversed_labels)
    labels = np.tile([0.0, 1.0], 200)
    assert "leak_suspected" in codes_of(compare_scores(Scored(labels, 0.3 + labels / 10, np.full(400, 0.5))))
    one_unit = np.where(np.arange(400) < 100, 0, np.arange(400))
    scores = np.linspace(0.1, 0.9, 400)
    assert "one_unit_dominates" in codes_of(compare_scores(Scored(labels, scores, scores / 2, one_unit)))


def test_time_shows_the_window_a_short_one_and_a_drifting_rate():
    hours = np.datetime64("2026-04-01T00:00:00", "s") + np.arange(2_000) * np.timedelta64(30, "s")
    rng = np.random.default_rng(1)
    labels = (rng.random(2_000) < np.linspace(0.05, 0.5, 2_000)).astype(float)
    found = compare_scores(Scored(labels, np.full(2_000, 0.2), rng.random(2_000), times=hours))
    assert found.window.first == "2026-04-01T00:00:00Z"
    assert {"short_window", "rate_drifts"} <= codes_of(found)
    steady = compare_scores(Scored(rng.permutation(labels), np.full(2_000, 0.2), rng.random(2_000), times=hours))
    assert "rate_drifts" not in codes_of(steady)


def test_a_notebook_shows_a_table_and_escapes_what_the_data_says():
    scored = drawn()
    evil = np.where(np.asarray(scored.units) % 2, "<script>", "ok").astype(object)
    found = compare_scores(Scored(scored.labels, scored.champion, scored.challenger, segments={"app": evil}))
    shown = found._repr_html_()
    assert "<table>" in shown
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_json_has_the_documented_names_and_no_nan():
    document = json.loads(compare_scores(drawn()).to_json())
    assert list(document)[:3] == ["schema", "rows", "positives"]
    assert document["schema"] == "tasuki.offline_compare/1"
    assert [one["name"] for one in document["metrics"]] == [
        "log_loss",
        "normalized_entropy",
        "auc",
        "calibration_ratio",
        "grouped_auc",
    ]
    expected = {
        "name",
        "segment",
        "champion",
        "challenger",
        "difference",
        "difference_low",
        "difference_high",
        "p_value",
    }
    assert expected <= set(document["metrics"][0])
    assert {"concerns", "recommendation"} <= set(document)
