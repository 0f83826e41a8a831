"""Winsorised, windowed and clustered metrics: the engine and the slow oracle say the same."""

from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Question, answer, exposed, in_window

from tasuki.actions.compare import compare
from tasuki.actions.measure import Asked, measure
from tasuki.errors import Invalid
from tasuki.metrics.exposed import ARM, PRESENT, UNIT, exposed_table
from tasuki.metrics.metric import Cap, Covariate, Metric, Winsor
from tasuki.metrics.statistics import Statistics
from tasuki.metrics.window import Window
from tasuki.warehouse import Warehouse, source_of

START = datetime(2026, 1, 1)
NUMBERS = st.one_of(
    st.none(),
    st.integers(-9, 9).map(float),
    st.floats(-100, 100).map(lambda one: one if abs(one) > 1e-9 else 0.0),
    st.sampled_from([np.nan, np.inf]),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "arm": st.sampled_from(["control", "treatment", None]),
            "company": st.sampled_from(["x", "y", "z", "w", None]),
            "user": st.sampled_from(["a", "b", "c", None]),
            "at": st.one_of(st.none(), st.integers(0, 60).map(lambda hours: START + timedelta(hours=hours))),
            "spent": NUMBERS,
            "views": st.one_of(st.none(), st.integers(-5, 5)),
            "clicked": st.booleans(),
        }
    ),
    min_size=1,
    max_size=25,
)
SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("company", pa.string()),
        ("user", pa.string()),
        ("at", pa.timestamp("us")),
        ("spent", pa.float64()),
        ("views", pa.int64()),
        ("clicked", pa.bool_()),
    ]
)
CAPS = st.one_of(
    st.none(),
    st.sampled_from([0.05, 0.25]).map(lambda q: Cap(q, is_quantile=True)),
    st.sampled_from([-2.0, -0.5]).map(Cap),
)
UPPER = st.one_of(
    st.none(),
    st.sampled_from([0.75, 0.9]).map(lambda q: Cap(q, is_quantile=True)),
    st.sampled_from([0.5, 3.0]).map(Cap),
)
WINSORS = st.one_of(st.none(), st.builds(Winsor, CAPS, UPPER))
FILTERS = st.sampled_from([None, "clicked", "views > 0"])
NAMES = st.sampled_from(["spent", "views", "spent + views"])
METRICS = st.lists(
    st.one_of(
        st.builds(lambda e, f, w: Metric("m", "mean", e, filter=f, winsor=w), NAMES, FILTERS, WINSORS),
        st.builds(lambda a, b, f, w: Metric("m", "ratio", a, b, filter=f, winsor=w), NAMES, NAMES, FILTERS, WINSORS),
        st.builds(lambda f: Metric("m", "proportion", "clicked", filter=f), FILTERS),
        st.builds(lambda e: Metric("m", "mean", e, covariates=(Covariate("coalesce(spent, 2)", "1"),)), NAMES),
    ),
    min_size=1,
    max_size=3,
)
RUNS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_same(statistics: Statistics, expected: tuple) -> None:
    cells, several, nameless = expected
    assert {(cell.arm, cell.segment) for cell in statistics.cells} == set(cells)
    assert (statistics.units_in_several_arms, statistics.units_without_arm) == (several, nameless)
    for cell in statistics.cells:
        judge = cells[cell.arm, cell.segment]
        assert cell.units == judge.units
        for found, right in zip(cell.samples, judge.samples, strict=True):
            assert (found.moments.n, found.lost, found.held) == (right.moments.n, right.lost, right.held)
            if right.moments.n:
                np.testing.assert_allclose(found.moments.means, right.moments.means, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(found.moments.covariances, right.moments.covariances, rtol=1e-9, atol=1e-6)


def told(rows: list[dict], asked: Asked, window: Window | None = None) -> None:
    """Asserts that DuckDB and the oracle agree, whether that is numbers or a refusal."""
    warehouse = Warehouse()
    try:
        source = source_of(pa.Table.from_pylist(rows, schema=SCHEMA))
        columns = warehouse.columns(source)
        try:
            statistics, bound = measure(warehouse, warehouse.table(source), columns, asked, 0.05)
        except Invalid as fault:
            if any(known in str(fault) for known in ("row to compare", "more than one arm")):
                return
            raise
    finally:
        warehouse.close()
    key = asked.cluster or asked.unit or ""
    seen = in_window(rows, key, window.time, window.hours) if window else rows
    question = Question(asked.variant, asked.unit, None, asked.cluster, "present" if window else None)
    assert_same(statistics, answer(seen, bound, question))


@RUNS
@given(ROWS, METRICS, st.sampled_from([None, "user"]), st.sampled_from([None, "company"]))
def test_winsorised_and_clustered(
    rows: list[dict], metrics: list[Metric], unit: str | None, cluster: str | None
) -> None:
    if unit:
        metrics = [one for one in metrics if not one.covariates] or [Metric("m", "mean", "spent")]
    told(rows, Asked("arm", unit, (), tuple(metrics), cluster=cluster))


@RUNS
@given(ROWS, METRICS, st.sampled_from([1.0, 24.0, 36.5]), st.sampled_from([None, "company"]))
def test_only_events_within_the_window_count(
    rows: list[dict], metrics: list[Metric], hours: float, cluster: str | None
) -> None:
    metrics = [one for one in metrics if not one.covariates] or [Metric("m", "mean", "spent")]
    window = Window("at", hours)
    told(rows, Asked("arm", "user", (), tuple(metrics), cluster=cluster, window=window), window)


EXPOSURES = st.lists(
    st.fixed_dictionaries(
        {
            "exposure": st.sampled_from(["e1", "e2", "e3", "e4", "e5", "e6"]),
            "unit": st.sampled_from(["a", "b", "c", "x", "y"]),
            "arm": st.sampled_from(["control", "treatment"]),
            "at": st.integers(0, 40).map(lambda hours: START + timedelta(hours=hours)),
            "experiment": st.just("it"),
        }
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one["exposure"],
)


@RUNS
@given(EXPOSURES, ROWS, st.sampled_from([None, 1.0, 24.0]), st.sampled_from([None, "company"]), WINSORS)
def test_events_count_from_the_first_exposure_on(
    exposures: list[dict], rows: list[dict], hours: float | None, cluster: str | None, winsor: Winsor | None
) -> None:
    metric = Metric(
        "m", "mean", "spent", table="events", unit="user", time="at", window_hours=hours, cluster=cluster, winsor=winsor
    )
    warehouse = Warehouse()
    try:
        events = source_of(pa.Table.from_pylist(rows, schema=SCHEMA))
        columns = warehouse.columns(events)
        warehouse._connection.register("events", pa.Table.from_pylist(rows, schema=SCHEMA))
        warehouse._connection.register("exposures", pa.Table.from_pylist(exposures))
        unit, randomised = (metric.unit, UNIT) if cluster else (UNIT, None)
        asked = Asked(ARM, unit, (), (metric,), PRESENT, randomised)
        try:
            statistics, bound = measure(warehouse, exposed_table(metric, "it", columns), columns, asked, 0.05)
        except Invalid:
            return
    finally:
        warehouse.close()
    question = Question("arm", metric.unit if cluster else "unit", None, "unit" if cluster else None, "present")
    assert_same(statistics, answer(exposed(exposures, rows, metric), bound, question))


def clustered_rows(seed: int) -> pa.Table:
    """Users of 400 companies; what a company's users have in common varies more than they do."""
    random = np.random.default_rng(seed)
    company = np.repeat(np.arange(400), 25)
    common = random.normal(0, 2, 400)
    return pa.table(
        {
            "arm": np.where(company % 2, "control", "treatment"),
            "company": company,
            "spent": 10 + common[company] + random.normal(0, 1, len(company)),
            "bought": (random.random(len(company)) < 0.3).astype(int),
        }
    )


def test_clusters_of_equal_size_are_as_sure_as_their_means() -> None:
    table = clustered_rows(1)
    naive = compare(table, variant="arm", control="control", means=["spent"]).results[0]
    found = compare(table, variant="arm", control="control", means=["spent"], cluster="company").results[0]
    means = np.asarray(table["spent"]).reshape(400, 25).mean(axis=1)
    error = sqrt(sum(means[k::2].var(ddof=1) / 200 for k in (0, 1)))
    assert found.effect == pytest.approx(naive.effect, rel=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.n_control == 200
    assert naive.standard_error < found.standard_error / 3


def test_a_proportion_over_clusters_is_checked_row_by_row() -> None:
    table = clustered_rows(2)
    found = compare(table, variant="arm", control="control", proportions=["bought"], cluster="company").results[0]
    rows = np.asarray(table["bought"])[np.asarray(table["arm"]) == "control"]
    assert found.control == pytest.approx(rows.mean(), rel=1e-12)
    assert found.method == "delta"
    with pytest.raises(Invalid, match="neither 0 nor 1"):
        compare(table, variant="arm", control="control", proportions=["spent"], cluster="company")


def test_false_wins_over_clusters_stay_at_their_level() -> None:
    wins = {None: 0, "company": 0}
    for seed in range(30):
        table = clustered_rows(100 + seed)
        for cluster in wins:
            found = compare(table, variant="arm", control="control", means=["spent"], cluster=cluster).results[0]
            wins[cluster] += found.p_value < 0.05
    assert wins["company"] <= 5 < wins[None]


def test_ends_are_shared_by_the_arms_and_said(tmp_path) -> None:
    table = pa.table({"arm": ["control"] * 200 + ["treatment"] * 200, "spent": [1.0] * 199 + [9e9] + [2.0, 3.0] * 100})
    found = compare(table, variant="arm", control="control", means=["spent"], winsor={"spent": "99%"})
    assert found.results[0].control < 2
    assert "winsorised" in {one.code for one in found.concerns}
    plain = compare(table, variant="arm", control="control", means=["spent"], winsor={"spent": "0:3"})
    assert plain.results[0].control == pytest.approx((199 + 3) / 200)


@pytest.mark.parametrize("ends", ["", "x", "5:1", "99%:1%", "0%", "100%", "nan", "1:2:3", ":"])
def test_ends_that_are_none_are_told(ends: str) -> None:
    table = pa.table({"arm": ["a", "b"], "spent": [1.0, 2.0]})
    with pytest.raises(Invalid, match="winsor"):
        compare(table, variant="arm", control="a", means=["spent"], winsor={"spent": ends})


def test_every_misuse_is_told_at_once() -> None:
    table = pa.table({"arm": ["a", "b"], "x": [1.0, 2.0], "bought": [0, 1]})
    with pytest.raises(Invalid) as raised:
        compare(
            table,
            variant="arm",
            proportions=["bought"],
            quantiles=[("x", 0.5)],
            winsor={"bought": "99%", "other": "1"},
            covariates={"x@0.5": ["bought"]},
            window_hours=1,
        )
    said = str(raised.value)
    for part in ("winsor bought", "winsor other", "covariate x@0.5", "window"):
        assert part in said


def test_a_window_needs_units_and_moments() -> None:
    table = pa.table({"arm": ["a", "b"], "x": [1.0, 2.0], "user": [1, 2], "at": [datetime(2026, 1, 1, tzinfo=UTC)] * 2})
    with pytest.raises(Invalid, match="each row is a unit"):
        compare(table, variant="arm", control="a", means=["x"], time="at", window_hours=1)
    with pytest.raises(Invalid, match="is DOUBLE"):
        compare(table, variant="arm", control="a", unit="user", means=["x"], time="x", window_hours=1)
    with pytest.raises(Invalid, match="no window"):
        compare(table, variant="arm", control="a", unit="user", means=["x"], time="at", window_hours=-1)


def test_a_quantile_is_not_compared_over_clusters() -> None:
    table = pa.table({"arm": ["a", "b"], "x": [1.0, 2.0], "company": [1, 2]})
    with pytest.raises(Invalid, match="not compared over clusters"):
        compare(table, variant="arm", control="a", quantiles=[("x", 0.5)], cluster="company")


def test_no_event_within_the_window_is_no_data() -> None:
    rows = {
        "arm": ["a", "a", "b", "b"] * 60,
        "user": [n // 2 for n in range(240)],
        "at": [START + timedelta(hours=30 * (n % 2)) for n in range(240)],
        "x": [float(n % 2) for n in range(240)],
    }
    found = compare(
        pa.table(rows), variant="arm", control="a", unit="user", means=["x"], time="at", window_hours=24,
        filters={"x": "x > 0"},
    )  # fmt: skip
    assert "no_events" in {one.code for one in found.concerns}
