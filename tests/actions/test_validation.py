"""`validate` tries a model on its table's rows: every fault is named with its line, all at once."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import model_desk
from tasuki.actions.validation import Validated, validate_model
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("validate") / "w")
    path = made.folder / "logs" / "impressions" / "part-0.parquet"
    table = pq.read_table(path)
    clicked = table["clicked"]
    table = table.append_column("click_score", pc.add(pc.cast(clicked, pa.float64()), 0.5))
    table = table.append_column("outcome", pc.if_else(clicked, "bought", "left"))
    table = table.append_column("constant", pa.array(["jp"] * len(table)))
    table = table.append_column("seen_later", pc.add(table["at"], pa.scalar(3_600_000_000, pa.duration("us"))))
    holes = [None if row % 4 == 0 else "x" for row in range(len(table))]
    pq.write_table(table.append_column("holes", pa.array(holes)), path)
    yield made
    made.close()


def written(workspace: Workspace, *features: str, **changes: str) -> Path:
    path = model_desk.write_model(workspace, "tried", "\n    " + ",\n    ".join(features) + ",\n")
    text = path.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text.replace("import Model,", "import Model, count_over, day_of_week,"))
    return path


def faults(workspace: Workspace, path: Path) -> dict[str, str]:
    """What is said, by the text of the line that it points to."""
    with pytest.raises(Invalid) as refused:
        validate_model(workspace, path)
    lines = path.read_text().splitlines()
    said = {}
    for fault in refused.value.faults:
        place = fault.where.removeprefix(f"{path}:").split()[0]
        said[lines[int(place) - 1].strip().rstrip(",")] = str(fault)
    return said


def test_sound_model_says_how_many_rows_it_was_tried_on(workspace: Workspace) -> None:
    found = validate_model(workspace, written(workspace, 'category("app")', 'count_over("2d", by="user")'))
    assert isinstance(found, Validated)
    assert found.rows > 200
    assert found.doubts == ()


def test_everything_that_is_wrong_is_named_at_its_line_at_once(workspace: Workspace) -> None:
    wrong = {
        'category("colour")': "has no column 'colour'",
        'category("holes")': "null in",
        'number("slot")': "no number",
        'hour_of_day("app", utc_offset_hours=9)': "no moment",
        'category("outcome")': "a leak",
        'number("click_score")': "a leak",
        'day_of_week("seen_later")': "after the row's own moment",
        'count_over("1d", by="shop")': "has no column 'shop'",
    }
    said = faults(workspace, written(workspace, 'category("os")', *wrong))
    assert set(said) == set(wrong)
    for line, words in wrong.items():
        assert words in said[line]


def test_faults_of_the_definition_come_with_those_of_the_table(workspace: Workspace) -> None:
    path = written(workspace, 'category("colour")', 'category("clicked")')
    path.write_text(path.read_text().replace('baseline="the click rate"', 'baseline=""'))
    said = faults(workspace, path)
    assert set(said) == {'category("colour")', 'category("clicked")', 'baseline=""'}


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        ("print", "cannot be kept"),
        ("LogisticRegression", "is a class"),
        ("LogisticRegression(C=-1.0)", "refuses to learn"),
    ],
)
def test_estimator_that_cannot_be_used_is_named_at_its_line(workspace: Workspace, estimator: str, says: str) -> None:
    path = written(workspace, 'category("app")')
    text = path.read_text()
    path.write_text(text.replace("LogisticRegression(C=1.0, max_iter=50)", estimator))
    (line, said), *more = faults(workspace, path).items()
    assert not more
    assert line == f"estimator={estimator}"
    assert says in said


def test_target_that_is_no_label_is_named(workspace: Workspace) -> None:
    path = written(workspace, 'category("app")')
    path.write_text(path.read_text().replace('Target("clicked",', 'Target("minutes_since_last",'))
    (line, said), *_ = faults(workspace, path).items()
    assert line.startswith("target=")
    assert "true/false or 0/1" in said


def test_delay_longer_than_the_table_is_said(workspace: Workspace) -> None:
    path = written(workspace, 'category("app")')
    path.write_text(path.read_text().replace("delay_hours=24", "delay_hours=24000"))
    assert "none is 24000" in str(faults(workspace, path))


def test_what_does_not_stop_a_training_is_a_doubt(workspace: Workspace) -> None:
    path = written(workspace, 'category("constant")', 'category("app", online=False)')
    doubts = validate_model(workspace, path).doubts
    assert ["constant" in one.where for one in doubts].count(True) == 1
    assert {one.what for one in doubts} == {"is marked online=False", "is the same in every row of the sample"}
    lines = path.read_text().splitlines()
    for one in doubts:
        assert one.where.split("features.")[1] in lines[int(one.where.removeprefix(f"{path}:").split()[0]) - 1]


def test_artifact_that_is_too_large_on_the_sample_is_a_fault(workspace: Workspace) -> None:
    path = written(workspace, 'category("app")')
    path.write_text(path.read_text().replace("buckets=2**12,", "buckets=2**12,\n    max_size_mb=0.001,"))
    assert "artifact has" in faults(workspace, path)["max_size_mb=0.001"]


SOUND = 'category("app")'


def test_default_that_cannot_be_answered_hides_nothing_else(workspace: Workspace) -> None:
    path = written(workspace, 'category("colour")', SOUND)
    text = path.read_text().replace("import Model,", "import DefaultAnswer, Model,")
    path.write_text(text.replace("    buckets=", '    default=DefaultAnswer(1.5, ""),\n    buckets='))
    said = faults(workspace, path)
    assert set(said) == {'category("colour")', 'default=DefaultAnswer(1.5, "")'}


def test_table_that_is_not_there_is_named_at_its_line_beside_the_rest(workspace: Workspace) -> None:
    path = written(workspace, SOUND, **{"impressions": "impresions", "the click rate": ""})
    said = faults(workspace, path)
    assert set(said) == {'table="impresions"', 'baseline=""'}
    assert "impressions" in said['table="impresions"']


@pytest.mark.parametrize(
    ("feature", "changes", "other"),
    [
        (SOUND, {"delay_hours=24": "delay_hours=-2"}, 'target=Target("clicked", delay_hours=-2, time="clicked_at")'),
        (SOUND, {"delay_hours=24": 'delay_hours=float("inf")'}, "target=Target("),
        ('category("holes")', {}, 'category("holes")'),
    ],
)
def test_estimator_is_tried_whatever_is_wrong_with_the_data(
    workspace: Workspace, feature: str, changes: dict[str, str], other: str
) -> None:
    said = faults(workspace, written(workspace, feature, **changes, **{"C=1.0": "C=-1"}))
    (estimator,) = (line for line in said if line.startswith("estimator="))
    assert "'C' parameter" in said[estimator]
    assert any(line.startswith(other) for line in said)
    assert len(said) == 2


def test_wrong_import_is_told_beside_arguments_that_are_lacking(workspace: Workspace) -> None:
    path = written(
        workspace, SOUND, **{"Target,": "Targte,", '    baseline="the click rate",\n': "", 'name="ctr",': ""}
    )
    with pytest.raises(Invalid) as refused:
        validate_model(workspace, path)
    told = [str(one) for one in refused.value.faults]
    assert any("has no Targte" in one and "Target?" in one for one in told)
    assert any("lacks name" in one for one in told)
