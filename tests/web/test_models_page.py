"""The page of models: what is published, what the service really answers with, and what A/B 1 found."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from litestar.testing import TestClient

from check_world import START, idea_for, make_template, opened, request_of, versions_of
from tasuki.actions import observation
from tasuki.actions.artifacts import store_of
from tasuki.actions.check import check_experiment, start_experiment
from tasuki.actions.serving_state import what_serves
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.clock import MovableClock
from tasuki.demo.service_process import free_port
from tasuki.errors import Invalid, Missing, said
from tasuki.flow.records import DayVerdict
from tasuki.models.default_answer import DefaultAnswer
from tasuki.settings.workspace import open_workspace
from tasuki.texts import as_record
from tasuki.web.app import create_app
from tasuki.web.models_page import health_table


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose A/B 1 runs and was checked before anything was logged."""
    folder = tmp_path_factory.mktemp("models") / "workspace"
    make_template(folder)
    clock = MovableClock(START + timedelta(hours=1))
    with pytest.MonkeyPatch.context() as patch, closing(opened(folder, clock)) as workspace:
        patch.setattr(observation, "LOG_DELAY_S", 0.0)
        idea = idea_for(workspace)
        start_experiment(workspace, idea, request_of(workspace, "e1"), actor="yui")
        clock.advance(days=1)
        check_experiment(workspace, idea, "e1", actor="yui")
        yield workspace


def read(workspace: Workspace, language: str, serving_url: str = "") -> str:
    app = create_app(replace(workspace, serving_url=serving_url))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=True) as client:
        answer = client.get(f"/models?lang={language}")
    assert answer.status_code == 200
    return answer.text


@contextmanager
def service_that_says(document: Any) -> Iterator[str]:
    """Something that answers `/health` with this document."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def health_with(workspace: Workspace, **treatment: Any) -> dict[str, Any]:
    versions = versions_of(workspace)
    arm = {"share": 0.6, "channel": "champion", "location": "artifacts", "version": versions.champion.version}
    control = {**arm, "since": "2026-04-01T10:00:00Z", "state": "serving", "error": ""}
    other = {**control, "share": 0.4, "channel": "challenger", "version": versions.challenger.version, **treatment}
    plan = {"experiment": "e1", "kind": "check", "error": "", "arms": {"control": control, "treatment": other}}
    status = "degraded" if treatment else "ok"
    exposures = {"error": ""}
    return {"status": status, "since": "2026-04-01T09:00:00Z", "models": {"ctr": plan}, "exposures": exposures}


def test_the_page_says_what_is_published_since_when_by_whom_and_what_failed(checked: Workspace) -> None:
    page, versions = read(checked, "en"), versions_of(checked)
    assert versions.champion.version[:12] in page
    assert versions.challenger.version[:12] in page
    assert "1 Apr 2026 09:02 UTC" in page
    assert "no address" in page
    assert 'serving_url = "http://127.0.0.1:8600"' in page
    assert "Exposures are complete" in page
    assert "nothing was seen" in page
    assert "What to do: see that it is logged" in page


def cells(page: str, label: str) -> list[str]:
    """What stands in a column of the table of channels, as text, by row."""
    found = re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', page, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in found]


@pytest.mark.parametrize(
    ("language", "label", "none"), [("en", "Default answer", "0 (none declared)"), ("ja", "既定の応答", "0（未設定）")]
)
def test_each_channel_says_what_is_answered_when_nothing_can_be_computed(
    checked: Workspace, language: str, label: str, none: str
) -> None:
    champion, challenger = versions_of(checked).champion.version, versions_of(checked).challenger.version
    before = cells(read(checked, language), label)
    assert before == [none, none]
    said = DefaultAnswer(0.0125, "the <b>click rate</b> of March")
    store = store_of(checked)
    was = {path: path.read_bytes() for path in (checked.folder / "artifacts" / "ctr" / "channels").glob("*.json")}
    try:
        store.publish("ctr", "challenger", challenger, checked.clock(), "yui", default=said)
        assert cells(read(checked, language), label) == [none, "0.0125 the <b>click rate</b> of March"]
        store.publish("ctr", "champion", champion, checked.clock(), "yui", default=DefaultAnswer(1, "always"))
        assert cells(read(checked, language), label) == ["1 always", "0.0125 the <b>click rate</b> of March"]
        assert "<b>click rate</b>" not in read(checked, language)
    finally:
        for path, content in was.items():
            path.write_bytes(content)
    assert cells(read(checked, language), label) == before


def test_the_page_says_in_either_language_why_the_log_is_not_compacted(checked: Workspace) -> None:
    broken = said("{name} cannot be read: {error}", name="exposures-1.parquet", error="no footer")
    failure = {"at": "2026-04-01T11:00:00Z", "reasons": [{"text": str(broken), "said": as_record(broken)}]}
    compaction = {"last": None, "failure": failure, "fails": True}
    with service_that_says(health_with(checked) | {"status": "degraded", "compaction": compaction}) as address:
        english, japanese = (read(checked, language, address) for language in ("en", "ja"))
    assert "the exposure log was not compacted: exposures-1.parquet cannot be read: no footer" in english
    assert (
        "エクスポージャーのログをまとめられませんでした：exposures-1.parquet を読み取れません（no footer）。"
        in japanese
    )


def test_the_page_speaks_japanese_to_the_faults_remedy(checked: Workspace) -> None:
    page = read(checked, "ja")
    assert "推論サービス" in page
    assert "エクスポージャーの網羅" in page
    assert "対処: ログに残るようにする" in page
    assert "What to do" not in page


def test_a_service_that_nobody_reaches_is_a_state_and_no_error(checked: Workspace) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    assert "not reachable" in read(checked, "en", address)
    assert "応答がありません" in read(checked, "ja", address)
    with service_that_says(["something", "else"]) as other:
        page = read(checked, "en", other)
    assert "not reachable" in page
    assert "does not answer as the inference service does" in page


def test_what_the_service_answers_with_stands_beside_what_was_published(checked: Workspace) -> None:
    with service_that_says(health_with(checked)) as address:
        state = what_serves(replace(checked, serving_url=address))
        page = read(checked, "en", address)
    assert state.service.state == "ok"
    assert [one.doubt for one in state.models[0].channels] == ["", ""]
    assert "since 1 Apr 2026 10:00 UTC" in page


@pytest.mark.parametrize(
    ("treatment", "doubt", "said"),
    [
        ({"version": "0123456789abcdef"}, "differs", "Another version answers"),
        ({"version": "0123456789abcdef", "state": "last_good", "error": "is damaged"}, "last_good", "is damaged"),
        ({"version": None, "state": "unavailable", "error": "no store there"}, "unavailable", "no store there"),
    ],
)
def test_an_answer_that_is_not_the_published_version_is_told(
    checked: Workspace, treatment: dict[str, Any], doubt: str, said: str
) -> None:
    with service_that_says(health_with(checked, **treatment)) as address:
        state = what_serves(replace(checked, serving_url=address), "ctr")
        page = read(checked, "en", address)
    assert [one.doubt for one in state.models[0].channels] == ["", doubt]
    assert said in page
    assert "degraded" in page


def test_probes_stand_by_day_and_those_that_failed_come_first(checked: Workspace) -> None:
    check = what_serves(checked).models[0].checks[0]
    days = (
        DayVerdict((START + timedelta(days=number)).date(), 500, ("split", "latency"), failed)
        for number, failed in enumerate(((), ("split",)))
    )
    table = health_table(replace(check, asked=("split", "latency", "clock"), failed=(), by_day=tuple(days)))  # type: ignore[arg-type]
    assert [(one.name, one.days) for one in table.troubled] == [("split", ("passed", "failed"))]
    assert [(one.name, one.days) for one in table.quiet] == [
        ("latency", ("passed", "passed")), ("clock", ("not_asked", "not_asked")),
    ]  # fmt: skip


def test_an_empty_workspace_says_how_to_begin(empty: Workspace) -> None:
    assert "tasuki model train" in read(empty, "en")


def test_the_command_says_the_same(checked: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(checked.folder)
    assert main(["experiment", "status", "--workspace", folder, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "tasuki.experiment_status/1"
    assert document["service"]["state"] == "not_configured"
    assert [one["channel"] for one in document["models"][0]["channels"]] == ["champion", "challenger"]
    assert main(["experiment", "status", "ctr", "--workspace", folder]) == 0
    assert "fails" in capsys.readouterr().out
    assert main(["experiment", "status", "cvr", "--workspace", folder]) == 5
    with pytest.raises(Missing):
        what_serves(checked, "cvr")


def test_a_pointer_that_cannot_be_read_is_no_pointer_to_nothing(
    checked: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checked.folder / "artifacts" / "ctr" / "channels" / "challenger.json"
    before = path.read_bytes()
    path.write_text("{", encoding="utf-8")
    try:
        assert main(["experiment", "status", "ctr", "--workspace", str(checked.folder)]) == 0
        said = " ".join(capsys.readouterr().out.split())
    finally:
        path.write_bytes(before)
    assert "unknown" in said
    assert "nothing" not in said


def test_the_services_address_is_a_setting_that_is_checked(tmp_path: Path, checked: Workspace) -> None:
    path = checked.folder / "tasuki.toml"
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text('serving_url = "http://127.0.0.1:8600"\n' + before, encoding="utf-8")
        with closing(open_workspace(checked.folder)) as workspace:
            assert workspace.serving_url == "http://127.0.0.1:8600"
        path.write_text('serving_url = "the service"\n' + before, encoding="utf-8")
        with pytest.raises(Invalid, match="serving_url"):
            open_workspace(checked.folder)
    finally:
        path.write_text(before, encoding="utf-8")
