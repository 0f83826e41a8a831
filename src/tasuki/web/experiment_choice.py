"""Which experiments a reader wants to see, as the address says it, and the part of the list that is shown."""

from dataclasses import dataclass

from tasuki.actions.experiment_lines import Line, Wanted, found_lines
from tasuki.store.shelf import Shelf

SHOWN = 50
STANDINGS, KINDS = ("current", "over"), ("check", "comparison")


@dataclass(frozen=True)
class ExperimentPart:
    """A part of the list.

    Args:
        found: How many experiments were asked for.
        page: Which part of these is shown, from 1.
        pages: How many parts they make.
        lines: The experiments of this part.
    """

    found: int
    page: int
    pages: int
    lines: tuple[Line, ...]


def part_of_list(shelf: Shelf, wanted: Wanted, page: int, shown: int = SHOWN) -> ExperimentPart:
    """A part of the experiments that are asked for; beyond the last part the last."""
    found = found_lines(shelf, wanted)
    pages = max(1, -(-len(found) // shown))
    page = min(max(1, page), pages)
    return ExperimentPart(len(found), page, pages, tuple(found[(page - 1) * shown : page * shown]))
