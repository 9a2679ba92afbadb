"""Real model files with random weights: what is refused, and that serving them changes nothing but the place."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tests.frames import SECOND, frame
from trajnet.columns import INPUT_COLUMNS
from trajnet.context.map_field import MapField, MapView, make_field
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets.window_context import nothing_around
from trajnet.errors import ConfigError, ContractError, DependencyError, InputError
from trajnet.export.graph import export_model, make_contract, write_model
from trajnet.geometry import rotate, rotate_covariance, wrap_angle
from trajnet.inference import NO_JUDGING, GuardOptions, JudgingOptions, OnnxPredictor, Stream, load_predictor
from trajnet.inference.contract import CARD_KEY, CONTRACT_KEY
from trajnet.inference.onnx.predictor import fill
from trajnet.inference.onnx.session import import_onnxruntime
from trajnet.tracking.store import Observations, TrackPolicy, TrackStore
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import ModelInput
from trajnet.training.tensors import ContextTensors
from trajnet.types import CLASS_NAMES, ObjectClass, Prediction, Source, TrackFrame

ABOUT = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}


@pytest.fixture(scope="session")
def model() -> TrajectoryModel:
    torch.manual_seed(5)
    return TrajectoryModel(ModelConfig(hidden=16, embedding=12, modes=3, knots=6, uses_velocity=True)).eval()


@pytest.fixture(scope="session")
def onlooking() -> TrajectoryModel:
    """A model that sees map and neighbours, and takes them to heart."""
    torch.manual_seed(6)
    view = MapView(ahead_m=16.0, behind_m=6.0, side_m=8.0, step_m=2.0, patch=3)
    config = ModelConfig(
        hidden=16, embedding=12, context=20, modes=3, sets=(1, 3), knots=6, decoder_stride=2, uses_velocity=True,
        map=view, map_channels=(5,), map_width=14, neighbours=4, attention=10,
    )  # fmt: skip
    model = TrajectoryModel(config).eval()
    with torch.no_grad():
        next(model.fuse.parameters()).mul_(2.0)
        model.heads.weight.mul_(3.0)
    return model


@pytest.fixture(scope="session")
def exported(model: TrajectoryModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file; exporting takes long, so all tests share it and none writes to it."""
    return written(model, tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def exported_onlooking(onlooking: TrajectoryModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(onlooking, tmp_path_factory.mktemp("model") / "onlooking.onnx")


def written(model: TrajectoryModel, path: Path) -> Path:
    graph, proto = export_model(model)
    source = SourceConfig("scenes", path="scenes")
    config = TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=model.config)
    write_model(proto, make_contract(graph, config, ABOUT, proto.SerializeToString()), "# A card", path)
    return path


@pytest.fixture
def predictor(exported: Path) -> OnnxPredictor:
    return OnnxPredictor(exported)


def changed(exported: Path, folder: Path, **metadata: str) -> Path:
    """A copy of the file with these metadata."""
    proto = onnx.load(exported)
    kept = {p.key: p.value for p in proto.metadata_props}
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {**kept, **metadata})
    path = folder / "changed.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def contract_with(exported: Path, **changes: Any) -> dict[str, str]:
    values = {p.key: p.value for p in onnx.load(exported).metadata_props}
    return {CONTRACT_KEY: json.dumps({**json.loads(values[CONTRACT_KEY]), **changes})}


def test_a_model_describes_itself(predictor: OnnxPredictor) -> None:
    assert (predictor.name, predictor.modes, predictor.model_file.card) == ("tiny", 3, "# A card")
    assert predictor.time_s.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert predictor.model_file.provider == "CPUExecutionProvider"
    assert predictor.model_file.contract.hidden == 16


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="got no such file"):
        OnnxPredictor(tmp_path / "none.onnx")
    with pytest.raises(ContractError, match="got no such file"):
        OnnxPredictor(tmp_path)
    for content in (b"", b"not a model", b"\x08\x07" * 50):
        path = tmp_path / "bad.onnx"
        path.write_bytes(content)
        with pytest.raises(ContractError) as caught:
            load_predictor(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_a_truncated_model(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(exported.read_bytes()[:-500])
    with pytest.raises(ContractError, match=r"cut\.onnx: expected a model"):
        OnnxPredictor(path)


def test_a_model_of_somebody_else(exported: Path, tmp_path: Path) -> None:
    proto = onnx.load(exported)
    del proto.metadata_props[:]
    path = tmp_path / "foreign.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ContractError, match=r"foreign\.onnx: expected a model exported by trajnet"):
        OnnxPredictor(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 1}, "this trajnet serves 4, got 1"),
        ({"hidden": 32}, r"h: expected float32 \['1', 'N', '32'\], got float32 \['1', 'N', '16'\]"),
        ({"modes": 4}, r"paths: expected float32 \['6', '4', '6', 'N'\], got float32 \['6', '3', '6', 'N'\]"),
        ({"time_s": [0.5, 1.0]}, r"paths: expected float32 \['6', '3', '2', 'N'\]"),
        ({"cell": "gru"}, "tensors that the contract does not know: c"),
        ({"classes": ["car"]}, "object classes"),
        (
            {"needs": {"neighbours": 2}},
            "contract names tensor 'neighbours', the graph has c, h, observation",
        ),
    ],
)
def test_a_contract_that_does_not_fit(exported: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = changed(exported, tmp_path, **contract_with(exported, **changes))
    with pytest.raises(ContractError, match=message) as caught:
        OnnxPredictor(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_card(exported: Path, tmp_path: Path) -> None:
    assert OnnxPredictor(changed(exported, tmp_path, **{CARD_KEY: ""})).model_file.card == ""


def test_arguments(exported: Path) -> None:
    with pytest.raises(ConfigError, match="provider: expected one of cpu, cuda, tensorrt, got 'gpu'"):
        OnnxPredictor(exported, provider="gpu")
    with pytest.raises(ConfigError, match="threads: expected a whole number from 1 on, got 0"):
        OnnxPredictor(exported, threads=0)
    with pytest.raises(ContractError, match=r"expected cv, ctrv, kalman or the path of an \.onnx file, got 'lstm'"):
        load_predictor("lstm")


def test_a_provider_that_is_not_there(exported: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(
        DependencyError, match=r"provider cuda: .* has only .*CPUExecutionProvider; install trajnet-av\[gpu\]"
    ):
        OnnxPredictor(exported, provider="cuda")


def test_a_provider_that_falls_back_silently(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime that was built with CUDA but does not find its libraries says so in a log line only."""
    import onnxruntime

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers, real=onnxruntime.InferenceSession: real(
            path, options, providers=["CPUExecutionProvider"]
        ),
    )
    with pytest.raises(DependencyError, match="provider cuda: ONNX Runtime fell back to CPUExecutionProvider"):
        OnnxPredictor(exported, provider="cuda")


def test_both_flavours_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
    with pytest.raises(
        DependencyError, match=r"onnxruntime and onnxruntime-gpu are both installed .* `pip uninstall -y"
    ):
        import_onnxruntime()


def test_no_runtime_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r"cannot be imported by .*; install trajnet-av\[cpu\]"):
        import_onnxruntime()


def walks(count: int, steps: int, seed: int = 0, seen: float = 1.0) -> list[TrackFrame]:
    """Objects of every class that drive on and turn a little, at an uneven frame rate."""
    draw = np.random.default_rng(seed)
    place, yaw, speed = draw.normal(scale=30.0, size=(count, 2)), draw.uniform(-3, 3, count), draw.uniform(0, 12, count)
    kind = np.arange(count) % len(ObjectClass)
    time_s, frames = 0.0, []
    for _ in range(steps):
        here = np.flatnonzero(draw.random(count) < seen)
        velocity = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
        frames.append(
            frame(
                time_s,
                {str(i): (float(place[i, 0]), float(place[i, 1])) for i in here},
                yaw=yaw[here],
                velocity=velocity[here] + draw.normal(scale=0.1, size=(len(here), 2)),
                kind=kind[here],
            )
        )
        dt_s = float(draw.uniform(0.05, 0.2))
        time_s, place, yaw = time_s + dt_s, place + dt_s * velocity, yaw + draw.normal(scale=0.05, size=count)
    return frames


def moved(one: TrackFrame, angle: float, shift_m: np.ndarray) -> TrackFrame:
    turn = np.array(angle)
    return TrackFrame(
        one.timestamp_ns, one.track_id, one.object_class, rotate(one.position_m, turn) + shift_m, one.yaw_rad + angle,
        one.yaw_valid, rotate(one.velocity_mps, turn), one.velocity_valid, one.size_m,
    )  # fmt: skip


def played(predictor: OnnxPredictor, frames: list[TrackFrame]) -> list[Prediction]:
    """Without a guard: nothing is mended."""
    store, answers = TrackStore(), []
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        answers.append(predictor.predict(seen))
    return answers


def test_step_by_step_equals_the_whole_sequence(exported: Path, model: TrajectoryModel) -> None:
    count, steps = 14, 40
    frames = walks(count, steps)
    store, seen = TrackStore(), []
    for one in frames:
        observations = store.update(one, one.timestamp_ns)[1]
        assert observations is not None
        seen.append(observations)

    got = played(OnnxPredictor(exported), frames)[-1]
    assert_given_by(model, seen, nothing_around(count, InputRequirements()), got)


def assert_given_by(model: TrajectoryModel, seen: list[Observations], last: Surroundings, got: Prediction) -> None:
    """What torch makes of the whole sequence of these observations, and of the surroundings at the last of them."""

    def stacked(name: str) -> torch.Tensor:
        if name == "displacement_m":
            values = np.stack([o.position_m - o.previous_position_m for o in seen])
        elif name == "map_valid":
            values = np.stack([last.map_valid] * len(seen))
        else:
            values = np.stack([getattr(o, name) for o in seen])
        return torch.tensor(values, dtype=torch.int64 if name == "object_class" else torch.float32)

    with torch.inference_mode():
        paths = model(
            ModelInput(*(stacked(n) for n in ModelInput._fields)).packed(),
            torch.full((len(got),), len(seen)),
            ContextTensors(*(torch.from_numpy(getattr(last, name)) for name in ContextTensors._fields)),
        )
    for axis, plane in enumerate((paths.x_m, paths.y_m)):
        expected = plane.numpy().transpose(2, 0, 1) + seen[-1].position_m[:, axis, None, None]
        np.testing.assert_allclose(got.position_m[..., axis], expected, atol=1e-4)
    np.testing.assert_allclose(got.yaw_rad, paths.yaw_rad.numpy().transpose(2, 0, 1), atol=1e-4)
    for (i, j), plane in (((0, 0), paths.cov_xx_m2), ((0, 1), paths.cov_xy_m2), ((1, 0), paths.cov_xy_m2)):
        np.testing.assert_allclose(got.covariance_m2[..., i, j], plane.numpy().transpose(2, 0, 1), rtol=1e-3, atol=1e-3)
    yy = paths.cov_yy_m2.numpy().transpose(2, 0, 1)
    np.testing.assert_allclose(got.covariance_m2[..., 1, 1], yy, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(got.probability, torch.softmax(paths.logits, 1).numpy(), atol=1e-5)
    assert (got.source == Source.MODEL).all()
    got.validate()


def stripes(shift_m: tuple[float, float] = (0.0, 0.0)) -> MapField:
    """Roads along y, each 8 m wide, from -200 to 200 m."""
    pixel = (np.arange(1600) + 0.5) / 4.0 - 200.0
    drivable = np.repeat((pixel % 16.0 < 8.0)[:, None], len(pixel), axis=1)
    return make_field(np.array([-200.0, -200.0]) + shift_m, 4.0, {"drivable": drivable})


def test_step_by_step_equals_the_whole_sequence_with_map_and_neighbours(
    exported_onlooking: Path, onlooking: TrajectoryModel
) -> None:
    frames, asked = walks(14, 25), list[Observations]()
    predictor = OnnxPredictor(exported_onlooking)
    assert predictor.requirements == onlooking.config.requirements

    class Kept(OnnxPredictor):
        def predict(self, observations: Observations) -> Prediction:
            asked.append(observations)
            return super().predict(observations)

    stream = Stream(Kept(exported_onlooking), map_field=stripes(), judging=NO_JUDGING)
    for one in frames:
        got = stream.update(one, one.timestamp_ns)
    last = asked[-1].surroundings
    assert last is not None
    assert last.map_valid.all()
    assert last.neighbours[..., -1].any()
    assert_given_by(onlooking, asked, last, got)
    # What was around before is no part of the state, and what is not known to be around is as if nothing were.
    blind = played(predictor, frames)[-1]
    assert np.abs(blind.position_m - got.position_m).max() > 0.05
    assert_given_by(onlooking, asked, nothing_around(14, predictor.requirements), blind)


def test_the_map_moves_with_the_scene_and_neighbours_are_seen_wherever_it_is(exported_onlooking: Path) -> None:
    frames, shift = walks(14, 8), (4.5e5, 5.4e6)
    plain, other = Stream(OnnxPredictor(exported_onlooking)), Stream(OnnxPredictor(exported_onlooking))
    plain.map_field, other.map_field = stripes(), stripes(shift)
    for one in frames:
        there = moved(one, 0.0, np.array(shift))
        a, b = plain.update(one, one.timestamp_ns), other.update(there, one.timestamp_ns)
        np.testing.assert_allclose(b.position_m - shift, a.position_m, atol=1e-3)
        np.testing.assert_allclose(b.probability, a.probability, atol=1e-4)


def test_a_model_serves_one_stream_at_a_time(exported: Path) -> None:
    shared, frames = OnnxPredictor(exported), walks(6, 5)
    first, second, alone = Stream(shared), Stream(shared), Stream(OnnxPredictor(exported))
    first.update(frames[0], 0)
    for one in frames:
        got, wanted = (s.update(one, one.timestamp_ns) for s in (second, alone))
        np.testing.assert_array_equal(got.position_m, wanted.position_m)
    with pytest.raises(InputError, match="expected one stream at a time"):
        first.update(frames[1], frames[1].timestamp_ns)
    assert first.guard.counters.failures == 0  # nor is physics given in its place
    first.reset()
    alone.reset()
    for one in frames:
        got, wanted = (s.update(one, one.timestamp_ns) for s in (first, alone))
        np.testing.assert_array_equal(got.position_m, wanted.position_m)


def test_a_frame_sees_nothing_of_what_an_earlier_one_had_around(exported_onlooking: Path) -> None:
    """The arrays of a bucket are used again and again."""
    (crowd,), requirements = walks(8, 1), OnnxPredictor(exported_onlooking).requirements
    used, stream = OnnxPredictor(exported_onlooking), Stream(OnnxPredictor(exported_onlooking), map_field=stripes())
    busy = Stream(used, map_field=stripes())
    busy.update(crowd, 0)
    seen = TrackStore().update(crowd.select(np.arange(8) < 3), 0)[1]
    assert seen is not None
    without = used.predict(seen)
    fresh = OnnxPredictor(exported_onlooking)
    np.testing.assert_array_equal(without.position_m, fresh.predict(seen).position_m)
    with_nothing = fresh.predict(
        replace(seen, reset=np.ones(3, np.bool_), surroundings=nothing_around(3, requirements))
    )
    np.testing.assert_array_equal(without.position_m, with_nothing.position_m)
    assert np.abs(stream.update(crowd, 0).position_m[:3] - without.position_m).max() > 0.05


def test_who_is_not_shown_to_the_model_is_still_a_neighbour(exported_onlooking: Path) -> None:
    (crowd,) = walks(12, 1)
    together = Stream(OnnxPredictor(exported_onlooking), map_field=stripes()).update(crowd, 0)
    inner = OnnxPredictor(exported_onlooking)
    some = Stream(inner, guard=GuardOptions(max_objects=5), map_field=stripes()).update(crowd, 0)
    served = some.source == Source.MODEL
    assert served.sum() == 5
    np.testing.assert_allclose(some.position_m[served], together.position_m[served], atol=1e-4)


@pytest.mark.parametrize(
    ("angle", "shift_m"), [(0.0, (4.5e5, 5.4e6)), (2.0, (0.0, 0.0)), (-1.0, (-3e3, 8e2))], ids=["utm", "turned", "both"]
)
def test_paths_move_and_turn_with_the_scene(exported: Path, angle: float, shift_m: tuple[float, float]) -> None:
    frames, shift, turn = walks(14, 15), np.array(shift_m), np.array(angle)
    plain = played(OnnxPredictor(exported), frames)
    other = played(OnnxPredictor(exported), [moved(f, angle, shift) for f in frames])
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_allclose(b.position_m - shift, rotate(a.position_m, turn), atol=1e-3)
        np.testing.assert_allclose(wrap_angle(b.yaw_rad - a.yaw_rad - angle + 1.0), 1.0, atol=1e-4)
        np.testing.assert_allclose(b.covariance_m2, rotate_covariance(a.covariance_m2, turn), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(b.probability, a.probability, atol=1e-4)


def test_a_ghost_at_the_other_end_of_the_map_takes_nothing_from_the_others(exported: Path) -> None:
    """One object at the origin among others at UTM coordinates: a failed transform, seen in practice."""
    frames = [moved(f, 0.0, np.array([4.5e5, 5.4e6])) for f in walks(8, 10)]
    haunted = []
    for f in frames:
        places = {**dict(zip(f.track_id, map(tuple, f.position_m.tolist()), strict=True)), "ghost": (0.0, 0.0)}
        haunted.append(
            frame(
                f.timestamp_ns / SECOND,
                places,
                yaw=[*f.yaw_rad, 0.0],
                velocity=[*f.velocity_mps.tolist(), [0.0, 0.0]],
                kind=[*f.object_class, 1],
            )
        )
    plain, other = (played(OnnxPredictor(exported), fs)[-1] for fs in (frames, haunted))
    np.testing.assert_allclose(other.position_m[:-1], plain.position_m, atol=1e-4)


def test_rows_may_come_in_any_order(exported: Path) -> None:
    frames, draw = walks(14, 15), np.random.default_rng(1)
    plain = played(OnnxPredictor(exported), frames)
    mixed = played(OnnxPredictor(exported), [f.select(draw.permutation(len(f))) for f in frames])
    for a, b in zip(plain, mixed, strict=True):
        order = [a.track_id.index(t) for t in b.track_id]
        np.testing.assert_allclose(b.position_m, a.position_m[order], atol=1e-4)
        np.testing.assert_allclose(b.probability, a.probability[order], atol=1e-5)


def test_interleaved_tracks_equal_separate_runs(exported: Path) -> None:
    """Tracks that come, go and share slots one after the other; what a stream learns of all is another matter."""
    frames = walks(40, 40, seen=0.4)
    policy, judging = TrackPolicy(timeout_s=0.3), JudgingOptions(learn=False)
    together = Stream(OnnxPredictor(exported), policy, judging=judging)
    answers = [together.update(f, f.timestamp_ns) for f in frames]
    assert together.store.counters.removed > 20
    for track_id in ("0", "7", "23"):
        alone = Stream(OnnxPredictor(exported), policy, judging=judging)
        for one, answer in zip(frames, answers, strict=True):
            single = alone.update(one.select(np.array([t == track_id for t in one.track_id])), one.timestamp_ns)
            assert single.track_id == tuple(t for t in answer.track_id if t == track_id)
            if len(single):
                row = answer.track_id.index(track_id)
                assert single.source[0] == answer.source[row]
                np.testing.assert_allclose(answer.position_m[row], single.position_m[0], atol=1e-4)
    assert together.guard.counters.physics_rows == 0


def test_long_runs_stay_finite_and_bounded(exported: Path) -> None:
    predictor = OnnxPredictor(exported)
    answers = played(predictor, walks(10, 600))
    for answer in answers[::50] + answers[-1:]:
        answer.validate()
    reach = np.abs(answers[-1].position_m - answers[-1].position_m[:, :1, :1]).max()
    assert reach < 300.0


def test_the_same_frames_give_the_same_bytes(exported: Path) -> None:
    frames = walks(30, 20, seen=0.7)
    first, second = (played(OnnxPredictor(exported), frames) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        for name in ("position_m", "yaw_rad", "covariance_m2", "probability"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes()


def test_a_forgotten_slot_is_a_new_track_once(exported: Path) -> None:
    frames = walks(3, 7)
    predictor, newborn, store = OnnxPredictor(exported), OnnxPredictor(exported), TrackStore()
    for i, one in enumerate(frames):
        seen = store.update(one, 0)[1]
        assert seen is not None
        if i == 4:
            predictor.forget(seen.slot[1:2])
        got = predictor.predict(seen)
        if i >= 4:
            fresh = newborn.predict(replace(seen, reset=np.full(3, i == 4)))
    kept = played(OnnxPredictor(exported), frames)[-1]
    np.testing.assert_allclose(got.position_m[[0, 2]], kept.position_m[[0, 2]], atol=1e-4)
    np.testing.assert_allclose(got.position_m[1], fresh.position_m[1], atol=1e-4)
    assert np.abs(kept.position_m[1] - fresh.position_m[1]).max() > 1e-3


def test_what_was_forgotten_begins_anew_as_the_contract_says() -> None:
    """Columns by hand: of a moving object that is begun anew there is no displacement, no time and no turn."""
    store = TrackStore(TrackPolicy(doubt_headings=False))
    for i, place in enumerate([{"a": (0.0, 0.0), "b": (5.0, 1.0)}, {"a": (1.0, 0.5), "b": (5.0, 3.0)}]):
        one = frame(0.5 * i, place, yaw=[0.1 + i, 0.2 + i], velocity=(3.0, 4.0))
        seen = store.update(one, one.timestamp_ns)[1]
    assert seen is not None
    inputs = {"observation": np.full((2, len(INPUT_COLUMNS)), np.nan, np.float32)}
    fill(inputs, seen, np.array([False, True]), slice(0, 2))
    columns = dict(zip(INPUT_COLUMNS.names, inputs["observation"].T.tolist(), strict=True))
    assert columns["reset"] == [0.0, 1.0]
    assert columns["displacement_x_m"] == [1.0, 0.0]
    assert columns["displacement_y_m"] == [0.5, 0.0]
    assert columns["dt_s"] == [0.5, 0.0]
    assert columns["yaw_rad"] == pytest.approx([1.1, 1.2])
    assert columns["previous_yaw_rad"] == pytest.approx([0.1, 1.2])
    assert columns["velocity_y_mps"] == [4.0, 4.0]
    assert columns["map_valid"] == [0.0, 0.0]
    assert np.sum([columns[f"class_{name}"] for name in CLASS_NAMES], axis=0).tolist() == [1.0, 1.0]


def test_nothing_of_a_state_outlives_its_reset(exported: Path) -> None:
    """NaN neither: the graph adds to the state and multiplies it, which would keep it for ever."""
    frames = walks(3, 1)
    predictor = OnnxPredictor(exported)
    fresh = played(predictor, frames)[-1]
    predictor._engine._remember_newest()
    for memory in predictor._engine._memory.values():
        memory[:] = np.nan
    again = played(predictor, frames)[-1]
    again.validate()
    np.testing.assert_array_equal(again.position_m, fresh.position_m)


class Poisoned(OnnxPredictor):
    """Is told at 0.1 s that the first object has come from the end of the number line."""

    def predict(self, observations: Observations) -> Prediction:
        if observations.timestamp_ns == 100_000_000:
            from_m = observations.previous_position_m.copy()
            from_m[0] = -1e300
            observations = replace(observations, previous_position_m=from_m)
        return super().predict(observations)


def test_a_poisoned_state_is_gone_with_the_next_observation(exported: Path) -> None:
    """An absurd input makes the state NaN. The guard gives physics, and then the model serves the slot again."""
    stream = Stream(Poisoned(exported))

    def source(time_s: float) -> list[int]:
        one = frame(time_s, {"a": (0.0, 0.0), "b": (1.0, 5.0)})
        answer = stream.update(one, one.timestamp_ns)
        answer.validate()
        return [int(s) for s in answer.source]

    assert source(0.0) == [Source.MODEL, Source.MODEL]
    assert source(0.1) == [Source.PHYSICS, Source.MODEL]
    assert source(0.2) == [Source.MODEL, Source.MODEL]
    assert source(0.3) == [Source.MODEL, Source.MODEL]
    assert stream.guard.counters.non_finite_rows == 1


def test_a_poisoned_slot_serves_the_next_track(exported: Path) -> None:
    predictor, store = Poisoned(exported), TrackStore(TrackPolicy(timeout_s=0.1))
    for time_s, name, usable in ((0.0, "a", True), (0.1, "a", False), (1.0, "b", True)):
        seen = store.update(frame(time_s, {name: (0.0, 0.0)}), 0)[1]
        assert seen is not None
        assert seen.slot.tolist() == [0]
        answer = predictor.predict(seen)
        assert answer.usable_rows().tolist() == [usable]


def test_frames_without_objects_are_no_failure(exported: Path) -> None:
    stream = Stream(OnnxPredictor(exported))
    assert stream.update(frame(0.0, {}), 0).position_m.shape == (0, 3, 6, 2)
    stream.update(frame(0.1, {"a": (0, 0)}), 0)
    assert stream.update(frame(0.2, {}), 0).source.tolist() == [Source.STALE]
    assert stream.guard.counters.failures == 0


def test_a_call_that_fails_leaves_the_state_alone(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = walks(4, 6)
    predictor, store = OnnxPredictor(exported), TrackStore()
    seen: list[Observations] = []
    for one in frames:
        observations = store.update(one, 0)[1]
        assert observations is not None
        seen.append(observations)
    for observations in seen[:-1]:
        predictor.predict(observations)
    predictor.forget(seen[0].slot[:1])

    class Broken:
        def run_with_iobinding(self, binding: Any, options: Any) -> None:
            raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(predictor._engine.buckets[0], "_session", Broken())
        with pytest.raises(RuntimeError, match="out of memory"):
            predictor.predict(seen[-1])
    got = predictor.predict(seen[-1])
    kept = played(OnnxPredictor(exported), frames)[-1]
    fresh = OnnxPredictor(exported).predict(replace(seen[-1], reset=np.ones(4, dtype=np.bool_)))
    np.testing.assert_allclose(got.position_m[1:], kept.position_m[1:], atol=1e-4)
    np.testing.assert_allclose(got.position_m[0], fresh.position_m[0], atol=1e-4)


def test_more_threads_change_the_numbers_by_nothing_that_matters(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy with spaces é.onnx"
    shutil.copy(exported, path)
    frames = walks(14, 5)
    one, two = played(OnnxPredictor(exported), frames)[-1], played(OnnxPredictor(path, threads=2), frames)[-1]
    np.testing.assert_allclose(one.position_m, two.position_m, atol=1e-4)


@pytest.mark.parametrize("measured", [False, True])
def test_a_turned_stream_turns_the_prediction_from_the_first_frame_on(exported: Path, measured: bool) -> None:
    """Objects without a measured yaw: one stands, one creeps (less than heading_step_m in all), one walks, one sways
    from where it began and exactly back; with a measured velocity even the first frame has a direction."""
    draw = np.random.default_rng(0)
    walk = np.cumsum(draw.normal([0.0, 0.12], 0.05, (8, 2)), axis=0)
    creep = np.cumsum(draw.normal(0.0, 0.005, (8, 2)), axis=0) + 20.0

    def run(angle: float) -> list[Prediction]:
        stream = Stream(OnnxPredictor(exported))
        answers = []
        for step in range(8):
            sway = [-20.0, 0.15 * (step % 2)]
            places = rotate(np.array([[5.0, 5.0], creep[step], walk[step], sway]), np.array(angle))
            speeds = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 1.2], [0.0, 0.5]])
            velocity = rotate(speeds, np.array(angle)) if measured else None
            tracks = dict(zip(("stands", "creeps", "walks", "sways"), map(tuple, places), strict=True))
            now = frame(0.1 * step, tracks, yaw=None, velocity=velocity, kind=ObjectClass.PEDESTRIAN)
            answers.append(stream.update(now, now.timestamp_ns))
        return answers

    angle = np.array(2.3)
    for step, (one, other) in enumerate(zip(run(0.0), run(float(angle)), strict=True)):
        np.testing.assert_allclose(other.position_m, rotate(one.position_m, angle), atol=2e-3)
        np.testing.assert_allclose(other.covariance_m2, rotate_covariance(one.covariance_m2, angle), atol=5e-3)
        np.testing.assert_allclose(other.probability, one.probability, atol=1e-3)
        assert (one.position_m[0] == [5.0, 5.0]).all()
        for row, place in ((2, walk[step]), (3, [-20.0, 0.15 * (step % 2)])):
            assert (step == 0 and not measured) == (one.position_m[row] == place).all()
