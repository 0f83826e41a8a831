"""Options whose text has parts: NAME=VALUE, NUM/DEN, COL@Q. Faults are collected and told together."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tasuki.errors import Fault, Invalid

if TYPE_CHECKING:
    from tasuki.experiments.allocation import HoldOut, Reach


class Parts:
    """Reads options and remembers what was wrong with any of them."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def check(self) -> None:
        """Raises `Invalid` with every fault that was seen."""
        if self._faults:
            raise Invalid("an option cannot be read", self._faults)

    def pair(self, option: str, text: str, separator: str, expected: str) -> tuple[str, str]:
        """Both sides of the last separator."""
        left, found, right = text.rpartition(separator)
        if not (found and left.strip() and right.strip()):
            self._faults.append(Fault(option, f"{text!r} has no two sides", expected))
        return left.strip(), right.strip()

    def number(self, option: str, text: str, expected: str) -> float:
        """A number, also as a fraction like 1/3 or a percentage like 5%."""
        over, slash, under = text.partition("/")
        try:
            if text.endswith("%"):
                return float(text.removesuffix("%")) / 100
            return float(over) / float(under) if slash else float(over)
        except (ValueError, ZeroDivisionError):
            self._faults.append(Fault(option, f"{text!r} is no number", expected))
            return 0.0

    def looks(self, text: str) -> tuple[float, ...]:
        """`SHARE,…` as shares of the planned units, or a whole number of looks equally far apart."""
        if text.strip().isdigit() and int(text) > 1:
            return tuple(k / int(text) for k in range(1, int(text) + 1))
        return tuple(self.number("--looks", one, "a share, as 0.5") for one in text.split(",") if one.strip())

    def shares(self, option: str, text: str) -> dict[str, float]:
        """`NAME=SHARE,…` as shares by name; a comma inside a name is not possible."""
        found: dict[str, float] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, share = self.pair(option, part, "=", "NAME=SHARE,…")
            if name in found:
                self._faults.append(Fault(option, f"{name!r} is named twice", "each arm once"))
            if name and share:
                found[name] = self.number(option, share, "a share, as 0.5 or 1/3")
        return found

    def ratios(self, texts: Iterable[str], known: Sequence[str] = ()) -> list[tuple[str, str]]:
        """`NUM/DEN` as pairs. A column whose own name holds a slash is recognised where the columns are known."""
        found = []
        for text in texts:
            splits = [(text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == "/"]
            exact = [one for one in splits if set(one) <= set(known)]
            found.append(exact[0] if exact else self.pair("--ratio", text, "/", "NUM/DEN"))
        return found

    def quantiles(self, texts: Iterable[str]) -> list[tuple[str, float]]:
        """`COL@Q` as column and quantile."""
        found = []
        for text in texts:
            column, q = self.pair("--quantile", text, "@", "COL@Q, as revenue@0.9")
            found.append((column, self.number("--quantile", q, "a quantile, as 0.9") if q else 0.5))
        return found

    def by_metric(self, option: str, texts: Iterable[str]) -> dict[str, list[str]]:
        """`METRIC=VALUE` as values by metric."""
        found: dict[str, list[str]] = {}
        for text in texts:
            name, value = self.pair(option, text, "=", "METRIC=VALUE")
            found.setdefault(name, []).append(value)
        return found

    def covariates(self, texts: Iterable[str], ratios: Iterable[str]) -> dict[str, list[str | tuple[str, str]]]:
        """`METRIC=COL` and `METRIC=NUM/DEN` as covariates by metric, each a column or a ratio of two sums."""
        found: dict[str, list[str | tuple[str, str]]] = {
            name: list(columns) for name, columns in self.by_metric("--covariate", texts).items()
        }
        for name, values in self.by_metric("--ratio-covariate", ratios).items():
            found.setdefault(name, []).extend(self.ratio_covariates(values))
        return found

    def ratio_covariates(self, texts: Iterable[str]) -> list[tuple[str, str]]:
        """`NUM/DEN` as pairs."""
        return [self.pair("--ratio-covariate", text, "/", "NUM/DEN") for text in texts]

    def conditions(self, option: str, texts: Iterable[str]) -> dict[str, str]:
        """`METRIC=CONDITION` as conditions by metric: the first sign parts them, for a condition has its own."""
        found: dict[str, str] = {}
        for text in texts:
            name, sign, condition = (one.strip() for one in text.partition("="))
            if not (name and sign and condition):
                self._faults.append(Fault(option, f"{text!r} has no two sides", "METRIC=CONDITION"))
            elif name in found:
                self._faults.append(Fault(option, f"{name} has more than one", "one condition, parts joined by AND"))
            else:
                found[name] = condition
        return found

    def reach(self, held: str | None, expose: str | None) -> "Reach":
        """`FROM-TO` and a share as the range of a layer; everybody where nothing is said."""
        from tasuki.experiments.allocation import Reach

        low, high = (0.0, 1.0) if held is None else self._ends(held)
        return Reach(low, high, 1.0 if expose is None else self.number("--expose", expose, "a share, as 10%"))

    def _ends(self, held: str) -> tuple[float, float]:
        low, high = self.pair("--range", held, "-", "FROM-TO, as 0.2-0.5")
        numbers = [self.number("--range", text, "FROM-TO, as 0.2-0.5") if text else 0.0 for text in (low, high)]
        return numbers[0], numbers[1]

    def holdout(self, text: str | None) -> "HoldOut | None":
        """`NAME=SHARE` as a hold-out."""
        from tasuki.experiments.allocation import HoldOut

        if text is None:
            return None
        name, share = self.pair("--holdout", text, "=", "NAME=SHARE, as 2026=5%")
        return HoldOut(name, self.number("--holdout", share, "a share, as 5%") if share else 0.0)
