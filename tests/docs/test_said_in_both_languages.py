"""Whatever a room says to people on a page is known in English and Japanese, with the same places."""

import copy
import json
import pickle
import re
import string
from pathlib import Path

import pytest

from docs.said_sentences import ROOT, sentences_of, unsaid_in
from tasuki.errors import joined, said
from tasuki.texts import EVERY_ROOM, Teller, as_record, catalogue, code_of, from_record, parts_of, sentences

ROOMS = (
    *("flow", "accounts", "web", "actions", "experiments", "metrics", "offline", "cases", "team", "store"),
    "warehouse",
)
"""The rooms whose every sentence must be known; estimators and databases speak English, marked as such."""
ON_THE_COMMAND_LINE = {
    *("flow/playbook.py", "web/run.py", "web/problems.py", "actions/doctor.py", "actions/real_logs.py"),
    "actions/validation_job.py",
    *("actions/spark_training.py", "actions/training_job.py", "actions/model_table.py"),
    *("store/backup.py", "store/migrate.py", "store/restore.py"),
}
"""What is said there comes before the pages are there, or where no page leads."""
OF_OTHER_ROOMS = (
    "models/artifact.py",
    "models/default_answer.py",
    "serving/compaction.py",
    "serving/compaction_told.py",
)
"""What other rooms say on pages: of publication, and of the service's health."""
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def _files() -> list[Path]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    found = [
        path for path in found if str(path.relative_to(ROOT)) not in ON_THE_COMMAND_LINE and "rest" not in path.parts
    ]
    return [*found, *(ROOT / name for name in OF_OTHER_ROOMS)]


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_room_says_is_known_in_japanese(path: Path) -> None:
    assert [(line, text) for line, text in sentences_of(path) if text not in sentences()] == []
    assert list(unsaid_in(path)) == [], "an f-string inside an error: write said(template, …) instead"


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(catalogue(EVERY_ROOM)))
def test_both_languages_have_the_same_places(key: str) -> None:
    texts = catalogue(EVERY_ROOM)[key]
    assert set(texts) == {"en", "ja"}
    assert _places(texts["en"]) - {"expected_plural", "field_type"} == _places(texts["ja"])


def test_no_sentence_is_known_twice_or_for_nothing() -> None:
    everywhere = {text for path in ROOT.rglob("*.py") for _, text in sentences_of(path)}
    words = {texts["en"] for key, texts in catalogue(EVERY_ROOM).items() if key.startswith(("word.", "record."))}
    places = (ROOT / "flow" / "checks.py", ROOT / "flow" / "defaults" / "contracts.toml")
    hows = {text for text in sentences() for place in places if text in place.read_text(encoding="utf-8")}
    asked = {text for text in sentences() if f'"{text}"' in (ROOT / "flow" / "decide.py").read_text(encoding="utf-8")}
    assert len(sentences()) == len(catalogue(EVERY_ROOM))
    default = {"fix the input and try again"}
    assert set(sentences()) - everywhere - words - hows - asked - default == set()


def test_japanese_is_japanese() -> None:
    without = {key for key, texts in catalogue(EVERY_ROOM).items() if not JAPANESE.search(texts["ja"])}
    assert all(not re.search(r"[a-z]{2,} [a-z]{2,}", re.sub(r"\{[^}]*\}", "", catalogue(EVERY_ROOM)[key]["ja"]))
               for key in without)  # fmt: skip


def test_a_sentence_is_its_english_text_and_knows_its_japanese() -> None:
    sentence = said("{idea} has not reached {stage}; it is in {state_stage}", idea="I-1", stage="b", state_stage="a")
    assert sentence == "I-1 has not reached b; it is in a"
    assert f"{sentence}!" == "I-1 has not reached b; it is in a!"
    assert code_of(sentence) == "flow.not_reached"
    titles = {"a": "調査", "b": "モデリング"}
    assert Teller({"stage": titles.__getitem__}).japanese(sentence) == (
        "I-1 は現在「調査」で、まだ「モデリング」に達していません。"
    )


def test_a_sentence_can_be_copied_and_sent_to_another_process() -> None:
    sentence = said("there is no flow {flow!r}", flow="x")
    for again in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert again == sentence
        assert Teller().japanese(again) == "x というフローはありません。"


def test_several_values_are_listed_as_each_language_lists_them() -> None:
    sentence = said("waits for {kinds:and}", kinds=("x", "y"))
    assert sentence == "waits for x and y"
    assert Teller({"kind": str.upper}).japanese(sentence) == "「X、Y」の添付を待っています。"


def test_joined_sentences_are_told_one_after_the_other() -> None:
    both = joined([said("the rollback was not rehearsed"), said("an input is named twice")])
    assert both == "the rollback was not rehearsed; an input is named twice"
    assert len(parts_of(both)) == 2
    assert Teller().japanese(both) == "ロールバックをまだ予行していません。同じ名前の入力が 2 つあります。"


def test_what_somebody_typed_stays_text_even_when_it_looks_like_a_place() -> None:
    assert said("there is no flow {flow!r}", flow="{0.__class__}") == "there is no flow '{0.__class__}'"
    assert Teller().japanese(said("there is no flow {flow!r}", flow="{x}")) == "{x} というフローはありません。"


def test_a_sentence_that_nobody_translated_is_unknown() -> None:
    assert Teller().japanese("what another program says") is None
    assert code_of("what another program says") == ""


def test_what_was_said_survives_a_record_with_its_english_and_its_japanese() -> None:
    inner = said("{arm} {count:,} units for a share of {share:g}", arm="control", count=1200, share=0.5)
    whole = joined([inner, said("arms that were not designed: {strangers}", strangers=("x", "y"))])
    kept = json.loads(json.dumps(as_record(whole)))
    again = from_record(kept)
    assert again == whole
    assert Teller().japanese(again) == Teller().japanese(whole)
    assert from_record(kept, "as it was written then") == "as it was written then"
    assert Teller().japanese(from_record(kept, "as it was written then")) == Teller().japanese(whole)


@pytest.mark.parametrize(
    "kept", [None, {}, [], 3, {"code": "no.such"}, {"code": "flow.not_reached", "values": {}}, {"code": 1, "values": 2}]
)
def test_a_record_of_another_version_reads_as_it_was_written(kept: object) -> None:
    assert from_record(kept, "as it was written then") == "as it was written then"
