"""Intervals hold the truth as often as they say: the benchmark of coverage, in small."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "benchmarks/coverage.py"


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_intervals_hold_the_truth_and_looks_raise_no_more_alarms_than_planned(coverage: ModuleType) -> None:
    rows = list(coverage.measured(400, seed=7))
    assert len(rows) > 30
    # Four binomial errors: one of forty rows falls outside by chance once in four hundred runs, and the seed is fixed.
    outside = [f"{row.method}, {row.setting}: {row.what} {row.share:.3f}" for row in rows if not row.passes(4)]
    assert outside == []
