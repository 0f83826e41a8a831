"""The languages people read in, and how dates, numbers and spans of time are written in each."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = ("ja", "en")
NOTHING = "–"
_MINUS = "−"


def known_language(text: str | None) -> Language | None:
    """The language a text names (`ja`, `ja-JP`, `EN`), or None for any other."""
    primary = (text or "").strip().lower().split("-")[0]
    return next((language for language in LANGUAGES if language == primary), None)


@dataclass(frozen=True)
class Formats:
    """Writes dates and numbers as readers of one language expect them. Missing values become a dash."""

    language: Language

    def day(self, moment: datetime | date | None) -> str:
        """`2026年11月23日` or `23 Nov 2026`, in UTC."""
        if moment is None:
            return NOTHING
        on = moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment
        return _date(on, "long" if self.language == "ja" else "medium", self.language)

    def short_day(self, moment: datetime | date | None) -> str:
        """`11月23日` or `23 Nov`: where the year is clear from what stands around it."""
        if moment is None:
            return NOTHING
        on = moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment
        return _date(on, "M月d日" if self.language == "ja" else "d MMM", self.language)

    def moment(self, moment: datetime | None) -> str:
        """The day with hours and minutes, in UTC."""
        if moment is None:
            return NOTHING
        return f"{self.day(moment)} {moment.astimezone(UTC):%H:%M} UTC"

    def days(self, days: float | None) -> str:
        """A span of days: whole ones above ten, one decimal below; hours, then minutes, where it is shorter."""
        if days is None:
            return NOTHING
        if 0 < days < 1:
            return self._hours(days * 24)
        figure = f"{days:.0f}" if days >= 10 or abs(days - round(days)) < 0.05 else f"{days:.1f}"
        if self.language == "ja":
            return f"{figure}日"
        return f"{figure} day" if figure == "1" else f"{figure} days"

    def _hours(self, hours: float) -> str:
        minutes = round(hours * 60)
        if minutes == 0:
            return "1分未満" if self.language == "ja" else "under a minute"
        figure, unit = (minutes, "分" if self.language == "ja" else "min")
        if minutes >= 60:
            figure, unit = (round(hours), "時間" if self.language == "ja" else "h")
        return f"{figure}{unit}" if self.language == "ja" else f"{figure} {unit}"

    def number(self, value: float | None, digits: int = 4) -> str:
        """A number to so many significant digits, never in a form with an exponent down to a millionth."""
        if value is None or not math.isfinite(value):
            return NOTHING
        if value == int(value) and abs(value) < 1e15:
            return _signed(f"{int(value):,}")
        if abs(value) < 1e-6:
            return _signed(f"{value:.{digits - 1}e}")
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return _signed(f"{value:,.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:,.0f}")

    def change(self, value: float | None, digits: int = 3) -> str:
        """A number with its sign, also when it is a gain."""
        text = self.number(value, digits)
        return f"+{text}" if value is not None and math.isfinite(value) and value > 0 else text

    def percent(self, value: float | None, decimals: int = 1) -> str:
        """A share: 0.123 is `12.3%`."""
        if value is None or not math.isfinite(value):
            return NOTHING
        return _signed(f"{value * 100:.{decimals}f}%")

    def percent_change(self, value: float | None, decimals: int = 1) -> str:
        """A relative change with its sign: 0.03 is `+3.0%`."""
        text = self.percent(value, decimals)
        return f"+{text}" if value is not None and math.isfinite(value) and value > 0 else text

    def p_value(self, value: float | None) -> str:
        """Three decimals, and `<0.001` below."""
        if value is None or not math.isfinite(value):
            return NOTHING
        return "<0.001" if value < 0.001 else f"{value:.3f}"

    def short_hash(self, text: str) -> str:
        """A hash cut to the twelve characters that people compare by eye."""
        return text[:12]


@lru_cache(maxsize=4096)  # a page tells a hundred moments, mostly of the same days
def _date(on: date, form: str, language: Language) -> str:
    from babel.dates import format_date

    return format_date(on, form, locale="ja_JP" if language == "ja" else "en_GB")


def _signed(text: str) -> str:
    return text.replace("-", _MINUS, 1) if text.startswith("-") else text
