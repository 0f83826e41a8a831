"""What an experiment may be called: its name stands in addresses of pages and of REST, and in every exposure."""

from tasuki.errors import Fault, said
from tasuki.flow.state import IdeaState

LONGEST_NAME = 200
_NO_ADDRESS = frozenset("/\\")
_WIDE_SPACE = "\u3000"
"""Japanese keyboards write it; it has an address like any letter."""


def name_faults(name: str, state: IdeaState) -> list[Fault]:
    """What keeps an experiment from being called so: a name without a page address would hide it from everybody.

    A name that the idea knows already stays as it is, so that what was booked by an earlier version can be moved,
    started and given back. A missing name is no fault here: every door says so in its own words.
    """
    if any(one.name == name for one in state.experiments):
        return []
    what = ""
    if wrong := dict.fromkeys(one for one in name if not _has_address(one)):
        signs = tuple(one if one.isprintable() else f"U+{ord(one):04X}" for one in wrong)
        what = said("{name!r} has no page address: it holds {signs}", name=name, signs=signs)
    elif name.strip() and not name.strip(". "):
        what = said("{name!r} has no page address: it holds nothing but dots", name=name)
    elif len(name) > LONGEST_NAME:
        what = said("the name has {count} letters", count=len(name))
    expected = said("letters, digits, spaces and signs but / and \\, {most} at the most", most=LONGEST_NAME)
    return [Fault("experiment", what, expected)] if what else []


def _has_address(letter: str) -> bool:
    return letter == _WIDE_SPACE or (letter.isprintable() and letter not in _NO_ADDRESS)
