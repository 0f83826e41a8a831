"""Tables on a phone: what decides stands in view, without pushing the table aside."""

from typing import Any

import pytest

PAGES = ("/experiments", "/accounts", "/audit", "/models", "/ideas/idea-1")


@pytest.mark.parametrize("path", PAGES)
def test_no_cell_of_a_stacked_table_lies_off_a_narrow_screen(chromium: Any, site: str, path: str) -> None:
    page = chromium.new_context(viewport={"width": 360, "height": 800}).new_page()
    page.goto(f"{site}{path}?lang=ja")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    cells = page.locator(".stacked tbody > tr > *")
    ends = cells.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    page.context.close()
    assert all(end <= 360 for end in ends)
