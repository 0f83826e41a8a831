"""The demo's team limits its work in progress, and its board shows it."""

from pathlib import Path

from tasuki.demo.limits import LIMITS, set_limits
from tasuki.flow.playbook import default_texts, read_playbook


def test_the_demos_playbook_reads_with_a_limit_for_every_stage_named(tmp_path: Path) -> None:
    for name, text in default_texts().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    set_limits(tmp_path / "stages.toml")
    stages = read_playbook(tmp_path).stages
    assert {name: stages[name].limit for name in LIMITS} == dict(LIMITS)
