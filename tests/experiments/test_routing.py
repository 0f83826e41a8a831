"""What the inference service is told: read back as written, old files included, and each unit in one place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.errors import Invalid
from tasuki.experiments.allocation import HoldOut, Reach
from tasuki.experiments.routing import RoutedArm, Routing, plain_routing, read_routing, routing_to_json

CONTROL = RoutedArm("control", 0.5, "champion", "artifacts")
TREATMENT = RoutedArm("treatment", 0.5, "challenger", "elsewhere")
HELD = HoldOut("2026", 0.1)
CHECK = Routing("ctr", "ab1", "check", "c", (CONTROL, TREATMENT), "ctr", Reach(0.9, 1.0), HELD)
BOTH = Routing("ctr", "ab2", "comparison", "s", (CONTROL, TREATMENT), "ctr", Reach(0.0, 0.8, 0.5), HELD, (CHECK,))


def test_a_file_of_before_reads_as_everybody() -> None:
    arms = [vars(CONTROL), vars(TREATMENT)]
    old = {"model": "ctr", "experiment": "ab2", "kind": "comparison", "salt": "s", "arms": arms}
    routing = read_routing(json.dumps(old).encode())
    assert routing == Routing("ctr", "ab2", "comparison", "s", (CONTROL, TREATMENT))
    assert routing.allocation.everybody
    assert json.loads(routing_to_json(routing)) == old


@pytest.mark.parametrize("routing", [BOTH, CHECK, plain_routing("ctr", "artifacts")])
def test_a_routing_is_read_as_it_was_written(routing: Routing) -> None:
    assert read_routing(routing_to_json(routing)) == routing


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=8))
def test_a_unit_is_in_one_place_and_its_slot_is_there(unit: str) -> None:
    placed = BOTH.placement(unit)
    inside = {one.experiment: one.allocation.arm_of(unit) for one in (BOTH, CHECK) if one.allocation.arm_of(unit)}
    assert inside == ({placed.experiment: placed.arm} if placed.experiment else {})
    assert (placed.experiment is None) == (placed.arm in ("holdout", "outside"))
    assert BOTH.slots[placed.slot].name == (placed.arm if placed.experiment else "control")


def test_the_held_out_and_those_outside_are_answered_by_control_without_an_experiment() -> None:
    placed = [BOTH.placement(unit) for unit in range(2_000)]
    aside = {(one.experiment, one.arm, one.slot) for one in placed if one.experiment is None}
    assert aside == {(None, "holdout", "control"), (None, "outside", "control")}
    assert {one.slot for one in placed} == set(BOTH.slots)


def test_without_an_experiment_everybody_is_answered_by_control() -> None:
    assert plain_routing("ctr", "artifacts").placement("u").experiment is None
    assert plain_routing("ctr", "artifacts").placement("u").arm == "control"


def test_a_broken_routing_says_every_fault_at_once() -> None:
    document = json.loads(routing_to_json(BOTH)) | {"range": [0.8, 0.2], "holdout": {"share": 0.1}}
    document["beside"][0] |= {"experiment": "", "layer": 7}
    with pytest.raises(Invalid) as caught:
        read_routing(json.dumps(document).encode())
    told = str(caught.value)
    assert all(where in told for where in ("holdout", "beside.0.experiment", "beside.0.layer"))
    with pytest.raises(Invalid, match="no range"):
        read_routing(json.dumps(json.loads(routing_to_json(BOTH)) | {"range": [0.8, 0.2]}).encode())
