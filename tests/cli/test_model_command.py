"""`tasuki model`: what it prints, what it refuses, and that evidence reaches the idea."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import model_desk
from tasuki.actions.publication import publish_model
from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.models.default_answer import DefaultAnswer
from tasuki.texts import Teller


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("model") / "w")
    yield made
    made.close()


@pytest.fixture
def run(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str, actor: str = "ren") -> tuple[int, str, str]:
        capsys.readouterr()
        acting = ["--as", actor] if words[0] in ("train", "publish", "rollback") else []
        code = main(["model", *words, "--workspace", str(workspace.folder), *acting])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def document(run: Any) -> Any:
    def call(*words: str, actor: str = "ren") -> Any:
        code, out, err = run(*words, "--json", actor=actor)
        assert code == 0, err
        return json.loads(out)

    return call


@pytest.fixture(scope="module")
def champion(workspace: Workspace) -> str:
    return str(model_desk.write_model(workspace, "champion", model_desk.CHAMPION))


@pytest.fixture(scope="module")
def challenger(workspace: Workspace) -> str:
    return str(model_desk.write_model(workspace, "challenger", model_desk.CHALLENGER))


def test_sound_file_is_said_to_be_sound(document: Any, challenger: str) -> None:
    said = document("validate", challenger)
    assert said["schema"] == "tasuki.model-validate/1"
    assert {"name": "minutes_since_last", "type": "number"} in said["inputs"]
    assert [one["name"] for one in said["features"]][-2:] == ["app×slot", "minutes_since_last"]


def test_faulty_file_exits_3_with_every_fault_and_its_line(run: Any, workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "faulty", 'category("colour"),\n    number("height")')
    code, out, err = run("validate", str(path))
    assert (code, out) == (3, "")
    lines = path.read_text().splitlines()
    for name in ("colour", "height"):
        line = 1 + next(place for place, text in enumerate(lines) if f'"{name}"' in text)
        assert f"{path}:{line}: table 'impressions' has no column '{name}'" in err
    assert run("train", str(path))[0] == 3


def test_training_twice_gives_one_version_and_its_card(document: Any, champion: str, workspace: Workspace) -> None:
    one, two = document("train", champion), document("train", champion)
    assert one["version"] == two["version"]
    assert 0 < one["immature_share"] < 0.5
    assert one["card"]["version"] == one["version"]
    assert one["card"]["model_file"] == "models/champion.py"
    assert one["metrics"]["normalized_entropy"] < 1
    runs = list((workspace.folder / "runs").glob(f"*-{one['version']}.json"))
    assert len(runs) == 2


def test_training_on_an_earlier_window_is_another_version(document: Any, champion: str) -> None:
    now, earlier = document("train", champion), document("train", champion, "--until", "2026-03-08T00:00:00Z")
    assert now["version"] != earlier["version"]
    assert earlier["card"]["data_hash"] != now["card"]["data_hash"]


def test_training_for_an_idea_leaves_card_and_golden_examples_once_per_key(
    document: Any, champion: str, workspace: Workspace
) -> None:
    idea = open_idea(workspace, "recency", actor="ren").idea
    for _ in range(2):
        document("train", champion, "--idea", idea, "--key", "train-1")
    entries = workspace.ledger.state(idea).evidence
    assert [one.kind for one in entries] == ["model_card", "golden_examples"]
    assert entries[0].record["version"] == entries[1].record["version"]
    assert len(entries[1].record["examples"]) > 10


def test_publishing_moves_the_channel_and_rolling_back_returns_it(
    document: Any, run: Any, champion: str, challenger: str, workspace: Workspace
) -> None:
    one, two = (document("train", path)["version"] for path in (champion, challenger))
    assert run("rollback", "ctr", "--channel", "spare", actor="sota")[0] == 5
    assert document("publish", "ctr", one, "--channel", "spare")["previous"] is None
    said = document("publish", "ctr", two, "--channel", "spare", actor="sota")
    assert said == {
        "schema": "tasuki.model-publish/1",
        "model": "ctr",
        "channel": "spare",
        "version": two,
        "previous": one,
        "default": None,
    }
    assert document("rollback", "ctr", "--channel", "spare")["version"] == one
    listed = document("list")["models"]
    assert [(model["name"], model["channels"]["spare"]) for model in listed] == [("ctr", one)]
    assert {one, two} <= set(listed[0]["versions"])
    shown = document("show", "ctr", one)
    assert [(entry["channel"], entry["by"]) for entry in shown["published"]] == [("spare", "ren"), ("spare", "ren")]
    assert shown["training"]["window"]["end"].startswith("2026-03-")


def test_publication_reaches_the_idea(document: Any, champion: str, workspace: Workspace) -> None:
    idea = open_idea(workspace, "publication", actor="sota").idea
    version = document("train", champion)["version"]
    document("publish", "ctr", version, "--idea", idea, "--channel", "kept", actor="sota")
    record = workspace.ledger.state(idea).evidence[0].record
    assert (record["version"], record["channel"], record["location"]) == (version, "kept", "artifacts")
    assert record["default"] is None
    told = ("--default", "0.02", "--default-reason", "the click rate of March")
    document("publish", "ctr", version, "--idea", idea, "--channel", "kept", *told, "--key", "again", actor="sota")
    record = workspace.ledger.state(idea).evidence[-1].record
    assert record["default"] == {"value": 0.02, "reason": "the click rate of March"}


def test_what_is_wrong_with_a_default_answer_is_told_in_both_languages(
    document: Any, champion: str, workspace: Workspace
) -> None:
    version = document("train", champion)["version"]
    for default, fault in (
        (DefaultAnswer(1.5, "the click rate"), "1.5 はスコアではありません。"),
        (DefaultAnswer(0.5, "two\nlines"), "その値にした理由がわかりません。"),
    ):
        with pytest.raises(Invalid) as refused:
            publish_model(workspace, "ctr", version, actor="sota", default=default)
        assert Teller().japanese(refused.value.what) == "この既定の応答は使えません。"
        [one] = refused.value.faults
        assert fault in (Teller().japanese(one.what) or "")
        assert Teller().japanese(one.expected)


@pytest.mark.parametrize(
    ("words", "actor", "code", "says"),
    [
        (("publish", "ctr", "{version}"), "aoi", 4, "sota, ren"),
        (("rollback", "ctr"), "aoi", 4, "ml_engineer"),
        (("train", "{file}"), "nobody", 5, "no member"),
        (("publish", "ctr", "0123456789abcdef"), "sota", 5, "no version"),
        (("publish", "../ctr", "x"), "sota", 3, "plain name"),
        (("show", "cvr"), "ren", 5, "no champion"),
        (("train", "nowhere.py"), "ren", 5, "no model file"),
        (("train", "{file}", "--until", "yesterday"), "ren", 3, "--until"),
        (("train", "{file}", "--until", "2020-01-01T00:00:00Z"), "ren", 3, "no row"),
    ],
)
def test_refusals_have_their_exit_code_and_say_why(
    document: Any, run: Any, champion: str, words: tuple[str, ...], actor: str, code: int, says: str
) -> None:
    version = document("train", champion)["version"]
    given, out, err = run(*(word.format(version=version, file=champion) for word in words), actor=actor)
    assert (given, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_feature_that_is_not_online_is_trained_but_not_published(document: Any, run: Any, workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "offline", 'category("app"), category("os", online=False)')
    version = document("train", str(path))["version"]
    code, _, err = run("publish", "ctr", version, actor="sota")
    assert code == 4
    assert "os" in err


def test_damaged_version_is_not_published_and_the_file_is_named(document: Any, run: Any, workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "damaged", model_desk.CHAMPION, c=0.5)
    version = document("train", str(path))["version"]
    weights = workspace.folder / "artifacts" / "ctr" / "versions" / version / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:-1])
    code, _, err = run("publish", "ctr", version, "--channel", "never", actor="sota")
    assert code == 3
    assert "weights.npy" in err
    assert document("list")["models"][0]["channels"].get("never") is None


def test_broken_channel_hides_nothing_else(document: Any, run: Any, champion: str, workspace: Workspace) -> None:
    version = document("train", champion)["version"]
    document("publish", "ctr", version, "--channel", "sound")
    path = workspace.folder / "artifacts" / "ctr" / "channels" / "torn.json"
    path.write_bytes(b"{")
    try:
        listed = document("list")["models"][0]
        assert listed["channels"]["sound"] == version
        assert "torn" not in listed["channels"]
        assert "torn.json" in listed["broken"]["torn"]
        assert "channel torn of ctr cannot be read" in run("list")[1]
        assert document("show", "ctr", version)["version"] == version
    finally:
        path.unlink()


def test_table_that_is_not_there_or_empty_exits_with_its_name(run: Any, workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "elsewhere", model_desk.CHAMPION)
    path.write_text(path.read_text().replace('table="impressions"', 'table="conversions"'))
    code, _, err = run("train", str(path))
    assert code == 5
    assert "conversions" in err
    folder = workspace.folder / "logs" / "nothing"
    folder.mkdir(exist_ok=True)
    source = next((workspace.folder / "logs" / "impressions").glob("*.parquet"))
    pq.write_table(pq.read_table(source).slice(0, 0), folder / "part-0.parquet")
    path.write_text(path.read_text().replace('table="conversions"', 'table="nothing"'))
    code, _, err = run("train", str(path))
    assert code == 3
    assert "nothing" in err


def test_people_read_tables(run: Any, champion: str) -> None:
    code, out, _ = run("train", champion)
    assert code == 0
    assert "left out as immature" in out
    assert "log_loss" in out
    version = out.split("version ")[1].split()[0]
    assert version in run("list")[1]
    assert "positive" in run("show", "ctr", version)[1]
    assert Path(champion).name in run("validate", champion)[1]


def test_who_looks_for_what_serves_here_is_told_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["ctr"], ["ctr", "--json"]):
        assert main(["model", "status", *words]) == 2
        assert "tasuki experiment status" in capsys.readouterr().err
