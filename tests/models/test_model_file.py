"""A model file that is wrong says where: file and line, everything at once."""

import textwrap
from pathlib import Path

import pytest

from tasuki.errors import Invalid, Missing
from tasuki.models.file import check_model_file, load_model_file

SOUND = """\
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category, cross, number

model = Model(
    name="ctr", table="impressions", unit="user", time="at",
    target=Target("clicked"),
    features=(
        category("app"),
        cross("app", "slot"),
        number("minutes"),
    ),
    estimator=LogisticRegression(),
    intended_use="a", unsuitable_use="b", baseline="c",
)
"""
COLUMNS = ("user", "at", "clicked", "app", "slot", "minutes")


def written(folder: Path, text: str) -> Path:
    path = folder / "ctr.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_sound_file_gives_its_model(tmp_path: Path) -> None:
    file = load_model_file(written(tmp_path, SOUND))
    check_model_file(file, COLUMNS)
    assert file.model.name == "ctr"
    assert len(file.content_hash) == 64


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x = 1\nmodel = (\n", 2, "never closed"),
        ("x = 1\n\nraise ValueError('no data today')\n", 3, "no data today"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
        ("def f():\n    return 1 / 0\n\nmodel = f()\n", 2, "ZeroDivisionError"),
        ("import no_such_library\n", 1, "no_such_library"),
        ("x = 1\ny = 2\n", 2, "no `model`"),
        ("", 1, "no `model`"),
        ("x = 1\nmodel = 'ctr'\n", 2, "is a str"),
    ],
)
def test_broken_file_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(Invalid) as refused:
        load_model_file(path)
    assert refused.value.faults[0].where == f"{path}:{line}"
    assert says in str(refused.value)


def test_every_missing_or_unknown_argument_is_named_at_once(tmp_path: Path) -> None:
    text = (
        SOUND.replace('unit="user", ', "")
        .replace("estimator=", "estimater=")
        .replace("Target(", "Target(delay=3, column=")
    )
    with pytest.raises(Invalid) as refused:
        load_model_file(written(tmp_path, text))
    said = [str(fault).split("ctr.py:")[1] for fault in refused.value.faults]
    assert said == [
        "4 Model: lacks unit (expected unit=…)",
        "4 Model: lacks estimator (expected estimator=…)",
        "12 Model: knows no estimater (expected estimator?)",
        "6 Target: knows no delay (expected delay_hours?)",
    ]


def test_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        load_model_file(tmp_path / "none.py")


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ctr.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Invalid):
        load_model_file(path)


def test_every_unknown_column_is_named_with_its_line(tmp_path: Path) -> None:
    file = load_model_file(written(tmp_path, SOUND))
    with pytest.raises(Invalid) as refused:
        check_model_file(file, ("at", "clicked", "app"))
    assert [(fault.where.rsplit(":", 1)[1], fault.what.split("'")[3]) for fault in refused.value.faults] == [
        ("5", "user"),
        ("9", "slot"),
        ("10", "minutes"),
    ]


def test_faults_of_definition_and_estimator_are_named_at_once(tmp_path: Path) -> None:
    text = SOUND.replace('name="ctr"', 'name="c t r"').replace("LogisticRegression()", "print")
    text = text.replace('cross("app", "slot")', 'cross("app")').replace('baseline="c"', 'baseline=""')
    path = written(tmp_path, text)
    with pytest.raises(Invalid) as refused:
        check_model_file(load_model_file(path), COLUMNS)
    places = [fault.where.removeprefix(f"{path}:") for fault in refused.value.faults]
    assert places == ["5 name", "13 baseline", "8 features.app", "8 features.app", "12 estimator"]
