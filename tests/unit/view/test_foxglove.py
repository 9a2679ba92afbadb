"""The .mcap for Foxglove, read back: every message fits the schema that is in the file, and says where things are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene
from trajnet.cli.main import build
from trajnet.scenes import write_scene
from trajnet.types import Scene
from trajnet.view import write_foxglove
from trajnet.view.moments import origin_m

reader = pytest.importorskip("mcap.reader", reason="mcap is not installed")
jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

TIME_S = np.arange(1.0, 7.0) * 0.5


def read(path: Path) -> tuple[list[tuple[str, int, dict[str, Any]]], dict[str, str]]:
    """The messages as (topic, time, content), each valid by its schema, and the schema's name of each topic."""
    found, names = [], {}
    with path.open("rb") as file:
        for schema, channel, message in reader.make_reader(file).iter_messages():
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            content = json.loads(message.data)
            jsonschema.validate(content, json.loads(schema.data))
            names[channel.topic] = schema.name
            found.append((channel.topic, message.log_time, content))
    return found, names


def with_ego(scene: Scene) -> Scene:
    return replace(scene, track_id=("ego", *scene.track_id[1:]))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return with_ego(crossing_scene(1.0))


@pytest.fixture(scope="module")
def content(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], dict[str, str]]:
    path = tmp_path_factory.mktemp("mcap") / "scene.mcap"
    count = write_foxglove(path, scene, Fan(TIME_S))
    found = read(path)
    assert len(found[0]) == count
    return found


def test_topics_have_the_schemas_that_foxglove_knows(content: tuple[list[Any], dict[str, str]]) -> None:
    drawn = dict.fromkeys(("/map", "/objects", "/history", "/paths"), "foxglove.SceneUpdate")
    assert content[1] == {"/tf": "foxglove.FrameTransform", **drawn}


def test_a_message_of_another_form_would_not_pass(content: tuple[list[Any], dict[str, str]], tmp_path: Path) -> None:
    from trajnet.view.foxglove_schemas import SCENE_UPDATE

    message = next(m for topic, _, m in content[0] if topic == "/objects")
    message = json.loads(json.dumps(message))
    del message["entities"][0]["cubes"][0]["pose"]["orientation"]["w"]
    with pytest.raises(jsonschema.ValidationError, match="'w' is a required property"):
        jsonschema.validate(message, SCENE_UPDATE)


def test_each_frame_has_its_objects_where_they_are(scene: Scene, content: tuple[list[Any], dict[str, str]]) -> None:
    objects = [(time_ns, m) for topic, time_ns, m in content[0] if topic == "/objects"]
    assert [time_ns for time_ns, _ in objects] == scene.timestamp_ns.tolist()
    time_ns, message = objects[5]
    now, origin = scene.frame(5), origin_m(scene)
    assert message["deletions"][0]["type"] == 1
    assert [entity["id"] for entity in message["entities"]] == list(now.track_id)
    for row, entity in enumerate(message["entities"]):
        cube = entity["cubes"][0]
        place, turn = cube["pose"]["position"], cube["pose"]["orientation"]
        assert (place["x"], place["y"]) == pytest.approx(tuple(now.position_m[row] - origin))
        assert np.cos(2 * np.arctan2(turn["z"], turn["w"]) - now.yaw_rad[row]) == pytest.approx(1.0)
        assert (cube["size"]["x"], cube["size"]["y"]) == pytest.approx(tuple(now.size_m[row]))
        assert entity["timestamp"]["sec"] * 10**9 + entity["timestamp"]["nsec"] == time_ns
        assert now.track_id[row] in entity["texts"][0]["text"]
        assert "60%" in entity["texts"][0]["text"]


def test_paths_are_the_stronger_the_more_probable(content: tuple[list[Any], dict[str, str]]) -> None:
    message = [m for topic, _, m in content[0] if topic == "/paths"][5]
    histories = [m for topic, _, m in content[0] if topic == "/history"][5]
    for entity in [*message["entities"], *histories["entities"]]:
        numbers = [point[axis] for line in entity["lines"] for point in line["points"] for axis in "xy"]
        assert max(map(abs, numbers)) < 200  # around the origin, as the objects are
    for entity in message["entities"]:
        alphas = [line["color"]["a"] for line in entity["lines"]]
        assert alphas == pytest.approx([0.2 + 0.8 * share for share in (0.6, 0.3, 0.1)])
        assert all(len(line["points"]) == len(TIME_S) for line in entity["lines"])
        facts = {pair["key"]: pair["value"] for pair in entity["metadata"]}
        assert facts == {"mode 0": "0.600", "mode 1": "0.300", "mode 2": "0.100", "source": "model"}


def test_the_map_is_there_once_around_0_and_world_says_where(
    scene: Scene, content: tuple[list[Any], dict[str, str]]
) -> None:
    maps = [m for topic, _, m in content[0] if topic == "/map"]
    assert len(maps) == 1
    lines = maps[0]["entities"][0]["lines"]
    assert len(lines) == 2 * len(scene.lanes)
    assert max(abs(point[axis]) for line in lines for point in line["points"] for axis in "xy") < 200
    transforms = [m for topic, _, m in content[0] if topic == "/tf"]
    first = transforms[0]
    assert (first["parent_frame_id"], first["child_frame_id"]) == ("world", "map")
    assert (first["translation"]["x"], first["translation"]["y"]) == tuple(origin_m(scene))
    assert {m["child_frame_id"] for m in transforms[1:]} == {"base_link"}
    assert len(transforms) == 1 + int((scene.row_track == 0).sum())


def test_a_clock_below_0_and_a_frame_without_objects(tmp_path: Path) -> None:
    scene = crossing_scene(1.0)
    rows = scene.row_frame != 4
    empty = replace(
        scene,
        timestamp_ns=scene.timestamp_ns - scene.timestamp_ns[0] - 10**9,
        **{
            name: getattr(scene, name)[rows]
            for name in (
                *("row_frame", "row_track", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid"),
                "is_target",
            )
        },
    )
    write_foxglove(tmp_path / "scene.mcap", empty, Fan(TIME_S))
    found, _ = read(tmp_path / "scene.mcap")
    objects = [(time_ns, m) for topic, time_ns, m in found if topic == "/objects"]
    assert objects[0][0] == 0
    assert objects[4][1]["entities"] == []


def test_the_command_writes_it(tmp_path: Path) -> None:
    write_scene(crossing_scene(1.0), tmp_path / "scene.parquet")
    file = tmp_path / "scene.mcap"
    result = CliRunner().invoke(
        build(), ["view", str(tmp_path / "scene.parquet"), "--model", "cv", "--mcap", str(file)]
    )
    assert result.exit_code == 0, result.output
    assert f"{len(read(file)[0])} messages" in result.output
