"""Concerns: doubts about analysed data, returned as values and never raised."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Concern:
    """One doubt: a stable code for scripts, how grave it is, and a sentence for people."""

    code: str
    severity: Severity
    message: str
