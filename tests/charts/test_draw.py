"""Charts become SVG: text stays text, ids stay apart, nothing is fetched."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tasuki.charts.draw import can_draw, to_svg
from tasuki.charts.forest import Interval, forest
from tasuki.charts.frame import STYLED, Frame
from tasuki.charts.path import DayPoint, path_with_band

pytestmark = pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")

EVIL = "<script>alert(1)</script>\"'&"


def test_text_stays_text_and_names_cannot_become_markup() -> None:
    svg = to_svg(forest([Interval(EVIL, 0.1, 0.0, 0.2), Interval("コンバージョン率", 0.1, 0, 0.2)], Frame()), EVIL, "a")
    root = ElementTree.fromstring(svg)
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert "コンバージョン率" in texts
    assert any((text or "").startswith("<script>") for text in texts)
    assert not [one for one in root.iter() if one.tag.endswith("script")]
    assert root.attrib["aria-label"] == EVIL
    assert root.attrib["role"] == "img"


def test_colours_of_the_page_reach_the_drawing() -> None:
    svg = to_svg(forest([Interval("x", 0.1, 0.05, 0.2, "gain")], Frame(theme=STYLED)), "x", "a")
    assert "var(--chart-gain)" in svg
    assert "style=" not in svg  # a strict policy of a page forbids inline styles


def test_ids_of_two_drawings_differ() -> None:
    from datetime import date

    spec = path_with_band([DayPoint(date(2026, 1, d), 0.1, 0.0, 0.2) for d in (1, 2, 3)], Frame())
    one, other = (set(re.findall(r'\bid="([^"]+)"', to_svg(spec, "x", prefix))) for prefix in ("a", "b"))
    assert not one & other


def test_an_address_in_a_specification_is_refused() -> None:
    spec = {**forest([Interval("x", 0.1, 0.0, 0.2)], Frame()), "data": {"url": "http://127.0.0.1:9/x.csv"}}
    try:
        svg = to_svg(spec, "x", "a")
    except ValueError:
        return
    assert "0.1" not in svg


def test_charts_are_made_without_loading_the_drawing_library() -> None:
    code = "import sys, tasuki.charts.forest, tasuki.charts.draw; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
