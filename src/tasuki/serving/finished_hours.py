"""Which segments of the exposure log are old enough to be compacted, by a look at names and times only."""

import os
from datetime import datetime
from pathlib import Path

GRACE_S = 60.0
"""How long after its end an hour is taken up: what was under way then is written by then."""
SEGMENT_START = "exposures-"


def hour_of(seconds: float) -> int:
    """The hour that a moment lies in, both since 1970."""
    return int(seconds // 3_600)


def is_due(segments: Path, now: datetime) -> bool:
    """Whether an hour that is over left several segments; a look at names and times only."""
    hour, found = hour_of(now.timestamp() - GRACE_S), 0
    try:
        with os.scandir(segments) as entries:
            for one in entries:
                if one.name.startswith(SEGMENT_START) and hour_of(one.stat().st_mtime) < hour:
                    found += 1
                    if found > 1:
                        return True
    except OSError:
        return False
    return False
