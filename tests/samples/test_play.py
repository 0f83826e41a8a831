import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tasuki.experiments.assignment import assign_many
from tasuki.samples.auction import Purse, Rules
from tasuki.samples.exchange import Memory, World
from tasuki.samples.logs import OUTCOMES
from tasuki.samples.oracle import all_knowing, recency_blind, true_effect
from tasuki.samples.play import Stage, play
from tasuki.samples.scoring import Answers, LocalScorer

WORLD = World(seed=6)
ARMS = {"control": 0.5, "treatment": 0.5}


def split(units):
    return np.array([arm for arm, _ in assign_many(units, "salt", ARMS)])


def two_arms():
    return LocalScorer({"control": recency_blind, "treatment": all_knowing}, split)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("play") / "outcomes"
    summary = play(Stage(WORLD, folder=folder), range(2), 40_000, two_arms())
    duckdb.sql(f"create or replace table outcomes as select * from '{folder}/*.parquet'")
    return summary


def ask(sql):
    return duckdb.sql(sql).fetchall()


def test_every_opportunity_has_one_outcome(played):
    assert pq.read_schema(played.files[0]).equals(OUTCOMES)
    assert played.sent == played.answered == 80_000
    assert ask("select count(*), count(distinct exposure) from outcomes") == [(80_000, 80_000)]


def test_the_summary_counts_what_the_outcomes_say(played):
    sums = "sum(won::int), sum(clicked::int), sum(installed::int), sum(spend)"
    sql = f"select arm, count(*), {sums} from outcomes group by arm"
    for arm, answered, won, clicks, installs, spend in ask(sql):
        one = played.arms[arm]
        assert (one.answered, one.won, one.clicks, one.installs) == (answered, won, clicks, installs)
        assert one.spend == pytest.approx(spend)


def test_nothing_follows_from_an_auction_that_was_lost(played):
    lost = "clicked or installed or price is not null or spend != 0 or value != 0"
    assert ask(f"select count(*) from outcomes where not won and ({lost})") == [(0,)]
    assert ask("select count(*) from outcomes where won and (price is null or price > bid)") == [(0,)]


def test_every_click_arrives_in_the_end(played):
    assert ask("select count(*) from outcomes where clicked and clicked_at is null") == [(0,)]
    assert ask("select sum(value) from outcomes") == [(sum(one.clicks for one in played.arms.values()) * 25.0,)]


def test_arms_keep_to_their_budgets_and_use_them(played):
    for one in played.arms.values():
        assert one.spend <= one.budget
        assert one.spend > 0.95 * one.budget
    budgets = [one.budget / one.answered for one in played.arms.values()]
    assert budgets[0] == pytest.approx(budgets[1])


def test_clicks_scatter_around_their_expectation(played):
    for one in played.arms.values():
        assert abs(one.clicks - one.expected_clicks) < 4 * np.sqrt(one.expected_clicks)


def test_the_same_play_has_the_same_outcomes(played, tmp_path):
    again = play(Stage(WORLD, folder=tmp_path), range(2), 40_000, two_arms())
    assert again.arms == played.arms
    for one, other in zip(played.files, again.files, strict=True):
        assert pq.read_table(one).equals(pq.read_table(other))


def test_what_one_arm_is_offered_does_not_depend_on_the_other():
    alone = play(
        Stage(WORLD), range(1), 20_000, LocalScorer({"control": recency_blind, "treatment": recency_blind}, split)
    )
    together = play(Stage(WORLD), range(1), 20_000, two_arms())
    assert alone.arms["control"] == together.arms["control"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_knowing_recency_wins_in_truth_under_the_same_budget(seed):
    effect = true_effect(Stage(World(seed=seed)), range(2), 40_000, recency_blind, all_knowing)
    assert effect.relative > 0.25


def test_a_policy_has_no_effect_against_itself():
    assert true_effect(Stage(WORLD), range(1), 10_000, recency_blind, recency_blind).relative == 0


def test_scores_of_another_scale_end_at_the_same_bids():
    # The purse finds the factor: only the first hours, when it bids too much and runs dry, are lost.
    def tripled(request):
        return 3 * recency_blind(request)

    effect = true_effect(Stage(WORLD), range(4), 40_000, recency_blind, tripled)
    assert -0.08 < effect.relative < 0.02


def test_fallbacks_are_counted_by_arm():
    class Falling(LocalScorer):
        def score(self, request):
            answers = super().score(request)
            return Answers(answers.exposures, answers.arms, answers.scores, answers.arms == "treatment")

    arms = play(
        Stage(WORLD), range(1), 5_000, Falling({"control": recency_blind, "treatment": all_knowing}, split)
    ).arms
    assert arms["control"].fallbacks == 0
    assert arms["treatment"].fallbacks == arms["treatment"].answered


def test_progress_adds_up_to_every_opportunity():
    seen = []
    play(Stage(WORLD), range(2), 3_000, LocalScorer({"all": recency_blind}), seen.append)
    assert sum(seen) == 6_000


def test_people_keep_the_memory_of_the_ads_they_saw():
    memory = Memory(WORLD)
    play(Stage(WORLD, memory=memory), range(1), 20_000, LocalScorer({"all": recency_blind}))
    later = memory.pass_on(np.arange(WORLD.users, dtype=np.int32), np.full(WORLD.users, 86_400.0))
    assert (later < 1_440).any()


def test_a_purse_never_pays_what_it_does_not_have():
    purse = Purse(WORLD, Rules(budget_share=0.01))
    prices = np.full(1_000, 300, dtype=np.int16)
    won = purse.buy(np.full(1_000, 1_000.0), prices)
    assert 0 < won.sum() < 1_000
    assert purse.spent <= purse.budget


def test_a_score_of_zero_buys_nothing():
    purse = Purse(WORLD, Rules())
    assert not purse.buy(purse.bids(np.zeros(10)), np.zeros(10, dtype=np.int16)).any()
