"""Models that reach further than 6 s, or not so far, through the node's pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.ros.test_pipeline import MS, SERVING, Fan, frame, message, statuses
from trajnet.context.crosswalks import crosswalks_of
from trajnet.context.lane_paths import LanePaths
from trajnet.inference.judging.spread import AdaptiveSpread
from trajnet.ros.beside import Beside
from trajnet.ros.cdr import decode_predicted, encode_tracked
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline, load, load_map_parts, warmed_up
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.visual import covariance_records
from trajnet.types import Expert, FloatArray, Lane, ObjectClass

ROAD_M = np.array([[-100.0, 0.0], [110.0, 0.0], [110.0, 500.0]])
ROAD = Lane("1", ROAD_M, ROAD_M, ROAD_M)
#: 4 m wide, across the road at x = 20 m.
CROSSWALK = Lane(
    "2", np.array([[18.0, -5.0], [18.0, 5.0]]), np.array([[22.0, -5.0], [22.0, 5.0]]),
    np.array([[20.0, -5.0], [20.0, 5.0]]), drivable=False, crosswalk=True,
)  # fmt: skip


class Reaching(Fan):
    """The fan up to another time."""

    def __init__(self, until_s: float) -> None:
        super().__init__()
        self.time_s: FloatArray = np.arange(1.0, 2 * until_s + 1.0) * 0.5


def pipeline(until_s: float, horizon_s: float) -> Pipeline:
    parameters = Parameters.of({"budget_ms": 0.0, "model": "fan", "horizon_s": horizon_s})
    lanes = LanePaths([ROAD])
    return Pipeline(Reaching(until_s), SERVING, parameters, lane_paths=lanes, clock_ns=lambda: 0)


@pytest.mark.parametrize("until_s", [3.0, 6.0, 8.0, 10.0])
@pytest.mark.parametrize("horizon_s", [6.0, 8.0, 10.0, 15.0])
def test_paths_go_on_along_the_lane_from_where_the_model_ends_wherever_that_is(
    until_s: float, horizon_s: float
) -> None:
    line = pipeline(until_s, horizon_s)
    answer = line.process(message(0, "a"), 0)
    assert answer.paths is not None
    assert answer.objects is not None
    time_s = answer.paths.time_s
    assert time_s[-1] == horizon_s
    assert decode_predicted(answer.objects).pose_count.tolist() == [2 * int(horizon_s) + 1] * 3
    extended = covariance_records(answer.paths)["extended"].reshape(3, -1)
    assert (extended == np.where(time_s > until_s, 2, 0)).all()  # every path of the fan ends on the lane
    gone_m = 10.0 * time_s + np.where(time_s > 0, 1.0, 0.0)  # the fan's likeliest path is 1 m ahead, and 1 m beside
    before, behind = time_s <= 10.0, time_s > 11.0  # the corner of the road
    assert answer.paths.position_m[0, 0, before, 0] == pytest.approx(gone_m[before], abs=0.01)
    assert answer.paths.position_m[0, 0, behind, 0] == pytest.approx(109.0, abs=0.01)
    assert answer.paths.position_m[0, 0, behind, 1] == pytest.approx(gone_m[behind] - 110.0, abs=0.01)
    sigma_m = np.sqrt(answer.paths.covariance_m2[0, 0, :, 0, 0])
    assert (np.diff(sigma_m[time_s >= until_s]) > 0).all()
    values = dict(statuses(line)["model"].values)
    assert values["predicted_until_s"] == f"{min(until_s, horizon_s):g}"
    assert values["horizon_s"] == f"{horizon_s:g}"


def test_spread_is_judged_as_far_as_a_model_reaches() -> None:
    for until_s, horizons in ((3.0, 3), (6.0, 5), (8.0, 6), (10.0, 6)):
        spread = AdaptiveSpread(3, np.arange(1.0, 2 * until_s + 1.0) * 0.5)
        assert spread._log_factor.shape[-1] == horizons


@pytest.fixture(scope="module")
def sixteen_knots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with random weights that reaches 8 s."""
    torch = pytest.importorskip("torch", reason="needs what exports models")
    from trajnet.export.graph import export_model, make_contract, write_model
    from trajnet.training.config import SourceConfig, TrainConfig
    from trajnet.training.model import TrajectoryModel
    from trajnet.training.model_config import ModelConfig

    torch.manual_seed(5)
    config = ModelConfig(hidden=16, embedding=12, modes=3, knots=16, uses_velocity=True)
    model = TrajectoryModel(config).eval()
    source = SourceConfig("scenes", path="scenes")
    about = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}
    graph, proto = export_model(model)
    trained = TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=config)
    path: Path = tmp_path_factory.mktemp("models") / "sixteen.onnx"
    write_model(proto, make_contract(graph, trained, about, proto.SerializeToString()), "# A card", path)
    return path


def people_and_cars(time_ms: int) -> bytes:
    """A car at 10 m/s on the road, a pedestrian who waits at the crosswalk, a cyclist at 4 m/s beside it."""
    cars = frame(time_ms, "car", "waits", "rides")
    time_s = time_ms * 1e-3
    position_m = np.array([[10.0 * time_s, 0.0], [20.0, -5.5], [4.0 * time_s, 30.0]])
    velocity_mps = np.array([[10.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    classes = np.array([ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE])
    everybody = replace(cars, object_class=classes, position_m=position_m, velocity_mps=velocity_mps)
    return encode_tracked(tracked_objects(everybody))


def answers(path: Path, horizon_s: float, **changes: Any) -> list[Any]:
    """Return the answers to 12 s of traffic at 2 Hz."""
    parameters = Parameters.of({"budget_ms": 0.0, "model": str(path), "horizon_s": horizon_s, **changes})
    predictor, identity = load(parameters)
    crosswalks = crosswalks_of([CROSSWALK])
    assert crosswalks is not None
    line = warmed_up(predictor, identity, parameters, None, crosswalks, LanePaths([ROAD]))
    return [line.process(people_and_cars(500 * step), 500 * step * MS) for step in range(24)]


def test_a_model_of_sixteen_knots_is_served_whole_and_its_paths_go_on(sixteen_knots: Path) -> None:
    whole, longer = answers(sixteen_knots, 8.0), answers(sixteen_knots, 15.0)
    for short, long in zip(whole, longer, strict=True):
        assert short.kind == long.kind == "used"
        assert short.paths.time_s[-1] == 8.0
        assert np.array_equal(short.paths.position_m, long.paths.position_m[:, :, :17])
        assert np.array_equal(short.paths.covariance_m2, long.paths.covariance_m2[:, :, :17])
        extended = covariance_records(long.paths)["extended"].reshape(3, 3, 31)
        assert not extended[:, :, :17].any()
        assert extended[:, :, 17:].all()  # of every class
        variance_m2 = np.linalg.eigvalsh(long.paths.covariance_m2[:, :, 17:])
        assert (np.diff(variance_m2, axis=2) > 0).all()
    said = covariance_records(whole[-1].paths)
    crossing = said[(said["object"] == 1) & (said["expert"] == int(Expert.CROSSING))]
    assert crossing["time_s"].max() == 8.0
    assert crossing["y_m"].max() == pytest.approx(-5.5 + 1.3 * (8.0 - 1.4), abs=1e-3)


def test_beside_a_predictor_that_reaches_less_far_what_both_say_is_compared(sixteen_knots: Path) -> None:
    ours, theirs = answers(sixteen_knots, 8.0)[-1], answers(sixteen_knots, 6.0)[-1]
    beside = Beside(Parameters.of({"role": "cross_check"}).beside())
    beside.ours(ours.stamp_ns, ours.objects, 0)
    (found,) = beside.compare(beside.theirs(theirs.objects, 0), 0)
    assert np.isfinite(found.distance_m).all()
    assert found.distance_m == pytest.approx(np.zeros((3, 3)), abs=1e-6)


def test_lanes_of_a_file_are_read_where_paths_go_on_and_only_there() -> None:
    pytest.importorskip("pyarrow", reason="reads a scene table")
    scene = str(Path(__file__).parents[3] / "sim/scenes/crossing_small.parquet")
    for until_s, horizon_s, wanted in ((3.0, 6.0, True), (6.0, 6.0, False), (8.0, 8.0, False), (8.0, 10.0, True)):
        parameters = Parameters.of({"model": "fan", "map_path": scene, "horizon_s": horizon_s, "crossings": False})
        assert (load_map_parts(parameters, Reaching(until_s)).lane_paths is not None) == wanted
