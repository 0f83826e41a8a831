"""A plan has the power it promises, and cannot be made of nonsense."""

import json

import numpy as np
import polars as pl
import pytest

import tasuki
from tasuki.cli.main import main
from tasuki.errors import Invalid


def test_a_planned_proportion_is_found_as_often_as_promised() -> None:
    plan = tasuki.plan(kind="proportion", baseline=0.1, mde=0.3, relative=True)
    rng = np.random.default_rng(1)
    n = plan.units_per_arm
    counts = rng.binomial(n, [[0.1], [0.13]], size=(2, 4_000)) / n
    errors = np.sqrt((counts * (1 - counts) / n).sum(axis=0))
    found = (np.abs(counts[1] - counts[0]) / errors > 1.959964).mean()
    assert found == pytest.approx(0.8, abs=0.025)


def test_a_planned_mean_is_found_as_often_as_promised_with_three_arms() -> None:
    plan = tasuki.plan(kind="mean", baseline=10, variance=100, mde=1, arms=3)
    rng = np.random.default_rng(2)
    n = plan.units_per_arm
    difference = rng.normal(1, (2 * 100 / n) ** 0.5, 20_000)
    found = (np.abs(difference) / (2 * 100 / n) ** 0.5 > 2.241403).mean()
    assert found == pytest.approx(0.8, abs=0.02)
    assert plan.units == pytest.approx(3 * n, abs=3)


def test_units_and_effect_are_inverse() -> None:
    plan = tasuki.plan(kind="mean", baseline=10, variance=100, mde=0.5)
    back = tasuki.plan(kind="mean", baseline=10, variance=100, units=plan.units)
    assert back.mde == pytest.approx(0.5, rel=1e-3)
    assert back.power == pytest.approx(0.8, abs=1e-3)


def test_days_are_whole_weeks_at_the_share_that_takes_part() -> None:
    plan = tasuki.plan(kind="mean", baseline=10, variance=100, mde=1, units_per_day=400, allocation=0.5)
    assert plan.days == -(-plan.units // 200)
    assert plan.whole_weeks_days % 7 == 0
    assert [one.days for one in plan.detectable] == [7, 14, 21, 28, 42, 56]
    assert plan.detectable[0].effect > plan.detectable[-1].effect


def test_the_past_gives_mean_variance_and_what_covariates_save() -> None:
    rng = np.random.default_rng(3)
    before = rng.gamma(2, 5, 5_000)
    data = pl.DataFrame({"user": np.arange(5_000), "before": before, "now": before + rng.normal(0, 3, 5_000)})
    plain = tasuki.plan(kind="mean", mde=0.5, data=data, numerator="now")
    assert plain.baseline == pytest.approx(data["now"].mean())
    assert plain.variance == pytest.approx(data["now"].var())
    saved = tasuki.plan(kind="mean", mde=0.5, data=data, numerator="now", covariates=["before"])
    explained = np.corrcoef(data["before"], data["now"])[0, 1] ** 2
    assert saved.units / plain.units == pytest.approx(1 - explained, abs=0.01)
    events = pl.concat([data, data]).with_columns(now=pl.col("now") / 2)
    assert tasuki.plan(kind="mean", mde=0.5, data=events, numerator="now", unit="user").units == plain.units


def test_a_ratio_is_planned_from_the_past() -> None:
    rng = np.random.default_rng(4)
    views = rng.poisson(5, 3_000) + 1
    data = pl.DataFrame({"clicks": rng.binomial(views, 0.2), "views": views})
    plan = tasuki.plan(kind="ratio", mde=0.05, relative=True, data=data, numerator="clicks", denominator="views")
    assert plan.baseline == pytest.approx(data["clicks"].sum() / data["views"].sum())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kind": "mean", "mde": 1}, "baseline: missing"),
        ({"kind": "mean", "baseline": 1, "mde": 1}, "variance: missing for a mean"),
        ({"kind": "proportion", "baseline": 2, "mde": 0.1}, "2 is no proportion"),
        ({"kind": "proportion", "baseline": 0.9, "mde": 0.2}, "0.9 \\+0.2 is 1.1"),
        ({"kind": "proportion", "baseline": 0.1, "mde": 0}, "0 is no effect"),
        ({"kind": "proportion", "baseline": 0.1}, "give the effect or the units"),
        ({"kind": "proportion", "baseline": 0.1, "mde": 0.01, "arms": 1}, "1 arm"),
        ({"kind": "proportion", "baseline": 0.1, "mde": 0.01, "power": 2}, "2 is no probability"),
        (
            {"kind": "mean", "baseline": 0, "variance": 4, "mde": 0.05, "relative": True},
            "a share of a baseline of 0 is 0 .*without --relative",
        ),
        ({"kind": "mean", "baseline": 0, "variance": 4, "mde": 1e-9}, "more than 1,000,000,000,000 units"),
        ({"kind": "proportion", "baseline": 0.05, "mde": 1e-9}, "more than 10 years"),
        ({"kind": "mean", "baseline": 1, "variance": 4, "mde": 1e-200}, "1e-200 is no effect"),
        ({"kind": "mean", "baseline": 1, "variance": 4, "mde": 1e200}, "1e\\+200 is no effect"),
        ({"kind": "mean", "baseline": 1, "variance": 1e-300, "mde": 1}, "1e-300 is no variance"),
        ({"kind": "mean", "baseline": 1e300, "variance": 4, "mde": 0.1, "relative": True}, "1e\\+300 is no number"),
        ({"kind": "mean", "baseline": 1, "variance": 4, "units": 10**400}, "more than any experiment has"),
        ({"kind": "mean", "baseline": 1, "variance": -4, "mde": 1}, "-4 is no variance"),
        ({"kind": "proportion", "baseline": 0.1, "mde": 0.01, "units_per_day": 0}, "0 is no number of units"),
        ({"kind": "mean", "mde": 1, "data": pl.DataFrame({"x": [1.0]}), "numerator": "x"}, "fewer than two units"),
        ({"kind": "mean", "mde": 1, "data": pl.DataFrame({"x": [1.0]})}, "numerator: missing"),
    ],
)
def test_nonsense_is_invalid_and_says_why(options: dict, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        tasuki.plan(**options)


def test_what_takes_longer_than_ten_years_is_said_and_has_no_place_in_the_calendar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["plan", "--kind", "proportion", "--baseline", "0.05", "--mde", "0.0001"]
    assert main([*line, "--units-per-day", "100", "--start", "2026-12-01"]) == 0
    assert "more than 10 years" in " ".join(capsys.readouterr().out.split())
    assert main([*line, "--units-per-day", "1e-300", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["window"] is None


def test_the_commands_print_their_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--kind", "proportion", "--baseline", "0.1", "--mde", "0.01", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "tasuki.plan/1"
    assert document["units"] == tasuki.plan(kind="proportion", baseline=0.1, mde=0.01).units
    assert main(["assign", "--salt", "s", "--arms", "a=1/3,b=2/3", "u1", "u2", "--json"]) == 0
    assigned = json.loads(capsys.readouterr().out)
    assert [set(one) for one in assigned["assignments"]] == [{"unit", "arm", "bucket", "status"}] * 2
    assert main(["plan", "--kind", "mean", "--baseline", "1", "--variance", "4", "--mde", "5%"]) == 2
    assert main(["plan", "--kind", "mean", "--baseline", "1", "--variance", "4", "--mde", "0.1"]) == 0
    assert "units in all" in capsys.readouterr().out
    assert main(["assign", "--salt", "s", "--arms", "a=x,b", "u"]) == 3
