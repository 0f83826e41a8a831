"""A replay: each arm buys its best share, outcomes are those of the log, and its limits are said in both languages."""

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.samples.replay import (
    REPLAY_OUTCOMES,
    LogQuestion,
    ReplaySummary,
    ReplayTerms,
    best_share,
    caveats,
    replay_rows,
)
from tasuki.samples.scoring import Answers

TERMS = ReplayTerms("installed", 0.25, ("at", "app", "age"))


def rows(count=400, **more):
    rng = np.random.default_rng(2)
    at = np.datetime64("2026-04-01T00:00:00.5", "us") + np.arange(count) * np.timedelta64(7, "s")
    happened = rng.random(count) < 0.1
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "at": pa.array(at, moment),
            "user": pa.array([f"u{number % 90}" for number in range(count)]),
            "app": pa.array(["a", "b"] * (count // 2)),
            "age": pa.array(np.arange(count, dtype=float), mask=np.arange(count) == 3),
            "installed": pa.array(happened),
            "installed_at": pa.array(at + np.timedelta64(60, "s"), moment, mask=~happened),
        }
        | more
    )


class Oracle:
    """Half of the users get scores that know the label, the others scores that know nothing."""

    def __init__(self, table):
        self.happened = table["installed"].to_numpy()
        self.asked = []

    def score(self, question):
        self.asked.append(question)
        arms = np.array(["treatment" if int(unit[1:]) % 2 else "control" for unit in question.units()])
        blind = np.random.default_rng(5).random(len(question))
        scores = np.where(arms == "treatment", self.happened + blind / 10, blind)
        return Answers([f"e{n}" for n in range(len(question))], arms, scores, np.zeros(len(question), dtype=bool))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=25), st.integers(1, 9))
def test_the_best_share_is_the_greedy_beginning_within_the_budget(pairs, tenths):
    scores, costs = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    breaker = np.arange(len(pairs), dtype=np.uint64)[::-1].copy()
    left = math.fsum(costs) * tenths / 10 + 1e-9
    expected = []
    for row in sorted(range(len(pairs)), key=lambda one: (-scores[one] / costs[one], breaker[one])):
        left -= costs[row]
        if left < 0:
            break
        expected.append(row)
    assert best_share(scores, costs, tenths / 10, breaker).tolist() == expected


def test_each_arm_spends_the_same_share_and_gets_the_real_outcomes_of_what_it_bought():
    table = rows()
    played = replay_rows(table, TERMS, Oracle(table))
    assert played.outcomes.schema == REPLAY_OUTCOMES
    for name, arm in played.arms.items():
        mine = np.array(played.outcomes["arm"].to_pylist()) == name
        bought = played.outcomes["bought"].to_numpy()
        assert arm.opportunities == mine.sum()
        assert arm.bought == (bought & mine).sum() == math.floor(0.25 * mine.sum() + 1e-9)
        assert arm.captured == (bought & mine & table["installed"].to_numpy()).sum()
        assert arm.positives == (mine & table["installed"].to_numpy()).sum()
    knowing = played.arms["treatment"]
    assert knowing.captured == knowing.positives > 0
    assert played.arms["control"].captured < played.arms["control"].positives


def test_nothing_is_an_outcome_that_was_not_bought_or_did_not_happen():
    table = rows()
    outcomes = replay_rows(table, TERMS, Oracle(table)).outcomes
    bought, happened, installed = (outcomes[name].to_numpy() for name in ("bought", "happened", "installed"))
    np.testing.assert_array_equal(installed, bought & happened)
    np.testing.assert_array_equal(outcomes["clicked"].to_numpy(), bought)
    np.testing.assert_array_equal(outcomes["installed_at"].is_valid().to_numpy(), installed)
    np.testing.assert_array_equal(outcomes["price"].is_valid().to_numpy(), bought)
    assert outcomes["spend"].to_numpy().sum() == bought.sum()


def test_a_price_makes_the_budget_money_and_cheap_rows_worth_more():
    prices = np.random.default_rng(8).permutation(np.tile([1.0, 9.0], 200))
    table = rows(price=pa.array(prices))
    played = replay_rows(table, TERMS, Oracle(table))
    for name, arm in played.arms.items():
        mine = np.array(played.outcomes["arm"].to_pylist()) == name
        assert arm.cost <= 0.25 * prices[mine].sum() + 1e-9
    cheap = prices == 1.0
    bought = played.outcomes["bought"].to_numpy()
    assert bought[cheap].mean() > 3 * bought[~cheap].mean()


def test_a_click_log_knows_nothing_of_installs():
    table = rows().rename_columns(["at", "user", "app", "age", "clicked", "clicked_at"])
    oracle = Oracle(rows())
    outcomes = replay_rows(table, ReplayTerms("clicked", 0.25, ("app",)), oracle).outcomes
    assert outcomes["installed"].to_numpy().sum() == 0
    np.testing.assert_array_equal(
        outcomes["clicked"].to_numpy(), outcomes["bought"].to_numpy() & table["clicked"].to_numpy()
    )


def test_a_question_gives_json_values_in_the_order_of_its_rows():
    question = LogQuestion(rows(), TERMS.inputs)
    parts = question.split(150)
    assert [len(part) for part in parts] == [150, 150, 100]
    assert [one for part in parts for one in part.units()] == question.units()
    columns = question.columns()
    assert list(columns) == ["at", "app", "age"]
    assert columns["age"][2:5] == [2.0, None, 4.0]
    assert datetime.fromisoformat(columns["at"][1]) == datetime(2026, 4, 1, 0, 0, 7, 500_000, UTC)


@pytest.mark.parametrize("delay", [0.0, 6.0])
def test_the_limits_are_said_in_both_languages_with_the_numbers(delay):
    table = rows()
    arms = replay_rows(table, TERMS, Oracle(table)).arms
    moment = datetime(2026, 4, 1, tzinfo=UTC)
    said = caveats(ReplaySummary(400, moment, moment, 0.25, arms), "installed", delay, {"en": ["x"], "ja": ["y"]})
    assert len(said["en"]) == len(said["ja"]) == 6
    positives = str(table["installed"].to_numpy().sum())
    assert any(positives in line for line in said["en"])
    assert any(positives in line for line in said["ja"])
    assert any("6時間" in line for line in said["ja"]) == (delay == 6.0)
