"""A count is a whole number from 0 and a category is not null's own text, in whatever form they are asked."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model_desk
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.clock import system_clock
from tasuki.errors import Refused, TasukiError
from tasuki.models.artifact import Artifact, prove, read_artifact
from tasuki.serving.app import ScoringApp
from tasuki.serving.described import openapi_of
from tasuki.serving.exposures import ExposureLog, LogPlace
from tasuki.serving.plan import ServingPlan, plan_of
from tasuki.serving.typed import TypedRows, Unfit
from tasuki.serving.watch import Watcher
from tasuki.store.artifacts import ArtifactStore

FEATURES = (
    'category("app"), cross("app", "slot"), count_over("2d", by="user", name="seen", nullable={nullable}, bins={bins})'
)
SENT = {"app": "app3", "slot": "top", "seen": 3}
WRONG_COUNTS = [-1, 1.5, -0.5, 1e400, "3", True, [1]]


def write_model(workspace: Workspace, name: str, *, nullable: bool = False, bins: str = "()") -> Path:
    path = model_desk.write_model(workspace, name, FEATURES.format(nullable=nullable, bins=bins))
    path.write_text(path.read_text().replace("import Model,", "import Model, count_over,"))
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = model_desk.new_workspace(tmp_path_factory.mktemp("counts") / "w")
    version = train_model(workspace, write_model(workspace, "counting"), actor="ren").version
    publish_model(workspace, "ctr", version, actor="sota")
    yield workspace
    workspace.close()


def app_of(folder: Path) -> ScoringApp:
    watcher = Watcher(folder, "artifacts", None, system_clock)
    watcher.look()
    return ScoringApp(watcher, ExposureLog(LogPlace.of(folder), system_clock), system_clock)


@pytest.fixture(scope="module")
def app(workspace: Workspace) -> ScoringApp:
    return app_of(workspace.folder)


def plan(app: ScoringApp) -> ServingPlan:
    return app._watcher.plans["ctr"]


def short_rows(app: ScoringApp) -> TypedRows:
    typed = plan(app).typed
    assert typed is not None
    return typed[0]


def files(workspace: Workspace) -> dict[str, bytes]:
    store = ArtifactStore(workspace.folder / "artifacts")
    version = store.current("ctr", "champion")
    assert version is not None
    return store.load("ctr", version)


def forms(features: dict[str, Any]) -> dict[str, bytes]:
    """One row in every form it can be asked, by where its features stand."""
    row = {"unit": "u1", "features": features}
    columns = {name: [SENT[name], value] for name, value in features.items()}
    asked = {
        "features.{}": row,
        "rows.1.features.{}": {"rows": [{"unit": "u0", "features": SENT}, row]},
        "columns.{}.1": {"units": ["u0", "u1"], "columns": columns},
    }
    return {where: json.dumps(body).replace("Infinity", "1e400").encode() for where, body in asked.items()}


@pytest.mark.parametrize("value", WRONG_COUNTS)
def test_what_is_no_count_is_refused_in_every_form_and_the_field_is_named(app: ScoringApp, value: Any) -> None:
    for where, body in forms(SENT | {"seen": value}).items():
        status, said = app.score("ctr", body)
        assert status == 400, (where, said)
        assert [one["where"] for one in json.loads(said)["error"]["faults"]] == [where.format("seen")]


@pytest.mark.parametrize("value", [0, 3, 3.0, -0.0, 10**18, 10**30, 1e300])
def test_counts_are_answered_however_large_and_three_is_the_same_with_a_point(app: ScoringApp, value: Any) -> None:
    for where, body in forms(SENT | {"seen": value}).items():
        assert app.score("ctr", body)[0] == 200, where
    [alone, *_] = forms(SENT | {"seen": value}).values()
    short_rows(app).read(alone)  # the short way takes it, so it stays as quick as any number
    scores = {json.loads(app.score("ctr", forms(SENT | {"seen": one})["features.{}"])[1])["score"] for one in (3, 3.0)}
    assert len(scores) == 1


NUMBERS = st.integers(-(10**19), 10**19) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3)


@settings(max_examples=300, deadline=None)
@given(value=NUMBERS)
def test_short_way_and_long_way_agree_on_what_a_count_is(app: ScoringApp, value: float) -> None:
    bodies = forms(SENT | {"seen": value})
    is_count = value >= 0 and float(value).is_integer()
    assert {app.score("ctr", body)[0] for body in bodies.values()} == {200 if is_count else 400}
    try:
        short_rows(app).read(bodies["features.{}"])
        taken = True
    except Unfit:
        taken = False
    assert taken == is_count


@pytest.mark.parametrize("name", ["app", "slot"])
def test_the_text_that_stands_for_null_is_no_category(app: ScoringApp, name: str) -> None:
    for where, body in forms(SENT | {name: "\0"}).items():
        status, said = app.score("ctr", body)
        assert status == 400, where
        [fault] = json.loads(said)["error"]["faults"]
        assert fault["where"] == where.format(name)
        assert "U+0000" in fault["what"]
    for text in ("\0\0", "a\0", "\\u0000"):
        assert app.score("ctr", forms(SENT | {name: text})["features.{}"])[0] == 200


def test_a_name_that_no_version_reads_holds_no_such_text_either(app: ScoringApp) -> None:
    for text, status in (("ios", 200), ("\0", 400)):
        bodies = {
            "row": {"unit": "u", "features": SENT | {"os": text}},
            "columns": {"units": ["u"], "columns": {name: [one] for name, one in (SENT | {"os": text}).items()}},
        }  # fmt: skip
        for form, body in bodies.items():
            assert app.score("ctr", json.dumps(body).encode())[0] == status, form


@pytest.mark.parametrize("digits", [1_200, 4_200, 4_400, 100_000])
def test_whole_number_of_a_thousand_digits_is_refused_and_its_field_is_named(app: ScoringApp, digits: int) -> None:
    row = '{"unit": 1, "features": {"app": 2, "slot": "top", "seen": 3, "os": 4}}'
    columns = '{"units": [1], "columns": {"app": [2], "slot": ["top"], "seen": [3], "os": [4]}}'
    fields = {"1": ("unit", "units.0"), "2": ("features.app", "columns.app.0")}
    fields |= {"3": ("features.seen", "columns.seen.0"), "4": ("features.os", "columns.os.0")}
    for place, where in fields.items():
        for body, named in zip((row, columns), where, strict=True):
            status, said = app.score(
                "ctr",
                body.replace(f" {place}", " " + "9" * digits).replace(f"[{place}]", "[" + "9" * digits + "]").encode(),
            )
            faults = [one["where"] for one in json.loads(said)["error"]["faults"]] if status == 400 else []
            assert (status, faults) == (400, [named])


@pytest.mark.parametrize("whole", [0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**200])
def test_whole_numbers_of_any_reasonable_size_are_units_and_categories(app: ScoringApp, whole: int) -> None:
    for body in forms(SENT | {"app": whole, "seen": abs(whole)}).values():
        assert app.score("ctr", body)[0] == 200
    status, said = app.score("ctr", json.dumps({"unit": whole, "features": SENT}).encode())
    assert (status, json.loads(said)["unit"]) == (200, str(whole))


def test_document_says_of_a_count_that_it_is_whole_and_not_below_zero(app: ScoringApp) -> None:
    described = openapi_of({"ctr": plan(app)})["components"]["schemas"]["Features.ctr"]["properties"]
    assert (described["seen"]["type"], described["seen"]["minimum"]) == ("integer", 0)
    assert described["app"]["not"] == {"const": "\0"}


def test_schema_names_counts_and_golden_examples_hold_whole_numbers(workspace: Workspace) -> None:
    schema = json.loads(files(workspace)["schema.json"])
    assert schema["counts"] == ["seen"]
    assert {tuple(sorted(one)) for one in schema["inputs"]} == {("name", "nullable", "type")}
    seen = [one["row"]["seen"] for one in json.loads(files(workspace)["golden.json"])["examples"]]
    assert seen
    assert {type(one) for one in seen} == {int}


def test_command_shows_which_input_is_a_count(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model", "show", "ctr", "--workspace", str(workspace.folder)]
    assert main(words) == 0
    assert re.search(r"seen +count +False", capsys.readouterr().out)
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["inputs"]
    assert {one["name"]: one["count"] for one in shown} == {"app": False, "slot": False, "seen": True}


def test_a_model_without_counts_has_the_schema_it_always_had(workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "plain", 'category("app"), number("minutes_since_last")')
    version = train_model(workspace, path, actor="ren").version
    files = ArtifactStore(workspace.folder / "artifacts").load("ctr", version)
    assert "counts" not in json.loads(files["schema.json"])


def older(workspace: Workspace) -> dict[str, bytes]:
    """The served version as it was written before schemas named counts."""
    found = files(workspace)
    schema = {name: one for name, one in json.loads(found["schema.json"]).items() if name != "counts"}
    return {**found, "schema.json": json.dumps(schema, sort_keys=True, ensure_ascii=False, indent=1).encode()}


def test_version_from_before_schemas_named_counts_goes_on_being_served(workspace: Workspace, tmp_path: Path) -> None:
    here = model_desk.new_workspace(tmp_path / "w")
    store = ArtifactStore(here.folder / "artifacts")
    version = store.put("ctr", older(workspace))
    store.publish("ctr", "champion", version, system_clock(), "sota")
    old = app_of(here.folder)
    for body in forms(SENT | {"seen": 1.5}).values():
        assert old.score("ctr", body)[0] == 200, "it asks what it asked when it was made"
    newer = train_model(here, write_model(here, "counting"), actor="ren").version
    publish_model(here, "ctr", newer, actor="sota")  # whoever counted before may name it now
    here.close()


def test_an_arm_that_takes_any_number_keeps_it_for_both(workspace: Workspace, app: ScoringApp) -> None:
    control = plan(app).control
    assert control.artifact is not None
    old = read_artifact("ctr", "older", older(workspace))
    both = plan_of(plan(app).routing, {**plan(app).slots, "treatment": replace(control, arm="treatment", artifact=old)})
    assert {one.name: one.count for one in both.inputs}["seen"] is False


def test_golden_example_that_holds_no_count_is_refused(workspace: Workspace) -> None:
    found = files(workspace)
    golden = json.loads(found["golden.json"])
    artifact = read_artifact("ctr", "v", found)
    row = golden["examples"][0]["row"] | {"seen": -1}
    golden["examples"][0] = {"row": row, "score": artifact.scorer.score_row(row)}
    wrong: Artifact = read_artifact("ctr", "v", {**found, "golden.json": json.dumps(golden).encode()})
    with pytest.raises(TasukiError, match="no count"):
        prove(wrong)


def test_a_number_does_not_become_a_count_under_the_same_name(tmp_path: Path) -> None:
    here = model_desk.new_workspace(tmp_path / "w")
    features = 'category("app"), number("seen")'
    path = model_desk.write_model(here, "number", features)
    table = here.folder / "logs" / "impressions" / "part-0.parquet"
    whole = pq.read_table(table)
    pq.write_table(whole.append_column("seen", whole["minutes_since_last"]), table)
    publish_model(here, "ctr", train_model(here, path, actor="ren").version, actor="sota")
    pq.write_table(whole, table)
    newer = train_model(here, write_model(here, "counting"), actor="ren").version
    with pytest.raises(Refused, match="any number"):
        publish_model(here, "ctr", newer, actor="sota")
    here.close()


def test_a_count_that_may_be_null_is_answered_without_one(tmp_path: Path) -> None:
    here = model_desk.new_workspace(tmp_path / "w")
    path = write_model(here, "counting", nullable=True, bins="(1, 4)")
    publish_model(here, "ctr", train_model(here, path, actor="ren").version, actor="sota")
    app = app_of(here.folder)
    for value, status in ((None, 200), (2, 200), (2.5, 400)):
        assert {app.score("ctr", body)[0] for body in forms(SENT | {"seen": value}).values()} == {status}
    described = openapi_of({"ctr": plan(app)})["components"]["schemas"]["Features.ctr"]["properties"]
    assert described["seen"]["type"] == ["integer", "null"]
    here.close()
