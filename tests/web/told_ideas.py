"""Ideas told through real events, so that pages show every kind of evidence and every way an idea can stand."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tasuki.flow import records as r
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.flow.evidence import DataWindow, evidence_of, to_body
from tasuki.flow.playbook import default_playbook
from tasuki.store.ledger import Ledger

START = datetime(2026, 9, 1, 1, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OWN_SCRIPT = re.compile(r'<script src="/assets/tasuki\.js\?v=[0-9a-f]{12}" defer></script>')
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"

PEOPLE = (
    ("aoi", "analyst", "葵"),
    ("haru", "analyst", "陽"),
    ("ren", "data_scientist", "蓮"),
    ("mio", "data_scientist", "澪"),
    ("sota", "ml_engineer", "蒼太"),
    ("yui", "ml_engineer", "結衣"),
    ("kaito", "data_engineer", "海斗"),
)


def brief(change: str = "通知の直後 30 分間、インストール済みアプリの再訪者に強く入札する") -> r.HypothesisBrief:
    return r.HypothesisBrief(
        change=change,
        metric="install_rate",
        direction="increase",
        expected_size=0.03,
        because="直近の行動から 30 分以内のクリックは、インストール率が 1.8 倍高い(2026年8月のログ)",
        population="iOS・Android の再訪ユーザー",
        prior_probability=0.3,
        similar_cases=("idea-3",),
        stop_when="オフラインで AUC の差の区間が 0 をまたぐとき",
        value_if_true="月あたり粗利 +240 万円",
    )


def data_report() -> r.DataReport:
    return r.DataReport(
        sources=(r.DataSource("impressions", "落札した広告表示 1 件", "kaito"),),
        queries=(
            r.RecordedQuery(
                "recency", "SELECT minutes_since_last, avg(installed)\nFROM impressions\nGROUP BY 1", 288, ("m",)
            ),
        ),
        quality=(
            r.QualityFinding("重複なし", True, "0 件"),
            r.QualityFinding("欠損", False, "minutes_since_last の 2.1 % が欠損(初回ユーザー)"),
        ),
        leakage_notes="インストール後の行動は使わない",
        label_delay_notes="中央値 198 秒、27 % は 1 時間より後",
    )


def model_card(version: str = "b" * 64) -> r.ModelCard:
    return r.ModelCard(
        model="cvr",
        version=version,
        baseline="現行 CVR モデル",
        model_file="models/cvr_recency.py",
        model_file_hash="c" * 64,
        data_hash="d" * 64,
        seed=1,
        training_rows=812_345,
        features=(
            r.FeatureNote("app", "request", True),
            r.FeatureNote("slot", "request", True),
            r.FeatureNote("minutes_since_last", "profile", True),
            r.FeatureNote("session_depth", "batch", False),
        ),
        intended_use="再訪ユーザーへの入札",
        unsuitable_use="初回ユーザーのみの配信",
        cost_estimate="学習 4 分 / 日",
        latency_estimate_ms=0.9,
        training_metrics={"log_loss": 0.02243, "auc": 0.6079},
        duration_s=238.0,
    )


def offline_report() -> r.OfflineReport:
    rows = (
        ("log_loss", "", 0.022474, 0.022429, -4.56e-5, -8.4e-5, -0.7e-5, 0.02),
        ("auc", "", 0.6044, 0.6079, 0.0035, -0.002, 0.009, 0.21),
        ("grouped_auc", "", 0.5931, 0.6012, 0.0081, 0.0022, 0.0140, 0.007),
        ("calibration_ratio", "", 1.156, 1.045, -0.111, -0.131, -0.091, 0.0001),
        ("log_loss", "app=news", 0.0301, 0.0304, 0.0003, 0.0001, 0.0005, 0.01),
    )
    return r.OfflineReport(
        champion="cvr@champion",
        challenger="cvr@challenger",
        rows=156_063,
        positives=530,
        metrics=tuple(r.MetricDifference(*row) for row in rows),
        failure_cases=("初回ユーザーでは差がない",),
        rule="対数損失の差の 95% 区間が 0 より下なら A/B へ進む",
        recommendation="go",
        reasons=("対数損失が改善した",),
        concerns=(r.ConcernNote("few_positives", "warning", "正例が 530 件と少ない"),),
        calibration_curve=r.CalibrationCurves(
            champion=(calibration_bin(78_000, 110, 0.0019), calibration_bin(78_063, 420, 0.0059)),
            challenger=(calibration_bin(78_031, 95, 0.0012), calibration_bin(78_032, 435, 0.0057)),
        ),
    )


def calibration_bin(rows: int, positives: int, predicted: float) -> r.CalibrationBin:
    rate = positives / rows
    return r.CalibrationBin(rows, positives, predicted, rate, 0.9 * rate, 1.1 * rate)


def golden() -> r.GoldenExamples:
    return r.GoldenExamples(
        model="cvr",
        version="b" * 64,
        inputs=(r.SchemaField("app", "category"), r.SchemaField("minutes_since_last", "number")),
        output="インストール確率",
        examples=(r.GoldenExample({"app": "news", "minutes_since_last": 3}, 0.0123),),
        tolerance=1e-9,
        latency_p99_ms=5,
        max_size_mb=20,
        retraining_cadence="毎日",
        fallback="現行モデル",
    )


def publication() -> r.Publication:
    return r.Publication("cvr", "challenger", "b" * 64, "artifacts", None, r.DefaultNote(0.004, "先月の転換率"))


def readiness() -> r.ReadinessNote:
    return r.ReadinessNote(
        schedule="毎日 03:00 JST",
        fetch_path="artifacts/cvr/channels/challenger.json",
        monitors=("取得率", "フォールバック率", "p99"),
        rollback="tasuki model rollback cvr --channel challenger",
        rollback_rehearsed=True,
        dry_run_succeeded=True,
        reviewer="yui",
        review_notes="タイムアウト時の既定値を確認した",
    )


def check_report(passed: bool) -> r.CheckReport:
    return r.CheckReport(
        experiment="recency-check",
        days=3,
        days_required=3,
        passed=passed,
        probes=(
            r.Probe("fetch_rate", passed, 1.0 if passed else 0.0, "≥ 0.999", "処置群のパラメータを取得できた割合"),
            r.Probe("fallback_rate", passed, 0.0002 if passed else 1.0, "≤ 0.01", "既定の応答に切り替わった割合"),
            r.Probe("srm", True, 0.43, "p ≥ 0.001", "割り付けが計画どおりか"),
            r.Probe("score_parity", True, 0.0, "≤ 1e-9", "記録した入力から計算し直したスコアとの差"),
        ),
        incidents=() if passed else ("2026-10-12 処置群の取得先が誤っていた",),
    )


def plan() -> r.ExperimentPlan:
    return r.ExperimentPlan(
        experiment="recency-ab",
        kind="comparison",
        unit="user",
        salt="recency-2026-10",
        arms=(r.ArmShare("control", 0.5), r.ArmShare("treatment", 0.5)),
        metrics=(r.PlannedMetric("install_rate", "primary"), r.PlannedMetric("spend_per_user", "guardrail", 0.02)),
        minimal_detectable_effect=0.025,
        power=0.8,
        alpha=0.05,
        units_needed=412_000,
        days=21,
        rule="主要指標の区間が 0 より上なら採用",
        stop_rule="期間中は見ない",
        interactions="なし",
        sequential="group_sequential",
        looks=(0.5, 1.0),
        segments=("os",),
        exclusions=("社内の端末",),
        label_delay_days=3,
        first_day=date(2026, 10, 19),
        last_day=date(2026, 11, 8),
        holidays=("2026-11-03 文化の日",),
        aa=r.AACheck(1_000, 100_000, 0.052, 1.01, True),
    )


def _effect(metric: str, segment: str | None, relative: tuple[float, float, float], p: float) -> r.Effect:
    point, low, high = relative
    return r.Effect(
        metric=metric,
        kind="proportion",
        segment=segment,
        control_arm="control",
        treatment_arm="treatment",
        control=0.0201,
        treatment=0.0201 * (1 + point),
        effect=0.0201 * point,
        effect_low=0.0201 * low,
        effect_high=0.0201 * high,
        relative=point,
        relative_low=low,
        relative_high=high,
        p_value=p,
        p_value_adjusted=p,
        n_control=206_310,
        n_treatment=206_027,
        method="proportion",
    )


def comparison() -> r.ComparisonReport:
    return r.ComparisonReport(
        experiment="recency-ab",
        days=21,
        arms=(r.ArmCount("control", 206_310), r.ArmCount("treatment", 206_027)),
        srm=r.SplitCheck(0.66, {"control": 0.5, "treatment": 0.5}, True),
        results=(
            _effect("install_rate", None, (0.031, 0.012, 0.05), 0.0009),
            _effect("click_rate", None, (-0.018, -0.031, -0.005), 0.006),
            _effect("spend_per_user", None, (0.004, -0.009, 0.017), 0.52),
            _effect("install_rate", "os=ios", (0.05, 0.02, 0.08), 0.001),
            _effect("install_rate", "os=android", (0.01, -0.02, 0.04), 0.4),
        ),
        concerns=(r.ConcernNote("novelty", "info", "効果は 3 週間を通して安定している"),),
        recommendation=r.Recommendation("ship", ("主要指標が改善し、ガードレールを守った",), 0.07),
        daily=tuple(_so_far(f"2026-10-{day}", 0.2 / (day - 18)) for day in range(19, 32)),
    )


def _so_far(day: str, reach: float) -> r.EffectOfDay:
    point = 0.031
    bounds = (0.0201 * point, 0.0201 * (point - reach), 0.0201 * (point + reach), point, point - reach, point + reach)
    return r.EffectOfDay(day, "install_rate", "treatment", *bounds, 206_310, 206_027)


def decision() -> r.Decision:
    return r.Decision(
        decision="ship",
        reason="インストール率が上がり、費用は変わらなかった",
        recommended="ship",
        metric="install_rate",
        effect=0.00062,
        effect_low=0.00024,
        effect_high=0.001,
        false_win_risk=0.07,
        surprise=0.7,
        monitoring_owner="yui",
        clean_up="旧フラグと旧経路を消す",
        clean_up_done=False,
        clean_up_due=date(2026, 12, 20),
    )


def learning() -> r.Learning:
    return r.Learning(
        learnings=("直近の行動は強い手がかりになる", "初回ユーザーには別の特徴量が要る"),
        search_words=("再訪", "recency", "直近行動"),
        next_ideas=("初回ユーザー向けの事前分布",),
        contributions={"ren": "特徴量の設計と検証"},
    )


def link() -> r.ExternalLink:
    return r.ExternalLink("探索ノートブック", "https://notes.example/recency", "Jupyter", "時間窓ごとのインストール率")


class Telling:
    """Writes one idea's events, the clock moving as it goes."""

    def __init__(self, ledger: Ledger, idea: str, at: datetime = START) -> None:
        self.ledger, self.idea, self.at, self.sequence = ledger, idea, at, 0

    def then(self, kind: str, actor: str, days: float = 0.0, /, **body: Any) -> "Telling":
        self.at += timedelta(days=days, seconds=1)
        self.ledger.append(self.idea, self.sequence, [NewEvent(kind, actor, self.at, body)])
        self.sequence += 1
        return self

    def opened(self, title: str, owner: str = "aoi", flow: str = "model", estimate: float | None = 2.0) -> "Telling":
        stages = list(default_playbook().flows[flow].stages)
        return self.then(
            "idea_opened",
            owner,
            title=title,
            flow=flow,
            formation="planner_maker_evaluator",
            stages=stages,
            estimate_days=estimate,
        )

    def shows(self, record: r.Record, actor: str, stage: str, days: float = 0.5, producer: str = "tasuki") -> "Telling":
        window = DataWindow(START - timedelta(days=30), START)
        evidence = evidence_of(record, producer, self.at, window, "0123456789abcdef")
        return self.then(
            "evidence_attached",
            actor,
            days,
            stage=stage,
            content_hash=evidence.content_hash,
            evidence=to_body(evidence),
        )

    def offers(self, actor: str, stages: tuple[str, str], to: str | None = None, note: str = "") -> "Telling":
        return self.then(
            "handoff_offered",
            actor,
            0.2,
            from_stage=stages[0],
            to_stage=stages[1],
            to_member=to,
            note=note,
            evidence=[],
            checks=[],
        )

    def accepts(self, actor: str, answer: str, estimate: float | None = 3.0, debts: tuple[Any, ...] = ()) -> "Telling":
        self.then("handoff_picked_up", actor, 1.0)
        return self.then("handoff_accepted", actor, 0.3, answer=answer, estimate_days=estimate, debts=list(debts))

    def returns(self, actor: str, code: str, reason: str) -> "Telling":
        self.then("handoff_picked_up", actor, 0.5)
        return self.then("handoff_returned", actor, 0.4, reason_code=code, reason=reason, late=False)


def tell_experiments(ledger: Ledger, idea: str, actor: str) -> None:
    """Experiments of every standing, for the forms of their pages: night is booked, dawn and half of noon run."""
    t = Telling(ledger, idea, NOW - timedelta(days=2))
    t.sequence = len(ledger.events(idea))
    t.then("experiment_booked", actor, name="night", kind="check", lane="ab1", days=7, **{"from": "2026-12-01"})
    arms = [{"name": "control", "share": 0.9}, {"name": "treatment", "share": 0.1}]
    for name, kind, exposed in (("dawn", "check", 1.0), ("noon", "comparison", 0.5)):
        said = {"model": name, "salt": name, "arms": arms, "treatment_location": "artifacts", "layer": name}
        t.then("experiment_started", actor, name=name, kind=kind, exposed=exposed, **said)


def tell_team(ledger: Ledger) -> None:
    for sequence, (name, role, display) in enumerate(PEOPLE):
        body = {"name": name, "roles": [role], "language": "ja", "display_name": display}
        ledger.append(TEAM_STREAM, sequence, [NewEvent("member_added", name, START, body)])


def tell_whole_relay(ledger: Ledger, idea: str, title: str) -> None:
    """An idea that runs every stage: one return, one failed A/B 1, one debt, and it ships."""
    t = Telling(ledger, idea).opened(title)
    t.then("cases_looked_up", "aoi", 0.2, query="再訪 入札", cases=["idea-3"])
    t.shows(brief("再訪ユーザーに入札を強める"), "aoi", "hypothesis").shows(brief(), "aoi", "hypothesis")
    t.offers("aoi", ("hypothesis", "investigation")).accepts(
        "haru", "曜日の影響かもしれない。平日と休日で差が消えれば誤りです。"
    )
    t.shows(data_report(), "haru", "investigation", 2)
    t.shows(
        r.OpportunityEstimate("gross_profit", 240, 120, 360, "万円/月", "再訪者の入札増 × 粗利率"),
        "haru",
        "investigation",
    )
    t.offers("haru", ("investigation", "modeling"), "ren").returns(
        "ren", "missing_evidence", "ラベルの遅れの分布が必要です。"
    )
    t.shows(data_report(), "haru", "investigation", 1).offers("haru", ("investigation", "modeling"), "ren")
    t.accepts("ren", "はい。クエリの再実行で同じ表になりました。", 5.0)
    t.shows(link(), "ren", "modeling").shows(model_card(), "ren", "modeling", 4)
    t.then("comment_added", "mio", text="較正も見ておくとよさそうです。\n2 行目。")
    t.offers("ren", ("modeling", "offline_validation")).accepts("mio", "はい、ハッシュが一致しました。")
    t.then("rule_recorded", "mio", 0.1, stage="offline_validation", text="対数損失の差の 95% 区間が 0 より下なら進む")
    t.shows(offline_report(), "mio", "offline_validation", 1).shows(golden(), "mio", "offline_validation")
    t.offers("mio", ("offline_validation", "implementation")).accepts("sota", "はい。", 4.0)
    t.shows(publication(), "sota", "implementation", 3)
    t.shows(readiness(), "sota", "implementation").offers("sota", ("implementation", "ab_check"))
    t.accepts(
        "yui",
        "取得率が下がり、当番が止めます。",
        3.0,
        ({"what": "監視のしきい値を見直す", "owner": "sota", "due": "2026-11-10"},),
    )
    t.then("experiment_started", "yui", 0.2, name="recency-check", kind="check")
    t.shows(check_report(passed=False), "yui", "ab_check", 1).shows(check_report(passed=True), "yui", "ab_check", 4)
    t.then("experiment_stopped", "yui", 0.1, name="recency-check")
    t.offers("yui", ("ab_check", "ab_comparison"), "mio").accepts("mio", "はい、設計どおりです。", 21.0)
    t.shows(plan(), "mio", "ab_comparison", 0.2).then(
        "experiment_started", "mio", 0.1, name="recency-ab", kind="comparison"
    )
    t.then("experiment_stopped", "mio", 21, name="recency-ab").shows(comparison(), "mio", "ab_comparison")
    t.offers("mio", ("ab_comparison", "evaluation")).accepts("aoi", "はい、信じたと思います。", 2.0)
    t.shows(decision(), "aoi", "evaluation", 1).shows(learning(), "aoi", "evaluation")
    t.then("contribution_stated", "ren", stage="modeling", member="ren", text="特徴量の設計と検証")
    t.then("contribution_confirmed", "mio", stage="modeling", member="ren")
    t.offers("aoi", ("evaluation", "case")).accepts("aoi", "「再訪 入札」で探します。", None)


def tell_board(ledger: Ledger) -> None:
    """Ideas under way in several stages, one stopped, one shipped, one hostile."""
    tell_team(ledger)
    tell_whole_relay(ledger, "idea-1", "再訪ユーザーへの入札を強める")
    late = NOW - timedelta(days=9)
    t = Telling(ledger, "idea-2", late).opened("枠の位置ごとに CTR 予測を補正する", "haru")
    t.shows(brief(), "haru", "hypothesis").offers("haru", ("hypothesis", "investigation"))
    t = Telling(ledger, "idea-3", START).opened("深夜帯の入札を下げる", "aoi")
    t.shows(brief("深夜帯の入札を下げる"), "aoi", "hypothesis")
    t.then("stage_skipped", "aoi", stage="investigation", reason="既存の調査を再利用する")
    t.then("idea_killed", "aoi", 2, reason="見込める改善が測定誤差より小さい")
    t = Telling(ledger, "idea-4", late - timedelta(days=20)).opened("アプリ × 枠の交差特徴量", "aoi")
    t.shows(brief(), "aoi", "hypothesis").offers("aoi", ("hypothesis", "investigation")).accepts("haru", "検証します。")
    t.shows(data_report(), "haru", "investigation").offers("haru", ("investigation", "modeling"), "ren")
    t.accepts("ren", "はい", 4.0, ({"what": "欠損の原因を調べる", "owner": "haru", "due": "2026-11-01"},))
    t.shows(model_card(), "ren", "modeling", 6)
    t = Telling(ledger, "idea-5", late).opened("インストール遅延を考慮した CVR 学習", "ren", "minor_update")
    t.shows(model_card(), "ren", "modeling").offers("ren", ("modeling", "offline_validation"), "mio", "急ぎません")
    t.then("handoff_picked_up", "mio", 0.5)
    Telling(ledger, "idea-6", late).opened(HOSTILE, "aoi").then("comment_added", "aoi", text=HOSTILE)
    Telling(ledger, "idea-7", NOW - timedelta(hours=5)).opened(
        "Raise the floor price for video slots", "aoi", estimate=None
    )
    t = Telling(ledger, "idea-8", late).opened("終盤の施策", "aoi").offers("aoi", ("hypothesis", "evaluation"))
    t.accepts("haru", "はい")


def foreign_scripts(page: str) -> list[str]:
    """Every script of a page that is not the site's own file."""
    return re.findall(r"<script[^>]*>", OWN_SCRIPT.sub("", page))
