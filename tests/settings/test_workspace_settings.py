from pathlib import Path

import pytest

from tasuki.errors import Invalid, Missing, Refused
from tasuki.settings.workspace import Choices, init_workspace, open_workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_workspace(tmp_path / "w", Choices(name='広告 "A"', member="aoi")).close()
    return tmp_path / "w"


def rewrite(folder: Path, text: str) -> list[str]:
    (folder / "tasuki.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        open_workspace(folder)
    return [str(fault) for fault in caught.value.faults]


def test_what_init_made_opens_with_what_was_chosen(folder):
    workspace = open_workspace(folder)
    assert (workspace.name, workspace.language, workspace.member) == ('広告 "A"', "ja", "aoi")
    assert (workspace.flow, workspace.formation) == ("model", "planner_maker_evaluator")
    assert workspace.ledger.ideas() == ()
    assert (folder / "ledger.db").exists()
    for name in ("models", "logs", "artifacts", "serving", "evidence", "metrics.toml", "playbook/contracts.toml"):
        assert (folder / name).exists()
    workspace.close()


def test_a_workspace_is_made_once(folder):
    before = (folder / "tasuki.toml").read_text(encoding="utf-8")
    with pytest.raises(Refused, match="is a workspace already"):
        init_workspace(folder)
    assert (folder / "tasuki.toml").read_text(encoding="utf-8") == before


def test_init_keeps_files_that_are_there(tmp_path):
    (tmp_path / "metrics.toml").write_text("# ours", encoding="utf-8")
    init_workspace(tmp_path).close()
    assert (tmp_path / "metrics.toml").read_text(encoding="utf-8") == "# ours"


def test_a_choice_that_cannot_be_makes_nothing(tmp_path):
    with pytest.raises(Invalid) as caught:
        init_workspace(tmp_path / "w", Choices(language="fr", flow="waterfall", formation="chaos", ledger="mysql://x"))
    assert len(caught.value.faults) == 4
    assert not (tmp_path / "w").exists()


def test_a_folder_below_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(Invalid, match="cannot be made"):
        init_workspace(tmp_path / "file" / "w")


@pytest.mark.parametrize("place", [".", "nowhere"])
def test_a_folder_that_is_no_workspace_is_missing_with_the_next_step(tmp_path, place):
    with pytest.raises(Missing, match="is no workspace") as caught:
        open_workspace(tmp_path / place)
    assert "tasuki init" in caught.value.next_step


def test_faults_of_settings_and_playbook_are_reported_at_once(folder):
    path = folder / "playbook" / "flows.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"modeling"', '"modelling"', 1), encoding="utf-8")
    faults = rewrite(
        folder,
        'language = "fr"\ncolor = 1\nmember = 3\nledger = "mysql://x"\n[tables]\nx = 1\n[serving]\nport = 99999\n'
        'hos = 1\n[[webhook]]\nurl = "ftp://x"\n[[webhook]]\nsecret = 3\nurl = "http://127.0.0.1/"\n',
    )
    for words in (
        "playbook/flows.toml", "name is missing", "language is 'fr'", "unknown key 'color'", "member is no text",
        "ledger is 'mysql://x'", "tables: x is no text", "port is 99999", "unknown key 'hos'", "url is 'ftp://x'",
        "webhook 2: secret is no text",
    ):  # fmt: skip
        assert any(words in fault for fault in faults), words
    assert len(faults) == 11


@pytest.mark.parametrize("text", ["name = ", 'name = "x"\nwebhook = 3', 'name = "x"\nserving = 3\ntables = 4', "\x00"])
def test_settings_of_another_shape_are_faults_and_no_crash(folder, text):
    assert rewrite(folder, text)


def test_settings_that_are_no_text_are_invalid(folder):
    (folder / "tasuki.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="cannot be read"):
        open_workspace(folder)


def test_folders_of_logs_are_tables_and_named_tables_go_first(folder):
    (folder / "logs" / "clicks").mkdir()
    (folder / "logs" / "shops").mkdir()
    (folder / "logs" / "shops" / "a.csv").write_text("x\n1\n", encoding="utf-8")
    (folder / "logs" / "note.txt").write_text("x", encoding="utf-8")
    text = (folder / "tasuki.toml").read_text(encoding="utf-8")
    (folder / "tasuki.toml").write_text(f'{text}\n[tables]\nshops = "shops/*.parquet"\n', encoding="utf-8")
    workspace = open_workspace(folder)
    assert workspace.tables == {
        "clicks": str(folder / "logs/clicks/*.parquet"),
        "shops": str(folder / "shops/*.parquet"),
    }
    (folder / "logs" / "exposures").mkdir()
    assert workspace.tables["exposures"] == str(folder / "logs/exposures/*.parquet")
    assert len(workspace.tables) == 3
    workspace.close()


def test_a_secret_is_not_shown_when_a_workspace_is_printed(folder):
    text = (folder / "tasuki.toml").read_text(encoding="utf-8")
    hook = '[[webhook]]\nurl = "http://127.0.0.1/"\nsecret = "hush"\n'
    (folder / "tasuki.toml").write_text(f"{text}\n{hook}", encoding="utf-8")
    workspace = open_workspace(folder)
    assert workspace.webhooks[0].secret == "hush"
    assert "hush" not in repr(workspace)
    workspace.close()


@pytest.mark.parametrize("left", [None, b""])
def test_a_lost_ledger_is_missed_and_not_made_anew(tmp_path, left):
    init_workspace(tmp_path / "ours").close()
    for file in (tmp_path / "ours").glob("ledger.db*"):
        file.unlink()
    ledger = tmp_path / "ours" / "ledger.db"
    if left is not None:
        ledger.write_bytes(left)
    with pytest.raises(Missing, match="ledger"):
        open_workspace(tmp_path / "ours")
    assert (ledger.read_bytes() if ledger.exists() else None) == left
