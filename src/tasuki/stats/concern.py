"""Concerns: doubts about analysed data, as values that are shown beside the numbers and never raised."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Concern:
    """One doubt about analysed data.

    Args:
        code: A stable name that scripts may rely on, as `sample_ratio_mismatch`.
        severity: `info` is worth knowing, `warning` may change how a number is read, `error` means that the
            numbers must not be used for a decision.
        message: What was seen and what it means, as one or two sentences for people.
    """

    code: str
    severity: Severity
    message: str
