"""What an offline comparison says reads in Japanese as well: its rule, its reasons, where it fails, its doubts."""

import numpy as np
import pytest

from tasuki.offline.compare import compare_scores
from tasuki.offline.report import offline_report
from tasuki.offline.scored import Scored
from tasuki.reports.concerns import concern_text
from tasuki.texts import Teller, from_record


def scored(gain: float, rows: int = 6000) -> Scored:
    """Rows whose true rate the challenger knows better (or, with a negative gain, worse) than the champion."""
    random = np.random.default_rng(7)
    truth = random.uniform(0.05, 0.4, rows)
    noise = random.normal(0, 0.08, rows)
    labels = (random.uniform(size=rows) < truth).astype(float)
    close, far = (np.clip(truth + scale * noise, 0.01, 0.9) for scale in (1 - gain, 1 + gain))
    app = np.where(np.arange(rows) % 3 == 0, "a", "b")
    return Scored(labels, far, close, segments={"app": app})


@pytest.mark.parametrize("gain", [0.9, 0.0, 0.01, -0.9])
def test_every_sentence_of_an_offline_report_has_its_japanese(gain: float) -> None:
    report = offline_report(compare_scores(scored(gain)), "v1", "v2")
    for part, texts in (
        ("rule", (report.rule,)),
        ("reasons", report.reasons),
        ("failure_cases", report.failure_cases),
    ):
        kept = report.said[part]
        assert len(kept) == len(texts)
        for record, english in zip(kept, texts, strict=True):
            told = from_record(record, english)
            assert str(told) == english
            if english in {one.message for one in report.concerns}:
                continue  # told as the concern is
            japanese = Teller().japanese(told)
            assert japanese is not None, english
            assert "challenger" not in japanese
            assert "log loss" not in japanese


def test_a_rule_that_a_person_wrote_stays_as_it_was_written() -> None:
    report = offline_report(compare_scores(scored(0.9)), "v1", "v2", "対数損失が下がったら進める")
    assert report.rule == "対数損失が下がったら進める"
    assert "rule" not in report.said


def test_every_doubt_about_few_rows_has_its_japanese() -> None:
    comparison = compare_scores(scored(0.5, 60))
    assert comparison.concerns
    for one in comparison.concerns:
        assert concern_text(one, "ja") != one.message
