from pathlib import Path

import pytest

from tasuki.errors import Invalid
from tasuki.flow.plan import CASE
from tasuki.flow.playbook import FILES, default_playbook, default_texts, read_playbook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in default_texts().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read_playbook(folder)
    assert f"{len(caught.value.faults)} fault(s)" in caught.value.what
    return [str(fault) for fault in caught.value.faults]


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_init_copies_reads_as_the_built_in_playbook(folder):
    assert read_playbook(folder) == default_playbook()


def test_the_built_in_playbook_has_what_the_design_promises():
    playbook = default_playbook()
    assert list(playbook.flows) == ["model", "minor_update", "analysis", "data"]
    assert list(playbook.formations) == [
        "all_in_one", "planner_implementer", "planner_maker_evaluator", "lab_and_platform"
    ]  # fmt: skip
    stages = playbook.flows["model"].stages
    assert len(stages) == 8
    assert set(zip(stages, (*stages[1:], CASE), strict=True)) <= set(playbook.contracts)
    assert [one for one, formation in playbook.formations.items() if formation.one_person] == ["all_in_one"]


def test_a_team_may_add_a_stage_of_its_own(folder):
    edit(
        folder,
        "stages.toml",
        "[stage.hypothesis]",
        '[stage.legal]\ntask_kind = "data_analysis"\nen = "L"\nja = "法"\n\n[stage.hypothesis]',
    )
    edit(folder, "flows.toml", '["hypothesis", "investigation", "evaluation"]', '["hypothesis", "legal", "evaluation"]')
    text = (folder / "formations.toml").read_text(encoding="utf-8")
    (folder / "formations.toml").write_text(
        text.replace("hypothesis = [", 'legal = ["analyst"]\nhypothesis = ['), encoding="utf-8"
    )
    assert read_playbook(folder).flows["analysis"].stages == ("hypothesis", "legal", "evaluation")


EDITS = [
    ("stages.toml", 'task_kind = "data_science"', 'task_kind = "magic"', "there is no task kind 'magic'"),
    ("stages.toml", 'ja = "仮説立て"', "", "stages.toml stage.hypothesis: ja is missing"),
    ("stages.toml", 'en = "Hypothesis"', "en = 3", "stages.toml stage.hypothesis: en is no text"),
    ("stages.toml", "[stage.data_check]", "[stage.case]", "stages.toml stage.case: a stage cannot be called 'case'"),
    ("stages.toml", "[stage.hypothesis]", "color = 1\n[stage.hypothesis]", "stages.toml: unknown key 'color'"),
    ("flows.toml", '"investigation", "modeling"', '"modelling"', "there is no stage 'modelling'"),
    ("flows.toml", '"investigation", "modeling"', '"hypothesis"', "names 'hypothesis' twice"),
    ("flows.toml", '["hypothesis", "investigation", "evaluation"]', "[]", "flow.analysis: has no stage"),
    ("flows.toml", '["hypothesis", "investigation", "evaluation"]', '"all"', "flow.analysis: stages is no list"),
    ("formations.toml", 'hypothesis = ["analyst"]', 'hypothesis = ["planner"]', "there is no role 'planner'"),
    ("formations.toml", 'hypothesis = ["analyst"]', "", "planner_maker_evaluator: nobody owns hypothesis"),
    ("formations.toml", 'hypothesis = ["analyst"]', 'hypothese = ["analyst"]', "there is no stage 'hypothese'"),
    ("formations.toml", "one_person = true", 'one_person = "yes"', "one_person is neither true nor false"),
    ("formations.toml", "in_flow.minor_update]", "in_flow.tiny]", "there is no flow 'tiny'"),
    ("contracts.toml", 'to = "investigation"', 'to = "nirvana"', "there is no stage 'nirvana'"),
    ("contracts.toml", 'to = "data_check"', 'to = "ab_check"', "a second contract for implementation → ab_check"),
    ("contracts.toml", '"hypothesis_lint"', '"spell_check"', "there is no check 'spell_check'"),
    ("contracts.toml", 'kinds = ["hypothesis_brief"]', 'kinds = ["poem"]', "there is no kind of evidence 'poem'"),
    ("contracts.toml", '"because"', '"becos"', "hypothesis_brief has no field 'becos'"),
    ("contracts.toml", "question.ja", "question.fr", "question: ja is missing"),
    ("contracts.toml", "how = ", "why = ", "how is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "words"), EDITS)
def test_a_fault_in_the_playbook_is_named_with_its_place(folder, name, old, new, words):
    edit(folder, name, old, new)
    assert any(words in fault and fault.startswith(name) for fault in faults_of(folder))


def test_faults_of_all_files_are_reported_at_once(folder):
    chosen = [1, 6, 9, 16]
    for number in chosen:
        edit(folder, *EDITS[number][:3])
    faults = faults_of(folder)
    for number in chosen:
        assert any(EDITS[number][3] in fault for fault in faults)


@pytest.mark.parametrize("name", FILES)
def test_malformed_toml_names_file_and_line(folder, name):
    (folder / name).write_text("x = [1,\n y = ", encoding="utf-8")
    assert any(fault.startswith(f"{name}: is no TOML") and "line" in fault for fault in faults_of(folder))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_unreadable_file_is_named_and_the_others_are_still_read(folder, name):
    (folder / name).unlink()
    assert any(fault.startswith(f"{name}: the file is missing") for fault in faults_of(folder))
    (folder / name).write_bytes(b"\xff\xfe\x00")
    assert any(fault.startswith(f"{name}: cannot be read") for fault in faults_of(folder))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "text", ["", "stage = 1\nflow = 1\nformation = 1\ncontract = 1", "[[stage]]\n[[flow]]\n[[formation]]\n[contract.x]"]
)
def test_a_file_of_another_shape_is_a_fault_and_no_crash(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert any(fault.startswith(name) for fault in faults_of(folder))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stages.toml", "[stage]\nhypothesis = 3"),
        ("formations.toml", "[formation.x]\nen='x'\nja='x'\nowners=3\nin_flow=4"),
        ("contracts.toml", "contract = [3]"),
        ("contracts.toml", "[[contract]]\nfrom=1\nto='case'\nquestion=2\nrequires=[1]\nchecks=[2]"),
        (
            "contracts.toml",
            "[[contract]]\nfrom='hypothesis'\nto='case'\n[[contract.requires]]\nkinds=3\nfields=4\nhow=5",
        ),
    ],
)
def test_values_of_another_type_are_faults_and_no_crash(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert any(fault.startswith(name) for fault in faults_of(folder))
