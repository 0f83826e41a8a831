"""`tasuki account`: invitations, tokens, and who comes in."""

import json
from pathlib import Path

import pytest

from tasuki.actions.account_story import store_of
from tasuki.actions.accounts import invitation_of
from tasuki.actions.tokens import visitor_of_token
from tasuki.cli.main import main
from tasuki.settings.workspace import Choices, init_workspace, open_workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_workspace(tmp_path, Choices(name="team", member="aoi", roles=("analyst",))).close()
    return tmp_path


def told(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*words, "--workspace", str(folder)])
    out, err = capsys.readouterr()
    return code, out, err


def test_an_invitation_is_a_link_that_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(folder, capsys, "account", "invite", "aoi", "--json")
    said = json.loads(out)
    assert (code, said["schema"], said["member"]) == (0, "tasuki.invitation/1", "aoi")
    workspace = open_workspace(folder)
    assert invitation_of(workspace, said["link"].rsplit("/", 1)[1]).member == "aoi"
    workspace.close()


def test_a_token_acts_in_its_members_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(folder, capsys, "account", "token", "aoi", "--label", "nightly", "--scope", "run", "--json")
    said = json.loads(out)
    assert (code, said["schema"]) == (0, "tasuki.token/1")
    workspace = open_workspace(folder)
    visitor = visitor_of_token(workspace, said["token"])
    assert (visitor.member, visitor.scopes) == ("aoi", ("run",))
    assert store_of(workspace).tokens("aoi")[0].label == "nightly"
    workspace.close()


def test_every_fault_of_a_token_is_told_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(folder, capsys, "account", "token", "aoi", "--label", " ", "--scope", "all", "--days", "0")
    assert code == 3
    assert all(part in err for part in ("label", "scope", "days"))


def test_an_invitation_for_a_stranger_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(folder, capsys, "account", "invite", "nobody")
    assert code == 5
    assert "Next:" in err


def test_a_token_is_listed_without_its_secret_and_revoked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = told(folder, capsys, "account", "token", "aoi", "--label", "nightly", "--json")
    made = json.loads(out)
    code, out, _ = told(folder, capsys, "account", "tokens", "--json")
    listed = json.loads(out)["tokens"]
    assert (code, [one["id"] for one in listed]) == (0, [made["id"]])
    assert made["token"] not in out
    assert told(folder, capsys, "account", "revoke", made["id"])[0] == 0
    assert told(folder, capsys, "account", "revoke", made["id"])[0] == 5
    workspace = open_workspace(folder)
    assert visitor_of_token(workspace, made["token"]) is None
    workspace.close()


def test_an_account_is_disabled_enabled_and_made_an_administrators(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(folder, capsys, "account", "add", "ren", "--role", "analyst")
    for name in ("aoi", "ren"):
        told(folder, capsys, "account", "invite", name)
    assert told(folder, capsys, "account", "disable", "nobody")[0] == 5
    assert json.loads(told(folder, capsys, "account", "administrator", "aoi", "--json")[1])["administrator"]
    said = json.loads(told(folder, capsys, "account", "disable", "ren", "--json")[1])
    assert (said["schema"], said["disabled"], said["can_sign_in"]) == ("tasuki.account/1", True, False)
    assert not json.loads(told(folder, capsys, "account", "enable", "ren", "--json")[1])["disabled"]
    assert told(folder, capsys, "account", "disable", "aoi", "--as", "ren")[0] == 4
    assert told(folder, capsys, "account", "tokens", "aoi", "--as", "ren")[0] == 4
    assert told(folder, capsys, "account", "administrator", "aoi", "--no")[0] == 4  # the last one stays
