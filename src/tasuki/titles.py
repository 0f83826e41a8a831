"""A name in both languages of the product."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Titles:
    """What something is called in English and in Japanese."""

    en: str
    ja: str

    def __str__(self) -> str:
        return self.en

    def in_language(self, language: str) -> str:
        """The Japanese title for `ja`, otherwise the English one."""
        return self.ja if language == "ja" else self.en
