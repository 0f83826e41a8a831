"""The words of the pages: every key once, with its English and Japanese text, from `texts.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tasuki.web.language import Language


@dataclass(frozen=True)
class Texts:
    """The catalogue in one language; call it with a key: `t("board.title")`, `t("card.age", days="3日")`."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """The text of the key with its places filled in. An unknown key is a programming error and raises KeyError."""
        return catalogue()[key][self.language].format(**values)

    def term(self, family: str, name: str) -> str:
        """The word for a name that comes from data (a role, a metric): the name itself where the catalogue has none."""
        entry = catalogue().get(f"{family}.{name}")
        return entry[self.language] if entry else name


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every key (`section.name`) with its text by language."""
    sections = tomllib.loads((files("tasuki.web") / "texts.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": texts for section, entries in sections.items() for name, texts in entries.items()}
