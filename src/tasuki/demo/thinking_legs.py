"""The first four legs: hypothesis, investigation, modeling and offline validation."""

from math import sqrt

from tasuki.actions.models import train_model
from tasuki.actions.offline import Contest, validate_offline
from tasuki.actions.relay import comment, look_up_cases, offer_handoff, pick_up_handoff, record_rule, return_handoff
from tasuki.demo.relay import Relay
from tasuki.errors import Refused
from tasuki.flow.records import (
    DataReport,
    DataSource,
    GoldenExamples,
    HypothesisBrief,
    OpportunityEstimate,
    QualityFinding,
    RecordedQuery,
)
from tasuki.offline.recommend import OfflineRule
from tasuki.warehouse import Warehouse


def run_hypothesis(relay: Relay) -> None:
    """An offer without evidence is refused with the list of what is missing; then the brief makes it whole."""
    relay.narrator.chapter("1 · Hypothesis (aoi, analyst)")
    relay.clock.advance(hours=2)
    try:
        offer_handoff(relay.workspace, relay.idea, actor="aoi", to_member="haru")
    except Refused as error:
        relay.narrator.say("aoi offers too early:")
        relay.narrator.refused(error)
    state = look_up_cases(relay.workspace, relay.idea, actor="aoi", query=relay.ground.question.search)
    found = state.look_ups[-1].cases
    relay.narrator.say(f"aoi looks up past cases for {relay.ground.question.search!r}: {len(found)} found")
    brief = HypothesisBrief(**{**relay.ground.question.brief, "similar_cases": found[:3]})
    relay.attach(brief, by="aoi")
    relay.offer("aoi", "haru", days=1.2)
    relay.take("haru", 3)


def run_investigation(relay: Relay) -> None:
    """The analyst asks the log itself; the queries are kept so that the contract can run them again."""
    relay.narrator.chapter("2 · Investigation (haru, analyst)")
    asked = relay.ground.investigation
    relay.clock.advance(days=2)
    with relay.narrator.working("haru asks the log"):
        queries, groups = _ask(relay)
    low_rate = [group for group in groups if group["n"] > 0]
    quality = QualityFinding(
        "rows", bool(low_rate), f"{sum(group['n'] for group in groups):,} rows in {len(groups)} groups"
    )
    report = DataReport(
        sources=(DataSource(asked.source, asked.meaning, asked.owner),),
        queries=queries,
        quality=(quality,),
        leakage_notes=relay.texts["report"]["leakage"],
        label_delay_notes=relay.texts["report"]["label_delay"],
    )
    relay.attach(report, by="haru", commit=_commit_of(asked.rows + asked.groups))
    relay.attach(_opportunity(relay, groups), by="haru")
    comment(relay.workspace, relay.idea, actor="kaito", text=relay.texts["report"]["label_delay"])
    relay.offer("haru", "ren", days=0.8)
    relay.take("ren", 5)


def _ask(relay: Relay) -> tuple[tuple[RecordedQuery, ...], list[dict[str, float]]]:
    import sqlglot
    from sqlglot import exp

    warehouse = Warehouse(relay.workspace.tables)
    try:
        answers = {}
        for name in ("rows", "groups"):
            sql = getattr(relay.ground.investigation, name)
            tree = sqlglot.parse_one(sql, read="duckdb", into=exp.Select)
            answers[name] = (sql, warehouse.fetch(tree))
        queries = tuple(
            RecordedQuery(name, sql, table.num_rows, tuple(table.column_names))
            for name, (sql, table) in answers.items()
        )
        return queries, answers["groups"][1].to_pylist()
    finally:
        warehouse.close()


def _commit_of(text: str) -> str:
    """The content hash of the queries: the demo's workspace is no git repository, so the text names itself."""
    from hashlib import sha1

    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def _opportunity(relay: Relay, groups: list[dict[str, float]]) -> OpportunityEstimate:
    """How far the best group's rate lies above the average, relative to it, with a 95 % delta-method interval."""
    n, k = sum(group["n"] for group in groups), sum(group["k"] for group in groups)
    best = max((group for group in groups if group["n"] >= 0.05 * n), key=lambda group: group["k"] / group["n"])
    best_rate, rate = best["k"] / best["n"], k / n
    size = best_rate / rate - 1
    spread = 1.96 * (size + 1) * sqrt((1 - best_rate) / max(best["k"], 1) + (1 - rate) / max(k, 1))
    return OpportunityEstimate(
        metric=relay.ground.primary,
        size=size,
        size_low=size - spread,
        size_high=size + spread,
        unit="relative difference of the positive rate",
        method=f"rate of group {best['grp']} over the rate of all, delta method",
    )


def run_modeling(relay: Relay) -> str:
    """The data scientist writes one file and trains it; returns the challenger's version."""
    relay.narrator.chapter("3 · Modeling (ren, data scientist)")
    relay.clock.advance(days=4)
    with relay.narrator.working(f"ren trains {relay.ground.challenger_file}"):
        trained = train_model(
            relay.workspace,
            relay.workspace.folder / relay.ground.challenger_file,
            until=relay.ground.held_out_since,
            actor="ren",
            idea=relay.idea,
        )
    left_out = f"{trained.immature_share:.1%} left out as immature"
    relay.narrator.say(f"version {trained.version[:12]} from {trained.rows:,} rows, {left_out}")
    relay.offer("ren", "mio", days=0.5)
    relay.take("mio", 2)
    return trained.version


def run_offline_validation(relay: Relay, champion: str, challenger: str) -> None:
    """The rule first, then the report. The engineer returns the hand-off once; it is mended."""
    relay.narrator.chapter("4 · Offline validation (mio, data scientist)")
    record_rule(relay.workspace, relay.idea, actor="mio", text=OfflineRule().text())
    relay.clock.advance(days=1)
    contest = Contest(
        relay.ground.challenger_file, champion, challenger, relay.ground.held_out_since, relay.ground.learned_until
    )
    with relay.narrator.working("mio validates champion against challenger on held-out days"):
        validation = validate_offline(relay.workspace, relay.idea, contest, actor="mio")
    relay.narrator.say(f"recommendation: {validation.comparison.recommendation.decision}")
    _attach_golden(relay, relay.texts["hand_offs"]["first_fallback"])
    relay.offer("mio", "sota", days=0.4)
    relay.clock.advance(days=0.3)
    pick_up_handoff(relay.workspace, relay.idea, actor="sota")
    hand_offs = relay.texts["hand_offs"]
    return_handoff(
        relay.workspace, relay.idea, actor="sota", reason_code=hand_offs["returned_code"], reason=hand_offs["returned"]
    )
    relay.narrator.say(f"sota returns it ({hand_offs['returned_code']}): {hand_offs['returned']}")
    _attach_golden(relay, hand_offs["mended_fallback"])
    relay.offer("mio", "sota", days=0.5)
    relay.take("sota", 4)


def _attach_golden(relay: Relay, fallback: str) -> None:
    """The training run's golden examples, completed with what only people can agree on."""
    from tasuki.flow.evidence import read_evidence

    entry = relay.workspace.ledger.state(relay.idea).latest("golden_examples")
    if entry is None:
        raise ValueError("the training run attaches golden examples")
    evidence = read_evidence(entry.body)
    golden = evidence.record
    assert isinstance(golden, GoldenExamples)
    completed = GoldenExamples(
        model=golden.model,
        version=golden.version,
        inputs=golden.inputs,
        output=relay.texts["golden"]["output"],
        examples=golden.examples,
        tolerance=golden.tolerance,
        latency_p99_ms=golden.latency_p99_ms,
        max_size_mb=golden.max_size_mb,
        retraining_cadence=relay.texts["golden"]["cadence"],
        fallback=fallback,
    )
    relay.attach(completed, by="mio", window=evidence.data_window)
