"""Booking, starting, stopping, checking and comparing from the pages, for those who never open a terminal."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient
from told_ideas import NOW, Telling, tell_experiments

from tasuki.actions.workspace import Workspace
from tasuki.flow.state import Experiment

BOOKING = {"idea": "idea-4", "experiment": "夜の確認", "kind": "check", "days": "3", "from": "2026-12-24"}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        tell_experiments(workspace.ledger, "idea-4", "ren")
        yield workspace


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        yield one


def sent(team: Workspace, client: TestClient, member: str, path: str, fields: dict[str, str], **more: Any) -> Any:
    return client.post(path, data={"_mark": signed_in(team, client, member), **fields}, **more)


def experiment(team: Workspace, name: str) -> Experiment:
    return next(one for one in team.ledger.state("idea-4").experiments if one.name == name)


def test_days_are_booked_and_moved_from_the_calendar(team: Workspace, client: TestClient) -> None:
    assert sent(team, client, "ren", "/calendar/book", BOOKING).headers["location"] == "/calendar"
    booked = experiment(team, "夜の確認")
    assert (booked.lane, str(booked.booked_from), booked.booked_days) == ("ab1", "2026-12-24", 3)
    assert "夜の確認" in client.get("/calendar").text
    assert sent(team, client, "ren", "/calendar/book", {**BOOKING, "from": "2027-01-04"}).status_code == 303
    assert str(experiment(team, "夜の確認").booked_from) == "2027-01-04"


BACK = "/ideas/idea-4/experiments/night/release"


def test_a_slot_is_given_back_on_the_page_and_told_to_those_who_wait(team: Workspace, client: TestClient) -> None:
    queued = {**BOOKING, "experiment": "next", "from": "2026-12-01", "queue": "yes"}
    assert sent(team, client, "ren", "/calendar/book", queued).status_code == 303
    assert f'action="{BACK}"' in client.get("/experiments/night").text
    assert sent(team, client, "ren", BACK, {"reason": "学習が間に合わない"}).headers["location"] == "/calendar"
    assert experiment(team, "night").booked_from is None
    calendar = unescape(client.get("/calendar?lang=ja").text)
    assert "返却されて空いている枠" in calendar
    assert "学習が間に合わない" in calendar
    link = re.search(r'href="(/calendar\?[^"]*experiment=next[^"]*)#book"', calendar)
    assert link, "the next in the queue is offered the earlier days"
    form = unescape(client.get(link[1]).text)
    assert 'name="from" type="date" value="2026-11-' in form
    assert 'value="3"' in form, "for as many days as before"
    for page in ("/ideas/idea-4?lang=ja", "/experiments/night?lang=ja"):
        told = unescape(client.get(page).text)
        assert "学習が間に合わない" in told
        assert "蓮" in told
    assert "枠の予約なし" in client.get("/experiments/night?lang=ja").text
    assert "前倒し" in client.get("/experiments/next?lang=ja").text
    assert f'action="{BACK}"' not in client.get("/experiments/night").text
    mine = unescape(client.get("/my-work?lang=ja").text)
    assert "前の枠が空いた実験" in mine
    assert 'href="/experiments/next"' in mine
    assert "前の枠が空いた実験" not in unescape(client.get("/my-work?member=aoi&lang=ja").text)


def test_a_slot_is_not_given_back_without_a_reason_or_after_the_start(team: Workspace, client: TestClient) -> None:
    without = sent(team, client, "ren", f"{BACK}?lang=ja", {"reason": " "})
    assert without.status_code == 400
    assert "枠を返却できませんでした" in without.text
    started = sent(team, client, "ren", BACK.replace("night", "dawn") + "?lang=ja", {"reason": "不要"})
    assert started.status_code == 409
    assert "枠を返せるのは、実験を開始する前です。" in started.text
    outsider = sent(team, client, "aoi", f"{BACK}?lang=ja", {"reason": "不要"})
    assert outsider.status_code == 403
    assert client.get(BACK).status_code == 405
    assert experiment(team, "night").booked_from is not None


def test_a_name_of_another_idea_or_without_an_address_is_refused_on_the_calendar(
    team: Workspace, client: TestClient
) -> None:
    taken = sent(team, client, "ren", "/calendar/book?lang=ja", {**BOOKING, "experiment": "recency-ab"})
    assert taken.status_code == 409
    assert "idea-1" in taken.text
    assert "別の名前を付けてください" in taken.text
    wrong = sent(team, client, "ren", "/calendar/book?lang=ja", {**BOOKING, "experiment": "a/b"})
    assert wrong.status_code == 400
    assert "以外の記号" in unescape(wrong.text).partition('id="fault-experiment"')[2]
    named = {**BOOKING, "experiment": "100% ? #1"}
    assert sent(team, client, "ren", "/calendar/book", named).status_code == 303
    link = re.search(r'href="(/experiments/100[^"]+)"', client.get("/calendar").text)
    assert link
    assert "<h1>100% ? #1</h1>" in unescape(client.get(unescape(link[1])).text)


def test_pages_open_where_such_names_were_booked_before(team: Workspace, client: TestClient) -> None:
    day = {"from": "2026-12-20", "days": 3}
    for idea, name in (("idea-7", "night"), ("idea-7", "a/b")):
        told = Telling(team.ledger, idea, NOW)
        told.sequence = len(team.ledger.events(idea))
        told.then("experiment_booked", "aoi", name=name, kind="check", lane="ab1", **day)
    signed_in(team, client, "ren")
    for page in ("/calendar", "/experiments", "/experiments/night", "/ideas/idea-7", "/my-work"):
        assert client.get(page).status_code == 200, page
    assert 'href="/experiments/night?idea=idea-' in client.get("/experiments/night").text
    other = client.get("/experiments/night?idea=idea-7")
    assert 'href="/ideas/idea-7">Raise the floor price' in other.text
    assert client.get("/experiments/night?idea=idea-99").status_code == 404


def test_a_form_that_is_sent_twice_books_once(team: Workspace, client: TestClient) -> None:
    signed_in(team, client, "ren")
    text = client.get("/calendar").text
    hidden = {name: re.search(f'name="{name}" value="([^"]+)"', text)[1] for name in ("_mark", "_once")}  # type: ignore[index]
    before = len(team.ledger.events("idea-4"))
    for _ in range(2):
        assert client.post("/calendar/book", data={**hidden, **BOOKING}).status_code == 303
    assert len(team.ledger.events("idea-4")) == before + 1


def test_what_cannot_be_booked_is_said_beside_its_field_and_what_was_typed_stays(
    team: Workspace, client: TestClient
) -> None:
    wrong = {**BOOKING, "days": "いくつか", "from": "明日", "lane": "ab2", "queue": "yes"}
    answer = sent(team, client, "ren", "/calendar/book?lang=ja", wrong)
    text = unescape(answer.text)
    assert answer.status_code == 400
    assert 'id="fault-days"' in text
    assert 'id="fault-from"' in text
    assert "数値として読めません" in text
    assert 'role="alert"' in text
    for kept in ('value="夜の確認"', 'value="いくつか"', '<option value="ab2" selected', 'value="yes" checked'):
        assert kept in text
    assert not re.search(r'class="(form-problem|field-fault)"[^>]*>.*<span lang="en">', text)
    assert sent(team, client, "ren", "/calendar/book", {**BOOKING, "days": "2.5"}).status_code == 400
    assert sent(team, client, "ren", "/calendar/book", {**BOOKING, "kind": "other"}).status_code == 400
    assert "夜の確認" not in {one.name for one in team.ledger.state("idea-4").experiments}


def test_days_that_others_have_say_who_has_them(team: Workspace, client: TestClient) -> None:
    answer = sent(team, client, "ren", "/calendar/book?lang=en", {**BOOKING, "from": "2026-12-02"})
    assert answer.status_code == 409
    assert "night" in answer.text
    assert "2026-12-08" in answer.text
    assert 'value="2026-12-02"' in answer.text
    assert sent(team, client, "ren", "/calendar/book", {**BOOKING, "from": "2026-12-02", "queue": "yes"}).is_redirect


def test_an_outsider_is_offered_nothing_and_refused_everything(team: Workspace, client: TestClient) -> None:
    before = len(team.ledger.events("idea-4"))
    for name in ("night", "dawn", "noon"):
        signed_in(team, client, "aoi")
        assert f"/experiments/{name}/" not in client.get(f"/experiments/{name}").text
    for action in ("release", "start", "stop", "check", "compare"):
        fields = {"kind": "check", "model": "m", "shares": "5", "reason": "later"}
        refused = sent(team, client, "aoi", f"/ideas/idea-4/experiments/dawn/{action}?lang=ja", fields)
        assert refused.status_code == 403
        assert "蓮" in refused.text.partition('role="alert"')[2], "who could is told"
    assert sent(team, client, "aoi", "/calendar/book", BOOKING).status_code == 403
    assert len(team.ledger.events("idea-4")) == before


def test_a_start_is_refused_on_its_own_page_with_what_was_typed(team: Workspace, client: TestClient) -> None:
    path, fields = "/ideas/idea-4/experiments/night/start", {"kind": "check", "model": "ctr", "shares": "12.5"}
    shown = client.get("/experiments/night") if signed_in(team, client, "ren") else None
    assert shown is not None
    assert f'action="{path}"' in shown.text
    answer = sent(team, client, "ren", f"{path}?lang=ja", fields)
    assert answer.status_code in (404, 409)
    assert 'value="ctr"' in answer.text
    assert 'value="12.5"' in answer.text
    assert 'role="alert"' in answer.text
    wrong = sent(team, client, "ren", path, {**fields, "shares": "many"})
    assert wrong.status_code == 400
    assert 'id="fault-shares"' in wrong.text
    beyond = sent(team, client, "ren", path, {**fields, "shares": "120"})
    assert beyond.status_code == 400
    assert 'value="120"' in beyond.text
    assert experiment(team, "night").started_at is None


def test_a_running_experiment_is_ramped_up_on_its_page(team: Workspace, client: TestClient) -> None:
    told = Telling(team.ledger, "idea-4", NOW)
    told.sequence = len(team.ledger.events("idea-4"))
    arms = [{"name": "control", "share": 0.9}, {"name": "treatment", "share": 0.1}]
    body = {"model": "dusk", "salt": "dusk", "arms": arms, "treatment_location": "artifacts", "layer": "dusk"}
    told.then("experiment_started", "ren", name="dusk", kind="check", range=[0.0, 1.0], exposed=0.1, **body)
    path = "/ideas/idea-4/experiments/dusk/ramp"
    signed_in(team, client, "ren")
    assert f'action="{path}"' in client.get("/experiments/dusk").text
    assert '/ramp"' not in client.get("/experiments/dawn").text, "all of its range takes part"
    assert sent(team, client, "ren", path, {"exposed": "50"}).headers["location"] == "/experiments/dusk"
    assert experiment(team, "dusk").exposed == 0.5
    less = sent(team, client, "ren", f"{path}?lang=ja", {"exposed": "20%"})
    assert less.status_code == 409
    assert 'value="20%"' in less.text
    assert "実験のページで停止" in less.text
    for wrong in ("", "many", "120"):
        assert sent(team, client, "ren", path, {"exposed": wrong}).status_code == 400
    assert sent(team, client, "ren", path, {"exposed": "８０％"}).status_code == 303
    assert experiment(team, "dusk").exposed == 0.8
    assert sent(team, client, "aoi", path, {"exposed": "90"}).status_code == 403
    assert client.get(path).status_code == 405


def test_the_counts_of_the_client_are_sent_with_a_check(
    team: Workspace, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("tasuki.actions.check.check_experiment", lambda *where, **more: asked.append(more["said"]))
    path = "/ideas/idea-4/experiments/dawn/check"
    signed_in(team, client, "ren")
    assert 'name="sent.control"' in client.get("/experiments/dawn").text
    wrong = sent(team, client, "ren", f"{path}?lang=ja", {"sent.control": "9.5", "failed": "何件か"})
    assert wrong.status_code == 400
    assert "整数ではありません" in unescape(wrong.text)
    assert 'id="fault-failed"' in wrong.text
    assert asked == []
    counts = {"sent.control": "9,500", "sent.treatment": "500", "failed": "3"}
    assert sent(team, client, "ren", path, counts).status_code == 303
    assert sent(team, client, "ren", path, {}).status_code == 303
    assert [(one.sent, one.failed) for one in asked] == [({"control": 9500, "treatment": 500}, 3), ({}, None)]


def test_what_runs_is_stopped_with_a_reason(team: Workspace, client: TestClient) -> None:
    answer = sent(team, client, "ren", "/ideas/idea-4/experiments/dawn/stop", {"reason": "応答が遅い"})
    assert answer.headers["location"] == "/experiments/dawn"
    assert experiment(team, "dawn").stopped_at is not None
    assert team.ledger.events("idea-4")[-1].body["reason"] == "応答が遅い"
    again = sent(team, client, "ren", "/ideas/idea-4/experiments/dawn/stop", {"reason": "もう一度"})
    assert again.status_code == 409
    assert "dawn" in again.text


def test_a_look_without_data_or_plan_says_what_is_missing_on_the_page(team: Workspace, client: TestClient) -> None:
    answer = sent(team, client, "ren", "/ideas/idea-4/experiments/noon/compare?lang=ja", {})
    assert answer.status_code in (400, 404, 409)
    assert 'role="alert"' in answer.text
    assert "<h1>noon</h1>" in answer.text


@pytest.mark.parametrize("action", ["release", "start", "stop", "check", "compare"])
def test_an_experiment_that_is_not_there_is_not_found(team: Workspace, client: TestClient, action: str) -> None:
    fields = {"kind": "check", "model": "m", "shares": "5", "reason": "later"}
    answer = sent(team, client, "ren", f"/ideas/idea-4/experiments/none/{action}", fields)
    assert answer.status_code in (404, 409)
