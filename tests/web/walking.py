"""A member in front of a browser: signs in, reads, fills in forms and presses buttons, in either language.

Everything is found by the words that people read, taken from the pages' own catalogue, so one script walks both.
"""

import json
from collections.abc import Mapping
from typing import Any

from tasuki.web.texts import Texts

PASSWORD = "a sash for everyone 2026"


class Walker:
    """One member's browser.

    Args:
        page: The browser's page.
        site: The address of the pages.
        member: Whose account it is.
        language: What they read.
    """

    def __init__(self, page: Any, site: str, member: str, language: str) -> None:
        self.page, self.site, self.member = page, site, member
        self.t = Texts(language)  # type: ignore[arg-type]
        self.idea = ""

    def sign_in(self) -> None:
        """From the first page, which leads a stranger to the sign-in and back."""
        self.page.goto(f"{self.site}/")
        self.page.get_by_label(self.t("sign_in.name"), exact=True).fill(self.member)
        self.page.get_by_label(self.t("sign_in.password"), exact=True).fill(PASSWORD)
        self.press("sign_in.do")
        assert self.page.locator("h1").inner_text() == self.t("board.title")

    def press(self, key: str) -> None:
        """A button by its words."""
        self.page.get_by_role("button", name=self.t(key), exact=True).click()

    def open(self, key: str) -> None:
        """A fold by its words, unless it is open."""
        summary = self.page.locator("summary", has_text=self.t(key)).first
        if summary.evaluate("one => !one.parentElement.open"):
            summary.click()

    def fill(self, **fields: Any) -> None:
        """Inputs by the record's fields; lists as their groups, `True` ticks a box."""
        for name, value in fields.items():
            self._fill_one(name, value)

    def _fill_one(self, name: str, value: Any) -> None:
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, group in enumerate(value):
                for part, inner in group.items():
                    self._fill_one(f"{name}.{number}.{part}", inner)
            return
        place = self.page.locator(f"main [name='{name}']")
        if isinstance(value, bool):
            place.set_checked(value)
        elif place.evaluate("one => one.tagName") == "SELECT":
            place.select_option(str(value))
        else:
            place.fill("\n".join(map(str, value)) if isinstance(value, list) else str(value))

    def see(self, text: str) -> None:
        """The page says so."""
        assert text in self.page.locator("main").inner_text(), f"{text!r} is not on {self.page.url}"

    def open_idea(self, title: str) -> str:
        """From the board to the new idea's own page; its id."""
        self.page.goto(f"{self.site}/")
        self.page.get_by_role("link", name=self.t("new.title")).first.click()
        self.fill(title=title, flow="model", formation="planner_maker_evaluator", estimate="2")
        self.press("new.do")
        self.idea = self.page.url.rpartition("/")[2]
        return self.idea

    def to_idea(self) -> None:
        """The idea's page."""
        self.page.goto(f"{self.site}/ideas/{self.idea}")

    def write(self, kind: str, record: Mapping[str, Any], commit: str = "") -> None:
        """Evidence by its form, found by the button beside the missing piece."""
        self.to_idea()
        self.page.get_by_role("link", name=self.t("needs.write", kind=self.t(f"kind.{kind}")), exact=True).click()
        self.fill(**record)
        if commit:
            self.fill(_code_commit=commit)
        self.press("evidence_form.do")
        assert self.page.url.endswith(f"/ideas/{self.idea}"), self.page.locator("main").inner_text()

    def paste(self, kind: str, evidence: Mapping[str, Any]) -> None:
        """Evidence as the JSON that a run gave."""
        self.to_idea()
        self.page.goto(f"{self.site}/ideas/{self.idea}/attach/{kind}")
        link = self.page.get_by_role("link", name=self.t("evidence_form.as_json"), exact=True)
        if link.count():
            link.click()
        self.fill(json=json.dumps(evidence, ensure_ascii=False))
        self.press("evidence_form.do")
        assert self.page.url.endswith(f"/ideas/{self.idea}"), self.page.locator("main").inner_text()

    def to_hand_off(self) -> None:
        """By the button on the idea's page."""
        self.to_idea()
        self.page.locator("section[aria-labelledby='needs'] a.button").click()

    def offer(self, to: str = "", note: str = "") -> None:
        """Offers the present stage; the machine checks run."""
        self.to_hand_off()
        self.fill(to=to, note=note)
        self.press("hand_over.do_offer")
        assert self.page.url.endswith(f"/ideas/{self.idea}"), self.page.locator("main").inner_text()

    def pick_up(self) -> None:
        """From one's own work to the screen where a hand-off is judged."""
        self.page.goto(f"{self.site}/my-work")
        assert self.page.locator(f"main a[href='/ideas/{self.idea}']").count(), "it is not in my work"
        self.to_hand_off()
        self.press("hand_over.pick_up")

    def accept(self, answer: str, estimate: str = "2", **debt: Any) -> None:
        """Answers the question and accepts, perhaps with a debt."""
        self.fill(answer=answer)
        if estimate:
            self.fill(estimate=estimate)
        if debt:
            self.open("hand_over.debts")
            self.fill(**{f"debt.0.{name}": value for name, value in debt.items()})
        self.page.locator("form[action$='/hand-off/accept'] button").click()
        assert self.page.url.endswith(f"/ideas/{self.idea}"), self.page.locator("main").inner_text()

    def give_back(self, code: str, reason: str) -> None:
        """Returns it with a reason."""
        self.fill(code=code, reason=reason)
        self.page.locator("form[action$='/hand-off/return'] button").click()
        assert self.page.url.endswith(f"/ideas/{self.idea}"), self.page.locator("main").inner_text()
