"""What people read, in both languages: a room keeps its words in one `texts.toml`, each in English and Japanese."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tasuki.language import Language


@dataclass(frozen=True)
class Texts:
    """A room's words in one language; call it with a key: `t("board.title")`, `t("card.age", days="3日")`.

    Args:
        language: The reader's.
        room: The package whose `texts.toml` it is.
    """

    language: Language
    room: str

    def __call__(self, key: str, **values: object) -> str:
        """The text of the key with its places filled in. An unknown key is a programming error and raises KeyError."""
        return catalogue(self.room)[key][self.language].format(**values)

    def term(self, family: str, name: str) -> str:
        """The word for a name that comes from data (a role, a metric): the name itself where the catalogue has none."""
        entry = catalogue(self.room).get(f"{family}.{name}")
        return entry[self.language] if entry else name


@cache
def catalogue(room: str) -> Mapping[str, Mapping[str, str]]:
    """Every key (`section.name`) of a room with its text by language."""
    sections = tomllib.loads((files(room) / "texts.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": texts for section, entries in sections.items() for name, texts in entries.items()}
