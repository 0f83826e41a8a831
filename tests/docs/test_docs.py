"""The documents keep their word: short, linked, complete in the glossary, and free of anybody's machine."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tasuki.flow.plan import REASON_CODES, ROLES
from tasuki.flow.playbook import default_playbook
from tasuki.flow.records import EVIDENCE_TYPES

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ja.md")
README_LINES = 80
LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?[^)]*\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Pieced together, so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    "|".join(map(re.escape, ("py" + "pi.org", "python" + "hosted.org", "--index" + "-url", "artifact" + "ory")))
)
MACHINE_PATH = re.compile(r"(?<![\w.)}\]/-])/(?:" + "|".join(("home", "root", "work", "Users")) + r")/[\w.-]")


@cache
def tracked_files() -> tuple[Path, ...]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: what is tracked is unknown")
    return tuple(path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file())


def documents() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def links_of(markdown: str) -> list[str]:
    return [
        target
        for target in LINK.findall(FENCE.sub("", markdown))
        if not re.match(r"[a-z][a-z0-9+.-]*:|#", target, re.IGNORECASE)
    ]


def broken_links(document: Path) -> list[str]:
    targets = links_of(document.read_text(encoding="utf-8"))
    return [target for target in targets if not (document.parent / target.split("#")[0]).exists()]


def matches(pattern: re.Pattern[str], paths: tuple[Path, ...]) -> list[str]:
    found = []
    for path in paths:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()[:120]}"
            for n, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return found


@pytest.mark.parametrize("name", READMES)
def test_readme_is_short(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("name", READMES)
def test_readme_shows_the_two_commands_the_picture_and_the_other_language(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    other = next(one for one in READMES if one != name)
    assert {"docs/relay.svg", "GLOSSARY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", other} <= set(
        links_of(text)
    )
    assert re.search(r"^make demo\b", text, re.MULTILINE)
    assert re.search(r"^make test\b", text, re.MULTILINE)


def test_both_readmes_show_the_same_commands_and_link_to_the_same_pages() -> None:
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in READMES)
    pages = [{re.sub(r"[-.](en|ja)(?=\.)", "", one) for one in links_of(text)} for text in (english, japanese)]
    assert pages[0] == pages[1]
    commands = [
        [line.split("#")[0].strip() for fence in FENCE.findall(text) for line in fence.splitlines()]
        for text in (english, japanese)
    ]
    assert commands[0] == commands[1]


def test_every_relative_link_leads_somewhere() -> None:
    broken = {str(path.relative_to(ROOT)): targets for path in documents() if (targets := broken_links(path))}
    assert broken == {}


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "[a](gone.md) [b](page.md#part) [c](https://example.org/x) [d](#here)\n```\n[e](in-code.md)\n```\n"
    )
    assert broken_links(document) == ["gone.md"]


def test_every_make_target_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (path.name, target)
        for path in documents()
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {one for one in named if one[1] not in targets} == set()


def test_every_source_path_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / "src/tasuki").iterdir() if path.is_dir()}
    named = {one for one in re.findall(r"`([a-z_]+/[\w/]+\.(?:py|toml))`", text) if one.split("/")[0] in rooms}
    expected_in_workspace = {"serving/routing.json"}
    assert len(named) > 10
    assert {one for one in named - expected_in_workspace if not (ROOT / "src/tasuki" / one).exists()} == set()


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "src/tasuki").glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}`" not in text} == set()


def test_the_glossary_has_every_name_of_the_playbook_and_of_evidence() -> None:
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    playbook = default_playbook()
    kinds = {stage.task_kind for stage in playbook.stages.values()}
    names = [*playbook.stages, *playbook.flows, *playbook.formations, *kinds, *ROLES, *EVIDENCE_TYPES, *REASON_CODES]
    assert [name for name in names if f"`{name}`" not in glossary] == []


def test_the_glossary_gives_stages_flows_and_formations_the_titles_that_pages_show() -> None:
    rows = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").splitlines()
    playbook = default_playbook()
    for named in (playbook.stages, playbook.flows, playbook.formations):
        for name, one in named.items():
            row = next(line for line in rows if line.startswith(f"| `{name}` |"))
            assert one.titles.en in row
            assert one.titles.ja in row


def test_the_licence_is_the_whole_apache_license() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
    assert [f"\n   {n}. " in text for n in range(1, 10)] == [True] * 9


def test_decisions_are_numbered_without_a_gap_and_half_a_page() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]} ")
        assert len(text.splitlines()) <= 45, path.name


def test_no_tracked_file_names_a_registry() -> None:
    assert matches(REGISTRIES, tracked_files()) == []


def test_no_tracked_file_names_a_path_of_somebodys_machine() -> None:
    assert matches(MACHINE_PATH, tracked_files()) == []


@pytest.mark.parametrize("line", ["cd /ho" + "me/someone/x", 'open("/wo' + 'rk/data")', "see `/Us" + "ers/me`"])
def test_a_path_of_somebodys_machine_would_be_found(line: str) -> None:
    assert MACHINE_PATH.search(line)
