"""`metric check` says every fault of every metric and table at once: one row of a table for each kind of fault."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasuki.actions.metrics import check_metrics
from tasuki.errors import Invalid

SOUND: dict[str, Any] = {
    "kind": '"mean"',
    "numerator": '"spend"',
    "table": '"events"',
    "unit": '"user_id"',
}

# What is written instead (None: left out), and what must be said about it.
FAULTS: dict[str, tuple[dict[str, str | None], list[str]]] = {
    "unknown table": ({"table": '"event"'}, ["table: ", "did you mean 'events'?"]),
    "unknown column": ({"numerator": '"spent"'}, ["numerator: there is no column 'spent'; did you mean 'spend'?"]),
    "unknown unit": ({"unit": '"userid"'}, ["unit: there is no column 'userid'; did you mean 'user_id'?"]),
    "unknown cluster": ({"cluster": '"towns"'}, ["cluster: there is no column 'towns'; did you mean 'town'?"]),
    "unknown exposure": ({"exposure": '"x"'}, ["exposure: there is no column 'x'"]),
    "unit missing": ({"unit": None}, ["unit: missing"]),
    "mean of text": ({"numerator": '"app"'}, ['numerator: "app" is VARCHAR']),
    "mean of a moment": ({"numerator": '"at"'}, ['numerator: "at" is TIMESTAMP']),
    "filter that is no condition": ({"filter": '"at"'}, ['filter: "at" is TIMESTAMP', "a condition"]),
    "covariate of text": ({"covariates": '["age", "app"]'}, ['covariates.2: "app" is VARCHAR']),
    "time that is text": ({"time": '"day"'}, ["time: 'day' is VARCHAR"]),
    "time that is a number": ({"time": '"age"'}, ["time: 'age' is BIGINT"]),
    "proportion of amounts": ({"kind": '"proportion"'}, ["numerator: is neither true nor false, nor 0 and 1: 2.5"]),
    "window without time": ({"window_hours": "24"}, ["window_hours: the moment of an event is not known"]),
    "window of no hours": ({"window_hours": "-1", "time": '"at"'}, ["window_hours: -1 are no hours"]),
    "winsorised proportion": (
        {"kind": '"proportion"', "numerator": '"bought"', "winsor": '"99%"'},
        ["winsor: a proportion has no use for it"],
    ),
    "ends upside down": ({"winsor": '"9:1"'}, ["winsor: ", "the lower end is not below the upper"]),
    "its own parent": ({"parent": '"odd"'}, ["parent: the metric is its own ancestor: odd → odd"]),
    "unknown parent": ({"parent": '"goo"'}, ["parent: 'goo' is not declared; did you mean 'good'?"]),
    "ratio without denominator": ({"kind": '"ratio"'}, ["denominator: missing"]),
    "mean with a denominator": ({"denominator": '"age"'}, ["denominator: a mean has none"]),
    "quantile of 1": ({"kind": '"quantile"', "quantile": "1.0"}, ["quantile: 1.0 is no quantile"]),
    "quantile of 0": ({"kind": '"quantile"', "quantile": "0.0"}, ["quantile: 0.0 is no quantile"]),
    "no quantile": ({"kind": '"quantile"'}, ["quantile: None is no quantile"]),
    "aggregate": ({"numerator": '"sum(spend)"'}, ["numerator: Sum is not allowed"]),
    "sub-query": (
        {"numerator": '"(select max(spend) from events)"'},
        ["numerator: ", "is not allowed in an expression"],
    ),
    "semicolon": ({"numerator": '"spend; drop table events"'}, ["numerator: ", "is not one expression"]),
    "window function": ({"numerator": '"spend - lag(spend) over ()"'}, ["is not allowed in an expression"]),
    "text plus number": ({"numerator": '"app + 1"'}, ["numerator: "]),
    "unknown kind": ({"kind": '"median"'}, ["kind: 'median' is no kind of metric"]),
    "unknown field": ({"numeratr": '"spend"'}, ["numeratr: unknown field; did you mean 'numerator'?"]),
    "unknown direction": ({"direction": '"up"'}, ["direction: 'up' is no direction"]),
    "no margin": ({"margin": '"lots"'}, ["margin: 'lots' is no margin"]),
    "number for a text": ({"numerator": "5"}, ["numerator: 5 is no text"]),
    "no Japanese title": ({"title.ja": None}, ["title.ja: missing in this language"]),
    "title of another": ({"title.en": '"Good"'}, ["title.en: 'Good' is the title of good as well"]),
}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, str]:
    rows = {
        "user_id": [1, 2],
        "town": ["a", "b"],
        "app": ["news", "games"],
        "day": ["2026-01-31", "1/2/2026"],
        "spend": [2.5, 1.0],
        "age": [30, 40],
        "bought": [True, False],
    }
    frame = pl.DataFrame(rows).with_columns(at=pl.datetime(2026, 1, 31))
    frame.write_parquet(tmp_path / "events.parquet")
    return {"events": str(tmp_path / "*.parquet")}


def block(name: str, written: dict[str, str | None] | None = None) -> str:
    titles = {"title.en": f'"{name.capitalize()}"', "title.ja": f'"{name}の指標"'}
    fields = {**SOUND, **titles, **(written or {})}
    return "\n".join((f"[metric.{name}]", *(f"{key} = {one}" for key, one in fields.items() if one is not None), ""))


def told(folder: Path, text: str, tables: dict[str, str]) -> list[str]:
    (folder / "metrics.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        check_metrics(folder, tables)
    return [str(one) for one in caught.value.faults]


def test_a_sound_file_has_none(tmp_path: Path, tables: dict[str, str]) -> None:
    (tmp_path / "metrics.toml").write_text(block("good") + block("odd"), encoding="utf-8")
    assert [one.name for one in check_metrics(tmp_path, tables)] == ["good", "odd"]


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_at_its_place(name: str, tmp_path: Path, tables: dict[str, str]) -> None:
    written, wanted = FAULTS[name]
    found = told(tmp_path, block("good") + block("odd", written), tables)
    said = "\n".join(found)
    for text in wanted:
        assert text in said
    assert all(one.startswith("metric.odd.") for one in found), said


def test_all_of_them_are_said_at_once(tmp_path: Path, tables: dict[str, str]) -> None:
    odd = {f"odd{at}": written for at, (written, _) in enumerate(FAULTS.values()) if "title.en" not in written}
    odd = {
        name: {**one, **({"parent": f'"{name}"'} if one.get("parent") == '"odd"' else {})} for name, one in odd.items()
    }
    found = told(tmp_path, block("good") + "".join(block(name, one) for name, one in odd.items()), tables)
    for name in odd:
        assert any(one.startswith(f"metric.{name}.") for one in found), name


def test_what_is_no_toml_hides_nothing_else(tmp_path: Path, tables: dict[str, str]) -> None:
    text = block("good") + "[metric.broken]\nkind = mean\n" + block("odd", {"unit": '"userid"'}) + block("good")
    said = "\n".join(told(tmp_path, text, tables))
    line = text.splitlines().index("kind = mean") + 1
    assert f"metrics.toml, line {line}: " in said
    assert "metric.odd.unit: there is no column 'userid'" in said
    assert "metric.good is declared twice, first in line 1" in said


def test_a_circle_of_parents_is_named_whole(tmp_path: Path, tables: dict[str, str]) -> None:
    text = block("a", {"parent": '"b"'}) + block("b", {"parent": '"c"'}) + block("c", {"parent": '"a"'})
    found = told(tmp_path, text, tables)
    assert "metric.a.parent: the metric is its own ancestor: a → b → c → a" in "\n".join(found)
    assert len(found) == 3
