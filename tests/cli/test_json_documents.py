"""What docs/cli-json.md says of the relay's documents is what the commands print."""

import json
import re
from pathlib import Path

import pytest

from relay_play import evidence_body
from tasuki.cli.main import main

DEBT = "aoi:2099-01-01:alarm"
TEXT = (Path(__file__).parents[2] / "docs" / "cli-json.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (tasuki\.\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.fixture
def documents(tmp_path, capsys, monkeypatch):
    """One of each, by schema."""
    folder = tmp_path / "w"
    monkeypatch.setenv("TASUKI_WORKSPACE", str(folder))
    brief = tmp_path / "brief.json"
    brief.write_text(json.dumps(evidence_body("hypothesis_brief")), encoding="utf-8")
    lines = [
        ["init", str(folder), "--member", "aoi", "--role", "analyst"],
        ["account", "add", "haru", "--role", "analyst"],
        ["account", "list"],
        ["idea", "open", "x"],
        ["idea", "rule", "idea-1", "go when better"],
        ["idea", "comment", "idea-1", "well"],
        ["idea", "skip", "idea-1", "--stage", "modeling", "--reason", "known"],
        ["evidence", "attach", "idea-1", str(brief)],
        ["evidence", "list", "idea-1"],
        ["evidence", "show", "idea-1", "hypothesis_brief"],
        ["case", "search", "x", "--idea", "idea-1"],
        ["handoff", "offer", "idea-1"],
        ["idea", "list"],
        ["my-work"],
        ["handoff", "pick-up", "idea-1", "--as", "haru"],
        ["handoff", "accept", "idea-1", "--as", "haru", "--answer", "y", "--estimate", "1", "--debt", DEBT],
        ["idea", "show", "idea-1"],
        ["idea", "open", "killed x"],
        ["idea", "kill", "idea-2", "--reason", "noise"],
        ["case", "show", "idea-2"],
        ["case", "search", "noise"],
        ["case", "export", str(tmp_path / "cases")],
    ]  # fmt: skip
    found = {}
    for line in lines:
        assert main([*line, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert next(iter(document)) == "schema"
        found.setdefault(document["schema"], []).append(document)
    return found


def names_in(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in names_in(one)}
    if isinstance(value, list):
        return {name for one in value for name in names_in(one)}
    return set()


def test_every_field_that_is_printed_is_documented(documents):
    for schema, printed in documents.items():
        assert schema in SECTIONS
        words = set(re.findall(r"\w+", TEXT if schema == "tasuki.idea/1" else SECTIONS[schema]))
        for document in printed:
            free = {"evidence": {}} if schema == "tasuki.evidence/1" else {}
            assert names_in({**document, **free}) - {"schema"} <= words


def test_every_field_of_an_idea_that_is_documented_is_printed(documents):
    promised = set(
        re.findall(
            r"`(\w+)`",
            "\n".join(line.split("|")[1] for line in SECTIONS["tasuki.idea/1"].splitlines() if line.startswith("| `")),
        )
    )
    for document in documents["tasuki.idea/1"]:
        assert promised <= set(document)
