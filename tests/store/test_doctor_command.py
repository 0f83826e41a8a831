"""`tasuki doctor`, `backup` and `restore` as people and scripts meet them."""

import contextlib
import json
from pathlib import Path

import pytest
from stories import comment, tamper, tell

from tasuki.cli.main import main
from tasuki.store.ledger import open_ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The least that is a workspace, with a ledger of two ideas."""
    (tmp_path / "tasuki.toml").write_text('name = "広告"\nledger = "sqlite:///data/ledger.db"\n', encoding="utf-8")
    (tmp_path / "data").mkdir()
    with contextlib.closing(open_ledger(address(tmp_path))) as ledger:
        tell(ledger, "idea-1", 2)
        tell(ledger, "idea-2", 2)
    return tmp_path


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/data/ledger.db"


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(one) for one in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_healthy_ledger_is_called_healthy(folder, capsys):
    code, out, _ = run(capsys, "doctor", "--workspace", folder)
    assert (code, out) == (0, "The ledger is healthy: 6 event(s) in 2 stream(s).\n")
    code, out, _ = run(capsys, "doctor", "--workspace", folder, "--json")
    expected = {
        "schema": "tasuki.doctor/1",
        "healthy": True,
        "events": 6,
        "streams": 2,
        "rebuilt": None,
        "findings": [],
    }
    assert (code, json.loads(out)) == (0, expected)


def test_a_tampered_event_is_named_and_the_exit_code_tells_scripts(folder, capsys):
    with contextlib.closing(open_ledger(address(folder))) as ledger:
        tamper(ledger, "UPDATE events SET body = '{oops' WHERE idea = 'idea-2' AND sequence = 3")
    code, out, _ = run(capsys, "doctor", "--workspace", folder, "--json")
    document = json.loads(out)
    named = [one for one in document["findings"] if one["problem"] != "guard"]
    assert (code, document["healthy"]) == (3, False)
    assert [(one["idea"], one["sequence"], one["problem"]) for one in named] == [("idea-2", 3, "content")]
    assert set(named[0]) == {"idea", "sequence", "problem", "what", "next_step"}
    code, out, _ = run(capsys, "doctor", "--workspace", folder)
    assert code == 3
    assert "idea-2" in out
    assert "Traceback" not in out


def test_a_tampered_text_that_looks_like_markup_stops_nobody(folder, capsys):
    with contextlib.closing(open_ledger(address(folder))) as ledger:
        tamper(ledger, "UPDATE events SET kind = '[/red]', idea = '[/b]' WHERE idea = 'idea-2' AND sequence = 3")
    code, out, _ = run(capsys, "doctor", "--workspace", folder)
    assert code == 3
    assert "[/b]" in out


def test_a_tampered_fold_is_mended_by_rebuilding(folder, capsys):
    with contextlib.closing(open_ledger(address(folder))) as ledger, ledger.engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE streams SET state = '{}' WHERE idea = 'idea-1'""")
    assert run(capsys, "doctor", "--workspace", folder)[0] == 3
    code, out, _ = run(capsys, "doctor", "--workspace", folder, "--rebuild")
    assert code == 0
    assert "2 stream(s) was made anew" in out
    assert run(capsys, "doctor", "--workspace", folder)[0] == 0


def test_rebuilding_does_not_hide_a_removed_event_unless_forced(folder, capsys):
    with contextlib.closing(open_ledger(address(folder))) as ledger:
        tamper(ledger, "DELETE FROM events WHERE idea = 'idea-2' AND sequence = 3")
    code, _, err = run(capsys, "doctor", "--workspace", folder, "--rebuild")
    assert code == 4
    assert "idea-2 3" in err
    assert "Rule:" in err
    _, out, _ = run(capsys, "doctor", "--workspace", folder, "--json")
    assert "gap" in {one["problem"] for one in json.loads(out)["findings"]}
    _, out, _ = run(capsys, "doctor", "--workspace", folder, "--rebuild", "--force", "--json")
    assert {one["problem"] for one in json.loads(out)["findings"]} == {"guard"}
    with contextlib.closing(open_ledger(address(folder))) as ledger:
        ledger.append("idea-2", 2, [comment("life goes on")])


def test_a_damaged_file_is_reported_without_a_crash(folder, capsys):
    file = folder / "data" / "ledger.db"
    raw = bytearray(file.read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)
    file.write_bytes(raw)
    code, out, err = run(capsys, "doctor", "--workspace", folder, "--json")
    assert code in (3, 7)
    assert "Traceback" not in out + err
    assert "damaged" in out + err


def test_backup_and_restore_bring_a_lost_ledger_back(folder, capsys):
    copy = folder / "copies" / "ledger.jsonl"
    code, out, _ = run(capsys, "backup", copy, "--workspace", folder, "--json")
    assert code == 0
    assert json.loads(out) | {"at": ""} == {
        "schema": "tasuki.backup/1", "file": str(copy), "at": "", "events": 6, "streams": 2,
    }  # fmt: skip
    assert run(capsys, "restore", copy, "--workspace", folder)[0] == 4
    (folder / "data" / "ledger.db").unlink()
    code, out, _ = run(capsys, "restore", copy, "--workspace", folder)
    assert (code, out) == (0, "6 event(s) of 2 stream(s) are back.\n")
    assert run(capsys, "doctor", "--workspace", folder)[0] == 0
    code, out, _ = run(capsys, "restore", copy, "--workspace", folder, "--force", "--json")
    assert code == 0
    assert Path(json.loads(out)["set_aside"]).exists()


def test_what_is_no_workspace_or_no_backup_is_said(folder, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    code, _, err = run(capsys, "doctor", "--workspace", elsewhere)
    assert code == 5
    assert "tasuki init" in err
    assert run(capsys, "restore", elsewhere / "none.jsonl", "--workspace", folder)[0] == 5
    (elsewhere / "tasuki.toml").write_text("name = ")
    assert run(capsys, "doctor", "--workspace", elsewhere)[0] == 3
    assert run(capsys, "doctor", "--ledger", "mysql://h/x")[0] == 3


def test_another_ledger_can_be_named(folder, capsys):
    assert run(capsys, "doctor", "--ledger", address(folder))[0] == 0


@pytest.mark.parametrize("ledger", ["sqlite:///ledger.db", "sqlite:///sub/other.db", "ABSOLUTE"])
def test_doctor_looks_at_the_ledger_that_the_workspace_opens(tmp_path, capsys, ledger):
    from tasuki.settings.workspace import Choices, init_workspace

    (tmp_path / "w" / "sub").mkdir(parents=True)
    url = f"sqlite:///{tmp_path}/far.db" if ledger == "ABSOLUTE" else ledger
    workspace = init_workspace(tmp_path / "w", Choices(name="ads", ledger=url))
    tell(workspace.ledger, "idea-1", 4)
    workspace.ledger.close()
    _, out, _ = run(capsys, "doctor", "--workspace", tmp_path / "w", "--json")
    assert json.loads(out)["events"] == 5
