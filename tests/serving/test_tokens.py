"""Tokens: who shows none, a wrong one or one for another model is kept out, and a changed file holds at once."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_desk
from tasuki.errors import Invalid
from tasuki.serving.gate import Client, Gate, client_entry, new_token, open_gate, read_clients

FEATURES = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}
COMMAND = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "model"]


def make_token(path: Path, name: str, *models: str) -> str:
    options = [option for model in models for option in ("--model", model)]
    command = [*COMMAND, "token", name, "--tokens", str(path), "--json", *options]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return str(json.loads(said.stdout)["token"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    workspace.close()
    return folder


@pytest.fixture(scope="module")
def closed(folder: Path) -> Iterator[tuple[model_desk.Running, dict[str, str]]]:
    path = folder / "serving" / "tokens.toml"
    tokens = {"bidder": make_token(path, "bidder", "ctr"), "other": make_token(path, "other", "cvr")}
    tokens["all"] = make_token(path, "all")
    service = model_desk.start_service(folder, "--tokens", str(path))
    yield service, tokens
    service.stop()


def asked(service: model_desk.Running, header: str | None, model: str = "ctr") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    try:
        headers = {} if header is None else {"authorization": header}
        body = json.dumps({"unit": "u", "features": FEATURES}).encode()
        connection.request("POST", f"/v1/models/{model}/score", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_only_the_right_token_is_answered(closed: tuple[model_desk.Running, dict[str, str]]) -> None:
    service, tokens = closed
    assert asked(service, f"Bearer {tokens['bidder']}")[0] == 200
    assert asked(service, f"bearer {tokens['all']}")[0] == 200
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {tokens['all']}",
        f"Bearer {tokens['all'][:-1]}",
        "Bearer \xff",
    ):
        status, answer = asked(service, header)
        assert status == 401
        assert answer["error"]["faults"][0]["where"] == "authorization"
    assert asked(service, f"Bearer {tokens['other']}")[0] == 403
    # Who may not ask a model does not learn whether there is one of that name.
    assert asked(service, f"Bearer {tokens['bidder']}", "cvr")[0] == 403
    assert asked(service, f"Bearer {tokens['other']}", "cvr")[0] == 400


def test_load_balancers_need_no_token_for_health(closed: tuple[model_desk.Running, dict[str, str]]) -> None:
    service, _ = closed
    assert service.ask("GET", "/ready")[0] == 200
    assert service.ask("GET", "/health")[0] == 200


def test_changed_file_holds_at_once_and_a_broken_one_changes_nothing(
    folder: Path, closed: tuple[model_desk.Running, dict[str, str]]
) -> None:
    service, tokens = closed
    path = folder / "serving" / "tokens.toml"
    before = path.read_text()
    late = make_token(path, "late")
    until = time.monotonic() + 5
    while asked(service, f"Bearer {late}")[0] != 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert asked(service, f"Bearer {late}")[0] == 200
    path.write_text("[[client]]\nname = 3\n")
    health = service.wait(lambda health: health["tokens_error"] != "")
    assert health["status"] == "degraded"
    assert asked(service, f"Bearer {tokens['bidder']}")[0] == 200
    path.write_text(before)
    service.wait(lambda health: health["status"] == "ok")
    assert asked(service, f"Bearer {late}")[0] == 401


def test_network_without_tokens_is_refused(folder: Path) -> None:
    command = [
        *COMMAND,
        "serve",
        "--workspace",
        str(folder),
        "--host",
        "0.0.0.0",
        "--port",
        str(model_desk.free_port()),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 4
    assert "--tokens" in ended.stderr
    missing = subprocess.run(
        [*command, "--tokens", "nowhere.toml"], capture_output=True, text=True, timeout=20, check=False
    )
    assert missing.returncode == 3
    assert "nowhere.toml" in missing.stderr


def test_tokens_file_keeps_no_token(tmp_path: Path) -> None:
    token = make_token(tmp_path / "t.toml", "bidder")
    assert token not in (tmp_path / "t.toml").read_text()
    again = subprocess.run(
        [*COMMAND, "token", "bidder", "--tokens", str(tmp_path / "t.toml")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert again.returncode == 3
    assert "twice" in again.stderr


NAMES = st.text("abcXYZ019-_", min_size=1, max_size=8)


@given(name=NAMES, models=st.one_of(st.none(), st.frozensets(NAMES, max_size=3)))
def test_entry_is_read_as_it_was_written(name: str, models: frozenset[str] | None) -> None:
    client = Client(name, new_token()[1], models)
    assert read_clients(client_entry(client).encode(), "t") == (client,)


@given(content=st.binary(max_size=80))
def test_any_file_that_names_no_client_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match=r"no tokens file|names no client|fault"):
        read_clients(content, "t")


def test_every_fault_of_a_tokens_file_is_named_at_once() -> None:
    text = '[[client]]\nname = "a b"\nsha256 = "ff"\nmodels = "ctr"\nrole = 1\n[[client]]\nname = 3\n'
    with pytest.raises(Invalid) as refused:
        read_clients(text.encode(), "t")
    said = " ".join(fault.what for fault in refused.value.faults)
    assert all(word in said for word in ("'a b'", "sha256", "models", "'role'", "name is 3"))


def test_gate_without_a_file_is_open_and_a_missing_file_is_said(tmp_path: Path) -> None:
    assert Gate(None).check(None, "ctr") == ""
    with pytest.raises(Invalid, match="cannot be read"):
        open_gate(tmp_path / "none.toml")
