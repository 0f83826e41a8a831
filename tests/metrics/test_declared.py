"""The declared metrics as pages read them: again and again, and never as they were before somebody changed the file."""

import os

import pytest

from tasuki.errors import Invalid
from tasuki.metrics import declared
from tasuki.metrics.declared import FILE, examine_metrics, read_metrics

SOUND = """[metric.spend]
kind = 'mean'
table = 'events'
unit = 'user'
numerator = '{numerator}'
title.en = 'Spend'
title.ja = '支出'
"""


def write(folder, text: str) -> None:
    """Writes the file so that neither its moment nor its length tells that it is another one."""
    (folder / FILE).write_text(text)
    os.utime(folder / FILE, (1, 1))


def test_a_changed_file_is_seen_at_once(tmp_path):
    for numerator in ("cost", "gain", "cost"):
        write(tmp_path, SOUND.format(numerator=numerator))
        assert read_metrics(tmp_path)["spend"].numerator == numerator


def test_faults_are_told_every_time_and_go_away_with_their_cause(tmp_path):
    write(tmp_path, "[metric.spend]\nkind = 'mean'\n")
    for _ in range(2):
        with pytest.raises(Invalid):
            read_metrics(tmp_path)
    write(tmp_path, SOUND.format(numerator="cost"))
    assert examine_metrics(tmp_path).faults == ()


def test_what_one_reader_does_with_the_answer_is_not_seen_by_the_next(tmp_path):
    write(tmp_path, SOUND.format(numerator="cost"))
    read_metrics(tmp_path).clear()
    assert list(read_metrics(tmp_path)) == ["spend"]


def test_an_unchanged_file_is_parsed_once(tmp_path, monkeypatch):
    parsed = []
    read = declared.read_blocks
    monkeypatch.setattr(declared, "read_blocks", lambda *asked: parsed.append(1) or read(*asked))
    write(tmp_path, SOUND.format(numerator="a_name_of_this_test"))
    for _ in range(3):
        read_metrics(tmp_path)
    assert parsed == [1]
