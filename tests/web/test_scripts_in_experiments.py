"""Scripts in the texts of an experiment from its plan to its decision: on every page, and in its report."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from guarded_team import API
from litestar.testing import TestClient
from test_experiments_run_from_pages import DAYS, METRICS, browser, write_logs
from test_scripts_by_description import MARK, everything, wrongs
from test_scripts_in_texts import NASTY, PAGES

from tasuki.actions.members import add_member
from tasuki.actions.relay import open_idea
from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow import experimenting
from tasuki.settings.workspace import Choices, init_workspace

BAD = NASTY[0]
PLANNED = {
    "model": "ctr",
    "primary": "clicks_per_user",
    "mde": 0.3,
    "rule": BAD,
    "stop_rule": BAD,
    "interactions": BAD,
    "exclusions": [BAD],
}


@dataclass(frozen=True)
class Run:
    """A browser that may change what it likes, and an idea whose experiment goes from its plan to its decision."""

    workspace: Workspace
    client: TestClient
    clock: MovableClock
    idea: str

    def send(self, action: str, body: dict[str, Any]) -> None:
        """Sends a body to an action of the experiment; it must be taken."""
        mark = self.client.get("/").text.partition('name="_mark" value="')[2][:64]
        place = f"{API}/ideas/{self.idea}/experiments/ab2/{action}"
        answer = self.client.post(place, json=body, headers={"x-tasuki-mark": mark})
        assert answer.status_code == 200, f"{action}: {answer.text}"
        assert answer.headers["content-type"].startswith("application/json")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    clock = MovableClock(datetime.fromisoformat("2026-04-01T00:00:00+00:00"))
    workspace = init_workspace(tmp_path / "w", Choices(member="aoi", formation="all_in_one"), clock)
    for member in ("aoi", "ren"):
        add_member(workspace, member, actor="aoi", roles=["data_scientist"])
    titled = METRICS.replace('en = "Clicks"', "en = '''" + BAD + "'''").replace(
        'ja = "クリック"', "ja = '''" + BAD + "'''"
    )
    (workspace.folder / "metrics.toml").write_text(titled, encoding="utf-8")
    for name in ("earlier", "ab2"):
        write_logs(workspace.folder, name)
    idea = open_idea(workspace, BAD, actor="aoi").idea
    with browser(workspace, "aoi") as client:
        yield Run(workspace, client, clock, idea)
    workspace.close()


def start(run: Run) -> None:
    """What starting writes down, without a model to serve."""
    asked = Request("start", "aoi", {})
    begin = experimenting.start_experiment
    change_idea(run.workspace, run.idea, asked, lambda state, act: [begin(state, act, "ab2", "comparison")])
    run.clock.advance(days=DAYS)


def test_no_text_of_an_experiment_runs_on_a_page_or_in_its_report(run: Run) -> None:
    run.send("plan", PLANNED)
    run.send("book", {"kind": "comparison"})
    run.send("release", {"reason": BAD})
    start(run)
    run.send("compare", {})
    run.send("stop", {"reason": BAD})
    decided = {"decision": "do_not_ship", "reason": BAD, "monitoring_owner": "ren", "clean_up": BAD}
    run.send("decide", {**decided, "clean_up_due": "2026-12-01"})
    found = everything(run.client, [*PAGES, f"/ideas/{run.idea}", "/experiments/ab2"])
    for path in ("/experiments/ab2", f"/ideas/{run.idea}", "/metrics"):
        assert f"&lt;{MARK}" in found[path] or "&lt;/textarea&gt;" in found[path], f"what was sent stands on {path}"
    wrong = [one for path, text in found.items() for one in wrongs(path, text)]
    for language in ("en", "ja"):
        report = run.client.get(f"{API}/ideas/{run.idea}/experiments/ab2/report?lang={language}")
        assert report.status_code == 200
        assert report.headers["content-disposition"] == 'attachment; filename="report.html"'
        assert "&lt;/textarea&gt;" in report.text
        wrong += wrongs(f"report in {language}", report.text)
    assert not wrong, "\n".join(wrong)
