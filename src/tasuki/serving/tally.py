"""What the service counts about its own requests, for `/metrics` and `/health`."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""The upper bounds of the latency histogram's buckets; one more takes what is longer."""

_BOUNDS_NS = tuple(round(one * 1_000_000_000) for one in SECONDS)


@dataclass
class Tally:
    """Counters since the start; one thread adds to them, others read.

    Args:
        requests: Scoring requests by model and status; the model is empty when it is not served.
        fallbacks: Rows by model and the reason why an arm's own version did not answer.
        latencies: Scoring requests by bucket of `SECONDS`.
        total_ns: Nanoseconds that all of them took.
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total_ns: int = 0

    def answered(self, model: str, status: int, took_ns: int) -> None:
        """Counts a request."""
        self.requests[model, status] += 1
        self.latencies[bisect_left(_BOUNDS_NS, took_ns)] += 1
        self.total_ns += took_ns

    def fell_back(self, model: str, reason: str) -> None:
        """Counts a row that an arm's own version did not answer."""
        self.fallbacks[model, reason] += 1
