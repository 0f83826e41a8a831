"""Choosing cases by what they are."""

import re

import pytest
from litestar.testing import TestClient

from tasuki.web.case_choice import CaseChoice, CaseFacts, choices_among

SHIPPED = CaseFacts("model", "ship", "install_rate", "2026")
KILLED = CaseFacts("analysis", "killed", "", "2025")


@pytest.mark.parametrize(
    ("choice", "fitting"),
    [
        (CaseChoice(), {SHIPPED, KILLED}),
        (CaseChoice(flow="model"), {SHIPPED}),
        (CaseChoice(decision="killed"), {KILLED}),
        (CaseChoice(metric="install_rate", year="2026"), {SHIPPED}),
        (CaseChoice(flow="analysis", year="2026"), set()),
    ],
)
def test_every_part_that_is_asked_for_must_fit(choice: CaseChoice, fitting: set[CaseFacts]) -> None:
    assert {one for one in (SHIPPED, KILLED) if choice.fits(one)} == fitting


def test_only_what_a_case_has_can_be_chosen_the_newest_year_first() -> None:
    choices = choices_among([KILLED, SHIPPED])
    assert choices.metrics == ("install_rate",)
    assert choices.years == ("2026", "2025")


def titles(page: str) -> list[str]:
    return re.findall(r"<h2><a href=\"/ideas/[^\"]+\">([^<]+)</a></h2>", page)


def test_cases_are_listed_filtered_and_searched_in_two_characters(browse: TestClient) -> None:
    assert len(titles(browse.get("/cases").text)) == 2
    assert titles(browse.get("/cases?decision=killed").text) == ["深夜帯の入札を下げる"]
    assert titles(browse.get("/cases?q=再訪&decision=ship").text) == ["再訪ユーザーへの入札を強める"]
    nothing = browse.get("/cases?q=再訪&decision=killed&year=2020&lang=ja").text
    assert titles(nothing) == []
    assert "絞り込みを解除する" in nothing


def test_a_choice_that_no_case_has_is_an_empty_list_and_hostile_text_stays_text(browse: TestClient) -> None:
    page = browse.get("/cases?flow=%3Cscript%3E&year=x")
    assert page.status_code == 200
    assert titles(page.text) == []
    assert "<script>" not in page.text.replace('<script src="/assets', "")
