"""A whole A/B 1 and a comparison, from the pages alone, with real models, real logs and a real routing file."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient

from check_world import START, idea_for, make_template, opened
from tasuki.actions import observation
from tasuki.actions.comparison import PlanRequest, plan_experiment
from tasuki.actions.members import add_member
from tasuki.actions.relay import open_idea
from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow import experimenting
from tasuki.settings.workspace import Choices, init_workspace
from tasuki.store.routing import load_routing
from tasuki.web.app import create_app

METRICS = """
[metric.clicks_per_user]
kind = "mean"
numerator = "clicked::integer"
table = "outcomes"
unit = "unit"
exposure = "exposure"
time = "at"
title = { en = "Clicks", ja = "クリック" }
"""
UNITS, DAYS = 1_000, 7


def send(client: TestClient, page: str, action: str, **fields: str) -> tuple[int, str]:
    """Fills in the form that the page shows for the action; what it offers stays where nothing is typed."""
    text = client.get(page).text
    form = re.search(rf'<form method="post" action="[^"]*{action}".*?</form>', text, re.DOTALL)
    assert form, f"{page} shows no form for {action}"
    where = re.search('action="([^"]+)"', form[0])[1]  # type: ignore[index]
    offered = dict(re.findall(r'<input[^>]* name="(\w+)"(?: type="\w+")?[^>]* value="([^"]*)"', form[0]))
    offered.pop("queue", None)
    answer = client.post(where, data={**offered, **fields})
    return answer.status_code, answer.headers.get("location", answer.text)


def browser(workspace: Workspace, member: str) -> TestClient:
    client = TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False)
    client.follow_redirects = False
    client.cookies.set("tasuki_acting", member)
    client.get("/")
    return client


@pytest.mark.slow
def test_ab_1_is_booked_started_looked_at_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "LOG_DELAY_S", 0.0)
    make_template(tmp_path / "w")
    clock = MovableClock(START + timedelta(hours=1))
    with closing(opened(tmp_path / "w", clock)) as workspace, browser(workspace, "yui") as client:
        idea = idea_for(workspace)
        booking = {"idea": idea, "experiment": "夜の確認", "kind": "check"}
        assert send(client, "/calendar", "/calendar/book", **booking) == (303, "/calendar")
        page = "/experiments/%E5%A4%9C%E3%81%AE%E7%A2%BA%E8%AA%8D"
        assert send(client, page, "/start", model="ctr", shares="40") == (303, page)
        routing = load_routing(workspace.folder)
        assert routing is not None
        assert {one.name: one.share for one in routing.arms} == {"control": 0.6, "treatment": 0.4}
        clock.advance(days=1)
        assert send(client, page, "/check") == (303, page)
        assert workspace.ledger.state(idea).latest("check_report") is not None
        assert send(client, page, "/stop", reason="夜のうちに止める") == (303, page)
        routing = load_routing(workspace.folder)
        assert routing is not None
        assert routing.experiment is None
        assert 'action="/ideas' not in re.sub(r'action="[^"]*/check"', "", client.get(page).text)


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a planned A/B 2 that has run for a week, and what its units did."""
    clock = MovableClock(datetime.fromisoformat("2026-04-01T00:00:00+00:00"))
    workspace = init_workspace(tmp_path / "w", Choices(member="aoi", formation="all_in_one"), clock)
    add_member(workspace, "aoi", actor="aoi", roles=["data_scientist"])
    (workspace.folder / "metrics.toml").write_text(METRICS, encoding="utf-8")
    for name in ("earlier", "ab2"):
        write_logs(workspace.folder, name)
    idea = open_idea(workspace, "An idea", actor="aoi").idea
    texts = {"rule": "ship when better", "stop_rule": "at the end", "interactions": "none"}
    wish = PlanRequest("ab2", "ctr", "clicks_per_user", {}, minimal_detectable_effect=0.3, **texts)
    plan_experiment(workspace, idea, wish, actor="aoi")
    asked = Request("start", "aoi", {})
    change_idea(workspace, idea, asked, lambda s, act: [experimenting.start_experiment(s, act, "ab2", "comparison")])
    clock.advance(days=DAYS)
    yield workspace
    workspace.close()


def write_logs(folder: Path, experiment: str) -> None:
    rng = np.random.default_rng(1)
    units = np.repeat(np.arange(UNITS), DAYS)
    at = [datetime(2026, 4, 1) + timedelta(days=int(day)) for day in np.tile(np.arange(DAYS), UNITS)]
    plain = {"exposure": [f"{experiment}-{n}" for n in range(len(units))], "at": at, "unit": [f"u{n}" for n in units]}
    tables = {
        "exposures": {"experiment": experiment, "arm": np.where(units % 2 == 0, "control", "treatment")},
        "outcomes": {"clicked": rng.random(len(units)) < 0.2},
    }
    for name, more in tables.items():
        (folder / "logs" / name).mkdir(parents=True, exist_ok=True)
        pl.DataFrame({**plain, **more}).write_parquet(folder / "logs" / name / f"{experiment}.parquet")


def test_ab_2_is_planned_on_a_page_from_the_teams_own_data(planned: Workspace) -> None:
    words = {"rule": "区間が 0 より上なら採用", "stop_rule": "予定の日数が終わった時点", "interactions": "なし"}
    with browser(planned, "aoi") as client:
        form = "/ideas/idea-1/plan?experiment=next"
        done = send(client, form, "/plan", model="ctr", primary="clicks_per_user", mde="30%", **words)
        assert done == (303, "/ideas/idea-1")
        entry = planned.ledger.state("idea-1").latest("experiment_plan")
        assert entry is not None
        assert (entry.record["experiment"], entry.record["minimal_detectable_effect"]) == ("next", 0.3)
        assert entry.record["units_needed"] > 0
        assert entry.record["baseline"] == pytest.approx(2 * DAYS * 0.2, rel=0.05)
        again = send(client, "/ideas/idea-1/plan?experiment=ab2", "/plan", model="ctr", primary="clicks_per_user",
                     mde="30%", **words)  # fmt: skip
        assert again[0] == 409, "a plan is frozen at the start"


def test_ab_2_is_compared_and_leads_to_the_decision(planned: Workspace) -> None:
    with browser(planned, "aoi") as client:
        assert "/attach/decision" not in client.get("/experiments/ab2").text
        assert send(client, "/experiments/ab2", "/compare") == (303, "/experiments/ab2")
        text = client.get("/experiments/ab2").text
        assert 'id="effects"' in text
        assert "/attach/decision" in text


def test_data_that_cannot_be_read_is_told_in_japanese(planned: Workspace) -> None:
    for file in (planned.folder / "logs" / "outcomes").glob("*.parquet"):
        file.unlink()
    with browser(planned, "aoi") as client:
        client.cookies.set("tasuki_language", "ja")
        status, text = send(client, "/experiments/ab2", "/compare")
    assert status == 404
    assert "パスを確かめるか、最初のデータが届くのを待ってください。" in text
    assert "wait for the first rows" not in text
