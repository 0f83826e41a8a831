"""Planning A/B 2 on a page: who may, what is wrong beside its field, and what was typed stays."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient

from tasuki.actions.booking import BookingRequest, book_experiment
from tasuki.actions.workspace import Workspace
from tasuki.web.forms import Form
from tasuki.web.planning import plan_in

METRICS = """
[metric.install_rate]
kind = "proportion"
numerator = "installed"
table = "outcomes"
unit = "unit"
title = { en = "Install rate", ja = "インストール率" }

[metric.spend]
kind = "mean"
numerator = "spend"
table = "outcomes"
unit = "unit"
title = { en = "Spend", ja = "費用" }
"""
PATH = "/ideas/idea-4/plan"
TYPED = {
    "experiment": "夜の比較",
    "model": "cvr",
    "primary": "install_rate",
    "mde": "３％",
    "rule": "区間が 0 より上なら採用",
    "stop_rule": "予定の日数が終わった時点",
    "interactions": "なし",
    "role.spend": "guardrail",
    "margin.spend": "2%",
    "shares": "40",
    "days": "14",
}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "metrics.toml").write_text(METRICS, encoding="utf-8")
    with guarded(tmp_path) as workspace:
        yield workspace


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        yield one


def test_the_form_begins_with_what_the_idea_says(team: Workspace, client: TestClient) -> None:
    signed_in(team, client, "ren")
    text = unescape(client.get(f"{PATH}?experiment=夜の比較&lang=ja").text)
    for offered in ('value="夜の比較"', 'value="80%"', "インストール率", 'name="role.spend"', 'name="margin.spend"'):
        assert offered in text
    assert f'action="{PATH}"' in text
    assert "disabled" not in text


def test_what_a_form_says_is_what_is_registered() -> None:
    faults: list[object] = []
    wish = plan_in(Form({name: [value] for name, value in TYPED.items()}), ("install_rate", "spend"), faults)  # type: ignore[arg-type]
    assert faults == []
    assert wish is not None
    assert (wish.minimal_detectable_effect, wish.days, wish.guardrails) == (0.03, 14, {"spend": 0.02})
    assert wish.arms == {"control": 0.6, "treatment": 0.4}
    assert (wish.power, wish.alpha, wish.sequential, wish.units_per_day) == (0.8, 0.05, "none", None)


def test_faults_stand_beside_their_fields_and_what_was_typed_stays(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    wrong = {**TYPED, "mde": "少し", "days": "2.5", "rule": "", "margin.spend": "", "first_day": "明日"}
    answer = client.post(f"{PATH}?lang=ja", data={"_mark": mark, **wrong})
    assert answer.status_code == 400
    text = unescape(answer.text)
    for name in ("mde", "days", "rule", "margin.spend", "first_day"):
        assert f'id="fault-{name}"' in text, name
    for kept in ('value="夜の比較"', 'value="少し"', '<option value="guardrail" selected', "予定の日数が終わった時点"):
        assert kept in text
    assert not re.search(r'class="(form-problem|field-fault)"[^>]*>.*<span lang="en">', text)
    assert team.ledger.state("idea-4").latest("experiment_plan") is None


def test_a_name_without_an_address_is_refused(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    answer = client.post(f"{PATH}?lang=ja", data={"_mark": mark, **TYPED, "experiment": "a/b"})
    assert answer.status_code == 400
    assert 'id="fault-experiment"' in answer.text


def test_data_that_is_not_there_is_said_on_the_form(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    answer = client.post(f"{PATH}?lang=ja", data={"_mark": mark, **TYPED})
    assert answer.status_code in (400, 404)
    assert 'role="alert"' in answer.text
    assert 'value="夜の比較"' in unescape(answer.text)
    assert 'name="baseline"' in answer.text, "given numbers can be registered all the same"


def test_given_numbers_are_registered_without_any_data(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    lacking = client.post(f"{PATH}?lang=ja", data={"_mark": mark, **TYPED, "baseline": "2%"})
    assert lacking.status_code == 400
    assert 'id="fault-units_per_day"' in lacking.text
    given = {**TYPED, "baseline": "2%", "units_per_day": "100,000", "days": "", "shares": "50"}
    assert client.post(PATH, data={"_mark": mark, **given}).headers["location"] == "/ideas/idea-4"
    entry = team.ledger.state("idea-4").latest("experiment_plan")
    assert entry is not None
    # Fleiss: 2 (z_0.975 + z_0.8)² · 2 · p(1-p) / (p · 0.03)² units in two equal arms, up to the second variance.
    assert entry.record["units_needed"] == pytest.approx(4 * 7.849 * 0.98 / (0.02 * 0.03**2), rel=0.03)
    assert (entry.record["baseline"], entry.record["units_per_day"]) == (0.02, 100_000)
    assert "夜の比較" in unescape(client.get("/ideas/idea-4").text)


def test_a_slot_shorter_than_its_plan_is_told(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    wish = BookingRequest(TYPED["experiment"], "comparison", days=14)
    book_experiment(team, "idea-4", wish, actor="ren")
    for days, is_short in (("14", False), ("21", True)):
        given = {**TYPED, "baseline": "2%", "units_per_day": "100,000", "days": days}
        assert client.post(PATH, data={"_mark": mark, **given}).status_code == 303
        shown = unescape(client.get(f"/experiments/{TYPED['experiment']}?lang=ja").text)
        assert (f"計画では{days}日かかりますが、予約枠は14日です" in shown) is is_short


def test_an_outsider_reads_the_form_and_may_not_send_it(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "aoi")
    shown = client.get(PATH).text
    assert '<fieldset class="barred" disabled>' in shown
    assert 'type="submit">Register' not in shown
    assert client.post(PATH, data={"_mark": mark, **TYPED}).status_code == 403
    assert client.post(PATH, data={"_mark": mark}).status_code == 403
    assert team.ledger.state("idea-4").latest("experiment_plan") is None


def test_other_methods_and_ideas_are_refused(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    assert client.get("/ideas/idea-99/plan").status_code == 404
    assert client.post("/ideas/idea-99/plan", data={"_mark": mark, **TYPED}).status_code == 404
    assert client.put(PATH, data={"_mark": mark}).status_code == 405
    client.cookies.clear()
    assert client.get(PATH).headers["location"].startswith("/sign-in?")
