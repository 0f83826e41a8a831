"""How the values of units are spread in each arm: asked only when somebody wants to see it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tasuki.metrics.bins import Histogram
from tasuki.metrics.compile import Reading
from tasuki.metrics.histogram import drawn_metrics, histogram_tree, range_tree, read_histograms, scales_of

if TYPE_CHECKING:
    from sqlglot import exp


class Asks(Protocol):
    """Whatever answers trees with rows."""

    def rows(self, tree: "exp.Expr") -> Sequence[Mapping[str, Any]]:
        """The answer as one mapping per row."""
        ...


def histograms_of(engine: Asks, reading: Reading) -> tuple[Histogram, ...]:
    """The histogram of each metric that has a spread, in two queries: the range, then all bins in one pass."""
    drawn = drawn_metrics(reading)
    if not drawn:
        return ()
    scales = scales_of(drawn, engine.rows(range_tree(reading, drawn))[0])
    if not scales:
        return ()
    return read_histograms(reading, scales, engine.rows(histogram_tree(reading, scales)))
