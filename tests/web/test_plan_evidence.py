"""An experiment's plan on the page: what was registered, and a plan of before that knew less."""

from dataclasses import asdict

import pytest
from told_ideas import plan

from tasuki.web.site import Formats, environment
from tasuki.web.texts import Texts

LATER = ("sequential", "looks", "exclusions", "label_delay_days", "first_day", "last_day", "holidays", "aa")


def shown(record: dict, language: str) -> str:
    texts = Texts(language)
    template = environment().get_template("evidence/experiment_plan.html")
    return template.render(record=record, t=texts, fmt=Formats(language), metric_title=str)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ("2026-11-03 文化の日", "計画した時点のみ: 50% 100%", "社内の端末", "誤検出 5.2%")),
        ("en", ("2026-10-19 to 2026-11-08", "at planned looks: 50% 100%", "in 1,000 splits", "can be trusted")),
    ],
)
def test_a_plan_shows_its_days_looks_and_simulation(language: str, words: tuple[str, ...]) -> None:
    page = " ".join(shown(asdict(plan()), language).split())
    assert all(word in page for word in words), page


def test_a_plan_of_before_is_shown_without_what_it_does_not_say() -> None:
    old = {key: value for key, value in asdict(plan()).items() if key not in LATER}
    page = shown(old, "ja")
    assert "期間中は見ない" in page
    assert "A/A" not in page
