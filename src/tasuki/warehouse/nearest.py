"""The name someone probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a misspelt or shortened one, ignoring case, or None when none is close."""
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    longer = [one for one in by_lower if name and one.startswith(name.lower())]
    return by_lower[(close or longer)[0]] if close or longer else None
