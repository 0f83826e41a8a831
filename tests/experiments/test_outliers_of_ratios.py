"""A unit that carries the effect of a ratio is named, whoever counts, and looking for it costs nothing without one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tasuki
from tasuki.actions.measure import Asked, measure
from tasuki.metrics.metric import Metric
from tasuki.stats.concern import Concern
from tasuki.warehouse import Warehouse, source_of

N = 4_000


def users(seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    views = rng.poisson(20, N) + 1
    arm = np.array(["control", "treatment"] * (N // 2))
    clicks = rng.binomial(views, 0.1) + (arm == "treatment") * rng.binomial(1, 0.25, N)
    return pl.DataFrame({"arm": arm, "user": np.arange(N), "company": np.arange(N) % 400, "clicks": clicks,
                         "views": views})  # fmt: skip


def with_bot(data: pl.DataFrame, **values: int) -> pl.DataFrame:
    """The first user of control, changed."""
    return data.with_columns(
        **{name: pl.when(pl.col("user") == 0).then(value).otherwise(name) for name, value in values.items()}
    )


def as_events(data: pl.DataFrame, folder: Path) -> str:
    """Each user's clicks and views in three rows of a file."""
    parts = [data.with_columns(pl.col("clicks") // 3, pl.col("views") // 3)] * 2
    rest = data.with_columns(
        pl.col("clicks") - 2 * (pl.col("clicks") // 3), pl.col("views") - 2 * (pl.col("views") // 3)
    )
    path = folder / "events.parquet"
    pl.concat([*parts, rest]).write_parquet(path)
    return str(path)


def carried(data: object, **asked: object) -> list[Concern]:
    found = tasuki.compare(data, variant="arm", control="control", ratios=[("clicks", "views")], **asked)
    return [one for one in found.concerns if one.code == "outlier_carries_effect"]


def test_a_unit_with_many_clicks_of_few_views_is_named_with_both() -> None:
    assert carried(users()) == []
    (said,) = carried(with_bot(users(), clicks=3_000))
    assert (said.values["arm"], said.values["value"]) == ("control", 3_000)
    assert said.values["under"] == users()["views"][0]
    assert said.values["p"][1] < 0.05 < said.values["p"][0]
    assert "one unit of control (3,000 over 13) decides" in said.message


def test_a_unit_with_many_views_and_no_click_is_named() -> None:
    (said,) = carried(with_bot(users(), clicks=0, views=60_000))
    assert (said.values["value"], said.values["under"]) == (0, 60_000)


def test_the_largest_unit_is_not_named_when_it_is_like_the_others() -> None:
    """What pulls is the distance from the ratio: more clicks by far, but as many a view as everybody."""
    (said,) = carried(with_bot(users(), clicks=3_000).vstack(heavy()))
    assert said.values["value"] == 3_000
    assert carried(users().vstack(heavy())) == []


def heavy() -> pl.DataFrame:
    """A user in each arm who does very much in the usual proportion."""
    return pl.DataFrame({"arm": ["control", "treatment"], "user": [N, N + 1], "company": [400, 401],
                         "clicks": [4_030, 4_540], "views": [40_000, 40_000]})  # fmt: skip


@pytest.mark.parametrize("limit", [None, 200])
def test_events_are_looked_through_as_well_also_in_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr("tasuki.actions.passes._BYTES_PER_UNIT", 50_000)
    (said,) = carried(as_events(with_bot(users(), clicks=3_000), tmp_path), unit="user", memory_limit_mb=limit)
    assert said.values["value"] == 3_000


def test_a_cluster_that_carries_a_mean_is_named() -> None:
    bot = with_bot(users(), clicks=90_000).with_columns(
        arm=pl.when(pl.col("company") % 2 == 0).then(pl.lit("control")).otherwise(pl.lit("treatment"))
    )
    found = tasuki.compare(bot, variant="arm", unit="user", cluster="company", means=["clicks"])
    (said,) = [one for one in found.concerns if one.code == "outlier_carries_effect"]
    assert said.values["value"] > 90_000
    assert said.values["under"] == 10  # the users of its company


def test_spark_names_the_same_unit(spark: str, tmp_path: Path) -> None:
    path = as_events(with_bot(users(), clicks=3_000), tmp_path)
    (said,) = carried(path, unit="user", engine=spark)
    (other,) = carried(path, unit="user")
    assert said.values["value"] == other.values["value"] == 3_000
    assert said.values["p"] == pytest.approx(other.values["p"])


class Counting(Warehouse):
    """Counts the queries that answer with rows."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def rows(self, tree: object) -> list[dict]:
        self.asked += 1
        return super().rows(tree)  # type: ignore[arg-type]


@pytest.mark.parametrize(("change", "queries"), [(lambda one: one, 1), (lambda one: with_bot(one, clicks=3_000), 2)])
def test_units_are_read_again_only_where_one_may_carry_the_ratio(
    change: Callable[[pl.DataFrame], pl.DataFrame], queries: int
) -> None:
    data = pl.concat([users(seed).with_columns(pl.col("user") + N * seed) for seed in range(30)])
    warehouse = Counting()
    source = source_of(change(data))
    asked = Asked("arm", None, (), (Metric("ctr", "ratio", "clicks", "views"),))
    measure(warehouse, warehouse.table(source), warehouse.columns(source), asked, 0.05)
    assert warehouse.asked == queries
