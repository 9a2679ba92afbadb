"""What a model file must say about itself, and how a file that does not is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.window_context import nothing_around
from trajnet.errors import ContractError
from trajnet.inference.contract import (
    CONTRACT_KEY,
    CONTRACT_VERSION,
    Contract,
    Tensor,
    Training,
    check_tensors,
    read_contract,
    surroundings_tensors,
)
from trajnet.inference.onnx.engine import shape_for
from trajnet.types import CLASS_NAMES

CONTRACT = Contract(
    version=CONTRACT_VERSION,
    name="tiny",
    model_id="0123",
    git_revision="abc",
    cell="lstm",
    layers=2,
    hidden=16,
    modes=3,
    time_s=(0.5, 1.0, 1.5),
    classes=CLASS_NAMES,
    uses_velocity=True,
    needs=InputRequirements(),
    training=Training(("nuscenes train",), "CC BY-NC-SA 4.0", True, 1, 60, 32_186, 12.5, 2.0),
    parity_max_error_m=1e-5,
    metrics={"nuscenes val": {"minADE_5 (m)": 1.9}},
)


def metadata(**changes: Any) -> dict[str, str]:
    return {CONTRACT_KEY: json.dumps({**json.loads(CONTRACT.to_json()), **changes})}


def test_round_trip() -> None:
    assert read_contract({CONTRACT_KEY: CONTRACT.to_json()}, "m.onnx") == CONTRACT


def test_an_unmeasured_parity_survives_the_trip() -> None:
    unmeasured = replace(CONTRACT, parity_max_error_m=float("nan"))
    got = read_contract({CONTRACT_KEY: unmeasured.to_json()}, "m.onnx")
    assert got.parity_max_error_m != got.parity_max_error_m


def test_the_tensors_of_an_lstm_and_a_gru() -> None:
    assert [t.name for t in CONTRACT.inputs][-2:] == ["h", "c"]
    assert [t.name for t in CONTRACT.outputs][-2:] == ["h_next", "c_next"]
    assert CONTRACT.inputs[-1].shape == ("2", "N", "16")
    assert CONTRACT.outputs[0].shape == ("6", "3", "3", "N")
    assert CONTRACT.inputs[0].name == "observation"
    gru = replace(CONTRACT, cell="gru")
    assert [t.name for t in gru.inputs][-2:] == ["observation", "h"]
    assert [t.name for t in gru.outputs][-2:] == ["probability", "h_next"]


REQUIREMENTS = InputRequirements(MapView(ahead_m=10.0, behind_m=4.0, side_m=4.0, step_m=1.0, patch=3), neighbours=5)


@pytest.mark.parametrize(
    "requirements", [REQUIREMENTS, InputRequirements(neighbours=2), InputRequirements(MapView()), InputRequirements()]
)
def test_what_a_model_needs_survives_the_trip(requirements: InputRequirements) -> None:
    contract = replace(CONTRACT, needs=requirements)
    got = read_contract({CONTRACT_KEY: contract.to_json()}, "m.onnx")
    assert got == contract
    assert got.inputs == contract.inputs


def test_the_inputs_are_those_that_the_needs_ask_for() -> None:
    plain = [t.name for t in CONTRACT.inputs]
    with_all = [t.name for t in replace(CONTRACT, needs=REQUIREMENTS).inputs]
    assert with_all == [*plain[:-2], *(t.name for t in surroundings_tensors(REQUIREMENTS)), "h", "c"]
    assert [t.name for t in surroundings_tensors(InputRequirements(view=REQUIREMENTS.view))] == ["map_distance"]
    (neighbours,) = surroundings_tensors(InputRequirements(neighbours=5))
    assert neighbours.shape == ("N", "5", str(len(NEIGHBOUR_COLUMNS)))
    assert surroundings_tensors(InputRequirements()) == ()


def test_the_inputs_have_the_shapes_and_the_names_of_surroundings() -> None:
    nothing = nothing_around(7, REQUIREMENTS)
    for tensor in surroundings_tensors(REQUIREMENTS):
        assert getattr(nothing, tensor.name).shape == shape_for(tensor, 7), tensor.name
    assert surroundings_tensors(REQUIREMENTS)[0].shape == ("N", "5", "3", "9", "4")
    assert nothing.map_distance.dtype == surroundings_tensors(REQUIREMENTS)[0].dtype == "int8"


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ({}, f"metadata key '{CONTRACT_KEY}'"),
        ({CONTRACT_KEY: "{"}, "expected a contract in JSON"),
        ({CONTRACT_KEY: ""}, "expected a contract in JSON"),
        ({CONTRACT_KEY: "[" * 200_000}, "expected a contract in JSON"),
        ({CONTRACT_KEY: "9" * 5_000}, "m.onnx: "),
        ({CONTRACT_KEY: "[]"}, "got None"),
        ({CONTRACT_KEY: "null"}, "got None"),
        (metadata(version=1), "this trajnet serves 4, got 1; export the checkpoint again"),
        (metadata(version="2"), "this trajnet serves 4, got '2'"),
        (metadata(version=True), "this trajnet serves 4, got True"),
        (metadata(version=4.0), "version: expected int, got 4.0"),
        (metadata(extra=1), "unknown key 'extra'"),
        (metadata(cell="transformer"), "cell: expected one of 'lstm'"),
        (metadata(hidden="16"), "hidden: expected int, got '16'"),
        (metadata(hidden=0), "expected numbers above 0, got 3, 2, 0"),
        (metadata(modes=-1), "expected numbers above 0"),
        (metadata(classes=["car"]), "object classes: expected unknown, car"),
        (metadata(time_s=[]), "time_s: expected strictly increasing"),
        (metadata(time_s=[0.0, 1.0]), "time_s"),
        (metadata(time_s=[1.0, 1.0]), "time_s"),
        (metadata(time_s=[float("nan"), 1.0]), "time_s"),
        (metadata(time_s=[1.0, float("nan")]), "time_s"),
        (metadata(time_s=[1.0, float("inf")]), "time_s"),
        (metadata(needs=None), "needs: expected a mapping"),
        (metadata(needs={"neighbours": -1}), "neighbours: expected at least 0, got -1"),
        (metadata(needs={"neighbours": "8"}), "needs: neighbours: expected int, got '8'"),
        (metadata(needs={"view": {"step_m": 0.0}}), "map.step_m: expected a number above 0, got 0.0"),
        (metadata(needs={"view": {"step_m": 1e-300}}), "map: expected at most 4,000 sample points, got inf"),
        (metadata(needs={"view": {"step_m": float("nan")}}), "map.step_m: expected a number above 0, got nan"),
        (metadata(needs={"view": {"patch": 2}}), "map.patch: expected a divisor of the grid's (37, 25) points, got 2"),
        (metadata(needs={"view": {"patch": 0}}), "map.patch: expected a divisor"),
        (metadata(needs={"view": {"patch": "1"}}), "patch: expected int, got '1'"),
        (metadata(needs={"lanes": 1}), "unknown key 'lanes'"),
        (metadata(training={}), "training: missing key 'datasets'"),
        (metadata(training=None), "training: expected a mapping"),
    ],
)
def test_what_does_not_fit_is_one_sentence_that_names_the_file(got: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_contract(got, "m.onnx")
    text = str(caught.value)
    assert message in text
    assert text.startswith("m.onnx: ")
    assert text.count("m.onnx") == 1
    assert "\n" not in text


EXPECTED = (Tensor("x", "float32", ("N", "2"), "m"), Tensor("k", "int64", ("N",), "class"))


@pytest.mark.parametrize("batch", ["N", "batch", "None", "unk__0"])
def test_tensors_that_fit(batch: str) -> None:
    check_tensors(EXPECTED, {"k": ("int64", (batch,)), "x": ("float32", (batch, "2"))}, "m.onnx")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (("float32", ("N", "3")), r"x: expected float32 ['N', '2'], got float32 ['N', '3']"),
        (("float16", ("N", "2")), "x: expected float32 ['N', '2'], got float16"),
        (("float32", ("N",)), "got float32 ['N']"),
        (("float32", ("N", "2", "1")), "got float32 ['N', '2', '1']"),
        (("float32", ("64", "2")), "got float32 ['64', '2']"),
        (("float32", ("N", "K")), "got float32 ['N', 'K']"),
    ],
)
def test_a_tensor_of_another_shape_or_type(x: tuple[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_tensors(EXPECTED, {"k": ("int64", ("N",)), "x": x}, "m.onnx")
    assert message in str(caught.value)


def test_missing_and_extra_tensors() -> None:
    with pytest.raises(ContractError, match=r"m\.onnx: the contract names tensor 'x', the graph has k, y"):
        check_tensors(EXPECTED, {"k": ("int64", ("N",)), "y": ("float32", ("N", "2"))}, "m.onnx")
    good = {"k": ("int64", ("N",)), "x": ("float32", ("N", "2"))}
    with pytest.raises(ContractError, match="does not know: y, z"):
        check_tensors(EXPECTED, {**good, "z": ("float32", ()), "y": ("float32", ())}, "m.onnx")
