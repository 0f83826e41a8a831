"""What the fields of several records are: texts, shares, days, directions, and a doubt about data."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Text = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(ge=0)]
Direction = Literal["increase", "decrease"]


@dataclass(frozen=True, config=STRICT)
class ConcernNote:
    """A doubt about analysed data, as `tasuki.stats.concern.Concern` writes it."""

    code: Text
    severity: Literal["info", "warning", "error"]
    message: Text
    values: Mapping[str, JsonValue] = field(default_factory=dict)
