"""Where a report's numbers come from: the data, the question, the engine and the moment."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Origin:
    """What somebody needs to get the same numbers again. Empty texts are not known.

    Args:
        made_at: When the report was made.
        version: Of tasuki.
        source: The file or table, without the folders of this machine.
        content_hash: SHA-256 (hex) of the files' content.
        engine: What counted.
        variant: The column of the arm.
        unit: The column of the unit; None when a row is a unit.
        adjust: How p-values were adjusted.
        name: The experiment's name, where it has one.
    """

    made_at: datetime
    version: str
    source: str = ""
    content_hash: str = ""
    engine: str = ""
    variant: str = ""
    unit: str | None = None
    adjust: str = ""
    name: str = ""
