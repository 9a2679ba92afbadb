"""Scenes of the nuScenes challenge with everybody in them: each object once, and nothing that only the future tells."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tests.nuscenes_scene import Agents, agents_table, label_file
from tests.onlooker import Onlooker
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets.files import agents_file, load_scene, with_everybody
from trajnet.datasets.nuscenes import FUTURE_S, HISTORY_S
from trajnet.datasets.window_context import scene_surroundings, window_surroundings
from trajnet.datasets.windows import windows_of_scene
from trajnet.errors import ConfigError, InputError
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import Stream
from trajnet.scenes.nuscenes_everybody import agents_beside, with_agents
from trajnet.training.config import SourceConfig
from trajnet.training.model_config import ModelConfig
from trajnet.training.sources import build_set
from trajnet.training.training_set import TrainingSet
from trajnet.training.window_store import stored_windows
from trajnet.types import ObjectClass, Scene

ALL = InputRequirements(neighbours=6, all_agents=True)
LISTED = InputRequirements(neighbours=6)
#: Twice the target itself, under its label's id and as a detection; the recording vehicle; one that is hardly believed
#: at first, one that is less and less; one with a gap that was filled.
AGENTS: Agents = {
    "7": ("car", {f: (100.0 + 2.0 * f, 50.0, 1.0) for f in range(20)}),
    "n1": ("car", {f: (101.5 + 2.0 * f, 50.6, 0.9) for f in range(10)}),
    "ego": ("car", {f: (90.0 + 2.0 * f, 50.0, 1.0) for f in range(20)}),
    "n2": ("pedestrian", {f: (110.0, 45.0, 0.2 if f < 5 else 0.9) for f in range(20)}),
    "n3": ("bicycle", {f: (112.0, 46.0, 0.5 if f < 5 else 0.01) for f in range(20)}),
    "n4": ("car", {f: (118.0, 54.0, 0.0 if f in (4, 6) else 0.8) for f in range(20)}),
}


def frames_of(scene: Scene, name: str) -> list[int]:
    rows = scene.row_track == scene.track_id.index(name)
    return list(map(int, scene.frame_number[scene.row_frame[rows]]))


def test_everybody_is_in_the_scene_once(tmp_path: Path) -> None:
    label = label_file(tmp_path)
    alone = load_scene(label)
    assert agents_beside(label) is None
    assert with_everybody(alone, label) is alone
    agents_table(tmp_path, AGENTS)
    assert agents_file(label) == tmp_path / "nuscenes_agents" / "val" / "scene-0042.parquet"
    scene = with_everybody(alone, label)
    assert scene.track_id[:2] == alone.track_id
    # 7 is the label's own; n1 stands in its box.
    assert sorted(scene.track_id[2:]) == ["ego", "n2", "n3", "n4"]
    for name in alone.track_id:
        here, there = (scene.row_track == scene.track_id.index(name), alone.row_track == alone.track_id.index(name))
        np.testing.assert_array_equal(scene.position_m[here], alone.position_m[there])
        np.testing.assert_array_equal(scene.is_target[here], alone.is_target[there])
    assert scene.is_target.sum() == 4
    assert frames_of(scene, "n2") == list(range(5, 20))  # 0.2 five times and 0.9 once are 0.32 in the mean
    assert frames_of(scene, "n3") == list(range(8))  # 0.5 five times and 0.01 four times are 0.28
    assert frames_of(scene, "n4") == [f for f in range(20) if f not in (4, 6)]
    assert scene.object_class[scene.track_id.index("n3")] == ObjectClass.BICYCLE
    assert not scene.velocity_valid[scene.row_track == 0].any()
    assert scene.velocity_valid[scene.row_track == scene.track_id.index("ego")].all()


def test_a_detection_beside_a_listed_object_is_another_one(tmp_path: Path) -> None:
    """The box is 4.6 x 1.9 m: 2.2 m ahead is within, 1.1 m aside is not."""
    label = label_file(tmp_path)
    beside: Agents = {
        "n1": ("car", {f: (102.2 + 2.0 * f, 50.0, 0.9) for f in range(20)}),
        "n2": ("car", {f: (100.0 + 2.0 * f, 51.1, 0.9) for f in range(20)}),
    }
    scene = with_agents(load_scene(label), agents_table(tmp_path, beside))
    assert scene.track_id == ("7", "9", "n2")


def test_the_box_of_a_listed_object_is_turned_with_it(tmp_path: Path) -> None:
    """Heading 45 degrees to the left: 1.4 m ahead and 1.4 m to the left is within, 1.4 m to the right is not."""
    label = label_file(tmp_path, yaw_rad=np.pi / 4)
    beside: Agents = {
        "n1": ("car", {f: (101.4 + 2.0 * f, 51.4, 0.9) for f in range(20)}),
        "n2": ("car", {f: (101.4 + 2.0 * f, 48.6, 0.9) for f in range(20)}),
    }
    assert with_agents(load_scene(label), agents_table(tmp_path, beside)).track_id == ("7", "9", "n2")


def assert_same(got: Surroundings, expected: Surroundings) -> None:
    for f in fields(Surroundings):
        np.testing.assert_array_equal(getattr(got, f.name), getattr(expected, f.name), err_msg=f.name)


def test_nothing_after_an_instant_is_in_its_neighbours(tmp_path: Path) -> None:
    """Later frames are taken away, moved, no longer believed, or full of others: what was seen until then stays."""
    label, last = label_file(tmp_path), 7
    alone = load_scene(label)

    def seen(agents: Agents) -> Surroundings:
        agents_table(tmp_path, agents)
        scene = with_everybody(alone, label)
        rows = np.flatnonzero(scene.frame_number[scene.row_frame] <= last)
        return scene_surroundings(scene, rows[np.isin(scene.row_track[rows], (0, 1))], ALL)

    expected = seen(AGENTS)
    assert (expected.neighbours[:, 3, -1] > 0).any()  # four neighbours: more than the files list
    cut: Agents = {name: (k, {f: v for f, v in at.items() if f <= last}) for name, (k, at) in AGENTS.items()}
    assert_same(seen(cut), expected)
    changed: Agents = {
        name: (kind, {f: v if f <= last else (v[0] + 30.0, v[1] - 9.0, 0.001) for f, v in at.items()})
        for name, (kind, at) in AGENTS.items()
    }
    changed["n9"] = ("car", {f: (103.0 + 2.0 * f, 54.0, 1.0) for f in range(last + 1, 20)})
    assert_same(seen(changed), expected)


def test_windows_are_shown_all_agents_where_a_predictor_requires_them(tmp_path: Path) -> None:
    """The same in training and in an evaluation, which streams them; without a recording beside it, as without it."""
    label = label_file(tmp_path)
    alone = load_scene(label)
    windows = windows_of_scene(alone, np.flatnonzero(alone.is_target), HISTORY_S, FUTURE_S)
    listed = window_surroundings(windows, [label], LISTED)
    assert_same(window_surroundings(windows, [label], ALL), listed)
    agents_table(tmp_path, AGENTS)
    everybody = window_surroundings(windows, [label], ALL)
    assert_same(window_surroundings(windows, [label], LISTED), listed)
    assert (listed.neighbours[..., -1].sum(axis=1) == 1).all()
    assert everybody.neighbours[..., -1].sum(axis=1).tolist() == [3, 5, 4, 5]  # n4 is not detected in frames 4 and 6
    onlooker = Onlooker(ALL)
    list(WindowUnit(windows, "", (label,)).run(Stream(onlooker), FUTURE_S))
    streamed = onlooker.seen[-1].surroundings
    assert streamed is not None
    assert_same(streamed, everybody)


def test_a_source_may_take_windows_of_all_agents_and_of_some_classes(tmp_path: Path) -> None:
    label_file(tmp_path)
    agents_table(tmp_path, AGENTS)
    source = SourceConfig("scenes", path="nuscenes_pred/label", history_s=1.0, rate_hz=2.0, stride=1, min_future_s=2.0)
    future_s = np.array([1.0, 2.0])

    def classes(requirements: InputRequirements, **change: object) -> list[int]:
        changed = SourceConfig(**{**vars(source), **change})
        return sorted(set(build_set(changed, [tmp_path], future_s, requirements).object_class.tolist()))

    listed = [int(ObjectClass.CAR), int(ObjectClass.TRUCK)]
    assert classes(LISTED) == classes(ALL) == listed
    everybody = build_set(SourceConfig(**{**vars(source), "all_agents": True}), [tmp_path], future_s, ALL)
    assert set(everybody.object_class.tolist()) > set(listed)
    assert len(everybody) > len(build_set(source, [tmp_path], future_s, ALL))
    assert classes(ALL, all_agents=True, classes=("car",)) == [int(ObjectClass.CAR)]
    with pytest.raises(ConfigError, match=r"classes: expected some of .* got tram"):
        classes(ALL, classes=("tram",))
    with pytest.raises(ConfigError, match=r"model\.all_agents: expected only with neighbours above 0"):
        ModelConfig(all_agents=True)


def test_windows_on_the_disk_have_the_same_agents_and_are_built_anew_with_others(tmp_path: Path) -> None:
    label_file(tmp_path)
    source = SourceConfig(
        "scenes", path="nuscenes_pred/label", history_s=1.0, rate_hz=2.0, stride=1, min_future_s=2.0, all_agents=True
    )
    future_s = np.array([1.0, 2.0])
    lengths = []
    for agents in (AGENTS, {"ego": AGENTS["ego"]}):
        agents_table(tmp_path, agents)
        stored = stored_windows([source], [tmp_path], future_s, ALL, tmp_path / "windows", by_content=True)
        built = build_set(source, [tmp_path], future_s, ALL)
        for f in fields(TrainingSet):
            np.testing.assert_array_equal(getattr(stored.everything(), f.name), getattr(built, f.name), err_msg=f.name)
        lengths.append(len(stored))
    assert lengths[0] > lengths[1] > 0


def test_a_table_without_scores_is_named(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    label, table = label_file(tmp_path), agents_table(tmp_path, AGENTS)
    pq.write_table(pq.ParquetFile(table).read().drop_columns(["score"]), table)
    with pytest.raises(InputError, match=r"scene-0042\.parquet: expected a column score"):
        with_everybody(load_scene(label), label)
