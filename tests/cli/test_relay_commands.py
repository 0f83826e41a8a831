"""The relay's commands, most through `main`, some as real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from relay_play import ROLES_OF, evidence_body
from tasuki.cli.main import main
from tasuki.cli.output import console


class Shell:
    """A workspace and what its commands print."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def run(self, *words: str, actor: str | None = None) -> tuple[int, str, str]:
        self.capsys.readouterr()
        named = ["--as", actor] if actor else []
        code = main([*words, *named, "--workspace", str(self.folder)])
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def document(self, *words: str, actor: str | None = None) -> dict:
        code, out, err = self.run(*words, "--json", actor=actor)
        assert code == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    def evidence(self, kind: str, **changes) -> str:
        path = self.folder / "evidence" / f"{kind}.json"
        path.write_text(json.dumps(evidence_body(kind, **changes)), encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(console, "_width", 200)
    monkeypatch.delenv("TASUKI_WORKSPACE", raising=False)
    monkeypatch.delenv("TASUKI_MEMBER", raising=False)
    assert main(["init", str(tmp_path / "w"), "--member", "aoi", "--role", "analyst"]) == 0
    made = Shell(tmp_path / "w", capsys)
    for name, role in ROLES_OF.items():
        if name != "aoi":
            assert made.run("account", "add", name, "--role", role)[0] == 0
    return made


@pytest.fixture
def offered(shell: Shell) -> Shell:
    shell.document("idea", "open", "較正 by segment")
    shell.document("case", "search", "較正", "--idea", "idea-1")
    shell.document("evidence", "attach", "idea-1", shell.evidence("hypothesis_brief"))
    shell.document("handoff", "offer", "idea-1", "--to", "haru", "--note", "please")
    return shell


def test_init_says_what_it_made_and_refuses_a_second_time(tmp_path, capsys):
    assert main(["init", str(tmp_path / "w"), "--name", "広告", "--language", "en", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "schema": "tasuki.workspace/1", "folder": str(tmp_path / "w"), "name": "広告", "language": "en",
        "flow": "model", "formation": "planner_maker_evaluator", "member": "", "members": [],
    }  # fmt: skip
    assert main(["init", str(tmp_path / "w")]) == 4
    assert "is a workspace already" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "v"), "--role", "analyst"]) == 3
    assert main(["init", str(tmp_path / "v"), "--member", "aoi", "--role", "wizard"]) == 3
    assert not (tmp_path / "v").exists()


def test_an_idea_is_opened_listed_and_shown(shell):
    opened = shell.document("idea", "open", "較正 by [segment]", "--estimate", "2")
    assert (opened["schema"], opened["idea"], opened["stage"], opened["holder"]) == (
        "tasuki.idea/1", "idea-1", "hypothesis", "aoi",
    )  # fmt: skip
    assert opened["legs"][0]["estimate_days"] == 2
    assert opened["next_stage"] == "investigation"
    listed = shell.document("idea", "list")
    assert listed["schema"] == "tasuki.ideas/1"
    assert [one["title"] for one in listed["ideas"]] == ["較正 by [segment]"]
    assert shell.document("idea", "list", "--status", "killed")["ideas"] == []
    _, out, _ = shell.run("idea", "list")
    assert "較正 by [segment]" in out
    _, out, _ = shell.run("idea", "show", "idea-1")
    assert "較正 by [segment]" in out
    assert "aoi has hypothesis" in out


def test_an_offer_without_evidence_exits_4_and_lists_what_to_type(shell):
    shell.run("idea", "open", "x")
    code, out, err = shell.run("handoff", "offer", "idea-1", "--json")
    assert (code, out) == (4, "")
    assert "hypothesis_brief: missing" in err
    assert "tasuki evidence attach idea-1" in err
    assert "tasuki case search WORDS --idea idea-1" in err
    assert "Rule:" in err
    assert "Traceback" not in err


def test_a_hand_off_goes_from_offer_to_acceptance_with_a_debt(offered):
    assert offered.document("my-work", actor="haru")["items"][0]["what"] == "pick_up"
    picked = offered.document("handoff", "pick-up", "idea-1", actor="haru")
    assert picked["question"]["en"].startswith("Could this be false")
    _, out, _ = offered.run("idea", "show", "idea-1")
    assert "Could this be false" in out
    accepted = offered.document(
        "handoff", "accept", "idea-1", "--answer", "yes: …", "--estimate", "3",
        "--debt", "yui:2099-05-01:alarm: on fallbacks", actor="haru",
    )  # fmt: skip
    assert (accepted["stage"], accepted["holder"]) == ("investigation", "haru")
    assert accepted["open_debts"][0]["what"] == "alarm: on fallbacks"
    settled = offered.document("idea", "settle", "idea-1", "1", "--note", "done", actor="yui")
    assert settled["open_debts"] == []
    _, out, _ = offered.run("idea", "show", "idea-1")
    assert "accepted_with_debt" in out


def test_a_return_gives_the_idea_back(offered):
    offered.run("handoff", "pick-up", "idea-1", actor="haru")
    said = offered.document(
        "handoff", "return", "idea-1", "--code", "unclear_requirement", "--reason", "which app?", actor="haru"
    )
    assert said["handoffs"][-1]["reason_code"] == "unclear_requirement"
    assert said["holder"] == "aoi"
    _, out, _ = offered.run("idea", "show", "idea-1")
    assert "unclear_requirement: which app?" in out


def test_evidence_is_listed_and_shown(offered):
    (line,) = offered.document("evidence", "list", "idea-1")["evidence"]
    assert line["kind"] == "hypothesis_brief"
    by_hash = offered.document("evidence", "show", "idea-1", line["content_hash"][:8])
    by_kind = offered.document("evidence", "show", "idea-1", "hypothesis_brief")
    assert by_hash == by_kind
    assert by_kind["evidence"]["record"]["metric"] == "ctr"
    code, _, err = offered.run("evidence", "show", "idea-1", "poem")
    assert code == 5
    assert "hypothesis_brief" in err
    assert "hypothesis_brief" in offered.run("evidence", "list", "idea-1")[1]
    assert json.loads(offered.run("evidence", "show", "idea-1", "hypothesis_brief")[1])["kind"] == "hypothesis_brief"


def test_a_record_alone_is_attached_with_its_kind(shell):
    shell.run("idea", "open", "x")
    path = shell.folder / "evidence" / "link.json"
    path.write_text(json.dumps(evidence_body("external_link")["record"]), encoding="utf-8")
    said = shell.document("evidence", "attach", "idea-1", str(path), "--kind", "external_link")
    assert said["evidence"][0]["producer"] == "aoi"


def test_evidence_with_five_faults_exits_3_and_names_all_five(shell):
    shell.run("idea", "open", "x")
    body = evidence_body("hypothesis_brief", prior_probability=3, expected_size="big", mood="good", metric="")
    body["at"] = "yesterday"
    path = shell.folder / "evidence" / "bad.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    code, _, err = shell.run("evidence", "attach", "idea-1", str(path))
    assert code == 3
    for place in ("at:", "prior_probability:", "expected_size:", "mood:", "metric:"):
        assert place in err
    assert "5 fault(s)" in err
    assert shell.document("evidence", "list", "idea-1")["evidence"] == []


def test_a_killed_idea_leaves_a_case_that_is_found_shown_and_exported(offered, tmp_path):
    killed = offered.document("idea", "kill", "idea-1", "--reason", "the gap is noise")
    assert killed["case_filed"] is True
    assert offered.document("case", "search", "較正")["cases"][0]["idea"] == "idea-1"
    assert offered.document("case", "search", "予測")["cases"] == []
    assert "較正 by segment" in offered.run("case", "search", "較正")[1]
    assert offered.document("case", "show", "idea-1")["reason"] == "the gap is noise"
    assert "# 較正 by segment" in offered.run("case", "show", "idea-1")[1]
    said = offered.document("case", "export", str(tmp_path / "cases"))
    assert said["files"] == ["idea-1.md"]
    assert (tmp_path / "cases" / "idea-1.md").read_text(encoding="utf-8").startswith("---\nidea:")
    assert offered.document("idea", "reopen", "idea-1", "--reason", "new data")["status"] == "active"
    assert offered.run("case", "show", "idea-1")[0] == 5


def test_rules_comments_and_skips_are_kept(offered):
    assert offered.document("idea", "rule", "idea-1", "go when better")["rules"][0]["text"] == "go when better"
    assert offered.document("idea", "comment", "idea-1", "well", actor="mio")["comments"][0]["by"] == "mio"
    skipped = offered.document("idea", "skip", "idea-1", "--stage", "modeling", "--reason", "known")
    assert skipped["skips"][0]["stage"] == "modeling"


def test_members_are_added_listed_and_given_roles(shell):
    said = shell.document("account", "add", "nao", "--role", "analyst", "--role", "researcher", "--display", "直")
    assert said == {
        "schema": "tasuki.member/1", "name": "nao", "display_name": "直", "roles": ["analyst", "researcher"],
        "language": "ja",
    }  # fmt: skip
    assert shell.document("account", "role", "nao", "--role", "data_engineer")["roles"] == ["data_engineer"]
    assert [one["name"] for one in shell.document("account", "list")["members"]][-1] == "nao"
    assert "data_engineer" in shell.run("account", "list")[1]


UNHAPPY = [
    (["idea", "show", "idea-9"], 5, "no idea 'idea-9'"),
    (["idea", "open", ""], 3, "title"),
    (["idea", "open", "x", "--flow", "waterfall"], 3, "no flow 'waterfall'"),
    (["idea", "open", "x", "--as", "ren"], 4, "belongs to analyst"),
    (["idea", "open", "x", "--as", "zoe"], 5, "no member 'zoe'"),
    (["idea", "skip", "idea-1", "--stage", "deployment", "--reason", "x"], 5, "no stage 'deployment'"),
    (["idea", "skip", "idea-1", "--stage", "modeling"], 3, "reason"),
    (["idea", "kill", "idea-1"], 3, "reason"),
    (["idea", "list", "--status", "lost"], 2, "lost"),
    (["idea", "settle", "idea-1", "7"], 5, "no open debt 7"),
    (["evidence", "attach", "idea-1", "nowhere.json"], 5, "no file nowhere.json"),
    (["evidence", "attach", "idea-1"], 2, "file"),
    (["handoff", "accept", "idea-1", "--debt", "yui"], 3, "OWNER:DATE:WHAT"),
    (["handoff", "accept", "idea-1", "--answer", "x"], 4, "nothing of idea-1 is offered"),
    (["handoff", "return", "idea-1", "--code", "bad", "--reason", ""], 3, "2 fault(s)"),
    (["handoff", "return", "idea-1", "--code", "other", "--reason", "x", "--to-stage", "nowhere"], 3, "nowhere"),
    (["account", "add", "two words", "--role", "wizard"], 3, "2 fault(s)"),
    (["account", "role", "zoe", "--role", "analyst"], 5, "zoe"),
    (["case", "show", "idea-1"], 5, "it is active"),
]


@pytest.mark.parametrize(("words", "code", "said"), UNHAPPY)
def test_what_goes_wrong_has_its_exit_code_and_a_message_on_stderr(shell, words, code, said):
    shell.run("idea", "open", "x")
    before = shell.document("idea", "list")
    got, out, err = shell.run(*words)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    after = shell.document("idea", "list")
    assert [one["idea"] for one in after["ideas"]] == [one["idea"] for one in before["ideas"]]


def test_the_same_key_twice_opens_one_idea(shell):
    first = shell.document("idea", "open", "x", "--key", "k")
    again = shell.document("idea", "open", "x", "--key", "k")
    assert again["idea"] == first["idea"]
    assert shell.run("idea", "open", "y", "--key", "k")[0] == 4
    assert len(shell.document("idea", "list")["ideas"]) == 1


def test_malformed_settings_and_playbook_exit_3_with_every_fault(shell):
    path = shell.folder / "playbook" / "contracts.toml"
    path.write_text("[[contract]\n", encoding="utf-8")
    settings = shell.folder / "tasuki.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace('language = "ja"', 'language = "fr"'), encoding="utf-8"
    )
    code, _, err = shell.run("idea", "list")
    assert code == 3
    assert "playbook/contracts.toml: is no TOML" in err
    assert "language is 'fr'" in err


def test_a_folder_that_is_no_workspace_exits_5_and_says_tasuki_init(tmp_path, capsys):
    assert main(["idea", "list", "--workspace", str(tmp_path)]) == 5
    assert "tasuki init" in capsys.readouterr().err


def test_the_process_speaks_as_the_functions_do(shell, tmp_path):
    command = [str(Path(sys.executable).with_name("tasuki"))]

    def process(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, cwd=shell.folder, timeout=120, check=False
        )

    opened = process("idea", "open", "較正", "--json")
    assert opened.returncode == 0, opened.stderr
    assert json.loads(opened.stdout)["idea"] == "idea-1"
    refused = process("handoff", "offer", "idea-1")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "hypothesis_brief: missing" in refused.stderr
    unknown = process("idea", "fly")
    assert unknown.returncode == 2
    assert "Traceback" not in refused.stderr + unknown.stderr
