"""A workspace for the serving benchmarks: two versions of a LightGBM model, and an experiment between them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasuki.actions.members import add_member
from tasuki.actions.models import publish_model, train_model
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.settings.workspace import Choices, init_workspace, open_workspace
from tasuki.store.artifacts import ArtifactStore
from tasuki.store.routing import save_routing

WIDTH = 30
NAMES = [f"f{place:02d}" for place in range(WIDTH)]
MODEL = """\
from lightgbm import LGBMClassifier
from tasuki.models import Model, Target, number

model = Model(
    name="ctr",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked", delay_hours=1, time="clicked_at"),
    features=tuple(number(f"f{{place:02d}}") for place in range({width})),
    estimator=LGBMClassifier(n_estimators=200, num_leaves=31, learning_rate=0.05, random_state={seed}, verbosity=-1),
    intended_use="a benchmark",
    unsuitable_use="anything else",
    baseline="the click rate",
)
"""


def make_workspace(folder: Path, versions: tuple[str, ...] = ("champion", "challenger")) -> list[str]:
    """Makes the workspace, trains and publishes a version per name, and routes half of the units to each of two."""
    init_workspace(folder, Choices(name="bench", language="en", formation="all_in_one", member="m")).close()
    _write_impressions(folder / "logs" / "impressions")
    workspace = open_workspace(folder)
    add_member(workspace, "m", actor="m", roles=["ml_engineer", "data_scientist"])
    made = []
    for seed, name in enumerate(versions, 1):
        path = folder / "models" / f"{name}.py"
        path.write_text(MODEL.format(width=WIDTH, seed=seed))
        made.append(train_model(workspace, path, actor="m").version)
        publish_model(workspace, "ctr", made[-1], channel=name, actor="m")
    workspace.close()
    arms = (RoutedArm("control", 0.5, versions[0], "artifacts"), RoutedArm("treatment", 0.5, versions[1], "artifacts"))
    save_routing(folder, Routing("ctr", "bench", "check", "bench", arms))
    return made


def model_text(folder: Path) -> str:
    """The champion as LightGBM's own text, for the peers."""
    store = ArtifactStore(folder / "artifacts")
    version = store.current("ctr", "champion")
    assert version is not None
    return store.load("ctr", version)["trees.txt"].decode() + "\n"


def _write_impressions(folder: Path, rows: int = 40_000) -> None:
    rng = np.random.default_rng(1)
    start = np.datetime64("2026-03-01T00:00:00", "us")
    at = start + np.sort(rng.integers(0, 10 * 86_400_000_000, rows)).astype("timedelta64[us]")
    values = rng.normal(size=(rows, WIDTH)).round(4)
    clicked = rng.random(rows) < 1 / (1 + np.exp(2 - values[:, 0] - 0.5 * values[:, 1] * values[:, 2]))
    stamp = pa.timestamp("us", tz="UTC")
    table = {
        "at": pa.array(at, stamp),
        "user": [f"u{one}" for one in rng.integers(0, 500, rows)],
        "clicked": clicked,
        "clicked_at": pa.array(at + np.timedelta64(60, "s"), stamp, mask=~clicked),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(table | {name: values[:, at] for at, name in enumerate(NAMES)}), folder / "part-0.parquet")
