"""The bundled scenes, and the program that made them."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from trajnet.datasets.files import load_scene
from trajnet.geometry import wrap_angle
from trajnet.types import FloatArray, ObjectClass, Scene

BUNDLED = ("intersection", "motorway", "crossing_small")
MADE_WITH = "1.28.0"

#: Fastest that each class may move (m/s) and accelerate (m/s2): more would be a jump.
FASTEST = {ObjectClass.PEDESTRIAN: 5.0, ObjectClass.BICYCLE: 12.0}
HARDEST = 9.0


def bundled(root: Path, name: str) -> Scene:
    return load_scene(root / "sim" / "scenes" / f"{name}.parquet")


def tracks(scene: Scene) -> list[tuple[ObjectClass, FloatArray, FloatArray]]:
    """Class, positions and yaws of every stretch of a track without a gap."""
    found = []
    for rows in scene.rows_by_track():
        kind = ObjectClass(int(scene.object_class[scene.row_track[rows[0]]]))
        for part in np.split(rows, np.flatnonzero(np.diff(scene.row_frame[rows]) > 1) + 1):
            found.append((kind, scene.position_m[part], scene.yaw_rad[part]))
    return found


def test_they_are_small_free_and_at_10_hz(root: Path) -> None:
    files = sorted((root / "sim" / "scenes").iterdir())
    assert [f.stem for f in files] == sorted(BUNDLED)
    assert sum(f.stat().st_size for f in files) < 2_000_000
    for name in BUNDLED:
        scene = bundled(root, name)
        assert scene.scene_id == name
        assert set(np.diff(scene.timestamp_ns)) == {100_000_000}
        assert scene.licence == "Apache-2.0"
        assert scene.lanes


def test_who_is_in_them(root: Path) -> None:
    everyone = set(ObjectClass) - {ObjectClass.UNKNOWN}
    scene = bundled(root, "intersection")
    assert scene.duration_s == pytest.approx(29.9)
    assert set(scene.object_class.tolist()) == everyone
    assert 20 <= np.bincount(scene.row_frame).min() <= np.bincount(scene.row_frame).max() <= 45
    scene = bundled(root, "motorway")
    assert scene.duration_s == pytest.approx(29.9)
    assert {ObjectClass.CAR, ObjectClass.TRUCK} <= set(scene.object_class.tolist())
    assert 25 <= np.bincount(scene.row_frame).min() <= np.bincount(scene.row_frame).max() <= 45
    assert len(bundled(root, "crossing_small").track_id) <= 8


@pytest.mark.parametrize("name", BUNDLED)
def test_nothing_jumps(root: Path, name: str) -> None:
    for kind, position_m, yaw_rad in tracks(bundled(root, name)):
        velocity_mps = np.diff(position_m, axis=0) * 10
        assert np.hypot(*velocity_mps.T).max() < FASTEST.get(kind, 60.0)
        assert np.hypot(*np.diff(velocity_mps, axis=0).T).max() * 10 < HARDEST + 1.0  # positions are rounded to 1 mm
        assert np.abs(wrap_angle(np.diff(yaw_rad))).max() < 0.65


@pytest.mark.parametrize("name", BUNDLED)
def test_velocity_is_the_step_from_the_frame_before(root: Path, name: str) -> None:
    scene = bundled(root, name)
    for rows in scene.rows_by_track():
        follows = np.flatnonzero(np.diff(scene.row_frame[rows]) == 1) + 1
        step_mps = (scene.position_m[rows][follows] - scene.position_m[rows][follows - 1]) * 10
        assert np.abs(scene.velocity_mps[rows][follows] - step_mps).max() < 0.02
        assert scene.velocity_valid[rows][follows].all()


def test_vehicles_face_where_they_go(root: Path) -> None:
    for name in ("intersection", "motorway"):
        errors = []
        for kind, position_m, yaw_rad in tracks(bundled(root, name)):
            if kind == ObjectClass.PEDESTRIAN:
                continue
            step_m = np.diff(position_m, axis=0)
            travel = np.arctan2(step_m[:, 1], step_m[:, 0])
            errors.extend(np.abs(wrap_angle(yaw_rad[1:] - travel))[np.hypot(*step_m.T) > 0.3])
        assert np.median(errors) < 0.03
        assert np.quantile(errors, 0.99) < 0.25


def test_motorway_vehicles_change_lanes_gradually(root: Path) -> None:
    scene = bundled(root, "motorway")
    lanes = {lane.lane_id: lane.left_m for lane in scene.lanes}
    edge = shapely.LineString(np.concatenate([lanes["before_2"], lanes["weave_3"], lanes["after_2"]]))
    changes = 0
    for _, position_m, _ in tracks(scene):
        if shapely.LineString(position_m).length < 50:
            continue
        offset_m = shapely.distance(edge, shapely.points(position_m))
        if offset_m.max() > 15:
            continue  # comes from the ramp
        assert np.abs(np.diff(offset_m)).max() < 0.25
        changes += offset_m.max() - offset_m.min() > 3.0
    assert changes >= 5


def test_boxes_do_not_stand_in_one_another(root: Path) -> None:
    scene = bundled(root, "motorway")
    for frame in list(scene.frames())[::10]:
        along = np.stack([np.cos(frame.yaw_rad), np.sin(frame.yaw_rad)], axis=1) * frame.size_m[:, :1] / 2
        across = np.stack([-np.sin(frame.yaw_rad), np.cos(frame.yaw_rad)], axis=1) * frame.size_m[:, 1:] / 2
        signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
        corners = np.stack([frame.position_m + a * along + b * across for a, b in signs], axis=1)
        boxes = shapely.polygons(corners)
        left, right = shapely.STRtree(boxes).query(boxes, predicate="overlaps")
        assert not (left != right).any()


def test_the_front_bumper_and_the_compass_become_centre_and_yaw(root: Path, tmp_path: Path) -> None:
    """A 10 m lorry whose front is at (20, 5), driving east (90 degrees from north), then north."""
    steps = [(20.0 + 0.5 * i, 5.0, 90.0) for i in range(12)]
    lines = "".join(
        f'<timestep time="{i}"><vehicle id="a" x="{x}" y="{y}" angle="{angle}" type="truck_0" speed="5"/></timestep>'
        for i, (x, y, angle) in enumerate(steps)
    )
    (tmp_path / "fcd.xml").write_text(f"<fcd-export>{lines}</fcd-export>")
    program = (
        "from pathlib import Path; from sumo_recording import read_tracks\n"
        "(track,) = read_tracks(Path('fcd.xml'), {'truck_0': (10.0, 2.5)})\n"
        "print(*track.position_m[0].round(6), *track.position_m[-1].round(6), track.yaw_rad[0].round(6))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{root / 'sim'}:{root}", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [float(v) for v in done.stdout.split()] == [15.0, 5.0, 20.5, 5.0, 0.0]


def test_the_program_makes_the_bundled_scene_again(root: Path, tmp_path: Path) -> None:
    try:
        version = importlib.metadata.version("eclipse-sumo")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("eclipse-sumo is not installed")
    if version != MADE_WITH:
        pytest.skip(f"eclipse-sumo {version} drives otherwise than {MADE_WITH}, which made the bundled scenes")
    program = str(root / "sim" / "generate_scenes.py")
    run = [sys.executable, program, "--only", "crossing_small", "--out", str(tmp_path)]
    subprocess.run(run, env={"PYTHONPATH": str(root)}, check=True, capture_output=True)
    again, ours = load_scene(tmp_path / "crossing_small.parquet"), bundled(root, "crossing_small")
    assert again.track_id == ours.track_id
    for name in ("row_frame", "row_track", "position_m", "yaw_rad", "velocity_mps", "size_m"):
        np.testing.assert_allclose(getattr(again, name), getattr(ours, name), atol=2e-3)


def test_a_bundled_seed_is_refused_for_training(root: Path, tmp_path: Path) -> None:
    program = str(root / "sim" / "generate_scenes.py")
    run = [sys.executable, program, "--count", "1", "--seed", "4", "--out", str(tmp_path)]
    done = subprocess.run(run, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected 100 or more" in done.stderr
    assert "Traceback" not in done.stderr
