"""How long somebody must wait after failed sign-ins: guessing stays hopeless, a typing mistake costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil


@dataclass(frozen=True)
class Limit:
    """So many failures within a window are free."""

    failures: int
    window: timedelta


ACCOUNT_LIMIT = Limit(5, timedelta(minutes=15))
"""Per account and address: who mistypes waits, and nobody else's mistakes make them wait."""
ANYWHERE_LIMIT = Limit(50, timedelta(minutes=15))
"""Per account, wherever the tries come from."""
ADDRESS_LIMIT = Limit(20, timedelta(minutes=15))
"""Per address, whatever accounts are tried."""


def wait_s(failures: Sequence[datetime], now: datetime, limit: Limit) -> int:
    """Seconds until the next try is allowed; 0 when it is allowed now.

    Args:
        failures: When earlier tries failed, in any order.
        now: The present moment.
        limit: What is free.
    """
    recent = sorted(moment for moment in failures if moment > now - limit.window)
    if len(recent) < limit.failures:
        return 0
    free_again = recent[len(recent) - limit.failures] + limit.window
    return max(1, ceil((free_again - now).total_seconds()))
