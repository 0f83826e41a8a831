"""Reports say everything in both languages: every text, every concern, every sentence."""

import ast
import re
import string
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from shown_comparison import EVIL, ORIGIN, shown

from tasuki.experiments.comparison import Comparison
from tasuki.experiments.prior import prior_of
from tasuki.reports.comparison import comparison_document
from tasuki.reports.concerns import concern_text
from tasuki.reports.markdown import to_markdown
from tasuki.stats.concern import Concern
from tasuki.texts import catalogue

SOURCES = Path(__file__).parents[2] / "src/tasuki"
CATALOGUE = catalogue("tasuki.reports")


def test_every_text_exists_in_both_languages_with_the_same_places() -> None:
    for key, texts in CATALOGUE.items():
        assert set(texts) == {"en", "ja"}, key
        english, japanese = ({name for _, name, _, _ in string.Formatter().parse(texts[one]) if name} for one in texts)
        assert english == japanese, key


def test_every_text_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCES / "reports").glob("*.py"))
    built = (
        "concern.",
        "severity.",
        "way.",
        "adjust.",
        "probe.",
        "glossary.",
        "answer.",
        "reading.",
        "section.",
        "plan.",
        "offline.",
    )
    literals = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    for key in CATALOGUE:
        name = key.partition(".")[2]
        assert key in literals or key.startswith(built) or name.removesuffix("_text") in literals, key


def _concerns_in_code() -> list[tuple[str, set[str] | None]]:
    """Every code that experiments can raise, with the names of its values where they are written out."""
    found: list[tuple[str, set[str] | None]] = []
    for path in [*(SOURCES / "experiments").glob("*.py"), *(SOURCES / "actions").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Concern":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    written = node.args[3] if len(node.args) > 3 else None
                    keys = written.keys if isinstance(written, ast.Dict) else None
                    names = None if keys is None else {str(key.value) for key in keys if isinstance(key, ast.Constant)}
                    found.append((str(code.value), names))
    assert len(found) > 20
    return found


@pytest.mark.parametrize(
    ("code", "names"), _concerns_in_code(), ids=lambda one: one if isinstance(one, str) else "-".join(sorted(one or ()))
)
def test_every_concern_of_a_comparison_can_be_told_in_japanese(code: str, names: set[str] | None) -> None:
    told = [key for key in CATALOGUE if key == f"concern.{code}" or key.startswith(f"concern.{code}_")]
    assert told, f"{code} has no text in reports/texts.toml"
    if names is not None:
        places = {name for key in told for _, name, _, _ in string.Formatter().parse(CATALOGUE[key]["ja"]) if name}
        needed = {name.partition("[")[0] for name in places}
        assert any(needed <= names for _ in told) or "case" in names, (needed, names)


def test_a_concern_is_told_in_japanese_with_its_figures() -> None:
    concern = Concern("no_arm", "warning", "7 unit(s) have no arm and are left out.", {"units": 7})
    assert concern_text(concern, "ja").startswith("7 単位には群が記録されていない")
    assert concern_text(concern, "en") == concern.message


@pytest.mark.parametrize(
    "concern",
    [
        Concern("no_arm", "warning", "the message", {}),
        Concern("no_arm", "warning", "the message", {"units": None}),
        Concern("of_tomorrow", "error", "the message", {"units": 7}),
        Concern("no_data", "error", "the message", {"case": "elsewhere"}),
    ],
)
def test_a_concern_without_its_figures_keeps_its_message(concern: Concern) -> None:
    assert concern_text(concern, "ja") == "the message"


def test_braces_in_a_name_are_no_places() -> None:
    concern = Concern("no_events", "error", "x", {"metric": "{metric.__class__}{0}"})
    assert "{metric.__class__}{0}" in concern_text(concern, "ja")


@pytest.mark.parametrize(("language", "theirs"), [("en", "区間"), ("ja", "interval")])
def test_a_report_in_one_language_has_no_words_of_the_other(language: str, theirs: str) -> None:
    text = to_markdown(comparison_document(_plain(), ORIGIN, language))  # type: ignore[arg-type]
    assert theirs not in text


def _plain() -> Comparison:
    return shown()


@pytest.mark.parametrize(
    ("won", "believed", "said"),
    [
        ([True] * 5 + [False] * 20, None, "自チームの比較 25 件中 5 件の改善から推定"),
        ([], 0.3, "仮説で事前に見込んだ値"),
        ([], None, "業界で一般的な値"),
    ],
)
def test_where_the_prior_comes_from_is_told_in_japanese(won: list[bool], believed: float | None, said: str) -> None:
    prior = prior_of(won, believed)
    told = replace(shown(), prior=prior.value, prior_source=prior.source)
    assert said in to_markdown(comparison_document(told, ORIGIN, "ja"))


def test_markdown_shows_names_as_text_and_keeps_its_tables_whole() -> None:
    text = to_markdown(comparison_document(shown(), ORIGIN, "en"), level=2)
    assert EVIL not in text
    assert text.startswith("## ")
    lines = text.splitlines()
    for head, line in product(range(len(lines)), [re.compile(r"^\|[-:|]+\|$")]):
        if line.match(lines[head]):
            columns = len(re.findall(r"(?<!\\)\|", lines[head])) - 1
            row = head + 1
            while row < len(lines) and lines[row].startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", lines[row])) - 1 == columns
                row += 1


def test_markdown_escapes_survive_a_renderer() -> None:
    from markdown_it import MarkdownIt

    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(to_markdown(comparison_document(shown(), ORIGIN, "ja")))
    )
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert html.count("<table>") >= 5


def test_many_results_that_show_nothing_are_told_in_one_sentence() -> None:
    from dataclasses import replace

    from shown_comparison import result

    few, many = (
        replace(shown(), results=(result("gain", 0.05, 0.01), *(result(f"m{k}", 0.0, 0.1) for k in range(count))))
        for count in (2, 9)
    )
    texts = [to_markdown(comparison_document(one, ORIGIN, "en")) for one in (few, many)]
    assert texts[0].count("No difference is shown") == 2
    assert texts[1].count("No difference is shown") == 1
    assert "No difference is shown in m0, m1" in texts[1]
    assert all("gain: +5.00%" in text for text in texts)


@pytest.mark.parametrize(("p", "said"), [(1e-9, "p < 0.001"), (0.04, "p = 0.040"), (None, "p = –")])
def test_a_small_p_value_is_told_as_a_bound(p: float | None, said: str) -> None:
    from tasuki.reports.voice import voice_of

    assert voice_of(shown(), "en").p(p) == said
