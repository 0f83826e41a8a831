"""What can go wrong, sorted by what the reader must do next.

Every error says what happened, what was expected and what to do next. Faults of *input* or of a *rule* are raised as
one of these; doubts about *analysed data* are never raised but returned as concerns (see `tasuki.stats.concern`).
Exit codes and HTTP statuses are mapped in the doors (`cli`, `web`, `serving`) and nowhere else.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Said(str):
    """An English sentence that still knows what it was made of, so that a page can say it in the reader's language.

    It is the sentence, wherever a text is wanted. `tasuki.texts` knows the template's code and its Japanese.

    Args:
        template: The sentence with named places.
        values: What stands in the places; several things are a tuple, and a value may be something said itself.
        text: What it reads in English, where a record has kept that; the filled template otherwise.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any], text: str = "") -> "Said":
        """The sentence with its places filled in."""
        sentence = super().__new__(cls, text or _English().vformat(template, (), values))
        sentence.template, sentence.values = template, values
        return sentence

    def __getnewargs__(self) -> tuple[str, Mapping[str, Any], str]:  # type: ignore[override]
        """What a copy is made of."""
        return self.template, self.values, str(self)


def said(template: str, /, **values: object) -> str:
    """The sentence: `said("there is no flow {flow!r}", flow=flow)`. Every template has its Japanese in `texts.toml`."""
    return Said(template, values)


def command(template: str, /, **values: object) -> str:
    """A command to type: `command("tasuki idea show {idea}", idea=idea)`. It reads the same in every language.

    Pages know it by its template, and say what their own buttons and forms do instead.
    """
    return Said(template, values)


def joined(parts: Sequence[str], comma: str = "; ", text: str = "") -> str:
    """Several sentences as one; `text` is how they read in English, where that is more than the parts."""
    if len(parts) == 1 and not text:
        return parts[0]
    return Said("{parts:" + comma.strip() + "}", {"parts": tuple(parts)}, text)


class _English(string.Formatter):
    """Fills in places as `str.format` does, and lists what is several: `{names}` by commas, `{names:or}` by "or"."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        """The text of a place."""
        if isinstance(value, tuple):
            return (f" {format_spec} " if format_spec.isalpha() else f"{format_spec or ','} ").join(map(str, value))
        return super().format_field(value, format_spec)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input.

    Args:
        where: The place, as the reader knows it: an option, a field path (`features.2.online`), a file and line.
        what: What is wrong there.
        expected: What would have been right.
        how: What to do about it, where that is more than writing what was expected: the command to type.
    """

    where: str
    what: str
    expected: str = ""
    how: str = ""

    def __str__(self) -> str:
        expected = f" (expected {self.expected})" if self.expected else ""
        how = f"\n    → {self.how}" if self.how else ""
        return f"{self.where}: {self.what}{expected}{how}"


class TasukiError(Exception):
    """Something the reader must know.

    Args:
        what: What happened.
        expected: What was expected instead.
        next_step: What to do next.
    """

    def __init__(self, what: str, *, expected: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected:
            parts.append(f"Expected: {self.expected}")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return "\n".join(parts)


class Invalid(TasukiError):
    """The input is wrong; fix it. Carries every fault at once."""

    def __init__(
        self,
        what: str,
        faults: Sequence[Fault] = (),
        *,
        expected: str = "",
        next_step: str = "fix the input and try again",
    ) -> None:
        super().__init__(what, expected=expected, next_step=next_step)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {fault}" for fault in self.faults)]
        if self.expected:
            lines.append(f"Expected: {self.expected}")
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        return "\n".join(lines)


class Refused(TasukiError):
    """A rule says no. Names the rule; the faults say each thing that is missing and how to mend it."""

    def __init__(
        self, what: str, *, rule: str, faults: Sequence[Fault] = (), expected: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what, expected=expected, next_step=next_step)
        self.rule = rule
        self.faults = tuple(faults)

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {fault}" for fault in self.faults), f"Rule: {self.rule}"]
        if self.expected:
            lines.append(f"Expected: {self.expected}")
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        return "\n".join(lines)


class NotAllowed(Refused):
    """The one who asks lacks a right that somebody else has. Says which, and who could."""


class Missing(TasukiError):
    """What was named does not exist."""


class Stale(TasukiError):
    """Someone was faster; read again and retry."""


class Unavailable(TasukiError):
    """Something outside does not answer, is busy or is broken; retry later or repair it."""
