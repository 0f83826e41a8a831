"""Going back: never to what was given up, to a version by its name, and not further than there is something."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_desk
from tasuki.actions.artifacts import store_of
from tasuki.actions.models import publish_model, roll_back_model
from tasuki.actions.publication import versions_behind
from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, NotAllowed


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("back") / "w")
    yield made
    made.close()


@pytest.fixture(scope="module")
def versions(workspace: Workspace) -> list[str]:
    paths = [model_desk.write_model(workspace, f"m{c}", model_desk.CHAMPION, c) for c in (1.0, 0.5, 0.3)]
    return [model_desk.train_model(workspace, path, actor="ren").version for path in paths]


def published(workspace: Workspace, channel: str, versions: list[str]) -> None:
    for version in versions:
        publish_model(workspace, "ctr", version, channel=channel, actor="sota")


def test_each_step_goes_further_back_and_none_returns_to_what_was_given_up(
    workspace: Workspace, versions: list[str]
) -> None:
    one, two, three = versions
    published(workspace, "walk", versions)
    said = [roll_back_model(workspace, "ctr", channel="walk", actor="sota") for _ in range(2)]
    assert [(step.version, step.previous) for step in said] == [(two, three), (one, two)]
    with pytest.raises(Missing, match="nothing further back") as refused:
        roll_back_model(workspace, "ctr", channel="walk", actor="sota")
    assert three in refused.value.expected
    assert two in refused.value.expected
    assert store_of(workspace).current("ctr", "walk") == one
    published(workspace, "walk", [three])
    assert roll_back_model(workspace, "ctr", channel="walk", actor="sota").version == one


def test_version_is_named_and_must_have_been_on_the_channel(workspace: Workspace, versions: list[str]) -> None:
    one, two, three = versions
    published(workspace, "named", [one, two])
    idea = open_idea(workspace, "going back", actor="sota").idea
    assert roll_back_model(workspace, "ctr", channel="named", to=one, actor="sota", idea=idea).version == one
    assert workspace.ledger.state(idea).evidence[0].record["version"] == one
    for never in (three, one, "0123456789abcdef", ""):
        with pytest.raises(Missing) as refused:
            roll_back_model(workspace, "ctr", channel="named", to=never, actor="sota")
        assert two in refused.value.expected
        assert three not in refused.value.expected
    with pytest.raises(NotAllowed):
        roll_back_model(workspace, "ctr", channel="named", to=two, actor="aoi")
    assert store_of(workspace).current("ctr", "named") == one
    assert roll_back_model(workspace, "ctr", channel="named", to=two, actor="sota").version == two


@given(st.lists(st.sampled_from("abcde"), max_size=12))
def test_going_back_until_the_end_shows_no_version_twice(history: list[str]) -> None:
    seen = history[-1:]
    while behind := versions_behind(history):
        assert len(seen) <= len(set(history))
        history = [*history, behind[0]]
        seen.append(behind[0])
    assert len(seen) == len(set(seen))
