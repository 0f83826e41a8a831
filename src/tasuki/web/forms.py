"""What a form sent, read field by field; faults name the field, so that the page can say them beside it."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tasuki.errors import Fault, said

LONGEST_FIELD = 20_000
"""In letters. What is longer is refused and never cut: whoever wrote it would not notice. JSON has the body's limit."""


@dataclass(frozen=True)
class Form:
    """The fields of a form, each with every value it was sent with."""

    fields: Mapping[str, Sequence[str]]

    def raw(self, name: str) -> str:
        """A field's text exactly as it was typed: for passwords."""
        values = self.fields.get(name, ())
        return values[-1] if values else ""

    def text(self, name: str) -> str:
        """A field's text without space around it, lines ending in a plain line break."""
        return self.raw(name).replace("\r\n", "\n").strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a field that can be chosen several times."""
        return tuple(value.strip() for value in self.fields.get(name, ()) if value.strip())

    def too_long(self) -> list[Fault]:
        """A fault for every text that is longer than a field may be."""
        lengths = {name: len(self.text(name)) for name in self.fields if name != "json"}
        return [
            Fault(
                name,
                said("the text has {count:,} letters", count=count),
                said("at most {limit:,} letters", limit=LONGEST_FIELD),
            )
            for name, count in lengths.items()
            if count > LONGEST_FIELD
        ]

    def is_on(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.text(name))

    def number(self, name: str, faults: list[Fault]) -> float | None:
        """A number, or None for an empty field; a fault for anything else. `２．５` is 2.5 and `3%` is 0.03."""
        text = self.text(name)
        if not text:
            return None
        plain = unicodedata.normalize("NFKC", text).replace(",", "")
        try:
            number = float(f"{plain[:-1].rstrip()}e-2" if plain.endswith("%") else plain)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        faults.append(Fault(name, said("{text!r} is no number", text=text[:40]), "a number, as 2, 0.5 or 3%"))
        return None

    def percent(self, name: str, faults: list[Fault]) -> float | None:
        """A share that is asked for in percent, with the sign or without: `5` and `5%` are both 0.05."""
        number = self.number(name, faults)
        is_said = unicodedata.normalize("NFKC", self.text(name)).endswith("%")
        return number if number is None or is_said else number / 100

    def whole(self, name: str, faults: list[Fault]) -> int | None:
        """A whole number, or None for an empty field; a fault for anything else."""
        number = self.number(name, faults)
        if number is None or number.is_integer():
            return None if number is None else int(number)
        faults.append(Fault(name, said("{number:g} is no whole number", number=number), "a whole number, as 1 or 14"))
        return None

    def day(self, name: str, faults: list[Fault]) -> date | None:
        """A day, or None for an empty field; a fault for anything else."""
        text = self.text(name)
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            faults.append(Fault(name, said("{text!r} is no day", text=text[:40]), "a day, as 2026-11-24"))
            return None
