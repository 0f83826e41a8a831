from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasuki.samples.exchange import World
from tasuki.samples.logs import IMPRESSIONS, LogWriter
from tasuki.samples.training import training_log

WORLD = World(seed=4, users=10_000, install_rate=0.6)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "impressions"
    summary = training_log(WORLD, range(6), 60_000, folder)
    duckdb.sql(f"create or replace table impressions as select * from '{folder}/*.parquet'")
    return summary


def ask(log, sql):
    return duckdb.sql(sql).fetchall()[0]


def test_the_log_has_the_columns_promised(log):
    assert pq.read_schema(log.files[0]).equals(IMPRESSIONS)
    assert len(log.files) == 6


def test_the_summary_counts_what_the_files_hold(log):
    row = ask(log, "select count(*), sum(clicked::int), sum(installed::int), sum(price) / 1000 from impressions")
    assert row[:3] == (log.impressions, log.clicks, log.installs)
    assert row[3] == pytest.approx(log.spend)
    assert log.clicks > 300


def test_impressions_were_won_and_cost_at_most_the_bid(log):
    assert ask(log, "select count(*) from impressions where price > bid or price < 1") == (0,)
    assert 0.2 < log.impressions / log.opportunities < 0.6


def test_no_label_is_known_before_it_arrives(log):
    end = WORLD.day(6)
    late = f"clicked_at > timestamptz '{end.isoformat()}' or installed_at > timestamptz '{end.isoformat()}'"
    assert ask(log, f"select count(*) from impressions where {late}") == (0,)
    assert ask(log, "select count(*) from impressions where clicked != (clicked_at is not null)") == (0,)
    assert ask(log, "select count(*) from impressions where installed != (installed_at is not null)") == (0,)


def test_labels_that_had_not_arrived_are_known_when_the_log_goes_on(tmp_path, log):
    longer = training_log(WORLD, range(7), 60_000, tmp_path)
    sql = "select count(*), sum(installed::int) from read_parquet('{}')"
    before, after = (ask(log, sql.format(one.files[5])) for one in (log, longer))
    assert before[0] == after[0]
    assert before[1] < after[1]


def test_installs_follow_clicks_and_clicks_follow_impressions(log):
    def count(condition):
        return ask(log, f"select count(*) from impressions as i where {condition}")[0]

    assert count("installed and not clicked") == 0
    assert count("clicked_at <= i.at or installed_at <= clicked_at") == 0
    longest = ask(log, "select max(installed_at - clicked_at), max(clicked_at - i.at) from impressions as i")
    assert longest[0] <= timedelta(seconds=46_342)
    assert longest[1] <= timedelta(seconds=1_801)


def test_clicks_are_rarer_right_after_an_ad(log):
    sql = (
        "select avg(clicked::int) filter (minutes_since_last < 10), avg(clicked::int) filter (minutes_since_last > 400)"
    )
    soon, later = ask(log, f"{sql} from impressions")
    assert later > 4 * soon


def test_the_same_world_writes_the_same_log(tmp_path, log):
    again = training_log(WORLD, range(6), 60_000, tmp_path)
    for one, other in zip(log.files, again.files, strict=True):
        assert pq.read_table(one).equals(pq.read_table(other))


def test_a_log_that_fails_halfway_leaves_no_file(tmp_path):
    def fail_halfway():
        with LogWriter(tmp_path / "day.parquet", pa.schema([("n", pa.int64())])) as writer:
            writer.write({"n": pa.array(np.arange(5))})
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []
