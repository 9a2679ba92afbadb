"""ScenarioNet's scenarios: made here after MetaDrive's description of them, and checked by it where it is at hand."""

from __future__ import annotations

import copy
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.scenes.scenarionet_files import scenario_of, write_scenario
from trajnet.cli.conversion import Conversion, convert_one
from trajnet.datasets.files import find_scenes, load_scene, scene_kind
from trajnet.errors import InputError
from trajnet.scenes.scenarionet_map import WIDEST_M
from trajnet.scenes.womd_map import HALF_BIKE_WIDTH_M, HALF_WIDTH_M
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, Scene

SCENE = Path(__file__).resolve().parents[3] / "sim" / "scenes" / "crossing_small.parquet"


@pytest.fixture(scope="module")
def scenario() -> dict[str, Any]:
    return scenario_of(load_scene(SCENE))


def _assert_same(found: Scene, wanted: Scene) -> None:
    """Compare all rows; a scenario has float32 and one kind of vehicle."""
    np.testing.assert_array_equal(found.timestamp_ns, wanted.timestamp_ns - wanted.timestamp_ns[0])
    key = {name: i for i, name in enumerate(found.track_id)}
    order = np.lexsort((np.array([key[wanted.track_id[t]] for t in wanted.row_track]), wanted.row_frame))
    np.testing.assert_array_equal(found.row_frame, wanted.row_frame[order])
    assert [found.track_id[t] for t in found.row_track] == [wanted.track_id[t] for t in wanted.row_track[order]]
    for name in ("position_m", "yaw_rad", "velocity_mps"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name)[order], rtol=1e-6, atol=1e-3)
    np.testing.assert_array_equal(found.is_target, wanted.is_target[order])
    sizes_m = found.size_m[found.row_track]
    np.testing.assert_allclose(sizes_m, wanted.size_m[wanted.row_track[order]], rtol=1e-6)


def test_a_scene_comes_back_from_its_scenario(tmp_path: Path, scenario: dict[str, Any]) -> None:
    path = write_scenario(tmp_path / "sd_test_v1_crossing.pkl", scenario)
    scene, wanted = load_scene(path), load_scene(SCENE)
    assert scene_kind(path) == "scenarionet"
    _assert_same(scene, wanted)
    assert scene.velocity_valid.all()
    assert scene.source == "ScenarioNet, test"
    lanes = {lane.lane_id: lane for lane in scene.lanes}
    drawn = [lane for lane in wanted.lanes if not lane.crosswalk and lane.lane_id in lanes]
    assert drawn
    for lane in drawn:
        np.testing.assert_allclose(lanes[lane.lane_id].centre_m[[0, -1]], lane.centre_m[[0, -1]], atol=0.02)
    walks = [lane for lane in scene.lanes if lane.crosswalk]
    assert len(walks) == sum(lane.crosswalk for lane in wanted.lanes)


def test_a_folder_of_scenarios_is_found_and_its_summaries_are_not(tmp_path: Path, scenario: dict[str, Any]) -> None:
    path = write_scenario(tmp_path / "db" / "db_0" / "sd_test_v1_a.pkl", scenario)
    for name in ("dataset_summary.pkl", "dataset_mapping.pkl"):
        write_scenario(tmp_path / "db" / name, {})
    assert find_scenes(tmp_path / "db") == [path]
    assert find_scenes(tmp_path / "db", "scenarionet") == [path]


def test_a_scenario_becomes_a_table(tmp_path: Path, scenario: dict[str, Any]) -> None:
    path = write_scenario(tmp_path / "sd_test_v1_a.pkl", scenario)
    table = tmp_path / "a.parquet"
    came = convert_one(Conversion(path, table, "auto", False, None, None, False, False))
    assert came.error is None
    assert came.counts["rows"] == len(load_scene(SCENE).row_frame)
    _assert_same(load_scene(table), load_scene(SCENE))


def _tiny() -> dict[str, Any]:
    """Return a car that drives 1 m a step and a cone, three steps of 0.1 s."""
    state = {
        "position": np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32),
        "heading": np.zeros(3, np.float32),
        "velocity": np.array([[10.0, 0], [10, 0], [0, 0]], np.float32),
        "length": np.full((3, 1), 4.0),
        "width": np.full((3, 1), 2.0),
        "valid": np.ones(3),
    }
    car = {"type": "VEHICLE", "state": state, "metadata": {"type": "vehicle.bus.rigid", "object_id": "car"}}
    cone = {"type": "TRAFFIC_CONE", "state": state, "metadata": {"type": "cone", "object_id": "cone"}}
    lane = {"type": "LANE_SURFACE_STREET", "polyline": np.array([[0.0, 0], [10, 0], [20, 0]])}
    lane["left_boundaries"] = [{"lane_start_index": "0", "lane_end_index": "2", "boundary_feature_id": "9"}]
    line = {"type": "ROAD_LINE_SOLID_SINGLE_WHITE", "polyline": np.array([[0.0, 1.5, 0], [20, 1.5, 0]])}
    return {
        "id": "tiny",
        "version": "1",
        "length": 3,
        "tracks": {"car": car, "cone": cone},
        "dynamic_map_states": {},
        "map_features": {"7": lane, "9": line, "8": {"type": "STOP_SIGN", "position": np.zeros(3)}},
        "metadata": {"metadrive_processed": False, "coordinate": "waymo", "ts": np.array([5.0, 5.1, 5.2])},
    }


def test_what_is_read_is_what_was_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        scene = load_scene(write_scenario(tmp_path / "sd_a.pkl", _tiny()))
    assert scene.timestamp_ns.tolist() == [0, 100_000_000, 200_000_000]
    assert scene.track_id == ("car",)
    assert scene.object_class.tolist() == [ObjectClass.BUS]
    assert scene.size_m.tolist() == [[4.0, 2.0]]
    assert scene.velocity_valid.tolist() == [True, True, False]  # zero at the end of a track that drives is not known
    assert "left out 1 stop_sign, 1 traffic_cone, 1 velocities of zero" in caplog.text
    np.testing.assert_allclose(scene.lanes[0].left_m, [[0, 1.5], [20, 1.5]])  # as far away as the line there
    np.testing.assert_allclose(scene.lanes[0].right_m, [[0, -1.8], [20, -1.8]])  # where there is none


def test_without_validity_all_steps_count(tmp_path: Path) -> None:
    tiny = _tiny()
    del tiny["tracks"]["car"]["state"]["valid"], tiny["tracks"]["car"]["state"]["velocity"]
    scene = load_scene(write_scenario(tmp_path / "sd_a.pkl", tiny))
    assert len(scene.row_frame) == 3
    assert not scene.velocity_valid.any()


def test_targets_are_those_of_the_metadata_at_its_step(tmp_path: Path) -> None:
    tiny = _tiny()
    tiny["tracks"]["other"] = copy.deepcopy(tiny["tracks"]["car"])
    tiny["metadata"].update(tracks_to_predict={"other": {}}, current_time_index=1)
    scene = load_scene(write_scenario(tmp_path / "sd_a.pkl", tiny))
    (row,) = np.flatnonzero(scene.is_target)
    assert (scene.track_id[scene.row_track[row]], scene.row_frame[row]) == ("other", 1)


def test_who_stands_has_a_velocity_of_zero_that_is_known(tmp_path: Path) -> None:
    tiny = _tiny()
    tiny["tracks"]["car"]["state"].update(position=np.zeros((3, 3)), velocity=np.zeros((3, 2)))
    assert load_scene(write_scenario(tmp_path / "sd_a.pkl", tiny)).velocity_valid.all()


def test_steps_without_anybody_are_frames_and_sizes_are_those_that_can_be(tmp_path: Path) -> None:
    tiny = _tiny()
    tiny["tracks"]["car"]["state"].update(valid=np.array([1, 0, 1]), length=np.array([np.nan, 9.0, 5.0]))
    tiny["tracks"]["car"]["state"].update(width=np.zeros(3))
    scene = load_scene(write_scenario(tmp_path / "sd_a.pkl", tiny))
    assert scene.timestamp_ns.tolist() == [0, 100_000_000, 200_000_000]
    assert scene.row_frame.tolist() == [0, 2]
    assert scene.size_m.tolist() == [[5.0, DEFAULT_SIZE_M[ObjectClass.BUS, 1]]]


def test_lanes_are_as_wide_as_what_is_known_of_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny, line = _tiny(), np.array([[0.0, 0], [20, 0]])
    tiny["map_features"] = {
        "polygon": {"type": "LANE_FREEWAY", "polyline": line, "polygon": [[0, 2], [20, 2], [20, -2.5], [0, -2.5]]},
        "vast": {"type": "LANE_FREEWAY", "polyline": line, "polygon": [[0, 50], [20, 50], [20, -50], [0, -50]]},
        "bicycles": {"type": "LANE_BIKE_LANE", "polyline": line},
        "street": {"type": "LANE_UNKNOWN", "polyline": line},
        "point": {"type": "LANE_UNKNOWN", "polyline": line[:1]},
        "short": {"type": "LANE_UNKNOWN", "polyline": line * 1e-3},
    }
    with caplog.at_level(logging.INFO):
        lanes = load_scene(write_scenario(tmp_path / "sd_a.pkl", tiny)).lanes
    half_m = {lane.lane_id: (lane.left_m[0, 1], lane.right_m[0, 1]) for lane in lanes}
    assert half_m == {
        "polygon": (2.25, -2.25), "vast": (WIDEST_M, -WIDEST_M),
        "bicycles": (HALF_BIKE_WIDTH_M, -HALF_BIKE_WIDTH_M), "street": (HALF_WIDTH_M, -HALF_WIDTH_M),
    }  # fmt: skip
    assert "2 lane_unknown without a shape" in caplog.text


def _without(tiny: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names[:-1]:
        tiny = tiny[name]
    del tiny[names[-1]]
    return tiny


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: _without(s, "tracks"), "a scenario: expected 'tracks', got dynamic_map_states, id, length"),
        (lambda s: _without(s, "metadata", "ts"), "metadata: expected 'ts', got coordinate"),
        (
            lambda s: _without(s, "tracks", "car", "state", "position"),
            "track 'car': expected 'position', got heading, length",
        ),
        (
            lambda s: s["tracks"]["car"]["state"].update(heading=None),
            r"track 'car', 'heading': expected numbers of shape \(3,\), got object of \(\)",
        ),
        (
            lambda s: s["tracks"]["car"]["state"].update(position=np.zeros((3, 1))),
            "track 'car', 'position': expected at least 2 columns, got 1",
        ),
        (lambda s: s.update(length=4), r"metadata, 'ts': expected numbers of shape \(4,\), got float64 of \(3,\)"),
        (lambda s: s.update(length=0), "length: expected 1 to 100,000 steps, got 0"),
        (lambda s: s.update(tracks=[1]), "a scenario, 'tracks': expected dict, got list"),
        (
            lambda s: s["tracks"]["car"]["state"].update(heading=np.zeros(2)),
            r"track 'car', 'heading': expected numbers of shape \(3,\), got float64 of \(2,\)",
        ),
        (
            lambda s: s["tracks"]["car"]["state"].update(position=["a", "b", "c"]),
            r"track 'car', 'position': expected numbers of shape \(3, -1\), got <U1 of \(3,\)",
        ),
        (lambda s: s["tracks"]["car"].update(type="SHIP"), "track 'car', 'type': expected VEHICLE, .*, got 'SHIP'"),
        (
            lambda s: s["tracks"]["car"]["state"]["position"].fill(np.nan),
            "position_m: expected finite values",
        ),
        (
            lambda s: s["metadata"].update(ts=np.array([0.2, 0.1, 0.0])),
            "'ts': expected strictly increasing times, got a step of -0.1 s",
        ),
        (
            lambda s: s["metadata"].update(tracks_to_predict={"car": {}}, current_time_index=9),
            "'current_time_index': expected 0..2, got 9",
        ),
        (
            lambda s: s["map_features"]["7"].update(polyline=np.zeros((4, 5))),
            r"map feature '7', 'polyline': expected points of shape \(P, 2 or 3\), got \(4, 5\)",
        ),
        (
            lambda s: s["map_features"]["7"].update(polyline=np.array([[0.0, 0], [1e300, 0]])),
            "map feature '7', 'polyline': expected map points within 1e.08 m of the origin, got 1e.300",
        ),
        (lambda s: s["map_features"].update({"7": 1}), "map feature '7': expected a dictionary, got int"),
        (lambda s: s["tracks"].pop("car"), "expected tracks with valid steps, got none"),
    ],
)
def test_broken_scenarios_are_named(tmp_path: Path, change: Any, said: str) -> None:
    tiny = copy.deepcopy(_tiny())
    change(tiny)
    path = write_scenario(tmp_path / "sd_broken.pkl", tiny)
    with pytest.raises(InputError, match=rf"sd_broken\.pkl: .*{said}"):
        load_scene(path)


@pytest.mark.parametrize("value", [None, 3, [1, 2], {"a": 1}])
def test_other_pickles_are_named(tmp_path: Path, value: Any) -> None:
    path = write_scenario(tmp_path / "sd_other.pkl", value)
    with pytest.raises(InputError, match=r"sd_other\.pkl: "):
        load_scene(path)


#: A Python with metadrive-simulator (docs/peers.md).
PEERS = os.environ.get("TRAJNET_PEERS_PYTHON", "")


@pytest.mark.skipif(not PEERS, reason="TRAJNET_PEERS_PYTHON names no Python with metadrive-simulator (docs/peers.md)")
def test_metadrive_takes_what_is_tested_here(tmp_path: Path, scenario: dict[str, Any]) -> None:
    paths = [write_scenario(tmp_path / f"sd_{i}.pkl", each) for i, each in enumerate([scenario, _tiny()])]
    check = (
        "import pickle, sys\n"
        "from metadrive.scenario.scenario_description import ScenarioDescription\n"
        "for path in sys.argv[1:]:\n"
        "    with open(path, 'rb') as file:\n"
        "        ScenarioDescription.sanity_check(pickle.load(file), check_self_type=True, valid_check=True)\n"
    )
    subprocess.run([PEERS, "-c", check, *map(str, paths)], check=True, timeout=300)
