"""The service places each unit as the routing says: into one experiment, or into none and answered by the champion."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import model_desk
from tasuki.clock import system_clock
from tasuki.experiments.allocation import HoldOut, Reach
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.serving.app import ScoringApp
from tasuki.serving.exposures import ExposureLog, LogPlace
from tasuki.serving.watch import Watcher
from tasuki.store.routing import save_routing

FEATURES = {"app": "app1", "slot": "top", "at": "2026-03-01T00:00:00Z", "minutes_since_last": 3.0}
ARMS = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
HELD = HoldOut("2026", 0.2)
CHECK = Routing("ctr", "ab1", "check", "c", ARMS, "ctr", Reach(0.6, 0.8), HELD)
ROUTING = Routing("ctr", "ab2", "comparison", "s", ARMS, "ctr", Reach(0.0, 0.6, 0.5), HELD, (CHECK,))
UNITS = [f"ユーザー{n}" for n in range(300)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScoringApp, ExposureLog, Path]]:
    folder = tmp_path_factory.mktemp("placements") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
    save_routing(folder, ROUTING)
    watcher = Watcher(folder, "artifacts", None, system_clock)
    watcher.look()
    log = ExposureLog(LogPlace.of(folder), system_clock)
    yield ScoringApp(watcher, log, system_clock), log, folder
    workspace.close()


def test_one_row_many_rows_and_columns_are_placed_alike_and_logged_so(
    served: tuple[ScoringApp, ExposureLog, Path],
) -> None:
    app, log, folder = served
    wanted = [ROUTING.placement(unit) for unit in UNITS]
    ones = [app.score("ctr", json.dumps({"unit": unit, "features": FEATURES}).encode()) for unit in UNITS]
    assert [json.loads(said)["arm"] for _, said in ones] == [one.arm for one in wanted]
    rows = [{"unit": unit, "features": FEATURES} for unit in UNITS]
    many = json.loads(app.score("ctr", json.dumps({"rows": rows}).encode())[1])["answers"]
    columns = {name: [value] * len(UNITS) for name, value in FEATURES.items()}
    whole = json.loads(app.score("ctr", json.dumps({"units": UNITS, "columns": columns}).encode())[1])
    assert [one["arm"] for one in many] == whole["arms"] == [one.arm for one in wanted]
    champion = next(one["version"] for one in many if one["arm"] == "control")
    aside = {one["version"] for one in many if one["arm"] in ("outside", "holdout")}
    assert aside == {champion}
    assert not any(one["fallback"] for one in many)
    log.start()
    log.stop()
    logged = pq.read_table(folder / "logs" / "exposures").to_pylist()
    seen = {(one["unit"], one["experiment"], one["arm"]) for one in logged}
    assert seen == {(unit, one.experiment, one.arm) for unit, one in zip(UNITS, wanted, strict=True)}
    assert len(logged) == 3 * len(UNITS)
