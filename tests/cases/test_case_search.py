import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.cases.case import Case
from tasuki.cases.search import search, terms_of


def case(idea: str, title: str, **fields) -> Case:
    return Case(idea, title, "model", "2026-01-01", fields.pop("ended_at", "2026-02-01"), "ship", "x", **fields)


CASES = [
    case("idea-1", "予測値の較正をアプリ別に", learnings=("新しいアプリで効く",)),
    case("idea-2", "Bid shading by hour", because="auctions at night are cheaper", search_words=("入札", "時間帯")),
    case("idea-3", "ＣＴＲ予測に経過時間を追加", metric="ctr"),
    case("idea-4", "Calibrate CVR per segment", learnings=("small apps need more data",)),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("予測", {"idea-1", "idea-3"}),
        ("較正", {"idea-1"}),
        ("時間帯", {"idea-2"}),
        ("時間", {"idea-2", "idea-3"}),
        ("CTR", {"idea-3"}),
        ("ｃｔｒ", {"idea-3"}),
        ("ctr 予測", {"idea-3"}),
        ("bid", {"idea-2"}),
        ("calibrate segment", {"idea-4"}),
        ("アプリ 効く", {"idea-1"}),
        ("予", {"idea-1", "idea-3"}),
        ("存在しない", set()),
        ("!!", set()),
        ("", set()),
    ],
)
def test_words_in_japanese_and_english_are_found(query, found):
    assert {hit.case.idea for hit in search(CASES, query)} == found


def test_a_hit_in_the_title_comes_before_one_elsewhere_and_newer_before_older():
    cases = [
        case("elsewhere", "x", learnings=("about 較正",)),
        case("older", "較正", ended_at="2025-01-01"),
        case("newer", "較正", ended_at="2026-01-01"),
    ]
    assert [hit.case.idea for hit in search(cases, "較正")] == ["newer", "older", "elsewhere"]
    assert len(search(cases, "較正", limit=2)) == 2


@given(st.text(alphabet="予測較正アプリ別に効くabc 1ＡＢ", min_size=2, max_size=12))
def test_every_case_is_found_by_its_own_title(title):
    hits = search([case("idea-1", title)], title)
    assert bool(hits) == bool(terms_of(title))
