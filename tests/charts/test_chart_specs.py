"""Charts are plain values: what they say can be read from their data, whatever is thrown at them."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki import charts
from tasuki.charts.counts import Count, counts
from tasuki.charts.curves import CalibrationPoint, calibration, detectable_curve, power_curve
from tasuki.charts.distribution import Spread, cumulative, distribution
from tasuki.charts.forest import Interval, forest
from tasuki.charts.frame import DARK, LIGHT, NARROW_PX, STYLED, Frame, Spec, axis_format, chart_style, shortened
from tasuki.charts.path import DayPoint, path_with_band
from tasuki.texts import catalogue

FRAMES = [
    Frame(language, theme, width)
    for language in ("en", "ja")
    for theme in (LIGHT, DARK, STYLED)
    for width in (716, NARROW_PX)
]
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def _rows(spec: Spec) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = spec["data"]["values"]
    return rows


def _every_chart(frame: Frame) -> list[Spec]:
    days = [DayPoint(date(2026, 11, 1) + timedelta(k), 0.02, -0.1 / (k + 1), 0.2 / (k + 1)) for k in range(9)]
    arms = [Spread("control", (0.2, 0.5), 0.1), Spread("treatment", (0.1, 0.6))]
    return [
        forest([Interval("a", 0.1, 0.0, 0.2), Interval("b", None, None, None)], frame),
        path_with_band(days, frame, limit=-0.01),
        distribution(arms, (1.0, 10.0, 100.0), frame, is_log=True),
        cumulative(arms, (1.0, 10.0, 100.0), frame),
        power_curve([(0.01, 0.2), (0.02, 0.8)], frame, chosen=0.02),
        power_curve([(1, 0.2), (14, 0.8)], frame, along="days"),
        detectable_curve([(7, 0.1), (14, 0.07)], frame),
        calibration([("champion", [CalibrationPoint(0.1, 0.11, 0.1, 0.12)])], frame),
        counts([Count("control", 10, 11)], frame),
    ]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_every_chart_is_plain_json_without_an_address_to_fetch(frame: Frame) -> None:
    for spec in _every_chart(frame):
        text = json.dumps({**spec, "$schema": ""}, allow_nan=False)
        assert "http" not in text
        assert '"url"' not in text
        assert spec["width"] == frame.width_px


def test_themes_differ_only_in_their_colours() -> None:
    light, dark = (_every_chart(Frame("en", theme)) for theme in (LIGHT, DARK))
    colours = dict(zip(_colours(LIGHT), _colours(DARK), strict=True))
    for one, other in zip(light, dark, strict=True):
        text = json.dumps(one)
        for mine, theirs in colours.items():
            text = text.replace(f'"{mine}"', f'"{theirs}"')
        assert text == json.dumps(other)


def _colours(theme: Any) -> list[str]:
    return [
        theme.ink,
        theme.quiet,
        theme.line,
        theme.ground,
        theme.gain,
        theme.harm,
        theme.neutral,
        theme.band,
        *theme.arms,
    ]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_marks_stand_out_from_the_ground(theme: Any) -> None:
    for text in (theme.ink, theme.quiet):
        assert _contrast(text, theme.ground) >= 4.5
    for mark in (theme.gain, theme.harm, theme.neutral, *theme.arms):
        assert _contrast(mark, theme.ground) >= 3


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_style_sheet_gives_every_variable_a_light_and_a_dark_colour() -> None:
    sheet = chart_style()
    for name in _colours(STYLED):
        assert sheet.count(f"{name.removeprefix('var(').removesuffix(')')}:") == 2


@given(st.lists(st.tuples(numbers, st.none() | numbers, st.none() | numbers), min_size=1, max_size=12))
def test_a_forest_draws_nothing_outside_of_its_scale_and_always_shows_zero(drawn: list[tuple[Any, ...]]) -> None:
    spec = forest([Interval("x", point, low, high) for point, low, high in drawn], Frame())
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < 0 < high
    for row in _rows(spec):
        for name in ("point", "low", "high", "limit", "cut_low", "cut_high"):
            assert low <= row.get(name, 0.0) <= high


def test_a_forest_cuts_a_far_interval_with_an_arrow_instead_of_pressing_the_others_together() -> None:
    rows = [Interval(str(k), 0.01, -0.01, 0.03) for k in range(5)]
    far = _rows(forest([*rows, Interval("far", 0.01, -9.0, 9.0)], Frame()))[-1]
    assert far["cut_low"] == far["low"]
    assert far["high"] < 1


def test_an_open_bound_reaches_the_edge_and_says_infinity() -> None:
    row = _rows(forest([Interval("x", 0.1, None, 0.2)], Frame()))[0]
    assert "cut_low" in row
    assert "cut_high" not in row
    assert row["value"].endswith("[−∞, +20.0%]")


def test_the_scale_of_a_path_follows_the_later_days() -> None:
    days = [DayPoint(date(2026, 1, k + 1), 0.0, -1.0 / (k + 1) ** 2, 1.0 / (k + 1) ** 2) for k in range(20)]
    spec = path_with_band(days, Frame())
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert high < 0.1
    assert min(row["low"] for row in _rows(spec)) >= low


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_shortened_label_fits(text: str, cells: int) -> None:
    import unicodedata

    short = shortened(text, cells)
    width = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in short)
    assert width <= cells + 1  # an ellipsis is as wide as a letter in most fonts


def test_ticks_have_the_decimals_that_tell_them_apart() -> None:
    assert axis_format("percent", 0.5) == "+.0%"
    assert axis_format("percent", 0.004) == "+.2%"
    assert axis_format("number", 3000, is_signed=False) == ",.0f"


def test_every_word_of_the_charts_exists_in_both_languages() -> None:
    for key, texts in catalogue("tasuki.charts").items():
        assert set(texts) == {"en", "ja"}, key
        assert all(texts.values()), key


def test_every_word_of_the_charts_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(charts.__file__).parent.glob("*.py"))
    for key in catalogue("tasuki.charts"):
        assert key in code or key.startswith("power."), key
