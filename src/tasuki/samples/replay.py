"""Replaying a real log: every row is asked as an opportunity, each arm buys its best share, outcomes are the real ones.

What is bought changes nothing in the log: no other bidder reacts, no price moves, nobody sees another ad. `caveats`
says so with the replay's own numbers, in both languages.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasuki.samples.logs import OUTCOMES
from tasuki.samples.scoring import Answers, Question

REPLAY_OUTCOMES = pa.schema(
    [*(field for field in OUTCOMES if field.name != "os"), ("bought", pa.bool_()), ("happened", pa.bool_())]
)
"""The columns of the world's outcomes, less the system that a log need not know, and two more: `bought` says that the
arm took the row, `happened` that the log has a positive there, bought or not. `bid` is the score; `price` what the log
says, or one unit of budget a row."""


class Asking(Protocol):
    """Whoever answers: the service's client, or a scorer in this process."""

    def score(self, request: Question) -> Answers:
        """Assigns every row an arm and a score."""
        ...


@dataclass(frozen=True, eq=False)
class LogQuestion:
    """Rows of an impressions table as a question: `at` and the features that the models read."""

    rows: pa.Table
    inputs: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def units(self) -> list[str]:
        """Whom each row is about."""
        units: list[str] = self.rows["user"].to_pylist()
        return units

    def columns(self) -> dict[str, list[object]]:
        """The features as JSON values; moments in ISO 8601 with a zone."""
        return {name: _json_values(self.rows[name]) for name in self.inputs}

    def split(self, size: int) -> list["LogQuestion"]:
        """The same in pieces of at most `size` rows."""
        return [LogQuestion(self.rows.slice(at, size), self.inputs) for at in range(0, len(self), size)]


@dataclass(frozen=True)
class ReplayTerms:
    """What every arm plays by.

    Args:
        label: What counts: `clicked` or `installed`.
        share: Each arm may spend this share of what all of its opportunities cost.
        inputs: The features that are asked with.
    """

    label: Literal["clicked", "installed"]
    share: float
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class ReplayArm:
    """What an arm was asked, bought and got.

    `positives` are those among all its opportunities, `captured` those among what it bought; `cost` in the log's
    price, or in rows.
    """

    opportunities: int
    fallbacks: int
    bought: int
    positives: int
    captured: int
    cost: float


@dataclass(frozen=True)
class ReplaySummary:
    """What became of a replay.

    Args:
        sent: Opportunities asked about: each must be an exposure in the service's log.
        since: The first moment that was replayed.
        until: The end, excluded.
        share: The budget's share.
        arms: What each arm got.
        caveats: What this can and cannot show, by language (`en`, `ja`).
        duration_s: How long it took.
    """

    sent: int
    since: datetime
    until: datetime
    share: float
    arms: Mapping[str, ReplayArm]
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    duration_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Replayed:
    """The outcomes of a replay, one row per opportunity, and the arms' sums."""

    outcomes: pa.Table
    arms: Mapping[str, ReplayArm]
    duration_s: float


def replay_rows(rows: pa.Table, terms: ReplayTerms, asking: Asking) -> Replayed:
    """Asks for every row, lets each arm buy its best share, and settles with what really happened.

    An arm sees all of its scores before it buys (as a bidder that knows the usual distribution of its scores would),
    so pacing plays no part. Ties are broken by a hash of the exposure's unit and moment, the same for every arm.

    Args:
        rows: An impressions table, sorted by time.
        terms: Label, share and features.
        asking: Who assigns and scores.
    """
    started = time.perf_counter()
    answers = asking.score(LogQuestion(rows, terms.inputs))
    costs = _costs(rows)
    bought = np.zeros(rows.num_rows, dtype=np.bool_)
    arms = {}
    happened = rows[terms.label].to_numpy()
    breaker = _tie_breakers(rows)
    for arm in sorted(set(answers.arms.tolist())):
        mine = np.flatnonzero(answers.arms == arm)
        taken = mine[best_share(answers.scores[mine], costs[mine], terms.share, breaker[mine])]
        bought[taken] = True
        arms[arm] = ReplayArm(
            opportunities=len(mine),
            fallbacks=int(answers.fallbacks[mine].sum()),
            bought=len(taken),
            positives=int(happened[mine].sum()),
            captured=int(happened[taken].sum()),
            cost=float(costs[taken].sum()),
        )
    outcomes = _outcomes(rows, terms, answers, bought, costs)
    return Replayed(outcomes, arms, time.perf_counter() - started)


def best_share(
    scores: NDArray[np.float64], costs: NDArray[np.float64], share: float, breaker: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """The rows with the most score for their cost that fit into `share` of all costs, best first.

    Formula: sorted by scoreᵢ/costᵢ, the longest beginning whose costs sum to at most share · Σ cost.
    Source: G. Dantzig (1957), Discrete-variable extremum problems: the greedy solution of the knapsack.
    Checked against: plain Python in the tests.
    """
    order = np.lexsort((breaker, -scores / costs))
    spent = np.cumsum(costs[order])
    # A budget that falls on a row's edge must not lose that row to rounding.
    fits = int(np.searchsorted(spent, share * spent[-1] * (1 + 1e-12), side="right")) if len(spent) else 0
    return order[:fits]


def caveats(
    summary: ReplaySummary, label: str, delay_hours: float, notes: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """What this replay can and cannot show, in English and Japanese, with its own numbers."""
    positives = sum(arm.positives for arm in summary.arms.values())
    said = {"installed": ("installs", "インストール"), "clicked": ("clicks", "クリック")}[label]
    english = (
        f"It shows which model would have picked more of the real {said[0]} from the same rows with the same budget "
        f"({100 * summary.share:g} % of each arm's opportunities).",
        "It does not show what an online test would: a row that is bought changes no price, no other bidder and no "
        "later row, and what the log never held cannot be bought.",
        f"{summary.sent:,} rows hold {positives:,} {said[0]}: intervals are wide, and no difference seen is not the "
        "same as no difference.",
        "The rows are those that were held out for offline validation: the replay confirms the chain from model to "
        "decision and is no second, independent proof.",
        f"Labels count when they come within {delay_hours:g} h, and rows younger than that at the end of the log are "
        "not played; later ones are missing for both arms alike."
        if delay_hours
        else "The log does not say when labels came: they are taken as known at once.",
        *notes.get("en", ()),
    )
    japanese = (
        f"同じ行・同じ予算(各群の機会の{100 * summary.share:g}%)で、"
        f"実際の{said[1]}をより多く選べたのはどちらのモデルかを示します。",
        "オンラインのテストの代わりにはなりません。買っても価格・他の入札者・その後の行は変わらず、ログにないものは買えません。",
        f"{summary.sent:,}行に{said[1]}は{positives:,}件です。区間は広く、「差が見えない」は「差がない」ではありません。",
        "再生する行はオフライン検証で取り置いた行と同じです。モデルから決定までの流れの確認であり、独立した二つ目の証明ではありません。",
        f"{delay_hours:g}時間以内に届いたラベルだけを数え、ログの終わりでそれより新しい行は再生しません。遅れて届く分は両群とも欠けます。"
        if delay_hours
        else "ラベルが届いた時刻はログにないため、すぐに分かったものとして扱います。",
        *notes.get("ja", ()),
    )
    return {"en": english, "ja": japanese}


def _costs(rows: pa.Table) -> NDArray[np.float64]:
    if "price" not in rows.column_names:
        return np.ones(rows.num_rows)
    prices = np.nan_to_num(rows["price"].to_numpy().astype(np.float64), nan=0.0)
    cheapest = prices[prices > 0].min() if (prices > 0).any() else 1.0
    # A row without a price is not free: it costs what the cheapest does.
    return np.where(prices > 0, prices, cheapest)


def _tie_breakers(rows: pa.Table) -> NDArray[np.uint64]:
    texts = zip(rows["user"].to_pylist(), rows["at"].cast(pa.int64()).to_pylist(), strict=True)
    digests = b"".join(hashlib.sha256(f"{unit}|{at}".encode()).digest()[:8] for unit, at in texts)
    return np.frombuffer(digests, dtype=np.uint64)


def _json_values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        texts: list[Any] = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ").to_pylist()
        return texts
    values: list[Any] = column.to_pylist()
    return values


def _outcomes(
    rows: pa.Table, terms: ReplayTerms, answers: Answers, bought: NDArray[np.bool_], costs: NDArray[np.float64]
) -> pa.Table:
    happened = rows[terms.label].to_numpy()
    gained, count = bought & happened, rows.num_rows
    nothing, nowhen = pa.array(np.zeros(count, dtype=np.bool_)), pa.nulls(count, OUTCOMES.field("at").type)
    known_at = pc.if_else(pa.array(gained), rows[f"{terms.label}_at"].combine_chunks(), nowhen)
    is_install = terms.label == "installed"
    return pa.table(
        {
            "exposure": pa.array(answers.exposures, pa.string()),
            "at": rows["at"],
            "unit": rows["user"],
            "arm": pa.array(answers.arms.tolist(), pa.string()),
            "bid": pa.array(answers.scores),
            "won": pa.array(bought),
            "price": pa.array(costs, mask=~bought),
            # Every row of an install log is a click that was bought; in a click log nothing is known of installs.
            "clicked": pa.array(bought if is_install else gained),
            "clicked_at": pc.if_else(pa.array(bought), rows["at"].combine_chunks(), nowhen) if is_install else known_at,
            "installed": pa.array(gained) if is_install else nothing,
            "installed_at": known_at if is_install else nowhen,
            "spend": pa.array(np.where(bought, costs, 0.0)),
            "value": pa.array(gained.astype(np.float64)),
            "bought": pa.array(bought),
            "happened": pa.array(happened),
        },
        schema=REPLAY_OUTCOMES,
    )
