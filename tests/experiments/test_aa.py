"""A/A simulation: the very assignment hash, the real comparison, and a right verdict on good and on bad data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import tasuki
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.experiments import aa
from tasuki.experiments.aa import AASplits, simulate_aa
from tasuki.experiments.assignment import assign
from tasuki.metrics.bound import bind_all
from tasuki.metrics.metric import Covariate, Metric
from tasuki.texts import Teller, as_record, from_record

UNITS = [f"u{n}" for n in range(3_000)]
MEAN = bind_all((Metric("m", "mean", "x"),), {"x": "DOUBLE"}, [])[0]
ADJUSTED = bind_all((Metric("m", "mean", "x", covariates=(Covariate("b"),)),), {"x": "DOUBLE", "b": "DOUBLE"}, [])[0]
RATIO = bind_all((Metric("m", "ratio", "x", "b"),), {"x": "DOUBLE", "b": "DOUBLE"}, [])[0]


def values(seed: int = 1) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.gamma(2, 5, (len(UNITS), 1))


def test_the_first_window_is_the_bucket_that_assigns() -> None:
    buckets = aa._buckets([unit.encode() for unit in UNITS[:50]], "aa0")
    assert [assign(unit, "aa0", {"a": 1.0})[1] for unit in UNITS[:50]] == [one / 16**13 for one in buckets[0].tolist()]
    assert len({tuple(row) for row in buckets.tolist()}) == 4


def test_the_moments_of_a_split_are_those_of_its_units() -> None:
    rng = np.random.default_rng(2)
    before = rng.gamma(2, 5, len(UNITS))
    both = np.column_stack([1e6 + before + rng.normal(0, 1, len(UNITS)), before])
    asked = AASplits(20, (0.3, 0.7))
    cells = next(aa._splits([unit.encode() for unit in UNITS], both, asked))
    arms = np.array([assign(unit, "aa0", {"arm0": 0.3, "arm1": 0.7})[0] for unit in UNITS])
    for cell in cells:
        mine = both[arms == cell.arm]
        moments = cell.samples[0].moments
        assert (cell.units, moments.n) == (len(mine), len(mine))
        assert moments.means == pytest.approx(mine.mean(axis=0), rel=1e-12)
        assert np.array(moments.covariances) == pytest.approx(np.cov(mine.T), rel=1e-6)


@pytest.mark.parametrize("kind", ["mean", "cuped", "ratio", "three arms"])
def test_sound_data_is_trusted_and_keeps_its_level_and_power(kind: str) -> None:
    rng = np.random.default_rng(3)
    x = values()
    metric, data, arms = MEAN, x, (0.5, 0.5)
    if kind == "cuped":
        metric, data = ADJUSTED, np.column_stack([x[:, 0] + rng.normal(0, 2, len(x)), x[:, 0]])
    elif kind == "ratio":
        metric, data = RATIO, np.column_stack([x[:, 0], rng.poisson(5, len(x)) + 1.0])
    elif kind == "three arms":
        arms = (0.5, 0.3, 0.2)
    error = simulate_aa(UNITS, data, metric, AASplits(200, arms)).analytic_error
    level = 0.05 / (len(arms) - 1)
    effect = error * (stats.norm.ppf(1 - level / 2) + stats.norm.ppf(0.8))
    found = simulate_aa(UNITS, data, metric, AASplits(600, arms, effect=effect, salt="again"))
    assert found.trusted, found.findings
    assert found.false_positives_low < 0.05 < found.false_positives_high or found.false_positives < 0.05
    assert found.power == pytest.approx(0.8, abs=0.07)
    assert found.error_ratio == pytest.approx(1, abs=0.1)


def test_an_analysis_that_is_too_sure_of_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = aa._cell

    def too_sure(*given: Any) -> Any:
        cell = real(*given)
        sample = cell.samples[0]
        moments = type(sample.moments)(
            sample.moments.n, sample.moments.means, ((sample.moments.covariances[0][0] / 2,),)
        )
        return type(cell)(cell.arm, None, cell.units, (type(sample)(moments),))

    monkeypatch.setattr(aa, "_cell", too_sure)
    found = simulate_aa(UNITS, values(), MEAN, AASplits(300))
    assert not found.trusted
    assert len(found.findings) == 2
    assert "more frequent" in found.findings[0]
    assert "smaller than the scatter" in found.findings[1]


@pytest.mark.parametrize("all_others", [0.0, 0.1, 1 / 3, 7e5])
def test_one_unit_that_carries_everything_is_found(all_others: float) -> None:
    data = np.zeros((len(UNITS), 1))
    data += all_others  # an arm without the one unit has no variance, and rounding must not leave one
    data[0] = 1e6
    assert not simulate_aa(UNITS, data, MEAN, AASplits(200)).trusted


@pytest.mark.parametrize(
    ("data", "asked", "why"),
    [
        (np.full((3_000, 1), np.nan), AASplits(100), "0 have a value"),
        (np.ones((3_000, 1)), AASplits(100), "no unit differs"),
        (values(), AASplits(3), "3 splits"),
    ],
)
def test_what_cannot_be_simulated_is_invalid(data: np.ndarray[Any, Any], asked: AASplits, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        simulate_aa(UNITS, data, MEAN, asked)


def test_more_units_than_are_needed_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aa, "MOST_UNITS", 500)
    found = simulate_aa(UNITS, values(), MEAN, AASplits(40))
    assert (found.units, found.sampled) == (500, True)


def test_a_plan_simulates_on_its_own_data_by_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    rate = rng.beta(2, 5, 400)
    clicks = pl.DataFrame({"user": np.repeat(np.arange(400), 20), "clicked": rng.random(8_000) < np.repeat(rate, 20)})
    plan = tasuki.plan(kind="mean", numerator="clicked::int", data=clicks, unit="user", mde=0.1, relative=True, aa=200)
    assert plan.aa is not None
    assert plan.aa.units == 400
    assert plan.aa.trusted
    assert plan.aa.power == pytest.approx(plan.aa.analytic_power, abs=0.12)
    clicks.write_parquet(tmp_path / "past.parquet")
    asked = ["plan", "--kind", "mean", "--numerator", "clicked::int", "--unit", "user", "--mde", "0.1", "--relative"]
    asked += ["--from", str(tmp_path / "past.parquet"), "--aa", "40"]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["aa"]["splits"] == 40
    assert main(asked) == 0
    assert "A/A false alarms" in capsys.readouterr().out
    assert main(["plan", "--kind", "mean", "--baseline", "1", "--variance", "1", "--mde", "1", "--aa", "40"]) == 3
    assert "nothing to split" in capsys.readouterr().err


def test_findings_are_said_in_both_languages_also_where_a_record_kept_them() -> None:
    findings = aa._findings(40, 2.0, AASplits(100), 100)
    assert [one for one in findings if Teller().japanese(one) is None] == []
    assert Teller().japanese(findings[0]) == "誤検出の割合（40.0%）が有意水準 5.0% を上回っています。"
    assert "（比 2.00）" in (Teller().japanese(findings[1]) or "")
    again = [from_record(as_record(one), str(one)) for one in findings]
    assert [Teller().japanese(one) for one in again] == [Teller().japanese(one) for one in findings]
    less = aa._findings(0, 0.4, AASplits(1_000), 1_000)
    assert ["less frequent" in less[0], "larger than" in less[1]] == [True, True]
    assert None not in [Teller().japanese(one) for one in less]
