"""Publication: every check that fails is named at once with how to mend it, and the pointer stays where it was."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import model_desk
from tasuki.actions.artifacts import describe_models, store_of
from tasuki.actions.models import publish_model, roll_back_model, train_model
from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.errors import Refused


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path / "w")
    yield made
    made.close()


def trained(workspace: Workspace, features: str, extra: str = "") -> str:
    path = model_desk.write_model(workspace, "tried", features)
    path.write_text(
        path.read_text().replace("    buckets=", f"    {extra}\n    buckets=") if extra else path.read_text()
    )
    return train_model(workspace, path, actor="ren").version


def refusal(workspace: Workspace, version: str) -> dict[str, str]:
    before = describe_models(workspace)[0].channels
    with pytest.raises(Refused) as refused:
        publish_model(workspace, "ctr", version, channel="champion", actor="sota")
    assert describe_models(workspace)[0].channels == before
    assert all(fault.how for fault in refused.value.faults)
    return {fault.where: str(fault) for fault in refused.value.faults}


def table_of(workspace: Workspace) -> Path:
    return workspace.folder / "logs" / "impressions" / "part-0.parquet"


def append_a_day(workspace: Workspace, **changes: Any) -> None:
    """Rows of the day after, a copy of the last day's but for some columns."""
    table = pq.read_table(table_of(workspace))
    day = pa.scalar(86_400_000_000, pa.duration("us"))
    last = table.filter(pc.greater(table["at"], pc.subtract(pc.max(table["at"]), day)))
    for name in ("at", "clicked_at"):
        last = last.set_column(last.column_names.index(name), name, pc.add(last[name], day))
    for name, value in changes.items():
        column = pa.array([value] * len(last), table.schema.field(name).type)
        last = last.set_column(last.column_names.index(name), name, column)
    pq.write_table(last.cast(table.schema), table_of(workspace).with_name("part-1.parquet"))


def test_sound_version_is_published_and_rolled_back(workspace: Workspace) -> None:
    one = model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    two = model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "champion")
    assert describe_models(workspace)[0].channels == {"champion": two}
    assert roll_back_model(workspace, "ctr", actor="ren").version == one


def test_scores_of_today_that_moved_from_training_are_refused(workspace: Workspace) -> None:
    version = trained(workspace, model_desk.CHAMPION)
    append_a_day(workspace, app="app7")
    said = refusal(workspace, version)
    assert list(said) == ["score distribution"]
    assert "PSI" in said["score distribution"]
    assert "train again" in said["score distribution"]


def test_scores_far_from_the_champions_are_refused(workspace: Workspace) -> None:
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    version = trained(workspace, 'category("os"),')
    assert list(refusal(workspace, version)) == ["change"]


def test_every_failing_check_is_named_at_once(workspace: Workspace) -> None:
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    features = 'category("app", nullable=False), category("os", online=False), number("count_1d_by_user")'
    features = features.replace('number("count_1d_by_user")', 'count_over("1d", by="user")')
    path = model_desk.write_model(workspace, "faulty", features)
    text = path.read_text().replace("import Model,", "import Model, count_over,")
    path.write_text(text.replace("    buckets=2**12,", "    buckets=2**12,\n    max_size_mb=0.001,"))
    version = train_model(workspace, path, actor="ren").version
    said = refusal(workspace, version)
    assert set(said) >= {"os", "schema count_1d_by_user", "size"}
    assert "retrain the champion" in said["schema count_1d_by_user"]


def test_input_whose_type_clients_do_not_send_is_refused(workspace: Workspace) -> None:
    model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "champion")
    version = trained(workspace, 'category("app"), category("slot"), category("minutes_since_last")')
    assert "schema minutes_since_last" in refusal(workspace, version)


def test_renamed_column_and_nulls_of_today_are_refused(workspace: Workspace) -> None:
    version = trained(workspace, model_desk.CHAMPION)
    append_a_day(workspace, app=None)
    assert "is null" in refusal(workspace, version)["parity"]
    renamed = pq.read_table(table_of(workspace))
    names = ["application" if name == "app" else name for name in renamed.column_names]
    for path in table_of(workspace).parent.glob("*.parquet"):
        pq.write_table(pq.read_table(path).rename_columns(names), path)
    assert "gives no fresh rows" in refusal(workspace, version)["fresh rows"]


def test_table_that_is_gone_is_said_with_everything_else(workspace: Workspace) -> None:
    version = trained(workspace, 'category("app"), category("os", online=False)')
    table_of(workspace).unlink()
    assert list(refusal(workspace, version)) == ["os", "fresh rows"]


def test_clock_that_runs_ahead_by_days_shows_in_the_scores(workspace: Workspace) -> None:
    version = trained(workspace, 'hour_of_day("at", utc_offset_hours=9),')
    table = pq.read_table(table_of(workspace))
    hour = pa.scalar(3_600_000_000, pa.duration("us"))
    skewed = pa.array(np.full(400, table["at"][-1].as_py()), table.schema.field("at").type)
    rows = table.slice(0, 400).set_column(0, "at", pc.add(skewed, pc.multiply(hour, 24 * 40)))
    pq.write_table(rows.cast(table.schema), table_of(workspace).with_name("part-1.parquet"))
    assert "score distribution" in refusal(workspace, version)


def test_broken_champion_does_not_keep_its_successor_out(workspace: Workspace) -> None:
    one = model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    weights = workspace.folder / "artifacts" / "ctr" / "versions" / one / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:-8])
    two = trained(workspace, model_desk.CHALLENGER)
    assert publish_model(workspace, "ctr", two, actor="sota").previous == one


def test_limits_travel_with_the_version(workspace: Workspace) -> None:
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    version = trained(workspace, 'category("os"),', "max_champion_shift=50.0,")
    limits = json.loads(store_of(workspace).load("ctr", version)["training.json"])["limits"]
    assert limits["max_champion_shift"] == 50.0
    assert publish_model(workspace, "ctr", version, actor="sota").version == version


def test_who_does_not_hold_the_idea_publishes_nothing_for_it(workspace: Workspace) -> None:
    idea = open_idea(workspace, "recency", actor="aoi", formation="planner_maker_evaluator").idea
    version = trained(workspace, model_desk.CHAMPION)
    with pytest.raises(Refused, match="publish ctr for"):
        publish_model(workspace, "ctr", version, actor="sota", idea=idea)
    assert describe_models(workspace)[0].channels == {}
