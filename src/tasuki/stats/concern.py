"""Concerns: doubts about analysed data, as values that are shown beside the numbers and never raised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Concern:
    """One doubt about analysed data.

    Args:
        code: A stable name that scripts may rely on, as `sample_ratio_mismatch`.
        severity: `info` is worth knowing, `warning` may change how a number is read, `error` means that the
            numbers must not be used for a decision.
        message: What was seen and what it means, as one or two sentences for people.
        values: The names and figures that the message speaks of, as JSON values, so that a report can say the same in
            another language. Where one code has several messages, `case` tells which it is.
    """

    code: str
    severity: Severity
    message: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
