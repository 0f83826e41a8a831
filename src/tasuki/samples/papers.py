"""The evidence of a past idea: records with plausible numbers.

What an experiment sees scatters around the topic's effect by its own error. The offline difference follows the effect
only loosely, as in life: some ideas look well offline and do nothing online.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from math import erfc, sqrt

import numpy as np

from tasuki.flow import records
from tasuki.samples.topics import Topic

_Z95 = 1.96


@dataclass(frozen=True)
class Numbers:
    """What was measured for an idea: one draw, so that all its papers agree.

    Args:
        offline: Difference of normalized entropy, challenger − champion; below 0 is better.
        offline_error: Its standard error.
        online: Relative effect that A/B 2 or the analysis saw.
        online_error: Its standard error.
        units: People in each arm of A/B 2.
        days: How long A/B 2 ran.
    """

    offline: float
    offline_error: float
    online: float
    online_error: float
    units: int
    days: int


def draw_numbers(topic: Topic, rng: np.random.Generator) -> Numbers:
    """Numbers that fit how the idea ended: a win's interval lies on the good side, a miss's does not."""
    good = 1.0 if topic.direction == "increase" else -1.0
    error = float(rng.uniform(0.003, 0.006))
    online = topic.effect + float(rng.normal(0.0, error / 2))
    if topic.outcome == "ship":
        online = good * max(good * online, 2.3 * error)
    offline = -0.25 * max(good * topic.effect, 0.0) - abs(float(rng.normal(0.0, 0.002)))
    if topic.killed_at == "offline_validation":
        offline = float(rng.normal(0.0002, 0.0002))
    days = int(rng.choice([14, 14, 21, 28]))
    return Numbers(
        offline, float(rng.uniform(0.0002, 0.0006)), online, error, int(rng.integers(180_000, 900_000)), days
    )


def hypothesis(topic: Topic, similar: tuple[str, ...]) -> records.HypothesisBrief:
    """The brief that the idea began with."""
    stop = {
        "ja": "オフラインで差の区間が0を含むか、調査で対象が支出の5%に満たなければやめる",
        "en": "Stop when the offline interval holds zero, or when it concerns less than 5 % of the spend",
    }
    value = {
        "ja": f"{topic.population}で{topic.metric}が{topic.expected:+.1%}になる見込み",
        "en": f"{topic.metric} {topic.expected:+.1%} for: {topic.population}",
    }
    return records.HypothesisBrief(
        change=topic.change,
        metric=topic.metric,
        direction=topic.direction,
        expected_size=topic.expected,
        because=topic.because,
        population=topic.population,
        prior_probability=topic.prior,
        similar_cases=similar,
        stop_when=stop[topic.language],
        value_if_true=value[topic.language],
    )


def data_report(topic: Topic, rng: np.random.Generator) -> records.DataReport:
    """Sources, queries and quality of the data."""
    missing = float(rng.uniform(0.0001, 0.004))
    japanese = topic.language == "ja"
    return records.DataReport(
        sources=(
            records.DataSource("impressions", "1行が1表示" if japanese else "a row is an impression", "kaito"),
            records.DataSource("installs", "1行が1インストール" if japanese else "a row is an install", "kaito"),
        ),
        queries=(
            records.RecordedQuery(
                name=f"by_{topic.feature}",
                sql=f"select {topic.feature}, count(*) n, avg(clicked::integer) rate from impressions group by all",
                rows=int(rng.integers(5, 400)),
                columns=(topic.feature, "n", "rate"),
            ),
        ),
        quality=(
            records.QualityFinding(f"{topic.feature} is there", True, f"{missing:.2%} missing"),
            records.QualityFinding("one row per impression", True, "no duplicate"),
        ),
        leakage_notes="すべて入札の時点で分かる値だけを使う" if japanese else "Only what is known at bid time is used",
        label_delay_notes="クリックは30分、インストールは13時間で揃う"
        if japanese
        else "Clicks are complete after 30 minutes, installs after 13 hours",
    )


def opportunity(topic: Topic, rng: np.random.Generator) -> records.OpportunityEstimate:
    """How much there would be to win."""
    size = topic.expected * float(rng.uniform(0.7, 1.4))
    spread = abs(size) * float(rng.uniform(0.3, 0.9))
    unit = "relative change of the metric"
    return records.OpportunityEstimate(
        topic.metric, size, size - spread, size + spread, unit, "share concerned × difference between groups"
    )


def version_of(topic: Topic, attempt: int) -> str:
    """The artifact's hash of an attempt."""
    return _hash(topic, f"version {attempt}")


def model_card(topic: Topic, version: str, rng: np.random.Generator) -> records.ModelCard:
    """What was trained, on what, for what."""
    japanese = topic.language == "ja"
    model = "cvr" if topic.metric == "installs_per_user" else "ctr"
    return records.ModelCard(
        model=model,
        version=version,
        baseline="現在のチャンピオン" if japanese else "the present champion",
        model_file=f"models/{model}_{topic.feature}.py",
        model_file_hash=_hash(topic, "file"),
        data_hash=_hash(topic, "data"),
        seed=1,
        training_rows=int(rng.integers(2_000_000, 40_000_000)),
        features=tuple(records.FeatureNote(name, "impressions", True) for name in _features(topic)),
        intended_use="入札のための確率" if japanese else "probabilities for bidding",
        unsuitable_use="学習期間にないアプリ" if japanese else "apps that the training window has not seen",
        cost_estimate=f"{rng.uniform(0.2, 2.0):.1f} CPU h a day",
        latency_estimate_ms=round(float(rng.uniform(0.3, 3.0)), 2),
    )


def offline_report(topic: Topic, numbers: Numbers, version: str, rng: np.random.Generator) -> records.OfflineReport:
    """Champion against challenger on held-out days."""
    champion, rows = float(rng.uniform(0.80, 0.93)), int(rng.integers(800_000, 6_000_000))
    scale = {"normalized_entropy": 1.0, "log_loss": 0.027, "auc": -0.9}
    base = {"normalized_entropy": champion, "log_loss": 0.027 * champion, "auc": float(rng.uniform(0.66, 0.74))}
    go = topic.killed_at != "offline_validation"
    return records.OfflineReport(
        champion=_hash(topic, "champion"),
        challenger=version,
        rows=rows,
        positives=round(rows * 0.0044),
        metrics=tuple(_difference(name, base[name], scale[name] * numbers.offline, numbers) for name in scale),
        failure_cases=("表示の少ないアプリ" if topic.language == "ja" else "apps with few impressions",),
        rule=_RULE[topic.language],
        recommendation="go" if go else "no_go",
        reasons=(f"normalized entropy {numbers.offline:+.4f}", "calibration ratio within 0.8 to 1.25"),
    )


def offline_rule(topic: Topic) -> str:
    """The go/kill rule, written before the report."""
    return _RULE[topic.language]


def golden_examples(topic: Topic, version: str, rng: np.random.Generator) -> records.GoldenExamples:
    """What an engineer needs to implement it without asking."""
    names = _features(topic)
    japanese = topic.language == "ja"
    return records.GoldenExamples(
        model="cvr" if topic.metric == "installs_per_user" else "ctr",
        version=version,
        inputs=tuple(records.SchemaField(name, "category") for name in names),
        output="確率" if japanese else "a probability",
        examples=tuple(
            records.GoldenExample({name: f"{name}-{number}" for name in names}, round(float(rng.beta(2, 400)), 6))
            for number in range(3)
        ),
        tolerance=1e-9,
        latency_p99_ms=10.0,
        max_size_mb=200.0,
        retraining_cadence="毎日" if japanese else "daily",
        fallback="チャンピオンの確率を返す" if japanese else "the champion's probability",
    )


def publication(topic: Topic, version: str) -> records.Publication:
    """The challenger made fetchable."""
    model = "cvr" if topic.metric == "installs_per_user" else "ctr"
    return records.Publication(model, "challenger", version, "artifacts", None)


def readiness(topic: Topic, reviewer: str) -> records.ReadinessNote:
    """Why production is ready."""
    japanese = topic.language == "ja"
    return records.ReadinessNote(
        schedule="毎日 03:00 UTC に学習" if japanese else "trained every day at 03:00 UTC",
        fetch_path="artifacts / challenger",
        monitors=("fallback rate", "p99 latency", f"{topic.feature} missing"),
        rollback="直前の版へ戻す。予行演習済み" if japanese else "back to the version before; rehearsed",
        rollback_rehearsed=True,
        dry_run_succeeded=True,
        reviewer=reviewer,
        review_notes="コードと監視を読んだ" if japanese else "read the code and the monitors",
    )


def check_report(experiment: str, topic: Topic, rng: np.random.Generator, *, passed: bool) -> records.CheckReport:
    """A/B 1: does it behave as designed?"""
    fallback = float(rng.uniform(0.0, 0.0008)) if passed else float(rng.uniform(0.05, 0.35))
    cause = "パラメータの取得に失敗" if topic.language == "ja" else "parameter look-ups fail or time out"
    return records.CheckReport(
        experiment=experiment,
        days=7.0 if passed else 2.0,
        days_required=7.0,
        passed=passed,
        probes=(
            records.Probe("split_as_designed", True, round(float(rng.uniform(0.05, 0.95)), 3), "p ≥ 0.001", "SRM"),
            records.Probe(
                *("fallback_rate", passed, round(fallback, 5), "≤ 0.01"),
                "rare" if passed else cause,
            ),
            records.Probe("latency_p99_ms", True, round(float(rng.uniform(2.0, 8.0)), 1), "≤ 10", "near control's"),
            records.Probe("score_parity", True, 0.0, "≤ 1e-9", "recomputed offline from the logged inputs"),
        ),
        incidents=() if passed else (cause,),
    )


def experiment_plan(experiment: str, topic: Topic, numbers: Numbers) -> records.ExperimentPlan:
    """What was registered before A/B 2 started."""
    japanese = topic.language == "ja"
    return records.ExperimentPlan(
        experiment=experiment,
        kind="comparison",
        unit="user",
        salt=experiment,
        arms=(records.ArmShare("control", 0.5), records.ArmShare("treatment", 0.5)),
        metrics=(
            records.PlannedMetric(topic.metric, "primary"),
            records.PlannedMetric("spend_per_opportunity", "guardrail", 0.02),
        ),
        minimal_detectable_effect=round(2.8 * numbers.online_error, 4),
        power=0.8,
        alpha=0.05,
        units_needed=2 * numbers.units,
        days=numbers.days,
        rule="主要指標の95%区間が良い側にあり、ガードレールを保てば採用"
        if japanese
        else "Ship when the primary metric's 95 % interval lies on the good side and the guardrail holds",
        stop_rule="計画した日まで見ない" if japanese else "Nobody looks before the planned end",
        interactions="なし" if japanese else "none",
    )


def comparison_report(
    experiment: str, topic: Topic, numbers: Numbers, rng: np.random.Generator
) -> records.ComparisonReport:
    """A/B 2: is it better?"""
    control = {"clicks_per_user": 0.031, "installs_per_user": 0.0037, "cost_per_click": 3.4}.get(topic.metric, 0.08)
    units = (numbers.units, numbers.units + int(rng.normal(0.0, sqrt(numbers.units / 2))))
    split = float(rng.uniform(0.05, 0.95))
    ships = topic.outcome == "ship"
    return records.ComparisonReport(
        experiment=experiment,
        days=float(numbers.days),
        arms=(records.ArmCount("control", units[0]), records.ArmCount("treatment", units[1])),
        srm=records.SplitCheck(round(split, 4), {"control": 0.5, "treatment": 0.5}, True),
        results=(
            _effect(topic.metric, control, (numbers.online, numbers.online_error), units),
            _effect("spend_per_opportunity", 0.0063, (float(rng.normal(0.0, 0.002)), 0.003), units),
        ),
        concerns=(),
        recommendation=records.Recommendation(
            "ship" if ships else "do_not_ship", (topic.reason,), 0.12 if ships else None
        ),
    )


def decision(topic: Topic, numbers: Numbers, owner: str, clean_up_due: date | None) -> records.Decision:
    """What was decided, on which effect."""
    measured = topic.flow in ("model", "minor_update", "analysis")
    spread = _Z95 * numbers.online_error
    came_true = topic.outcome in ("ship", "adopt")
    japanese = topic.language == "ja"
    return records.Decision(
        decision=topic.outcome if topic.outcome != "killed" else "drop",
        reason=topic.reason,
        recommended=topic.outcome if topic.outcome in ("ship", "do_not_ship") else None,
        metric=topic.metric,
        effect=numbers.online if measured else None,
        effect_low=numbers.online - spread if measured else None,
        effect_high=numbers.online + spread if measured else None,
        false_win_risk=0.12 if topic.outcome == "ship" else None,
        surprise=round(1 - topic.prior if came_true else topic.prior, 4),
        monitoring_owner=owner,
        clean_up="実験の設定と使わない経路を消す" if japanese else "remove the experiment's routing and dead paths",
        clean_up_done=clean_up_due is None,
        clean_up_due=clean_up_due,
    )


def learning(topic: Topic, contributions: dict[str, str]) -> records.Learning:
    """What the next person should find."""
    closed = "この方向は閉じる" if topic.language == "ja" else "Nothing follows: this direction is closed"
    return records.Learning(topic.learnings, topic.words, topic.next or (closed,), contributions)


_RULE = {
    "ja": "正規化エントロピーの差の95%区間が0を下回り、較正比が0.8〜1.25なら進む。それ以外は中止",
    "en": "Go when the 95 % interval of the normalized entropy difference lies below 0 and calibration is within "
    "0.8 to 1.25; otherwise kill",
}


def _features(topic: Topic) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("app", "slot", topic.feature)))


def _difference(name: str, champion: float, difference: float, numbers: Numbers) -> records.MetricDifference:
    error = numbers.offline_error * abs(difference / numbers.offline)
    spread = _Z95 * error
    return records.MetricDifference(
        name=name,
        segment="",
        champion=champion,
        challenger=champion + difference,
        difference=difference,
        difference_low=difference - spread,
        difference_high=difference + spread,
        p_value=erfc(abs(difference / error) / sqrt(2)),
    )


def _effect(metric: str, control: float, relative: tuple[float, float], units: tuple[int, int]) -> records.Effect:
    size, error = relative
    low, high = size - _Z95 * error, size + _Z95 * error
    p_value = erfc(abs(size / error) / sqrt(2))
    return records.Effect(
        metric=metric,
        kind="ratio" if metric.startswith(("cost", "spend_per_opp")) else "mean",
        segment=None,
        control_arm="control",
        treatment_arm="treatment",
        control=control,
        treatment=control * (1 + size),
        effect=control * size,
        effect_low=control * low,
        effect_high=control * high,
        relative=size,
        relative_low=low,
        relative_high=high,
        p_value=p_value,
        p_value_adjusted=p_value,
        n_control=units[0],
        n_treatment=units[1],
        method="welch" if not metric.startswith(("cost", "spend_per_opp")) else "delta",
    )


def _hash(topic: Topic, what: str) -> str:
    return hashlib.sha256(f"{topic.title}/{what}".encode()).hexdigest()
