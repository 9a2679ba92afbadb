"""INTERACTION, levelX, highD, TGSIM and DLR UT: tracks in CSV.

Only INTERACTION's own test recording is real (data_dir). The other files are made here, strictly after the published
names of the columns: no recording of theirs may lie in this repository, and none is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.text_files import write
from trajnet.datasets.files import find_scenes, load_scene, load_scenes, scene_kind
from trajnet.errors import InputError
from trajnet.types import ObjectClass

pytest.importorskip("pyarrow")

INTERACTION = "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width\n"
WALKERS = "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy\nP1,1,100,pedestrian/bicycle,9,9,0.5,0\n"
CASES = (
    "case_id,track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width,track_to_predict\n"
    "2.0,1,10,1000,car,5,0,1,0,0.5,4,2,1\n1.0,1,9,900,car,1,0,1,0,0,4,2,0\n1.0,1,10,1000,car,2,0,1,0,0,4,2,0\n"
    "2.0,2,10,1000,pedestrian/bicycle,7,0,1,0,,,,0\n"
)
LEVELX = (
    "recordingId,trackId,frame,trackLifetime,xCenter,yCenter,heading,width,length,xVelocity,yVelocity,xAcceleration,"
    "yAcceleration,lonVelocity,latVelocity,lonAcceleration,latAcceleration\n"
    "7,0,0,0,10.0,-5.0,90.0,1.9,4.5,0.0,8.0,0,0,8,0,0,0\n7,0,1,1,10.0,-4.68,90.0,1.9,4.5,0.0,8.0,0,0,8,0,0,0\n"
    "7,1,1,0,3.0,-9.0,180.0,0.0,0.0,-1.0,0.0,0,0,1,0,0,0\n"
)
LEVELX_TRACKS = (
    "recordingId,trackId,initialFrame,finalFrame,numFrames,width,length,class\n7,0,0,1,2,1.9,4.5,car\n"
    "7,1,1,1,1,0.0,0.0,pedestrian\n"
)
LEVELX_META = (
    "recordingId,locationId,frameRate,speedLimit,xUtmOrigin,yUtmOrigin,orthoPxToMeter\n7,1,25.0,13.9,3,5,0.01\n"
)
HIGHD = (
    "frame,id,x,y,width,height,xVelocity,yVelocity,xAcceleration,yAcceleration,frontSightDistance,laneId\n"
    "1,1,100.0,8.0,4.0,2.0,-30.0,0.5,0,0,0,2\n26,1,70.0,8.5,4.0,2.0,-30.0,0.5,0,0,0,2\n1,2,0.0,20.0,12.0,2.5,25,0,0,0,0,5\n"
)
HIGHD_TRACKS = (
    "id,width,height,initialFrame,finalFrame,numFrames,class,drivingDirection\n1,4,2,1,26,26,Car,1\n"
    "2,12,2.5,1,1,1,Truck,2\n"
)
HIGHD_META = "id,frameRate,locationId,upperLaneMarkings,lowerLaneMarkings\n1,25,2,7.0;11.0;15.0,19.0;23.0\n"
TGSIM = (
    "id,time,xloc-kf,yloc-kf,lane-kf,speed-kf-x,speed-kf-y,acceleration-kf-x,acceleration-kf-y,length-smoothed,"
    "width-smoothed,type-most-common,run-index\n"
    "1,0.0,10,20,1,1.0,2.0,0,0,4.5,1.9,3,1\n1,0.1,10.1,20.2,1,1.0,2.0,0,0,4.5,1.9,3,1\n1,0.0,5,5,1,0,0,0,0,0.5,0.5,0,2\n"
)
DLR = (
    "timestamp,id,center_easting,center_northing,velocity_easting,velocity_northing,velocity_magnitude,yaw,"
    "dimension_length,dimension_width,classifications_pedestrian,classifications_bicycle,classifications_motorbike,"
    "classifications_car,classifications_van,classifications_truck\n"
    "2023-09-24 09:00:00.000000+00:00,4,604760.5,5792800.25,3,4,5,53.13,4.5,1.9,0,0,0,0.4,0.6,0\n"
    "2023-09-24 09:00:00.050000+00:00,4,604760.65,5792800.45,3,4,5,53.13,4.5,1.9,0,0,0,0.3,0.1,0.6\n"
)


def levelx(folder: Path) -> Path:
    write(folder / "data" / "07_tracksMeta.csv", LEVELX_TRACKS)
    write(folder / "data" / "07_recordingMeta.csv", LEVELX_META)
    return write(folder / "data" / "07_tracks.csv", LEVELX)


def highd(folder: Path) -> Path:
    write(folder / "data" / "01_tracksMeta.csv", HIGHD_TRACKS)
    write(folder / "data" / "01_recordingMeta.csv", HIGHD_META)
    return write(folder / "data" / "01_tracks.csv", HIGHD)


def test_interaction_reads_walkers_with_the_vehicles(tmp_path: Path) -> None:
    rows = "1,1,100,car,1,2.5,10,0,0.25,4,1.8\n1,2,200,car,2,2.5,10,0,0.25,4,1.8\n"
    path = write(tmp_path / "DR_USA_X" / "vehicle_tracks_000.csv", INTERACTION + rows)
    write(path.parent / "pedestrian_tracks_000.csv", WALKERS)
    assert find_scenes(tmp_path) == [path]
    scene = load_scene(path)
    assert (scene_kind(path), scene.scene_id) == ("interaction", "DR_USA_X/vehicle_tracks_000")
    assert scene.track_id == ("1", "P1")
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    assert scene.timestamp_ns.tolist() == [100_000_000, 200_000_000]
    first = scene.frame(0)
    assert first.position_m.tolist() == [[1.0, 2.5], [9.0, 9.0]]
    assert first.yaw_valid.tolist() == [True, False]
    assert first.size_m.tolist() == [[4.0, 1.8], [0.6, 0.6]]
    assert first.velocity_mps.tolist() == [[10.0, 0.0], [0.5, 0.0]]


def test_interaction_makes_a_scene_of_each_case(tmp_path: Path) -> None:
    path = write(tmp_path / "train" / "DR_X_train.csv", CASES)
    one, two = load_scenes(path)
    assert (one.scene_id, two.scene_id) == ("train/DR_X_train_1", "train/DR_X_train_2")
    assert one.position_m.tolist() == [[1.0, 0.0], [2.0, 0.0]]
    assert two.track_id == ("1", "2")
    assert two.is_target.tolist() == [True, False]
    assert two.yaw_valid.tolist() == [True, False]
    assert not one.is_target.any()
    with pytest.raises(InputError, match="expected a file of one scene, got one of several"):
        load_scene(path)


def test_the_real_interaction_recording_has_its_map(data_dir: Path) -> None:
    path = data_dir / "samples" / "interaction" / "vehicle_tracks_000.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    scene = load_scene(path, with_map=True)
    assert len(scene.lanes) == 2
    assert scene.object_class.tolist() == [ObjectClass.CAR] * len(scene.track_id)
    steps_m = np.diff(scene.position_m[scene.rows_by_track()[0]], axis=0)
    np.testing.assert_allclose(steps_m[:3], 0.1 * scene.velocity_mps[scene.rows_by_track()[0]][:3], atol=1e-6)
    # The recording drives on its map: within the span of the lanes' borders across the road.
    borders_m = np.concatenate([lane.left_m for lane in scene.lanes] + [lane.right_m for lane in scene.lanes])
    assert borders_m[:, 1].min() < scene.position_m[:, 1].min()
    assert scene.position_m[:, 1].max() < borders_m[:, 1].max()


def test_levelx_takes_classes_and_rate_from_the_files_beside(tmp_path: Path) -> None:
    path = levelx(tmp_path / "ind")
    assert find_scenes(tmp_path) == [path]
    scene = load_scene(path)
    assert (scene_kind(path), scene.scene_id, scene.source) == ("levelx", "ind/07", "levelX ind")
    assert scene.timestamp_ns.tolist() == [0, 40_000_000]
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    assert scene.size_m.tolist() == [[4.5, 1.9], [0.6, 0.6]]
    np.testing.assert_allclose(scene.yaw_rad, [np.pi / 2, np.pi / 2, np.pi])
    assert scene.velocity_mps.tolist() == [[0.0, 8.0], [0.0, 8.0], [-1.0, 0.0]]


def test_highd_is_turned_round_and_has_its_lanes(tmp_path: Path) -> None:
    path = highd(tmp_path / "highd")
    scene = load_scene(path)
    assert (scene_kind(path), scene.scene_id) == ("highd", "highd/01")
    car, lorry = (scene.rows_by_track()[i] for i in (0, 1))
    assert scene.position_m[car].tolist() == [[102.0, -9.0], [72.0, -9.5]]
    assert scene.position_m[lorry].tolist() == [[6.0, -21.25]]
    assert scene.velocity_mps[car[0]].tolist() == [-30.0, -0.5]
    np.testing.assert_allclose(scene.yaw_rad[[car[0], lorry[0]]], [np.pi, 0.0])
    assert (scene.timestamp_ns[1] - scene.timestamp_ns[0]) == 1_000_000_000
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.TRUCK]
    upper, _, lower = scene.lanes
    assert upper.left_m.tolist() == [[102.0, -11.0], [6.0, -11.0]]  # towards -x, the left border is below
    assert upper.right_m.tolist() == [[102.0, -7.0], [6.0, -7.0]]
    assert lower.left_m.tolist() == [[6.0, -19.0], [102.0, -19.0]]


def test_tgsim_makes_a_scene_of_each_run(tmp_path: Path) -> None:
    path = write(tmp_path / "foggy.csv", TGSIM)
    one, two = load_scenes(path)
    assert (scene_kind(path), one.scene_id, two.scene_id) == ("tgsim", "foggy_run1", "foggy_run2")
    assert one.position_m.tolist() == [[10.0, -20.0], [10.1, -20.2]]
    assert one.velocity_mps[0].tolist() == [1.0, -2.0]
    assert one.velocity_valid.all()
    assert one.timestamp_ns.tolist() == [0, 100_000_000]
    assert two.object_class.tolist() == [ObjectClass.PEDESTRIAN]


def test_tgsim_without_directions_of_speed_has_no_velocities(tmp_path: Path) -> None:
    head = "id,time,xloc_kf,yloc_kf,speed_kf,length_smoothed,width_smoothed,type_most_common\n"
    scene = load_scene(write(tmp_path / "i395.csv", f"{head}1,0.0,1,2,30,4.5,1.9,3\n1,0.1,4,2,30,4.5,1.9,9\n"))
    assert not scene.velocity_valid.any()
    assert not scene.yaw_valid.any()
    assert scene.object_class.tolist() == [ObjectClass.CAR]


def test_dlr_ut_takes_the_likeliest_class_of_a_track(tmp_path: Path) -> None:
    path = write(tmp_path / "trajectories_230924-090000_230924-091500.csv", DLR)
    scene = load_scene(path)
    assert scene_kind(path) == "dlr_ut"
    assert scene.timestamp_ns.tolist() == [1_695_546_000_000_000_000, 1_695_546_000_050_000_000]
    assert scene.object_class.tolist() == [ObjectClass.CAR]  # car 0.7, van 0.7, truck 0.6 in sum
    assert scene.position_m[0].tolist() == [604760.5, 5792800.25]
    np.testing.assert_allclose(scene.yaw_rad, np.arctan2(4, 3), atol=1e-4)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "interaction": lambda folder: write(folder / "vehicle_tracks_000.csv", INTERACTION + "1,1,100,car,1,2,3,0,0,4,2\n"),
    "levelx": levelx,
    "highd": highd,
    "tgsim": lambda folder: write(folder / "a.csv", TGSIM.replace(",2\n", ",1\n").replace("1,0.0,5", "2,0.0,5")),
    "dlr_ut": lambda folder: write(folder / "trajectories_1.csv", DLR),
}


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("interaction", ",car,", ",ship,", "row 1: expected one of car, .* as agent_type, got 'ship'"),
        ("interaction", "1,1,100,car,1,", "1,1,100,car,inf,", "row 1: expected a finite number as x, got 'inf'"),
        ("interaction", "1,1,100", "1,1.5,100", "row 1: expected a whole number as frame_id, got '1.5'"),
        (
            "interaction",
            "psi_rad",
            "heading",
            "expected the columns psi_rad, length, width together, got none .* psi_rad",
        ),
        ("levelx", "xCenter", "centre", "expected the columns .*, got none called xcenter"),
        ("levelx", "7,1,1,0", "7,5,1,0", "expected tracks that 07_tracksMeta.csv describes, got '5'"),
        ("levelx", "7,0,1,1", "7,0,0,1", "'0' twice in frame 0"),
        ("highd", "100.0,8.0", "100.0,east", "row 1: expected a number as y, got 'east'"),
        ("highd", "26,1,70.0", "26,1", "expected a CSV table, got one that cannot be read"),
        ("tgsim", "0.1,10.1", ",10.1", "row 2: expected a number as time, got ''"),
        ("dlr_ut", "09:00:00.05", "25:00:00.05", "expected timestamps in ISO 8601"),
    ],
)
def test_bad_files_are_one_clear_sentence(tmp_path: Path, kind: str, old: str, new: str, said: str) -> None:
    path = MAKERS[kind](tmp_path)
    load_scene(path, kind)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path, kind)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_recording_without_its_meta_file_is_refused(tmp_path: Path) -> None:
    path = levelx(tmp_path / "ind")
    (path.parent / "07_recordingMeta.csv").unlink()
    with pytest.raises(InputError, match=r"expected NN_tracks\.csv with 07_recordingMeta\.csv beside it, found none"):
        load_scene(path)
