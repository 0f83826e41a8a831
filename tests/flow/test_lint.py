"""What a hypothesis means by its metric: a declared one, by its name or by what the team calls it."""

import pytest

from tasuki.flow.lint import lint_brief, read_metric

KNOWN = {"ctr": ("Click-through rate", "クリック率"), "spend_per_user": ("Spend per user", "ユーザーあたり利用額")}


def test_a_declared_name_needs_no_word() -> None:
    read = read_metric(" ctr ", KNOWN)
    assert read is not None
    assert (read.name, read.told) == ("ctr", "")


@pytest.mark.parametrize("text", ["クリック率", "ｸﾘｯｸ率", "click-through RATE", "CTR", "ＣＴＲ"])
def test_a_title_is_accepted_and_its_name_told(text: str) -> None:
    read = read_metric(text, KNOWN)
    assert read is not None
    assert read.name == "ctr"
    assert "the metric ctr" in read.told


@pytest.mark.parametrize(("text", "meant"), [("クリック率の改善", "ctr"), ("spend_per_usr", "spend_per_user")])
def test_the_nearest_is_named_where_none_matches(text: str, meant: str) -> None:
    read = read_metric(text, KNOWN)
    assert read is not None
    assert read.name is None
    assert read.told.endswith(f"did you mean {meant}?")


def test_what_is_like_no_metric_is_answered_with_those_there_are() -> None:
    read = read_metric("売上", KNOWN)
    assert read is not None
    assert read.name is None
    assert "ctr, spend_per_user" in read.told


@pytest.mark.parametrize(("text", "known"), [("", KNOWN), ("\u3000", KNOWN), ("clicks", {})])
def test_without_a_text_or_a_declaration_there_is_nothing_to_say(text: str, known: dict[str, tuple[str, ...]]) -> None:
    assert read_metric(text, known) is None


def test_a_direction_that_nobody_chose_is_blank_not_wrong() -> None:
    found = lint_brief({"change": "a", "metric": "b", "because": "c", "population": "d", "expected_size": 0.1})
    assert found == ("the direction is blank",)
