"""How a past idea went, leg by leg: what was worked, attached, handed over, returned and mended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from tasuki.flow import decide, experimenting, relay
from tasuki.flow.plan import CASE
from tasuki.samples import papers
from tasuki.samples.papers import Numbers
from tasuki.samples.story import Calendar, Story
from tasuki.samples.topics import Topic

_TOUCH_DAYS = {
    "hypothesis": 1.5,
    "investigation": 4.0,
    "modeling": 7.0,
    "offline_validation": 2.5,
    "implementation": 8.0,
    "data_check": 3.0,
    "ab_check": 1.0,
    "ab_comparison": 1.0,
    "evaluation": 2.0,
}
_CHECK_DAYS = 7
_RUN_DAYS = {"ab_check": 8.0, "ab_comparison": 24.0}


@dataclass
class _Run:
    """An idea under way."""

    story: Story
    topic: Topic
    calendar: Calendar
    numbers: Numbers
    similar: tuple[str, tuple[str, ...]]
    attempt: int = 1
    open_mishaps: list[str] = field(default_factory=list)

    @property
    def holder(self) -> str:
        return self.story.state.holder

    @property
    def version(self) -> str:
        return papers.version_of(self.topic, self.attempt)

    def happens(self, mishap: str) -> bool:
        """Whether something that is to go wrong goes wrong now; each does once."""
        if mishap not in self.open_mishaps:
            return False
        self.open_mishaps.remove(mishap)
        return True

    def say(self, japanese: str, english: str) -> str:
        return japanese if self.topic.language == "ja" else english


def run_idea(story: Story, topic: Topic, calendar: Calendar, similar: tuple[str, tuple[str, ...]]) -> None:
    """Tells a topic from its opening to its case.

    Args:
        story: Where it is told.
        topic: What it is about.
        calendar: The slot for A/B 2, in which it books its days.
        similar: What was looked up first, and the cases that were found.
    """
    run = _Run(story, topic, calendar, papers.draw_numbers(topic, story.rng), similar)
    run.open_mishaps = list(topic.mishaps)
    _open(run)
    while story.state.status == "active":
        stage = story.state.stage
        story.work(_TOUCH_DAYS[stage])
        _LEGS[stage](run)
        if topic.killed_at == stage:
            _kill(run)
        elif story.state.stage == stage and story.state.offer is None:
            _hand_over(run)
    _settle_debts(run)


def _open(run: _Run) -> None:
    story, topic = run.story, run.topic
    first = story.team.playbook.flows[topic.flow].stages[0]
    formation = story.team.playbook.formations[topic.formation]
    roles = set(formation.roles_for(topic.flow, first))
    able = [name for name, member in story.team.members.items() if roles & set(member.roles)]
    owner = able[int(story.rng.integers(len(able)))]
    idea = decide.NewIdea(topic.title, topic.flow, topic.formation, _TOUCH_DAYS[first])
    story.write(decide.open_idea(idea, story.act(owner)))
    story.rest(0.2)
    query, found = run.similar
    story.write(decide.look_up_cases(story.state, story.act(owner), query, found))
    story.attach(papers.hypothesis(topic, found), owner)


def _plan(run: _Run) -> None:
    if run.happens("skip"):
        reason = run.say("効果の形は前の事例で分かっている", "An earlier case has already shown it")
        event = decide.skip_stage(run.story.state, run.story.act(run.holder), "investigation", reason)
        run.story.write(event)


def _investigate(run: _Run) -> None:
    run.story.attach(papers.data_report(run.topic, run.story.rng), run.holder, 28)
    run.story.attach(papers.opportunity(run.topic, run.story.rng), run.holder, 28)


def _model(run: _Run) -> None:
    run.story.attach(papers.model_card(run.topic, run.version, run.story.rng), run.holder, 14)


def _validate(run: _Run) -> None:
    story, topic, holder = run.story, run.topic, run.holder
    story.write(decide.record_rule(story.state, story.act(holder), papers.offline_rule(topic)))
    story.work(1.0)
    story.attach(papers.offline_report(topic, run.numbers, run.version, story.rng), holder, 7)
    story.attach(papers.golden_examples(topic, run.version, story.rng), holder)


def _implement(run: _Run) -> None:
    story, holder = run.story, run.holder
    if run.topic.flow == "model":
        story.attach(papers.publication(run.topic, run.version), holder)
    others = [name for name in ("sota", "yui", "kaito") if name != holder]
    story.attach(papers.readiness(run.topic, others[int(story.rng.integers(len(others)))]), holder)


def _check_data(run: _Run) -> None:
    run.story.work(3.0)
    run.story.attach(papers.data_report(run.topic, run.story.rng), run.holder, 7)


def _check(run: _Run) -> None:
    """A/B 1. A fault that shows here sends the idea back to who built it."""
    story, holder = run.story, run.holder
    fails = run.topic.killed_at == "ab_check" or run.happens("late_return")
    name = f"{story.idea}-check-{run.attempt}"
    start = story.now.date() + timedelta(days=1)
    booking = experimenting.Booking(name, "check", "ab1", start, _CHECK_DAYS)
    story.write(experimenting.book_experiment(story.state, story.act(holder), booking))
    story.rest(1.0)
    story.write(experimenting.start_experiment(story.state, story.act(holder), name, "check", "ab1"))
    story.rest(2.0 if fails else float(_CHECK_DAYS))
    story.write(experimenting.stop_experiment(story.state, story.act(holder), name))
    story.attach(papers.check_report(name, run.topic, story.rng, passed=not fails), holder, 2 if fails else _CHECK_DAYS)
    if fails and run.topic.killed_at is None:
        _send_back(run)


def _send_back(run: _Run) -> None:
    builder = "implementation" if "implementation" in run.story.state.stages else "offline_validation"
    reason = run.say(
        "A/Bテスト1: 処置群のパラメータを取得できず、フォールバックしている。取得先を直してほしい",
        "A/B 1: the treatment's parameters cannot be fetched and it falls back. Please mend the fetch path",
    )
    why = relay.ReturnReason("data_problem", reason, builder)
    run.story.write(relay.give_back(run.story.state, run.story.act(run.holder), why))
    run.attempt += 1
    if builder == "implementation":
        # The engineer's new publication is of a version trained anew: card and examples follow it.
        run.story.work(1.0)
        run.story.attach(papers.model_card(run.topic, run.version, run.story.rng), run.holder, 14)
        run.story.attach(papers.golden_examples(run.topic, run.version, run.story.rng), run.holder)


def _compare(run: _Run) -> None:
    """A/B 2: registered, then it waits for a free slot, runs its days and is looked at once."""
    story, holder, numbers = run.story, run.holder, run.numbers
    name = f"{story.idea}-ab"
    story.attach(papers.experiment_plan(name, run.topic, numbers), holder)
    start = run.calendar.book((story.now + timedelta(days=1)).date(), numbers.days)
    booking = experimenting.Booking(name, "comparison", "ab2", start, numbers.days)
    story.write(experimenting.book_experiment(story.state, story.act(holder), booking))
    story.now = max(story.now, _morning(start))
    story.write(experimenting.start_experiment(story.state, story.act(holder), name, "comparison", "ab2"))
    story.now = _morning(start + timedelta(days=numbers.days)) + timedelta(minutes=30)
    story.write(experimenting.stop_experiment(story.state, story.act(holder), name))
    story.rest(0.5)
    story.write(experimenting.look_at_experiment(story.state, story.act(holder), name))
    story.attach(papers.comparison_report(name, run.topic, numbers, story.rng), holder, numbers.days)


def _morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 1, tzinfo=UTC)


def _evaluate(run: _Run) -> None:
    story, topic, holder = run.story, run.topic, run.holder
    later = topic.outcome in ("ship", "adopt") and bool(story.rng.random() < 0.4)
    due = story.now.date() + timedelta(days=14) if later else None
    owner = {"data": "kaito", "analysis": holder}.get(topic.flow, "yui")
    story.attach(papers.decision(topic, run.numbers, owner, due), holder)
    shares = {leg.owner: leg.stage for leg in story.state.legs}
    for member, stage in shares.items():
        titles = story.team.playbook.stages[stage].titles
        said = run.say(f"{titles.ja}を担当", f"ran {titles.en}")
        story.write(decide.state_contribution(story.state, story.act(member), stage, said))
        peer = next(name for name in (story.state.owner, holder, "haru", "mio") if name != member)
        story.write(decide.confirm_contribution(story.state, story.act(peer), stage, member))
    story.attach(papers.learning(topic, {stage: member for member, stage in shares.items()}), holder)


def _hand_over(run: _Run) -> None:
    """Offers, waits, and is accepted; once returned and mended where that is part of the story."""
    story = run.story
    receiver = story.offer()
    story.pick_up(receiver)
    stage, offered = story.state.stage, story.state.offer
    assert offered is not None
    # Only what a second person looks at with fresh eyes comes back.
    if stage in _RETURNS and receiver != story.state.holder and run.happens("return"):
        _return_and_mend(run, receiver)
    to_stage = offered.to_stage
    needed = _TOUCH_DAYS.get(to_stage, 1.0) + _RUN_DAYS.get(to_stage, 0.0)
    debts: tuple[relay.NewDebt, ...] = ()
    if to_stage in ("implementation", "ab_check", "data_check") and run.happens("debt"):
        what = run.say("監視のアラートを加える", "Add an alert to the monitors")
        debts = (relay.NewDebt(what, story.state.holder, story.now.date() + timedelta(days=21)),)
    story.accept(_answer(run, to_stage), needed, debts)


def _return_and_mend(run: _Run, receiver: str) -> None:
    story = run.story
    code, japanese, english = _RETURNS[story.state.stage]
    why = relay.ReturnReason(code, run.say(japanese, english))
    story.write(relay.give_back(story.state, story.act(receiver), why))
    story.work(1.5)
    note = run.say("指摘の点を直した", "Mended as asked")
    story.write(decide.comment(story.act(story.state.holder), note))
    story.pick_up(story.offer(note))


def _kill(run: _Run) -> None:
    story, topic, holder = run.story, run.topic, run.holder
    story.rest(0.5)
    story.attach(papers.learning(topic, {}), holder)
    story.write(decide.kill_idea(story.state, story.act(holder), topic.reason))


def _settle_debts(run: _Run) -> None:
    for debt in run.story.state.open_debts():
        run.story.rest(1.0)
        note = run.say("済み", "done")
        event = decide.settle_debt(run.story.state, run.story.act(debt.owner), debt.number, note)
        run.story.write(event)


def _answer(run: _Run, to_stage: str) -> str:
    if to_stage == CASE:
        return "、".join(run.topic.words) if run.topic.language == "ja" else ", ".join(run.topic.words)
    japanese, english = _ANSWERS[to_stage]
    return run.say(japanese, english)


_LEGS: dict[str, Callable[[_Run], None]] = {
    "hypothesis": _plan,
    "investigation": _investigate,
    "modeling": _model,
    "offline_validation": _validate,
    "implementation": _implement,
    "data_check": _check_data,
    "ab_check": _check,
    "ab_comparison": _compare,
    "evaluation": _evaluate,
}
_RETURNS = {
    "investigation": (
        "cannot_reproduce",
        "クエリを再実行すると行数が合わない。対象の期間が書かれていない",
        "The rows differ when I run the queries: the period is not written down",
    ),
    "modeling": (
        "missing_evidence",
        "この特徴量が配信時に使えるかどうかが分からない",
        "It is not clear whether this feature is there online",
    ),
    "offline_validation": (
        "unclear_requirement",
        "モデルを取得できないときに何を返すのか決まっていない",
        "What is to be answered when the model cannot be fetched?",
    ),
}
_ANSWERS = {
    "investigation": (
        "差が時間帯を揃えると消えるなら誤り",
        "It is false if the difference vanishes within the hour of day",
    ),
    "modeling": ("クエリと期間があるので作り直せる", "Yes: the queries and the period are there"),
    "offline_validation": ("再学習して同じ値になった", "Yes: a fresh run gave the same number"),
    "implementation": ("入出力と例があるので質問せずに作れる", "Yes: inputs, outputs and examples are there"),
    "data_check": ("欠損率が上がる。海斗が止める", "The share of missing values rises; kaito stops it"),
    "ab_check": ("フォールバック率が上がる。結衣が止める", "The fallback rate rises; yui rolls back"),
    "ab_comparison": ("すべての項目が設計どおり", "Every probe is as designed"),
    "evaluation": ("逆の結果でも信じた。規則は先に書かれている", "Yes: the rule was written first"),
}
