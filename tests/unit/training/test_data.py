"""Training windows: what augmentation may do and may not, and that batches depend on nothing but their number."""

from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.frames import in_patches
from tests.replay_scenes import crossing_scene
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import nothing_around, scene_surroundings
from trajnet.datasets.windows import Windows, frames_of, sliding_windows
from trajnet.errors import ConfigError, InputError
from trajnet.geometry import rotate, wrap_angle
from trajnet.scenes.formats import write_scene
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.training.augment import borrowed, disturbed, mirrored, noise, paced, resized, thinned
from trajnet.training.batches import Batch, Batches, as_batch
from trajnet.training.config import AugmentConfig, SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import unpacked
from trajnet.training.sources import build_set, source_files
from trajnet.training.training_set import (
    HISTORY,
    TrainingSet,
    joined,
    thinned_rows,
    training_set,
    with_derived_velocities,
)
from trajnet.types import DEFAULT_SIZE_M, RasterMap

SCENES = Path(__file__).resolve().parents[3] / "sim" / "scenes"
SOURCE = SourceConfig("scenes", path="scenes", history_s=1.0, stride=10, min_future_s=1.0)
FUTURE_S = np.arange(1.0, 5.0) * 0.5
VIEW = MapView(ahead_m=20.0, behind_m=8.0, side_m=8.0, step_m=2.0, patch=3)
REQUIREMENTS = InputRequirements(VIEW, 3)


def crossing(requirements: InputRequirements) -> TrainingSet:
    scene = load_scene(SCENES / "crossing_small.parquet", with_map=True)
    windows = sliding_windows(scene, np.linspace(-1.0, 0.0, 11), FUTURE_S, stride=7, min_future_s=1.0)
    return training_set(windows, scene_surroundings(scene, windows.row, requirements))


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    return crossing(REQUIREMENTS)


def alone(windows: Windows) -> TrainingSet:
    """The windows for a model that looks at nothing around."""
    return training_set(windows, nothing_around(len(windows), InputRequirements()))


def tensors(data: TrainingSet) -> dict[str, torch.Tensor]:
    return {f.name: torch.from_numpy(getattr(data, f.name)) for f in fields(TrainingSet)}


def numbers(batch: Batch) -> list[torch.Tensor]:
    return [batch.history, batch.length, *batch.surroundings, batch.future_m, batch.valid]


def test_positions_are_relative_to_the_last_observation(data: TrainingSet) -> None:
    assert len(data) > 20
    assert not data.position_m[:, -1].any()
    assert data.observed[:, -1].all()


def test_a_batch_is_left_aligned_with_the_real_dt_and_the_pose_before() -> None:
    window = {
        "time_s": torch.tensor([[-0.4, -0.3, -0.1, 0.0]]),
        "position_m": torch.tensor([[[-4.0, 0.0], [-3.0, 9.0], [-1.0, 0.0], [0.0, 0.0]]]),
        "yaw_rad": torch.tensor([[0.1, 9.0, 0.3, 0.4]]),
        "yaw_valid": torch.ones(1, 4, dtype=torch.bool),
        "velocity_mps": torch.zeros(1, 4, 2),
        "velocity_valid": torch.tensor([[True, True, False, True]]),
        "object_class": torch.tensor([1], dtype=torch.int8),
        "size_m": torch.tensor([[4.0, 2.0]]),
        "future_m": torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]),
        "future_valid": torch.tensor([[True, False]]),
        **{f.name: torch.from_numpy(getattr(nothing_around(1, REQUIREMENTS), f.name)) for f in fields(Surroundings)},
    }
    window["neighbours"][0, 0] = torch.arange(len(NEIGHBOUR_COLUMNS)) + 1.0
    batch = as_batch(window, torch.tensor([[True, False, True, True]]))
    seen = unpacked(batch.history)
    assert batch.length.tolist() == [3]
    assert seen.displacement_m[:, 0].tolist() == [[0.0, 0.0], [3.0, 0.0], [1.0, 0.0]]
    assert seen.previous_yaw_rad[:, 0].tolist() == pytest.approx([0.1, 0.1, 0.3])
    assert seen.dt_s[:, 0].tolist() == pytest.approx([0.0, 0.3, 0.1])
    assert seen.reset[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert seen.velocity_valid[:, 0].tolist() == [1.0, 0.0, 1.0]
    assert batch.valid[:, 0].tolist() == [1.0, 0.0]
    assert batch.future_m[:, 0].tolist() == [[1.0, 0.0], [2.0, 0.0]]
    assert torch.equal(batch.surroundings.neighbours, window["neighbours"])
    assert seen.map_valid[:, 0].tolist() == [0.0] * 3


def test_the_future_is_relative_to_where_the_object_is_seen(data: TrainingSet) -> None:
    """Noise on the last position moves the origin of what is learnt, not the place where the object went."""
    window = tensors(data)
    moved = dict(window, position_m=window["position_m"].clone())
    moved["position_m"][:, -1] += torch.tensor([0.3, -0.2])
    keep = window["observed"]
    plain, seen = as_batch(window, keep), as_batch(moved, keep)
    torch.testing.assert_close(seen.future_m, plain.future_m - torch.tensor([0.3, -0.2]))
    last = plain.length - 1, torch.arange(len(data))
    more = (plain.length > 1).float().unsqueeze(1)
    torch.testing.assert_close(
        unpacked(seen.history).displacement_m[last],
        unpacked(plain.history).displacement_m[last] + more * torch.tensor([0.3, -0.2]),
    )


def test_batches_depend_on_seed_epoch_rank_and_number_alone(data: TrainingSet) -> None:
    augment = AugmentConfig(drop=0.4, short=0.4, strides=(1, 2), position_noise_m=0.1, hide_velocity=0.5, hide_map=0.5)

    def batch(**changes: int) -> list[torch.Tensor]:
        return numbers(Batches(data, 16, augment=augment, **{"seed": 1, "epoch": 2, **changes})[1])

    assert all(torch.equal(a, b) for a, b in zip(batch(), batch(), strict=True))
    for changes in ({"seed": 2}, {"epoch": 3}, {"rank": 1, "ranks": 2}):
        other = batch(**changes)
        assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(batch(), other, strict=True))


def test_ranks_share_the_windows_without_overlap(data: TrainingSet) -> None:
    augment = AugmentConfig(mirror=False, drop=0.0, short=0.0)
    seen = []
    for rank in range(2):
        batches = Batches(data, 8, augment=augment, seed=0, epoch=0, rank=rank, ranks=2)
        seen.append(torch.cat([batches[i].future_m.transpose(0, 1) for i in range(len(batches))]).flatten(1))
    assert len(seen[0]) == len(seen[1]) == len(data) // 2
    rows = {tuple(r) for r in seen[0].tolist()}
    everything = [tuple(r) for r in torch.from_numpy(data.future_m).flatten(1).tolist()]
    # Objects that stand have the same future: count each, so that the shares together hold no window twice.
    shared = Counter([*map(tuple, seen[0].tolist()), *map(tuple, seen[1].tolist())])
    assert not shared - Counter(everything)
    assert len(rows) > 10


def test_thinning_keeps_the_last_observation_and_adds_none() -> None:
    keep = torch.rand(500, 21, generator=torch.Generator().manual_seed(0)) < 0.7
    keep[:, -1] = True
    thin = thinned(keep, AugmentConfig(drop=0.9, short=0.9, strides=(1, 2, 5)), torch.Generator().manual_seed(1))
    assert thin[:, -1].all()
    assert not (thin & ~keep).any()
    assert thin.sum(1).min() == 1
    only_stride = thinned(
        torch.ones(9, 21, dtype=torch.bool), AugmentConfig(drop=0.0, short=0.0, strides=(5,)), torch.Generator()
    )
    assert only_stride.nonzero()[:5, 1].tolist() == [0, 5, 10, 15, 20]


def test_the_stride_of_a_batch_is_that_of_all_its_windows() -> None:
    keep = torch.ones(50, 21, dtype=torch.bool)
    augment = AugmentConfig(drop=0.0, short=0.0, strides=(2, 5), stride_of_batch=True)
    lengths = set()
    for seed in range(8):
        of_each = thinned(keep, augment, torch.Generator().manual_seed(seed)).sum(1).unique().tolist()
        assert len(of_each) == 1
        lengths.update(of_each)
    assert lengths == {11, 5}


def test_noise_has_one_variance_at_every_step_and_a_memory_in_half_of_the_windows() -> None:
    """The limit of the memory is so long that its draw hardly matters: successive steps are nearly the same."""
    count, steps = 4_000, 6
    time_s = torch.arange(steps).float().expand(count, -1) * 0.1
    augment = AugmentConfig(noise_memory_s=1e6)
    made = noise((count, steps, 2), time_s, 1.0, augment, torch.Generator().manual_seed(0))
    level = made[:, 0].std()
    for step in range(steps):
        assert made[:, step].std() == pytest.approx(float(level), rel=0.06)
    repeats = (made[:, 1:] - made[:, :-1]).abs().amax(dim=(1, 2)) < 0.02 * made.abs().amax(dim=(1, 2))
    assert repeats.float().mean() == pytest.approx(0.5, abs=0.03)


def test_noise_without_a_memory_is_white_and_its_level_is_that_of_the_window() -> None:
    draw = torch.Generator().manual_seed(0)
    time_s = torch.arange(400).float().expand(300, -1)
    made = noise((300, 400), time_s, 0.5, AugmentConfig(noise_power=2.0), draw)
    level = made.std(dim=1)
    assert level.max() < 0.55
    assert level.median() == pytest.approx(0.5 * 0.5**2, abs=0.03)
    next_one = (made[:, 1:] * made[:, :-1]).mean(dim=1) / made.var(dim=1)
    assert next_one.mean().abs() < 0.02


def test_a_memory_fades_with_the_time_between_two_observations() -> None:
    """Of 0.5 s and 1.0 s between them with one memory: exp(-0.5 / m) and its square; the draw of m is the same."""
    augment, kept = AugmentConfig(noise_memory_s=2.0), []
    for step_s in (0.5, 1.0):
        time_s = torch.tensor([[0.0, step_s]]).expand(200_000, -1)
        made = noise((200_000, 2), time_s, 1.0, augment, torch.Generator().manual_seed(3))
        kept.append(float((made[:, 0] * made[:, 1]).mean() / made[:, 0].var()))
    memory_s = (np.arange(2_000) + 0.5) / 1_000
    expected = [0.5 * np.exp(-step_s / memory_s).mean() for step_s in (0.5, 1.0)]
    assert kept == pytest.approx(expected, abs=0.02)


def test_sizes_are_those_of_the_class_in_a_share_of_the_windows(data: TrainingSet) -> None:
    window = {name: torch.cat([values] * 8) for name, values in tensors(data).items()}
    window["size_m"] = window["size_m"] + 0.123
    made = resized(window, AugmentConfig(hide_size=0.3), torch.Generator().manual_seed(0))["size_m"]
    of_class = torch.from_numpy(DEFAULT_SIZE_M).float()[window["object_class"].long()]
    hidden = (made == of_class).all(dim=1)
    assert hidden.float().mean() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(made[~hidden], window["size_m"][~hidden])
    about = resized(window, AugmentConfig(size_noise=0.1), torch.Generator().manual_seed(0))["size_m"]
    assert torch.log(about / window["size_m"]).std() == pytest.approx(0.1, abs=0.02)


def test_who_lacks_a_map_or_neighbours_borrows_them_whole(data: TrainingSet) -> None:
    window = tensors(data)
    bare = torch.arange(len(data)) % 2 == 0
    window = dict(window, map_valid=~bare, neighbours=window["neighbours"] * (~bare).reshape(-1, 1, 1))
    lonely = ~window["neighbours"][..., -1].bool().any(dim=1)
    made = borrowed(window, torch.Generator().manual_seed(0))
    assert made["map_valid"].all()
    assert made["neighbours"][..., -1].bool().any(dim=1).all()
    for name, without in (("map_distance", bare), ("neighbours", lonely)):
        assert torch.equal(made[name][~without], window[name][~without])
        owned = {row.numpy().tobytes() for row in window[name][~without]}
        assert {row.numpy().tobytes() for row in made[name][without]} <= owned
    untouched = set(window) - {"map_distance", "map_valid", "neighbours"}
    assert all(torch.equal(made[name], window[name]) for name in untouched)


def test_where_no_window_has_a_map_none_is_borrowed(data: TrainingSet) -> None:
    window = tensors(data)
    window["map_valid"] = torch.zeros_like(window["map_valid"])
    assert not borrowed(window, torch.Generator().manual_seed(0))["map_valid"].any()


def test_velocities_are_derived_of_the_past_where_none_was_measured(data: TrainingSet) -> None:
    """One window at 0.2 s a step, x = 0, 1, 3, 6, 10: over 0.4 s, the shortest from 0.3 s on."""
    one = data.select(thinned_rows(data, len(data)))
    steps = 5
    made = replace(
        one,
        time_s=np.linspace(-0.8, 0.0, steps, dtype=np.float32)[None],
        observed=np.array([[True, True, True, False, True]]),
        position_m=np.stack([np.array([0.0, 1.0, 3.0, 0.0, 10.0]), np.zeros(steps)], 1).astype(np.float32)[None],
        velocity_mps=np.full((1, steps, 2), 7.0, np.float32),
        velocity_valid=np.array([[False, True, False, False, False]]),
    )
    derived = with_derived_velocities(made)
    assert derived.velocity_valid.tolist() == [[False, True, True, False, True]]
    assert derived.velocity_mps[0, [1, 2, 4], 0].tolist() == pytest.approx([7.0, 3.0 / 0.4, 7.0 / 0.4])
    assert len(one) == 1
    for name in set(TrainingSet.__dataclass_fields__) - {"velocity_mps", "velocity_valid"}:
        assert getattr(derived, name) is getattr(made, name)


def test_mirror_swaps_left_and_right_of_past_and_future_together(data: TrainingSet) -> None:
    window = tensors(data)
    other = disturbed(window, AugmentConfig(), torch.Generator().manual_seed(0))
    flipped = (other["yaw_rad"] != window["yaw_rad"]).any(1) | (other["future_m"] != window["future_m"]).any(2).any(1)
    assert 0.2 < flipped.float().mean() < 0.8
    for name in ("position_m", "future_m", "velocity_mps"):
        assert torch.equal(other[name][flipped][..., 1], -window[name][flipped][..., 1])
        assert torch.equal(other[name][..., 0], window[name][..., 0])
    assert torch.equal(other["yaw_rad"][flipped], -window["yaw_rad"][flipped])
    assert torch.equal(other["map_distance"][~flipped], window["map_distance"][~flipped])
    # The map, patch by patch, is that of the same windows point by point, whose right and left change places.
    points = tensors(crossing(InputRequirements(replace(VIEW, patch=1), 3)))
    grid = points["map_distance"]
    assert grid.shape[1:] == (*VIEW.grid, 1, 4)
    assert not torch.equal(grid[flipped].flip(2), grid[flipped])
    mirror = mirrored(points, flipped)["map_distance"]
    assert torch.equal(mirror, torch.where(flipped.reshape(-1, 1, 1, 1, 1), grid.flip(2), grid))
    patches = np.stack([in_patches(one[:, :, 0].numpy(), VIEW.patch) for one in mirror])
    assert torch.equal(other["map_distance"], torch.from_numpy(patches))


def test_windows_at_another_pace_go_the_same_way(data: TrainingSet) -> None:
    window = tensors(data)
    count, knots = window["future_valid"].shape
    window["future_valid"] = window["future_valid"] & (torch.arange(knots) < torch.arange(count).unsqueeze(1) % 7 + 3)
    twice, half, same = (paced(window, torch.full((count,), slower)) for slower in (2.0, 0.5, 1.0))
    for name, values in same.items():
        kept = window["future_valid"].unsqueeze(-1) if name == "future_m" else torch.ones(())
        torch.testing.assert_close(values, (window[name] * kept).to(values.dtype))
    for made, slower in ((twice, 2.0), (half, 0.5)):
        torch.testing.assert_close(made["time_s"], window["time_s"] * slower)
        torch.testing.assert_close(made["velocity_mps"], window["velocity_mps"] / slower)
        for column, name in enumerate(NEIGHBOUR_COLUMNS.names):
            factor = slower if name.startswith("velocity") else 1.0
            torch.testing.assert_close(made["neighbours"][..., column] * factor, window["neighbours"][..., column])
        for name in ("position_m", "yaw_rad", "map_distance", "observed"):
            assert made[name] is window[name]
    # Twice as slow: every second knot is where a recorded one was, the others are in the middle between two.
    path_m = torch.cat([torch.zeros(count, 1, 2), window["future_m"]], 1)[:, : knots // 2 + 1]
    seen = window["future_valid"][:, : knots // 2]
    assert torch.equal(twice["future_valid"][:, 1::2], seen)
    assert torch.equal(twice["future_valid"][:, ::2], seen)
    torch.testing.assert_close(twice["future_m"][:, 1::2][seen], path_m[:, 1:][seen])
    torch.testing.assert_close(twice["future_m"][:, ::2][seen], 0.5 * (path_m[:, :-1] + path_m[:, 1:])[seen])
    # Twice as fast: after half the knots the recording ends.
    assert torch.equal(half["future_valid"][:, : knots // 2], window["future_valid"][:, 1::2])
    assert not half["future_valid"][:, knots // 2 :].any()
    seen = window["future_valid"][:, 1::2]
    torch.testing.assert_close(half["future_m"][:, : knots // 2][seen], window["future_m"][:, 1::2][seen])


def test_the_pace_is_drawn_for_each_window(data: TrainingSet) -> None:
    window = tensors(data)
    augment = AugmentConfig(pace=0.25, mirror=False)
    made = disturbed(window, augment, torch.Generator().manual_seed(0))
    slower = (made["time_s"] / window["time_s"])[:, 0]
    assert len(torch.unique(slower)) > len(slower) // 2
    assert 0.8 <= float(slower.min()) < 0.85
    assert 1.18 < float(slower.max()) <= 1.25


def test_directions_are_hidden_in_a_share_of_the_windows() -> None:
    window = tensors(crossing(InputRequirements(replace(VIEW, directions=True), 3)))
    before = window["map_distance"].clone()
    known = (before[..., 2:] != 0).flatten(1).any(1)
    other = disturbed(window, AugmentConfig(mirror=False, hide_directions=0.4), torch.Generator().manual_seed(0))
    hidden = known & (other["map_distance"][..., 2:] == 0).flatten(1).all(1)
    assert known.float().mean() > 0.5
    assert 0.2 < hidden[known].float().mean() < 0.6
    assert torch.equal(other["map_distance"][..., :2], before[..., :2])
    assert torch.equal(other["map_distance"][~hidden], before[~hidden])
    assert torch.equal(window["map_distance"], before)


def test_windows_without_a_map_are_mirrored_too() -> None:
    window = tensors(alone(blind_windows()))
    assert window["map_distance"].shape[1:] == (0, 0, 0, 4)
    other = mirrored(window, torch.ones(len(window["yaw_rad"]), dtype=torch.bool))
    assert other["map_distance"].shape == window["map_distance"].shape
    assert torch.equal(other["future_m"], window["future_m"] * torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("directions", [False, True])
def test_mirrored_windows_are_those_of_the_mirrored_scene(directions: bool) -> None:
    """Lanes, objects and their neighbours reflected about the map's x axis, and looked at anew."""
    scene = load_scene(SCENES / "crossing_small.parquet", with_map=True)
    flip = np.array([1.0, -1.0])
    lanes = tuple(
        replace(lane, left_m=lane.right_m * flip, right_m=lane.left_m * flip, centre_m=lane.centre_m * flip)
        for lane in scene.lanes
    )
    reflected = replace(
        scene,
        position_m=scene.position_m * flip,
        velocity_mps=scene.velocity_mps * flip,
        yaw_rad=-scene.yaw_rad,
        lanes=lanes,
    )
    made, requirements = [], InputRequirements(replace(VIEW, directions=directions), 3)
    for one in (scene, reflected):
        windows = sliding_windows(one, np.linspace(-1.0, 0.0, 11), FUTURE_S, stride=20, min_future_s=1.0)
        made.append(tensors(training_set(windows, scene_surroundings(one, windows.row, requirements))))
    got = mirrored(made[0], torch.ones(len(made[0]["yaw_rad"]), dtype=torch.bool))
    for name, values in got.items():
        if name != "map_distance":
            torch.testing.assert_close(values, made[1][name], atol=1e-4, rtol=0.0, msg=name)
    # The drawing's pixels (0.1 to 0.25 m) are not reflected with the scene; 16 units are a metre.
    difference = (got["map_distance"].int() - made[1]["map_distance"].int()).abs()
    assert (difference > 8).float().mean() < 0.01
    unflipped = (made[0]["map_distance"].int() - made[1]["map_distance"].int()).abs()
    assert (unflipped > 8).float().mean() > 0.1


@pytest.mark.parametrize(("what", "mask"), [("hide_map", "map_valid"), ("hide_neighbours", "neighbours")])
def test_a_share_of_the_windows_is_shown_no_map_and_no_neighbours(data: TrainingSet, what: str, mask: str) -> None:
    window = {name: torch.cat([values] * 8) for name, values in tensors(data).items()}
    changes: dict[str, Any] = {"mirror": False, what: 0.4}
    augment = AugmentConfig(**changes)
    other = disturbed(window, augment, torch.Generator().manual_seed(0))
    for name in window:
        if name != mask:
            assert torch.equal(other[name], window[name]), name
    had = window[mask].reshape(len(window[mask]), -1)
    has = other[mask].reshape(len(had), -1)  # a missing neighbour is all zeros
    kept = (has == had).all(dim=1)
    assert (kept | ~has.bool().any(dim=1)).all()  # all of a window's neighbours, or none
    some = had.bool().any(dim=1)
    assert some.float().mean() > 0.5
    assert (~has[some].bool().any(dim=1)).float().mean() == pytest.approx(0.4, abs=0.1)


def test_noise_never_reaches_the_recorded_future(data: TrainingSet) -> None:
    window = tensors(data)
    augment = AugmentConfig(mirror=False, position_noise_m=0.5, yaw_noise_rad=0.1, velocity_noise_mps=1.0)
    other = disturbed(window, augment, torch.Generator().manual_seed(0))
    for name in ("future_m", "future_valid", "map_distance", "neighbours", "observed"):
        assert torch.equal(other[name], window[name]), name
    assert not torch.equal(other["position_m"], window["position_m"])
    assert (other["position_m"] - window["position_m"]).std() < 0.5


def blind_windows(angle: float = 0.0) -> Windows:
    """Windows of a scene without measured yaw and velocity, turned about the map's origin; one object never moves, one
    moves at last, by little, one has moved as little and is back exactly where it began."""
    scene = load_scene(SCENES / "crossing_small.parquet")
    windows = sliding_windows(scene, np.linspace(-2.0, 0.0, 21), FUTURE_S, stride=20, min_future_s=1.0)
    windows.yaw_valid[:] = False
    windows.velocity_valid[:] = False
    windows.observed[:3] = True
    windows.position_m[0] = windows.position_m[0, -1]
    windows.future_m[0] = windows.position_m[0, -1]
    windows.position_m[1, :-1] = windows.position_m[1, -1] + [0.01, 0.02]  # a first motion far below heading_step_m
    windows.position_m[2] = windows.position_m[2, -1]
    windows.position_m[2, -2] += [0.1, 0.05]
    for values in (windows.position_m, windows.future_m):
        values[:] = rotate(values, np.array(angle))
    return windows


def test_what_training_derives_of_a_history_is_what_the_track_store_derives() -> None:
    windows = blind_windows()
    rows = np.arange(len(windows))
    batch = Batches(alone(windows), len(windows))[0]
    history = unpacked(batch.history)
    store = TrackStore(TrackPolicy(timeout_s=100.0))
    step = np.zeros(len(windows), dtype=np.int64)
    for frame in frames_of(windows, rows):
        _, seen = store.update(frame, frame.timestamp_ns)
        assert seen is not None
        row = np.array([int(name) for name in seen.track_id])
        for name in ("yaw_rad", "previous_yaw_rad"):
            found = getattr(history, name)[step[row], row].numpy()
            np.testing.assert_allclose(wrap_angle(found - getattr(seen, name)), 0.0, atol=1e-3)
        step[row] += 1
    assert step.tolist() == batch.length.tolist()
    assert (history.yaw_rad[-1] != 0).any()
    last = history.yaw_rad[batch.length - 1, torch.arange(len(windows))]
    assert last[2] == pytest.approx(np.arctan2(-0.05, -0.1), abs=1e-3)


def test_a_heading_that_rests_on_a_lost_observation_is_not_known() -> None:
    windows = blind_windows()
    window = tensors(alone(windows))
    keep = torch.zeros_like(window["observed"])
    keep[:, -1] = True
    assert not unpacked(as_batch(window, keep).history).yaw_rad.any()


def test_turned_windows_turn_the_prediction_though_no_yaw_was_measured() -> None:
    torch.manual_seed(0)
    model = TrajectoryModel(ModelConfig(hidden=32, modes=3, knots=4)).eval()
    angle = 2.0
    one, other = (Batches(alone(blind_windows(a)), 1000)[0] for a in (0.0, angle))
    real = torch.arange(len(one.history)).unsqueeze(1) < one.length
    mine, theirs = (model.features(batch.history).features[real] for batch in (one, other))
    torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=1e-3)
    with torch.no_grad():
        paths, turned = (model(b.history, b.length, b.surroundings) for b in (one, other))
    expected = rotate(torch.stack([paths.x_m, paths.y_m], -1).numpy().astype(np.float64), np.array(angle))
    found = torch.stack([turned.x_m, turned.y_m], -1).numpy()
    windows = blind_windows()
    away = np.abs(windows.position_m - windows.position_m[:, -1:]).max(-1)
    moved = (away * windows.observed).max(1) > 0
    assert moved.tolist()[:3] == [False, True, True]
    np.testing.assert_allclose(found[..., moved, :], expected[..., moved, :], atol=5e-3)
    assert not np.allclose(
        found[..., ~moved, :], expected[..., ~moved, :], atol=1e-2
    )  # Stream leaves these where they are


def test_joined_pads_shorter_histories_in_front(data: TrainingSet) -> None:
    short = TrainingSet(**{name: value[:, -3:] if name in HISTORY else value for name, value in vars(data).items()})
    both = joined([data, short])
    assert len(both) == 2 * len(data)
    assert not both.observed[len(data) :, :-3].any()
    np.testing.assert_array_equal(both.position_m[len(data) :, -3:], data.position_m[:, -3:])
    np.testing.assert_array_equal(both.map_distance[len(data) :], data.map_distance)


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``roads`` with sixteen copies of a scene, its raster drivable everywhere and driven on its right."""
    root = tmp_path_factory.mktemp("data")
    whole = load_scene(SCENES / "crossing_small.parquet")
    low_m = whole.position_m.min(axis=0) - 60.0
    pixels = np.ceil(whole.position_m.max(axis=0) + 60.0 - low_m).astype(int)
    direction = np.zeros((*pixels, 2), np.int8)
    direction[pixels[0] // 2 :, :, 0] = 100
    raster = RasterMap(low_m, 1.0, np.ones(tuple(pixels), np.bool_), direction=direction)
    (root / "roads").mkdir()
    for number in range(16):
        write_scene(replace(whole, lanes=(), raster=raster), root / "roads" / f"{number}.parquet")
    return root


def sliding(roads: Path, **changes: Any) -> list[TrainingSet]:
    """The windows of each of the scenes by itself."""
    source = SourceConfig("scenes", path="roads", history_s=1.0, stride=40, min_future_s=1.0, count=1)
    requirements = InputRequirements(replace(VIEW, directions=True), 0)
    each = [replace(source, first=number, **changes) for number in range(16)]
    return [build_set(one, [roads], FUTURE_S, requirements) for one in each]


def test_half_of_the_scenes_see_their_map_moved_and_nothing_else_of_them_changes(roads: Path) -> None:
    plain, moved = sliding(roads)[0], sliding(roads, map_shift_m=2.0)
    changed = [not np.array_equal(one.map_distance, plain.map_distance) for one in moved]
    assert 3 <= sum(changed) <= 13
    for one in moved:
        for name in set(TrainingSet.__dataclass_fields__) - {"map_distance", "map_valid"}:
            assert np.array_equal(getattr(one, name), getattr(plain, name)), name
    again = sliding(roads, map_shift_m=2.0)
    assert all(np.array_equal(a.map_distance, b.map_distance) for a, b in zip(moved, again, strict=True))


def test_a_share_of_the_scenes_is_drivable_only_where_somebody_drove(roads: Path) -> None:
    plain, driven = sliding(roads)[0], sliding(roads, driven_share=1.0)[0]
    known = driven.map_distance[..., 2] > 0
    assert (plain.map_distance[..., 0] > 0).all()
    assert np.array_equal(driven.map_distance[..., 0] > 0, known)
    assert 0.2 < known.mean() < 0.8
    some = sliding(roads, driven_share=0.5)
    assert 3 <= sum(np.array_equal(one.map_distance, driven.map_distance) for one in some) <= 13


def test_a_source_without_its_map_has_the_same_windows_and_no_map(roads: Path) -> None:
    plain, blind = sliding(roads)[0], sliding(roads, without_map=True)[0]
    assert plain.map_valid.any()
    assert not blind.map_valid.any()
    assert not blind.map_distance.any()
    for name in set(TrainingSet.__dataclass_fields__) - {"map_distance", "map_valid"}:
        assert np.array_equal(getattr(blind, name), getattr(plain, name)), name


def test_frames_are_put_between_and_every_nth_window_is_taken(roads: Path) -> None:
    plain = sliding(roads)[0]
    twice = sliding(roads, densify=2, rate_hz=20.0, stride=80)[0]
    assert len(twice) == len(plain)
    assert twice.observed.shape[1] == 2 * plain.observed.shape[1] - 1
    np.testing.assert_allclose(twice.position_m[:, ::2], plain.position_m, atol=1e-5)
    np.testing.assert_allclose(twice.future_m, plain.future_m, atol=1e-5)
    third = plain.select(thinned_rows(plain, 3))
    assert np.array_equal(third.future_m, plain.future_m[::3])


def test_of_windows_that_stand_every_nth_is_taken_and_of_the_others_all(data: TrainingSet) -> None:
    """Every second window is made to stand, but for one whose history and one whose future leads away."""
    position_m, future_m = np.full_like(data.position_m, 5.0), np.full_like(data.future_m, 5.0)
    stands = np.arange(len(data)) % 2 == 0
    position_m[stands], future_m[stands] = 0.6, 0.5
    position_m[4, 0], future_m[8, -1] = 1.2, 1.2
    observed, valid = np.ones_like(data.observed), np.ones_like(data.future_valid)
    observed[6, 0], position_m[6, 0] = False, 9.0  # what was not observed is nowhere
    made = replace(data, position_m=position_m, future_m=future_m, observed=observed, future_valid=valid)
    stands[[4, 8]] = False
    kept = made.select(thinned_rows(made, 1, standing_every=3))
    expected = np.sort(np.concatenate([np.flatnonzero(~stands), np.flatnonzero(stands)[::3]]))
    assert np.array_equal(kept.map_distance, data.map_distance[expected])
    assert np.array_equal(kept.future_m, future_m[expected])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder 'nowhere'"):
        source_files(SourceConfig("scenes", path="nowhere"), [tmp_path])


def test_scenes_are_left_out_by_name_and_only_ones_that_exist(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write_scene(crossing_scene(2.0), tmp_path / "made" / f"{name}.parquet")
    source = SourceConfig("scenes", path="made", without=("two",))
    assert [file.stem for file in source_files(source, [tmp_path])] == ["one", "three"]
    with pytest.raises(InputError, match="no scene is called twoo"):
        source_files(replace(source, without=("twoo",)), [tmp_path])


def test_a_source_says_what_belongs_to_it() -> None:
    with pytest.raises(ConfigError, match="path belongs to kind scenes"):
        SourceConfig("nuscenes", path="x", split="train")
    with pytest.raises(ConfigError, match="expected a split, got ''; split goes with"):
        SourceConfig("nuscenes")
    below: Any = -0.1
    nothing: Any = 0
    whole: Any = 1.0
    setting: Any
    for name in ("pace", "noise_power", "noise_memory_s", "size_noise"):
        with pytest.raises(ConfigError, match=rf"augment\.{name}: expected at least 0, got -0\.1"):
            AugmentConfig(**{name: below})
    for name in ("every", "standing_every", "densify"):
        with pytest.raises(ConfigError, match=f"source: {name}: expected at least 1, got 0"):
            replace(SOURCE, **{name: nothing})
    with pytest.raises(ConfigError, match=r"source: driven_share: expected \[0, 1\], got 1\.5"):
        replace(SOURCE, driven_share=1.5)
    with pytest.raises(ConfigError, match=r"source: map_shift_m: expected at least 0, got -1\.0"):
        replace(SOURCE, map_shift_m=-1.0)
    for setting in ({"densify": 2}, {"map_shift_m": 1.0}, {"driven_share": 0.5}, {"without_map": True}):
        with pytest.raises(ConfigError, match="they are for sliding windows, and this benchmark gives its own"):
            SourceConfig("nuscenes", split="train", **setting)
    with pytest.raises(ConfigError, match=r"source: without_map: expected no map beside it, got 'town\.osm'"):
        replace(SOURCE, without_map=True, map="town.osm")
    for name in ("drop", "hide_map", "hide_directions", "hide_neighbours", "hide_size"):
        with pytest.raises(ConfigError, match=rf"augment\.{name}: expected \[0, 1\), got 1\.0"):
            AugmentConfig(**{name: whole})


def test_only_directions_that_the_model_sees_are_hidden() -> None:
    augment, view = AugmentConfig(hide_directions=0.1), replace(MapView(), directions=True)
    sources = (SOURCE,)
    TrainConfig("seeing", "none", False, sources, sources, model=ModelConfig(map=view), augment=augment)
    for model in (ModelConfig(), ModelConfig(map=replace(view, directions=False))):
        with pytest.raises(ConfigError, match=r"augment\.hide_directions: expected only with model\.map\.directions"):
            TrainConfig("blind", "none", False, sources, sources, model=model, augment=augment)
