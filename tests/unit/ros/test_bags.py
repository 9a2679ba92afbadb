"""rosbag2 recordings without ROS: what goes in comes out, and other programs can read it."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.inference import Stream, load_predictor
from trajnet.ros.bag_export import COVARIANCE_TOPIC, MARKER_TOPIC, export_bag
from trajnet.ros.bag_import import import_bag, open_scene, scene_from_bag
from trajnet.ros.bag_predictions import prediction_of
from trajnet.ros.bags import PREDICTED_TOPIC, TRACKED_TOPIC, bag_topics, predictions_from_bag, typestore
from trajnet.ros.cdr import PredictedObjects, TrackedObjects, decode_predicted, encode_predicted, encode_tracked
from trajnet.ros.conventions import object_ids
from trajnet.ros.cut_bags import MAGIC
from trajnet.ros.definitions import PREDICTED_OBJECTS, TRACKED_OBJECTS, TYPE_HASHES
from trajnet.ros.to_autoware import tracked_objects
from trajnet.scenes import write_scene
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, Scene

rosbag2 = pytest.importorskip("rosbags.rosbag2", reason="needs rosbags: pip install trajnet-av[ros]")

STORAGES = [("mcap", "bag"), ("mcap", "bag.mcap"), ("sqlite3", "bag"), ("sqlite3", "bag.db3")]


def scene(frames: int = 8) -> Scene:
    """Make a scene in UTM: a car, a pedestrian without a velocity, a cyclist that misses frame 3; frame 5 is empty."""
    rows = [(f, t) for f in range(frames) for t in range(3) if f != 5 and not (f == 3 and t == 2)]
    row_frame, row_track = np.array(rows).T
    time_s = row_frame * 0.1
    speed = np.array([12.0, 1.2, 5.0])[row_track]
    yaw = np.array([0.3, 2.0, -1.5])[row_track] + 0.05 * time_s
    velocity = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    known = row_track != 1
    classes = np.array([ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE], dtype=np.int8)
    return Scene(
        scene_id="bag", timestamp_ns=1_700_000_000_000_000_000 + np.arange(frames) * 100_000_000,
        frame_number=np.arange(frames), track_id=tuple(t.tobytes().hex() for t in object_ids(("a", "b", "c"))),
        object_class=classes, size_m=DEFAULT_SIZE_M[classes], row_frame=row_frame, row_track=row_track,
        position_m=np.array([600_000.123, 5_800_000.456]) + time_s[:, None] * velocity + 10 * row_track[:, None],
        yaw_rad=yaw, yaw_valid=np.ones(len(yaw), bool), velocity_mps=np.where(known[:, None], velocity, 0.0),
        velocity_valid=known, is_target=np.zeros(len(yaw), bool),
    )  # fmt: skip


def write_bag(path: Path, messages: list[tuple[str, str, bytes]]) -> Path:
    """Write a bag of these (topic, type, data)."""
    store = typestore()
    with rosbag2.Writer(path, version=8, storage_plugin=rosbag2.StoragePlugin.MCAP) as writer:
        topics = dict.fromkeys((t, m) for t, m, _ in messages)
        made = {key: writer.add_connection(*key, typestore=store) for key in topics}
        for index, (topic, message_type, data) in enumerate(messages):
            writer.write(made[topic, message_type], index, data)
    return path


@pytest.mark.parametrize(("storage", "name"), STORAGES)
def test_a_scene_comes_back_as_it_went(tmp_path: Path, storage: Any, name: str) -> None:
    told = scene()
    assert export_bag(told, tmp_path / name, storage=storage) == told.frame_count
    got = scene_from_bag(tmp_path / name)
    assert got.timestamp_ns.tolist() == told.timestamp_ns.tolist()
    assert got.track_id == told.track_id
    for field in ("object_class", "row_frame", "row_track", "yaw_valid", "velocity_valid", "frame_number"):
        assert np.array_equal(getattr(got, field), getattr(told, field)), field
    for field in ("position_m", "yaw_rad", "velocity_mps", "size_m"):
        assert np.abs(getattr(got, field) - getattr(told, field)).max() < 1e-9, field
    assert [t.name for t in bag_topics(tmp_path / name)] == [TRACKED_TOPIC]


@pytest.mark.parametrize(("storage", "name"), STORAGES)
def test_predictions_come_back_as_the_stream_made_them(tmp_path: Path, storage: Any, name: str) -> None:
    told = scene()
    export_bag(told, tmp_path / name, load_predictor("cv"), storage=storage)
    found = {p.timestamp_ns: p for p in predictions_from_bag(tmp_path / name)}
    assert len(found) == told.frame_count - 1  # the empty frame has none
    stream = Stream(load_predictor("cv"))
    for frame in told.frames():
        expected = stream.update(frame, frame.timestamp_ns)
        if len(frame):
            got = found[frame.timestamp_ns]
            assert got.track_id == frame.track_id
            assert got.time_s == pytest.approx(expected.time_s)
            assert np.abs(got.position_m - expected.position_m[: len(frame)]).max() < 1e-6
            got.validate()


def test_mcap_readers_decode_every_message_from_the_schemas_in_the_file(tmp_path: Path) -> None:
    reader = pytest.importorskip("mcap.reader", reason="needs mcap: pip install trajnet-av[ros]")
    decoder = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support: pip install trajnet-av[ros]")
    export_bag(scene(), tmp_path / "bag.mcap", load_predictor("cv"))
    seen: dict[str, list[Any]] = {}
    with (tmp_path / "bag.mcap").open("rb") as file:
        for schema, channel, _, message in reader.make_reader(
            file, decoder_factories=[decoder.DecoderFactory()]
        ).iter_decoded_messages():
            assert (schema.encoding, channel.message_encoding) == ("ros2msg", "cdr")
            seen.setdefault(channel.topic, []).append((schema.name, message))
    assert {t: m[0][0] for t, m in seen.items()} == {
        TRACKED_TOPIC: TRACKED_OBJECTS,
        PREDICTED_TOPIC: PREDICTED_OBJECTS,
        MARKER_TOPIC: "visualization_msgs/msg/MarkerArray",
        COVARIANCE_TOPIC: "sensor_msgs/msg/PointCloud2",
        "/tf": "tf2_msgs/msg/TFMessage",
    }
    assert {len(m) for m in seen.values()} == {8}
    tracked, predicted = seen[TRACKED_TOPIC][0][1], seen[PREDICTED_TOPIC][0][1]
    assert tracked.objects[0].kinematics.pose_with_covariance.pose.position.x == pytest.approx(600_000.123)
    paths = predicted.objects[0].kinematics.predicted_paths
    assert (len(paths), len(paths[0].path), paths[0].confidence, paths[0].time_step.nanosec) == (
        1,
        13,
        1.0,
        500_000_000,
    )
    assert (seen[MARKER_TOPIC][0][1].markers[0].ns, seen[COVARIANCE_TOPIC][0][1].width) == ("paths", 3 * 13)
    for (_, cloud), (_, message) in zip(seen[COVARIANCE_TOPIC], seen["/tf"], strict=True):
        (origin,) = message.transforms
        assert (origin.header.frame_id, origin.child_frame_id) == ("map", cloud.header.frame_id)
        assert origin.header.stamp.nanosec == cloud.header.stamp.nanosec


def test_rosbags_itself_reads_the_same_values(tmp_path: Path) -> None:
    export_bag(scene(), tmp_path / "bag", load_predictor("cv"))
    store = typestore()
    with rosbag2.Reader(tmp_path / "bag") as bag:
        for connection, _, data in bag.messages():
            message = store.deserialize_cdr(data, connection.msgtype)
            if connection.msgtype == TRACKED_OBJECTS:
                assert len(message.objects) in (0, 2, 3)


@pytest.mark.parametrize("message_type", [TRACKED_OBJECTS, PREDICTED_OBJECTS])
def test_type_hashes_are_the_published_ones(message_type: str) -> None:
    assert typestore().hash_rihs01(message_type) == TYPE_HASHES[message_type]


def test_open_scene_takes_bags_and_files(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="reads a scene table")
    export_bag(scene(), tmp_path / "bag.mcap")
    write_scene(scene(), tmp_path / "scene.parquet")
    for name in ("bag.mcap", "scene.parquet"):
        assert open_scene(tmp_path / name).track_id == scene().track_id
    assert load_scene(tmp_path / "scene.parquet").frame_count == 8


def test_a_track_has_the_class_of_most_of_its_rows(tmp_path: Path) -> None:
    frames = [scene().frame(i) for i in (0, 1, 2)]
    frames[0] = replace(frames[0], object_class=np.array([2, 6, 5], np.int8), size_m=frames[0].size_m * 3)
    data = [(TRACKED_TOPIC, TRACKED_OBJECTS, encode_tracked(tracked_objects(f))) for f in frames]
    got = scene_from_bag(write_bag(tmp_path / "bag", data))
    assert got.object_class.tolist() == [1, 6, 5]
    assert got.size_m == pytest.approx(DEFAULT_SIZE_M[[1, 6, 5]])


def test_messages_out_of_order_are_sorted_and_doubles_left_out(tmp_path: Path) -> None:
    data = [(TRACKED_TOPIC, TRACKED_OBJECTS, encode_tracked(tracked_objects(scene().frame(i)))) for i in (2, 0, 1, 0)]
    got = scene_from_bag(write_bag(tmp_path / "bag", data))
    assert got.timestamp_ns.tolist() == scene().timestamp_ns[:3].tolist()


# --- what is left out and mended


def tracked_message(index: int, *, frame_id: str = "map", **changes: Any) -> tuple[str, str, bytes]:
    objects = tracked_objects(replace(scene(40).frame(index), **changes), frame_id)
    return TRACKED_TOPIC, TRACKED_OBJECTS, encode_tracked(objects)


def test_a_bag_without_faults_has_nothing_to_report(tmp_path: Path) -> None:
    export_bag(scene(), tmp_path / "bag")
    _, report = import_bag(tmp_path / "bag")
    assert (report.messages, report.lines()) == (8, [])


def test_a_recorded_loop_is_one_lap_and_says_so(tmp_path: Path) -> None:
    lap = [tracked_message(i) for i in range(6, 36)]
    got, report = import_bag(write_bag(tmp_path / "bag", lap * 3))
    assert got.frame_count == 30
    assert report.lines() == ["left out: 60 of 2 other stretch(es) of time: laps of a loop, or more than 60 s apart"]


def test_objects_of_another_frame_are_refused_unless_it_is_named(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", [tracked_message(i, frame_id="base_link") for i in range(3)])
    with pytest.raises(InputError, match=r"bag: expected objects in the frame 'map', got 'base_link' \(3 messages\)"):
        import_bag(bag)
    assert import_bag(bag, frame_id="base_link")[0].frame_count == 3


def test_a_first_stamp_of_zero_is_left_out(tmp_path: Path) -> None:
    data = [tracked_message(0, timestamp_ns=0), *[tracked_message(i) for i in range(1, 4)]]
    got, report = import_bag(write_bag(tmp_path / "bag", data))
    assert got.duration_s == pytest.approx(0.2)
    assert report.lines() == ["left out: 1 stamped zero, before the clock began"]


def test_a_message_that_cannot_be_decoded_costs_only_itself(tmp_path: Path) -> None:
    data = [tracked_message(i) for i in range(6)]
    topic, kind, whole = data[3]
    data[2:4] = [(topic, kind, b""), (topic, kind, whole[:-9])]  # not even a header, and one whose objects are cut
    got, report = import_bag(write_bag(tmp_path / "bag", data))
    assert (got.frame_count, report.messages) == (4, 6)
    assert report.lines() == ["left out: 2 that cannot be decoded"]


def test_an_object_that_leaps_is_another_track(tmp_path: Path) -> None:
    frames = [scene(40).frame(i) for i in range(6, 16)]
    data = []
    for index, one in enumerate(frames):
        position_m = one.position_m.copy()
        position_m[0] += 10.0 if index >= 5 else 0.0  # the car
        data.append(
            (TRACKED_TOPIC, TRACKED_OBJECTS, encode_tracked(tracked_objects(replace(one, position_m=position_m))))
        )
    got, report = import_bag(write_bag(tmp_path / "bag", data))
    car = scene().track_id[0]
    assert set(got.track_id) == {*scene().track_id, f"{car}+1"}
    assert report.lines() == ["mended: 1 leaps of an object: a new track begins there"]


def test_objects_without_ids_are_tracks_by_place(tmp_path: Path) -> None:
    data = []
    for index in range(6, 16):
        objects = tracked_objects(scene(40).frame(index))
        unset = replace(objects, object_id=np.zeros_like(objects.object_id))
        data.append((TRACKED_TOPIC, TRACKED_OBJECTS, encode_tracked(unset)))
    got, report = import_bag(write_bag(tmp_path / "bag", data))
    assert (len(got.track_id), len(got.row_frame)) == (3, 30)
    assert report.lines() == ["mended: 30 objects with an unset id: told apart by place"]


@pytest.mark.parametrize(("storage", "suffix"), [("mcap", ".mcap"), ("sqlite3", ".db3")])
def test_a_folder_without_metadata_is_read_file_by_file(storage: Any, suffix: str, tmp_path: Path) -> None:
    whole = scene()
    (tmp_path / "bag").mkdir()
    stamps = whole.timestamp_ns
    for number, frames in ((2, range(5)), (10, range(5, 8))):  # 2 before 10
        rows = np.isin(whole.row_frame, frames)
        part = replace(
            whole, timestamp_ns=stamps[frames], frame_number=whole.frame_number[frames],
            row_frame=whole.row_frame[rows] - frames[0],
            **{n: getattr(whole, n)[rows] for n in ("row_track", "position_m", "yaw_rad", "yaw_valid", "velocity_mps")},
            velocity_valid=whole.velocity_valid[rows], is_target=whole.is_target[rows],
        )  # fmt: skip
        export_bag(part, tmp_path / f"part{suffix}", storage=storage)
        (tmp_path / f"part{suffix}").rename(tmp_path / f"bag/bag_{number}{suffix}")
    got, report = import_bag(tmp_path / "bag")
    assert (got.timestamp_ns == stamps).all()
    assert report.lines() == []
    assert [(t.name, t.count) for t in bag_topics(tmp_path / "bag")] == [(TRACKED_TOPIC, 8)]


@pytest.mark.parametrize("metadata", ["", "rosbag2_bagfile_information: 3", "\t:"])
def test_metadata_that_cannot_be_used_costs_nothing(metadata: str, tmp_path: Path) -> None:
    export_bag(scene(), tmp_path / "bag")
    (tmp_path / "bag/metadata.yaml").write_text(metadata)
    got, report = import_bag(tmp_path / "bag")
    assert got.frame_count == 8
    (line,) = report.lines()
    assert "metadata.yaml is not used (" in line
    assert line.endswith("): the recordings beside it are read alone")


def test_a_folder_whose_recording_was_cut_off_is_read_up_to_the_cut(tmp_path: Path) -> None:
    """Whole metadata beside it, and a further recording that had just been begun."""
    export_bag(scene(40), tmp_path / "bag")
    (file,) = (tmp_path / "bag").glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (tmp_path / "bag/later.mcap").write_bytes(b"")
    got, report = import_bag(tmp_path / "bag")
    assert 0 < got.frame_count < 40
    metadata, empty, cut = report.lines()
    assert "metadata.yaml is not used (" in metadata
    assert empty.startswith(f"left out: {tmp_path}/bag/later.mcap: cannot be read as a bag")
    assert "was cut off" in cut


@pytest.mark.parametrize("compression", [rosbag2.CompressionMode.NONE, rosbag2.CompressionMode.STORAGE])
def test_of_a_recording_that_was_cut_off_everything_before_the_cut_is_read(compression: Any, tmp_path: Path) -> None:
    data = [encode_tracked(tracked_objects(scene(40).frame(i))) for i in range(40)]
    writer = rosbag2.Writer(tmp_path / "bag", version=8, storage_plugin=rosbag2.StoragePlugin.MCAP)
    writer.set_compression(compression, rosbag2.CompressionFormat.ZSTD)
    ends = []
    with writer:
        topic = writer.add_connection(TRACKED_TOPIC, TRACKED_OBJECTS, typestore=typestore())
        for index, message in enumerate(data):
            writer.write(topic, index * 10**9, message)
            if index % 10 == 9:
                writer.storage.close_chunk()
                ends.append(writer.storage.bio.tell())
    whole = (tmp_path / "bag/bag.mcap").read_bytes()
    (tmp_path / "killed").mkdir()
    found = []
    for length in (ends[0], ends[1], (ends[1] + ends[2]) // 2, ends[2]):
        (tmp_path / "killed/cut.mcap").write_bytes(whole[:length])
        (of_the_topic,) = bag_topics(tmp_path / "killed")
        count = of_the_topic.count
        got, report = import_bag(tmp_path / "killed")
        assert report.lines()[0].startswith(f"cut.mcap was cut off: {count} messages are whole (")
        assert f"recorded at {count - 1}.000 s" in report.lines()[0]
        assert got.frame_count == report.messages == count
        found.append(got.frame_count)
    # A compressed chunk of one block is whole or not; of a plain one the messages before the cut are there.
    half = range(21, 30) if compression is rosbag2.CompressionMode.NONE else range(20, 21)
    assert found[2] in half
    assert [found[i] for i in (0, 1, 3)] == [10, 20, 30]


@pytest.mark.parametrize("missing", ["zstandard", "backports.zstd"])
def test_a_cut_recording_is_read_with_whichever_package_of_zstd_there_is(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"zstandard": "backports.zstd", "backports.zstd": "zstandard"}[missing]
    pytest.importorskip(other, reason="the only one that is left")
    monkeypatch.setitem(sys.modules, missing, None)
    if other == "zstandard":
        monkeypatch.setitem(sys.modules, "compression.zstd", None)
    test_of_a_recording_that_was_cut_off_everything_before_the_cut_is_read(rosbag2.CompressionMode.STORAGE, tmp_path)


@pytest.mark.parametrize("compression", ["brotli", "Zstd"])
def test_a_cut_recording_with_an_unknown_compression_is_refused_by_name(compression: str, tmp_path: Path) -> None:
    """Read as if it were not compressed, its records would be noise: nothing would be found, and nothing told."""

    def record(opcode: int, content: bytes) -> bytes:
        return struct.pack("<BQ", opcode, len(content)) + content

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    chunk = struct.pack("<QQQI", 0, 0, 100, 0) + text(compression) + struct.pack("<Q", 64) + bytes(range(64))
    path = tmp_path / "cut.mcap"
    path.write_bytes(MAGIC + record(1, text("ros2") + text("a recorder")) + record(6, chunk))
    expected = f"cut.mcap: compression of a chunk: expected none, lz4 or zstd, got '{compression}'"
    with pytest.raises(InputError, match=expected):
        import_bag(path)


# --- what cannot be read


def empty_tracked() -> bytes:
    return encode_tracked(tracked_objects(scene().frame(5)))


def test_one_clear_sentence_for_every_kind_of_bad_bag(tmp_path: Path) -> None:
    one = encode_tracked(tracked_objects(scene().frame(0)))
    good = [
        ("/a", TRACKED_OBJECTS, one),
        ("/b", TRACKED_OBJECTS, one),
        ("/m", "std_msgs/msg/String", b"\0\1\0\0\1\0\0\0\0"),
    ]
    two = write_bag(tmp_path / "two", good)
    only_text = write_bag(tmp_path / "text", good[2:])
    (tmp_path / "scene.txt").write_text("1 2 3")
    (tmp_path / "empty.mcap").write_bytes(b"")
    (tmp_path / "garbage.mcap").write_bytes(b"\x89MCAP0\r\n" + bytes(range(256)) * 9)
    (tmp_path / "garbage.db3").write_bytes(b"no database")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/metadata.yaml").write_text("rosbag2_bagfile_information: 3")
    cases: list[tuple[Path, str | None, str]] = [
        (tmp_path / "missing.mcap", None, "no such bag"),
        (tmp_path / "scene.txt", None, r"expected a bag: a folder with metadata.yaml, an .mcap or a .db3 file"),
        (tmp_path / "empty.mcap", None, "cannot be read as a bag"),
        (tmp_path / "garbage.mcap", None, "cannot be read as a bag"),
        (tmp_path / "garbage.db3", None, "cannot be read as a bag"),
        (tmp_path / "folder", None, "cannot be read as a bag"),
        (two, None, r"expected one topic of .*TrackedObjects, got /a, /b; name one"),
        (two, "/c", r"expected a topic /c, got only: /a, /b, /m"),
        (two, "/m", r"topic /m: expected .*TrackedObjects, got std_msgs/msg/String"),
        (only_text, None, r"expected a topic of .*TrackedObjects, got only: /m \(std_msgs/msg/String\)"),
        (write_bag(tmp_path / "bad", [("/a", TRACKED_OBJECTS, one[:99])]), None, "message 0 cannot be decoded"),
        (write_bag(tmp_path / "none", [("/a", TRACKED_OBJECTS, empty_tracked())]), None, "got 1 messages without any"),
    ]
    for path, topic, complaint in cases:
        with pytest.raises(InputError, match=complaint) as caught:
            scene_from_bag(path, topic)
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"expected a topic of .*PredictedObjects"):
        predictions_from_bag(two)


def test_every_truncation_of_a_bag_is_refused_or_read(tmp_path: Path) -> None:
    export_bag(scene(3), tmp_path / "whole.mcap")
    whole = (tmp_path / "whole.mcap").read_bytes()
    frames = []
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        cut = tmp_path / f"cut-{length}.mcap"
        cut.write_bytes(whole[:length])
        try:
            frames.append(scene_from_bag(cut).frame_count)
        except InputError as error:
            frames.append(0 if f"cut-{length}" in str(error) else -1)
    assert frames == sorted(frames)
    assert (frames[0], frames[-1]) == (0, 3)


@pytest.mark.parametrize(("storage", "name"), STORAGES)
def test_a_disk_that_is_full_leaves_no_half_bag_and_one_sentence(storage: Any, name: str, tmp_path: Path) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom trajnet.errors import InputError\n"
        "from trajnet.ros.bag_export import export_bag\nfrom tests.unit.ros.test_bags import scene\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n    export_bag(scene(60), Path(sys.argv[1]), storage=sys.argv[2])\n"
        "except InputError as error:\n    print(error)\n"
    )
    (tmp_path / "out").mkdir()
    words = [sys.executable, "-c", code, str(tmp_path / "out" / name), storage]
    done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'out' / name}: cannot be written: ")
    assert len(done.stdout.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bag.mcap").write_bytes(b"precious")
    with pytest.raises(InputError, match="exists already"):
        export_bag(scene(), tmp_path / "bag.mcap")
    with pytest.raises(InputError, match=r"expected a file for storage sqlite3, got \.mcap"):
        export_bag(scene(), tmp_path / "other.mcap", storage="sqlite3")
    assert [p.name for p in tmp_path.iterdir()] == ["bag.mcap"]


# --- recorded predictions that differ


def recorded(paths: list[list[tuple[float, float, list[float]]]]) -> PredictedObjects:
    """Objects with paths of (step in s, confidence, x of each pose)."""
    tracked: TrackedObjects = replace(tracked_objects(scene().frame(0)))
    flat = [p for of_object in paths for p in of_object]
    pose = np.zeros((sum(len(x) for _, _, x in flat), 7))
    pose[:, 0] = [v for _, _, x in flat for v in x]
    pose[:, 6] = 1.0
    common = {n: getattr(tracked, n) for n in PredictedObjects.__dataclass_fields__ if hasattr(tracked, n)}
    return PredictedObjects(
        **common, path_count=np.array([len(p) for p in paths]), pose_count=np.array([len(x) for _, _, x in flat]),
        path_pose=pose, path_step_ns=np.array([round(s * 1e9) for s, _, _ in flat]),
        path_confidence=np.array([c for _, c, _ in flat]),
    )  # fmt: skip


def test_paths_of_other_steps_and_lengths_are_put_on_one_grid() -> None:
    got = prediction_of(
        recorded(
            [
                [(0.5, 0.6, [0, 1, 2, 3, 4]), (0.5, 0.2, [0, 2, 4])],  # the second ends at 1 s, then goes straight on
                [(1.0, 1.0, [0, 3, 6])],  # twice the step
                [],  # no path: left out
            ]
        )
    )
    assert got is not None
    ids = object_ids(("a", "b", "c"))
    assert got.track_id == (ids[0].tobytes().hex(), ids[1].tobytes().hex())
    assert got.time_s.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert got.position_m[0, 0, :, 0].tolist() == [1, 2, 3, 4]
    assert got.position_m[0, 1, :, 0].tolist() == [2, 4, 6, 8]
    assert got.position_m[1, 0, :, 0].tolist() == [1.5, 3, 4.5, 6]
    assert got.probability == pytest.approx(np.array([[0.75, 0.25], [1.0, 0.0]]))
    got.validate()


def test_paths_that_say_nothing_are_left_out() -> None:
    nan = float("nan")
    assert prediction_of(recorded([[(0.5, 1.0, [1.0])], [(0.0, 1.0, [0, 1])], [(0.5, 1.0, [0, nan])]])) is None
    got = prediction_of(recorded([[(0.5, 0.0, [0, 1]), (0.5, 0.0, [0, 2])], [], [(0.5, nan, [0, 1])]]))
    assert got is not None
    assert got.probability.tolist() == [[0.5, 0.5], [1.0, 0.0]]  # no confidence at all: all alike
    got.validate()


def test_a_message_goes_through_bytes_unchanged() -> None:
    told = recorded([[(0.5, 1.0, [0, 1])], [], []])
    again = prediction_of(decode_predicted(encode_predicted(told)))
    first = prediction_of(told)
    assert again is not None
    assert first is not None
    assert np.array_equal(again.position_m, first.position_m)
