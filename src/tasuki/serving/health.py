"""What the service says about itself: health for people, readiness for load balancers, metrics for Prometheus.

Each worker process writes its own report beside the others', and whichever is asked reads them all: so one answer
speaks for the whole service, and names the worker that does not.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasuki.clock import to_text
from tasuki.models.default_answer import default_to
from tasuki.serving.compaction_told import CompactionTold, read_told, told_document
from tasuki.serving.exposures import ExposureLog
from tasuki.serving.plan import ServingPlan, Slot
from tasuki.serving.tally import SECONDS, Tally
from tasuki.serving.watch import Watcher

REPORT_S = 1.0
"""How often a worker writes its report."""
SILENT_S = 10.0
"""A worker whose report is older is silent."""


@dataclass(frozen=True)
class Worker:
    """One of the processes that share a port.

    Args:
        number: Its number, from 1.
        of: How many there are.
        reports: The folder where they leave their reports.
    """

    number: int = 1
    of: int = 1
    reports: Path | None = None

    def report_path(self, number: int) -> Path | None:
        """Where a worker leaves its report; None when there is only one."""
        return self.reports / f"worker-{number}.json" if self.reports and self.of > 1 else None


@dataclass(frozen=True)
class State:
    """What a report is made from."""

    watcher: Watcher
    log: ExposureLog
    tally: Tally
    began: datetime
    worker: Worker = Worker()
    gate_error: str = ""
    draining: bool = False

    @property
    def compaction(self) -> CompactionTold:
        """What is known of the log's compaction, whoever did it."""
        return read_told(self.log.place.write_ahead.parent)


def health_of(state: State, now: datetime) -> dict[str, Any]:
    """What serves, since when, in which state, and what went wrong last."""
    plans, log = state.watcher.plans, state.log
    arms = [slot for plan in plans.values() for slot in plan.slots.values()]
    sound = all(slot.state == "serving" for slot in arms) and not log.error and not state.gate_error
    sound = sound and not any(plan.error for plan in plans.values()) and not state.watcher.trouble
    compaction = state.compaction
    sound = sound and not compaction.fails
    routed = next((plan.routing for plan in plans.values() if plan.routing.experiment), None)
    others = _others(state, now)
    return {
        "status": "ok" if sound and arms and all(one["status"] == "ok" for one in others) else "degraded",
        "since": to_text(state.began),
        "experiment": routed.experiment if routed else None,
        "salt": routed.salt if routed else "",
        "models": {model: _plan_health(plan) for model, plan in plans.items()},
        "exposures": {
            "written": log.written,
            "waiting": log.waiting,
            "refused": log.refused,
            "recovered": log.recovered,
            "error": log.error,
            "durable": log.place.durable,
            "flush_s": log.place.flush_s,
            "lost_when_killed": loss_bound(log.place.durable, log.place.flush_s),
        },
        "compaction": told_document(compaction),
        "swaps": state.watcher.swaps,
        "draining": state.draining,
        "tokens_error": state.gate_error,
        "error": state.watcher.trouble,
        "worker": {"number": state.worker.number, "of": state.worker.of, "pid": os.getpid()},
        "other_workers": others,
    }


def loss_bound(durable: bool, flush_s: float) -> str:
    """What a killed process loses, for people."""
    return (
        "nothing that was answered" if durable else f"at most what was answered in the last {flush_s + 0.5:g} seconds"
    )


def report_of(state: State, now: datetime) -> dict[str, Any]:
    """What other workers and the metrics need to know of this one."""
    tally, log = state.tally, state.log
    return {
        "worker": state.worker.number,
        "pid": os.getpid(),
        "at": to_text(now),
        "status": health_of(_alone(state), now)["status"],
        "began": state.began.timestamp(),
        "requests": [[*key, count] for key, count in tally.requests.copy().items()],
        "fallbacks": [[*key, count] for key, count in tally.fallbacks.copy().items()],
        "latencies": list(tally.latencies),
        "total_ns": tally.total_ns,
        "written": log.written,
        "waiting": log.waiting,
        "refused": log.refused,
        "recovered": log.recovered,
        "swaps": state.watcher.swaps,
        "arms": [
            [model, slot.arm, slot.artifact.version if slot.artifact else "", slot.state]
            for model, plan in state.watcher.plans.items()
            for slot in plan.slots.values()
        ],
    }


def write_report(state: State, now: datetime) -> None:
    """Leaves this worker's report for the others; one that cannot be written shows as silent."""
    path = state.worker.report_path(state.worker.number)
    if path is not None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(report_of(state, now)), encoding="utf-8")
            draft.replace(path)


def read_reports(state: State, now: datetime) -> list[dict[str, Any]]:
    """The reports of all workers: this one's as it is now, the others' as they left them.

    What is told of this worker is left for the others first: whichever is asked next tells no less. A counter that
    went back would be taken for a restart, and all it counted would be counted again.
    """
    write_report(state, now)
    reports = [report_of(state, now)]
    for number in range(1, state.worker.of + 1):
        path = state.worker.report_path(number)
        if path is not None and number != state.worker.number:
            with contextlib.suppress(OSError, ValueError):
                reports.append(json.loads(path.read_text(encoding="utf-8")))
    return reports


def metrics_text(reports: Sequence[Mapping[str, Any]], compaction: CompactionTold) -> str:
    """The metrics of all workers in Prometheus' text form, and the log's, which they share."""
    lines: list[str] = []

    def add(name: str, kind: str, what: str, samples: Iterable[tuple[Mapping[str, object], object]]) -> None:
        lines.extend((f"# HELP tasuki_{name} {what}", f"# TYPE tasuki_{name} {kind}"))
        lines.extend(f"tasuki_{name}{_labels(labels)} {value}" for labels, value in samples)

    def each(key: str) -> list[tuple[Mapping[str, object], object]]:
        return [({"worker": one["worker"]}, one[key]) for one in reports]

    add("requests_total", "counter", "Scoring requests by model and status.", _counted(reports, "requests", "status"))
    add("fallbacks_total", "counter", "Rows that an arm's own version did not answer.",
        _counted(reports, "fallbacks", "reason"))  # fmt: skip
    lines.extend(("# HELP tasuki_request_seconds Time from the body's end to the answer.",
                  "# TYPE tasuki_request_seconds histogram"))  # fmt: skip
    for one in reports:
        lines.extend(_histogram(one))
    add("exposures_written_total", "counter", "Exposures in segments.", each("written"))
    add("exposures_waiting", "gauge", "Exposures that are in no segment yet.", each("waiting"))
    add("exposures_refused_total", "counter", "Exposures that the disk refused; not answered.", each("refused"))
    add("exposures_recovered_total", "counter", "Exposures of killed processes put into segments.", each("recovered"))
    add("swaps_total", "counter", "Versions that were swapped in.", each("swaps"))
    add("start_time_seconds", "gauge", "When the worker began.", each("began"))
    add("version_info", "gauge", "Which version answers which arm.", (
        ({"worker": one["worker"], "model": model, "arm": arm, "version": version, "state": said}, 1)
        for one in reports
        for model, arm, version, said in one["arms"]
    ))  # fmt: skip
    add("compaction_fails", "gauge", "Whether the last compaction failed or left what was due.",
        [({}, int(compaction.fails))])  # fmt: skip
    if compaction.at is not None:
        add("compaction_time_seconds", "gauge", "When one last went through.", [({}, compaction.at.timestamp())])
        add("compaction_segments", "gauge", "Segments that it found, and left.",
            [({"when": "before"}, compaction.before), ({"when": "after"}, compaction.after)])  # fmt: skip
    if compaction.failed_at is not None:
        add("compaction_failure_time_seconds", "gauge", "When one last failed.",
            [({}, compaction.failed_at.timestamp())])  # fmt: skip
    return "\n".join(lines) + "\n"


def _counted(
    reports: Sequence[Mapping[str, Any]], key: str, label: str
) -> Iterable[tuple[Mapping[str, object], object]]:
    for one in reports:
        for model, value, count in one[key]:
            yield {"worker": one["worker"], "model": model, label: value}, count


def _histogram(report: Mapping[str, Any]) -> Iterable[str]:
    worker, total = report["worker"], 0
    for bound, count in zip([*map(str, SECONDS), "+Inf"], report["latencies"], strict=True):
        total += count
        yield f"tasuki_request_seconds_bucket{_labels({'worker': worker, 'le': bound})} {total}"
    yield f"tasuki_request_seconds_sum{_labels({'worker': worker})} {report['total_ns'] / 1e9}"
    yield f"tasuki_request_seconds_count{_labels({'worker': worker})} {total}"


def _labels(labels: Mapping[str, object]) -> str:
    escaped = (
        (name, str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, value in labels.items()
    )
    written = ",".join(f'{name}="{value}"' for name, value in escaped)
    return f"{{{written}}}" if written else ""


def _alone(state: State) -> State:
    return State(state.watcher, state.log, state.tally, state.began, Worker(), state.gate_error, state.draining)


def _others(state: State, now: datetime) -> list[dict[str, Any]]:
    others = []
    for number in range(1, state.worker.of + 1):
        path = state.worker.report_path(number)
        if path is None or number == state.worker.number:
            continue
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            age_s = (now - datetime.fromisoformat(report["at"])).total_seconds()
            status = report["status"] if age_s <= SILENT_S else "silent"
            others.append({"number": number, "pid": report["pid"], "status": status, "age_s": round(age_s, 1)})
        except (OSError, ValueError, KeyError, TypeError):
            others.append({"number": number, "pid": None, "status": "silent", "age_s": None})
    return others


def _plan_health(plan: ServingPlan) -> dict[str, Any]:
    routing = plan.routing
    return {
        "experiment": routing.experiment,
        "kind": routing.kind,
        "error": plan.error,
        "default": default_to(plan.default),
        "arms": {arm.name: {"share": arm.share, **_slot_health(plan.slots[arm.name])} for arm in routing.arms},
        "beside": [
            {
                "experiment": one.experiment,
                "kind": one.kind,
                "arms": {
                    arm.name: {"share": arm.share, **_slot_health(plan.slots[f"{one.experiment}/{arm.name}"])}
                    for arm in one.arms
                },
            }
            for one in routing.beside
        ],
    }


def _slot_health(slot: Slot) -> dict[str, Any]:
    return {
        "channel": slot.channel,
        "location": slot.location,
        "version": None if slot.artifact is None else slot.artifact.version,
        "since": None if slot.since is None else to_text(slot.since),
        "state": slot.state,
        "error": slot.error,
        "default": default_to(slot.default),
    }
