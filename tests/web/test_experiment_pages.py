"""Experiments, the slot calendar and the KPI tree as pages, and as values."""

import re
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from litestar.testing import TestClient
from told_ideas import foreign_scripts

from tasuki.actions.experiment_list import list_experiments
from tasuki.actions.metrics import declared_metrics
from tasuki.actions.workspace import Workspace
from tasuki.experiments.booking import Slot, SlotCalendar
from tasuki.metrics.metric import Metric
from tasuki.web.app import create_app
from tasuki.web.calendar_view import view_of
from tasuki.web.drawings import _svg, calibration_of
from tasuki.web.experiments import days_of, probes_by_report
from tasuki.web.metric_tree import Branch, tree_of
from tasuki.web.readings import concern_in, reasons_in
from tasuki.web.texts import Texts

TODAY = date(2026, 11, 24)


def test_every_experiment_is_listed_and_has_a_page(browse: TestClient, told: Workspace) -> None:
    listed = browse.get("/experiments?lang=en").text
    for one in list_experiments(told):
        assert one.name in listed
        answer = browse.get(f"/experiments/{one.name}")
        assert answer.status_code == 200
        assert foreign_scripts(answer.text) == []


def test_an_experiment_shows_its_effects_drawn_and_in_a_table(browse: TestClient) -> None:
    page = browse.get("/experiments/recency-ab?lang=en").text
    assert page.count("<svg role=") >= 2
    assert 'style="' not in page
    assert "<caption" in page or "<thead>" in page


@pytest.mark.parametrize(
    ("language", "titles"),
    [
        ("en", ("Power by true effect, with 412,000 units", "install_rate: effect so far", "install_rate by os")),
        ("ja", ("真の効果ごとの検出力（412,000 単位の場合）", "日ごとの推移", "セグメント別の効果")),
    ],
)
def test_an_experiment_draws_its_power_its_days_and_its_segments(
    browse: TestClient, language: str, titles: tuple[str, ...]
) -> None:
    page = browse.get(f"/experiments/recency-ab?lang={language}").text
    for title in titles:
        assert title in page
    assert "undefined" not in page
    numbers = Texts(language)("chart.numbers")  # type: ignore[arg-type]
    assert page.count(f"<summary>{numbers}</summary>") >= 3


@pytest.mark.parametrize(("language", "title"), [("en", "Read by segment"), ("ja", "セグメント")])
def test_a_plan_names_the_segments_it_is_read_by(browse: TestClient, language: str, title: str) -> None:
    page = browse.get(f"/experiments/recency-ab?lang={language}").text
    assert f"<dt>{title}</dt><dd>os</dd>" in page


def test_what_is_drawn_is_drawn_once(browse: TestClient) -> None:
    browse.get("/experiments/recency-ab?lang=en")
    before = _svg.cache_info()
    browse.get("/experiments/recency-ab?lang=en")
    assert _svg.cache_info().misses == before.misses
    assert _svg.cache_info().hits > before.hits


def test_the_rules_reasons_are_told_in_the_readers_language() -> None:
    ground = {"code": "gain", "values": {"arm": "treatment", "metric": "clicks", "relative": 0.03, "effect": 1.0}}
    said = {"reasons": ["treatment: clicks is a gain"], "grounds": [ground]}
    assert "有意な改善" in reasons_in(said, "ja")[0]
    assert reasons_in({**said, "grounds": []}, "ja") == ("treatment: clicks is a gain",)
    assert concern_in({"code": "unknown", "severity": "info", "message": "As it was."}, "ja") == "As it was."


def test_an_experiment_that_is_not_there_is_not_found(browse: TestClient) -> None:
    assert browse.get("/experiments/nothing").status_code == 404


@pytest.mark.parametrize("address", ["/experiments", "/calendar", "/metrics"])
def test_an_empty_workspace_says_how_to_begin(empty: Workspace, address: str) -> None:
    with TestClient(create_app(empty), base_url="http://127.0.0.1") as client:
        answer = client.get(address)
    assert answer.status_code == 200
    if address == "/experiments":
        assert '<a class="button" href="/calendar#book">' in answer.text
    else:
        assert "<code>" in answer.text or "予約はありません" in answer.text


@pytest.mark.parametrize("address", ["/experiments", "/calendar", "/metrics"])
def test_these_pages_can_only_be_looked_at(browse: TestClient, address: str) -> None:
    assert browse.post(address).status_code == 405


def test_probes_of_several_reports_stand_beside_each_other() -> None:
    def report(**verdicts: bool) -> object:
        probes = [{"name": name, "passed": passed} for name, passed in verdicts.items()]
        return type("Report", (), {"record": {"probes": probes}})()

    rows = {one.name: one.verdicts for one in probes_by_report([report(a=False, b=True), report(a=True, c=True)])}
    assert rows == {"a": (False, True), "b": (True, None), "c": (None, True)}


def slot(name: str, first: date, last: date, state: str = "booked") -> Slot:
    return Slot("idea-1", "An idea", name, "comparison", "ab2", first, last, state)  # type: ignore[arg-type]


def test_the_calendar_shows_what_touches_its_weeks_and_cuts_what_sticks_out() -> None:
    long_ago = slot("old", TODAY - timedelta(days=400), TODAY - timedelta(days=390), "done")
    sticking_out = slot("long", TODAY - timedelta(days=60), TODAY + timedelta(days=200), "running")
    view = view_of(SlotCalendar((long_ago, sticking_out), {}, TODAY))
    (bar,) = next(lane for lane in view.lanes if lane.name == "ab2").bars
    assert (bar.offset, bar.days) == (0, 7 * len(view.weeks))
    assert view.first.weekday() == 0
    assert view.first + timedelta(days=view.today_offset) == TODAY


def test_a_name_stands_where_the_line_of_today_does_not_go_through_it() -> None:
    past = slot("a-name-of-some-length", TODAY - timedelta(days=20), TODAY - timedelta(days=3), "done")
    running = slot("runs", TODAY - timedelta(days=2), TODAY + timedelta(days=5), "running")
    ends_last = slot("ends-last", TODAY + timedelta(days=35), TODAY + timedelta(days=60))
    both = slot("a-very-long-name-that-fits-nowhere", TODAY - timedelta(days=9), TODAY - timedelta(days=3), "done")
    bars = {}
    for one in (past, running, ends_last, both):
        (bar,) = next(lane for lane in view_of(SlotCalendar((one,), {}, TODAY)).lanes if lane.name == "ab2").bars
        bars[one.experiment] = bar.name_at
    assert list(bars.values()) == ["line", "after", "before", "line"]


def test_metrics_stand_below_their_parents_and_none_is_lost() -> None:
    profit = Metric("profit", "mean", "value")
    clicks = replace(profit, name="clicks", parent="profit")
    lost = replace(profit, name="lost", parent="nothing")
    tree = tree_of({one.name: one for one in (clicks, profit, lost)})
    assert tree == (Branch(profit, (Branch(clicks, ()),)), Branch(lost, ()))


def test_a_metric_has_an_address_that_results_lead_to(told: Workspace, tmp_path: Path) -> None:
    declared = (
        '[metric.install_rate]\nkind = "mean"\ntable = "outcomes"\nnumerator = "installed"\nunit = "unit"\ntime = "at"'
    )
    titled = '\ntitle = { en = "Install rate", ja = "インストール率" }\n'
    (tmp_path / "metrics.toml").write_text(declared + titled, encoding="utf-8")
    with TestClient(create_app(replace(told, folder=tmp_path)), base_url="http://127.0.0.1") as client:
        result, tree = client.get("/experiments/recency-ab?lang=ja").text, client.get("/metrics?lang=ja").text
    assert 'href="/metrics#metric-install_rate"' in result
    assert 'id="metric-install_rate"' in tree
    assert 'href="#metric-install_rate"' in tree


def test_a_team_without_metrics_is_shown_one_that_can_be_taken_as_it_is(empty: Workspace, tmp_path: Path) -> None:
    with TestClient(create_app(replace(empty, folder=tmp_path)), base_url="http://127.0.0.1") as client:
        page = client.get("/metrics?lang=en").text
    shown = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    (tmp_path / "metrics.toml").write_text(unescape(shown[1]), encoding="utf-8")
    assert list(declared_metrics(tmp_path))


def test_faults_of_the_declarations_are_shown_in_place_of_the_tree(empty: Workspace, tmp_path: Path) -> None:
    (tmp_path / "metrics.toml").write_text('[metric.clicks]\nkind = "average"\n')
    with TestClient(create_app(replace(empty, folder=tmp_path)), base_url="http://127.0.0.1") as client:
        page = client.get("/metrics?lang=en")
    assert page.status_code == 200
    assert "average" in page.text


@pytest.mark.parametrize(("language", "title"), [("en", "Calibration: observed rate"), ("ja", "較正: 予測した割合")])
def test_an_offline_report_draws_its_calibration_with_the_numbers_behind(
    browse: TestClient, told: Workspace, language: str, title: str
) -> None:
    idea = next(
        one.idea for one in told.ledger.shelf().ended.states if told.ledger.state(one.idea).latest("offline_report")
    )
    page = browse.get(f"/ideas/{idea}?lang={language}").text
    assert title in page
    drawing = page[page.index(title) :]
    assert "<svg role=" in drawing[:4000]
    assert "78,063" in drawing


def test_an_offline_report_of_before_is_shown_without_a_curve() -> None:
    assert calibration_of({"recommendation": "go"}, "en") is None
    assert calibration_of({"calibration_curve": None}, "en") is None
    assert calibration_of({"calibration_curve": {"champion": [], "challenger": []}}, "ja") is None


def test_the_days_of_a_check_stand_beside_each_other_probe_by_probe() -> None:
    probes = [{"name": name, "passed": True} for name in ("clock", "split", "latency")]
    by_day = [
        {"day": "2026-10-27", "exposures": 12, "asked": ["split", "latency"], "failed": ["latency"]},
        {"day": "2026-10-28", "exposures": 9, "asked": ["split"], "failed": []},
    ]
    report = type("Report", (), {"record": {"probes": probes, "by_day": by_day}})()
    table = days_of(report)
    assert table is not None
    assert table.days == (date(2026, 10, 27), date(2026, 10, 28))
    assert table.exposures == (12, 9)
    assert table.rows == (("split", ("passed", "passed")), ("latency", ("failed", "not_asked")))


def test_a_report_that_kept_no_days_has_no_table_of_them() -> None:
    probes = [{"name": "split", "passed": True}]
    assert days_of(type("Report", (), {"record": {"probes": probes}})()) is None
    assert days_of(type("Report", (), {"record": {"probes": probes, "by_day": []}})()) is None
