"""The catalogue: complete in both languages, nothing missing, nothing left over."""

import re
import string
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

import tasuki.web
from tasuki.flow import records
from tasuki.flow.checks import CHECKS
from tasuki.flow.event import ACCOUNT_KINDS, IDEA_KINDS, TEAM_KINDS
from tasuki.flow.plan import REASON_CODES, ROLES, TaskKind
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.web.language import LANGUAGES
from tasuki.web.texts import Texts, catalogue

WEB = Path(tasuki.web.__file__).parent
SOURCES = "\n".join(path.read_text() for path in [*WEB.rglob("*.html"), *WEB.glob("*.py")])
USED_WHOLE = set(re.findall(r"""["']([a-z_]+\.[a-z_]+)["']""", SOURCES))
USED_BY_FAMILY = set(re.findall(r'"([a-z_]+)\.(?:"\s*~|\{)', SOURCES)) | set(re.findall(r'term\("(\w+)"', SOURCES))
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_every_text_is_there_in_both_languages_with_the_same_places(key: str) -> None:
    texts = catalogue()[key]
    places = {
        language: sorted(name for _, name, _, _ in string.Formatter().parse(texts[language]) if name)
        for language in LANGUAGES
    }
    assert set(texts) == set(LANGUAGES)
    assert all(texts[language].strip() for language in LANGUAGES)
    assert places["en"] == places["ja"]


def test_japanese_texts_are_japanese() -> None:
    same_in_both = {"error.method_expected", "metric.auc", "publication.default_text"}
    without = {key for key, texts in catalogue().items() if not JAPANESE.search(texts["ja"])}
    assert without - same_in_both == set()


def test_english_texts_hold_no_japanese() -> None:
    assert [key for key, texts in catalogue().items() if JAPANESE.search(texts["en"])] == []


def test_no_text_is_left_over() -> None:
    left = {key for key in catalogue() if key not in USED_WHOLE and key.partition(".")[0] not in USED_BY_FAMILY}
    assert left == set()


def test_no_text_is_missing() -> None:
    called = set(re.findall(r"""\bt\(["']([a-z_.]+)["']\s*[,)]""", SOURCES))
    assert called - set(catalogue()) == set()
    assert called, "the pattern finds nothing: this test would prove nothing"


def _choices(record: type, field: str) -> set[str]:
    schema = TypeAdapter(record).json_schema()["properties"][field]
    return set(schema["enum"])


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("kind", set(EVIDENCE_TYPES)),
        ("check", set(CHECKS)),
        ("reason", set(REASON_CODES)),
        ("role", set(ROLES)),
        ("task_kind", {*get_args(TaskKind), "other"}),
        (
            "outcome",
            {
                *_choices(records.Decision, "decision"),
                *_choices(records.Recommendation, "decision"),
                "killed",
                "concluded",
            },
        ),
        ("recommend", _choices(records.Recommendation, "decision")),
        ("recommendation", _choices(records.OfflineReport, "recommendation")),
        ("severity", _choices(records.ConcernNote, "severity")),
        ("experiment", _choices(records.ExperimentPlan, "kind")),
        ("looking", _choices(records.ExperimentPlan, "sequential") - {"none"}),
        ("metric_role", _choices(records.PlannedMetric, "role")),
        ("direction", set(get_args(records.Direction))),
        ("event", set(IDEA_KINDS | TEAM_KINDS | ACCOUNT_KINDS)),
    ],
)
def test_every_name_that_data_can_hold_has_its_word(family: str, names: set[str]) -> None:
    assert {key.partition(".")[2] for key in catalogue() if key.startswith(f"{family}.")} == names


def test_an_unknown_key_is_an_error_and_an_unknown_term_is_itself() -> None:
    with pytest.raises(KeyError):
        Texts("en")("board.no_such_text")
    assert Texts("ja").term("metric", "wins_per_day") == "wins_per_day"
