"""Autoware's map: messages, building apart, and taking it between two frames. Stand-ins take the place of lanelet2."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet.context.crosswalks import crosswalks_of
from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import MapView, make_field
from trajnet.errors import InputError
from trajnet.ros import vector_map as module
from trajnet.ros.cdr import CdrError
from trajnet.ros.loaded_map import LoadedMap
from trajnet.ros.map_message import MapMessage, decode_map, encode_map
from trajnet.ros.map_share import on_map
from trajnet.ros.vector_map import BuildApart, VectorMap, vector_map
from trajnet.types import Lane

TOPIC = "/map/vector_map"
VIEW = MapView(ahead_m=4.0, behind_m=4.0, side_m=4.0, step_m=4.0)
PATIENCE_S = 60.0


def map_message(archive: bytes, *, version: str = "1.0.0", frame_id: str = "map") -> bytes:
    return encode_map(MapMessage(7, frame_id, "1.1", version, "town", memoryview(archive)))


class Builder:
    """Makes a square map 10 m wide of any archive but b'broken'; waits for ``go``."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()
        self.cancelled = False

    def __call__(self, archive: memoryview) -> LoadedMap:
        self.asked.append(bytes(archive))
        self.begun.set()
        assert self.go.wait(PATIENCE_S)
        if self.asked[-1] == b"broken":
            raise InputError("expected a Lanelet2 archive")
        return LoadedMap(make_field(np.zeros(2), 1.0, {"drivable": np.ones((10, 10), np.bool_)}), len(archive))

    def cancel(self) -> None:
        self.cancelled = True
        self.go.set()


@pytest.fixture
def builder() -> Builder:
    return Builder()


@pytest.fixture
def maps(builder: Builder) -> Iterator[VectorMap]:
    opened = VectorMap(TOPIC, "map", VIEW, builder)
    yield opened
    opened.close()
    assert not opened._thread.is_alive()


def until(condition: Any) -> None:
    """Wait until the thread has come so far."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("the thread never came so far")


def counts(maps: VectorMap) -> dict[str, int]:
    return dict(maps.state.counts())


def test_a_message_is_read_as_it_was_written_and_nothing_else_is_taken_for_one() -> None:
    data = map_message(b"\x16archive")
    got = decode_map(data)
    assert (got.stamp_ns, got.frame_id, got.format_version, got.version, got.name) == (7, "map", "1.1", "1.0.0", "town")
    assert bytes(got.data) == b"\x16archive"
    assert got.words == "town 1.0.0"
    for length in range(len(data)):
        with pytest.raises(CdrError):
            decode_map(data[:length])


def test_a_map_is_built_apart_and_taken_once(maps: VectorMap, builder: Builder) -> None:
    assert maps.take() is None
    builder.go.clear()
    maps.offer(map_message(b"lanes"))
    assert builder.begun.wait(PATIENCE_S)
    assert maps.take() is None  # it is being built, and nobody waits
    builder.go.set()
    until(lambda: maps._built is not None)
    loaded = maps.take()
    assert loaded is not None
    assert on_map(loaded.field, np.array([[5.0, 5.0]])).all()
    assert loaded.field._lookups[VIEW].has_table  # prepared: the first frame with it does not pay
    assert maps.take() is None
    assert maps.state.words == "/map/vector_map: 5 lanelets, town 1.0.0"
    assert counts(maps) == {"received": 1, "repeated": 0, "skipped": 0, "failed": 0, "used": 1}


def test_the_same_map_again_is_not_built_again_but_another_one_of_the_same_version_is(
    maps: VectorMap, builder: Builder
) -> None:
    for archive, version, so_far in ((b"a", "1", 1), (b"a", "1", 1), (b"a", "2", 1), (b"b", "2", 2)):
        before = counts(maps)["repeated"]
        maps.offer(map_message(archive, version=version))
        until(lambda before=before: maps._built is not None or counts(maps)["repeated"] > before)
        maps.take()
        assert len(builder.asked) == so_far
    assert counts(maps) == {"received": 4, "repeated": 2, "skipped": 0, "failed": 0, "used": 2}


def test_of_those_that_come_meanwhile_the_newest_is_built(maps: VectorMap, builder: Builder) -> None:
    builder.go.clear()
    maps.offer(map_message(b"first"))
    assert builder.begun.wait(PATIENCE_S)
    maps.offer(map_message(b"second"))
    maps.offer(map_message(b"third"))
    builder.go.set()
    until(lambda: maps._built is not None and maps._built[0].lanelets == len(b"third") and len(builder.asked) == 2)
    assert builder.asked == [b"first", b"third"]
    maps.take()
    assert counts(maps)["received"] == 3
    assert counts(maps)["skipped"] + counts(maps)["used"] == 3


def test_one_that_cannot_be_used_leaves_the_one_before(
    maps: VectorMap, builder: Builder, caplog: pytest.LogCaptureFixture
) -> None:
    maps.offer(map_message(b"good"))
    until(lambda: maps._built is not None)
    maps.take()
    with caplog.at_level(logging.WARNING):
        for number, data in enumerate((map_message(b"broken"), b"no message")):
            maps.offer(data)
            until(lambda number=number: counts(maps)["failed"] > number)
    assert maps.take() is None
    assert maps.state.words.startswith("/map/vector_map: 4 lanelets")
    assert "expected a Lanelet2 archive; the map in use stays" in caplog.text
    assert maps.state.problem.startswith("LaneletMapBin: expected a CDR header")
    maps.offer(map_message(b"better"))
    until(lambda: maps._built is not None)
    assert maps.state.problem == ""


def test_a_map_in_another_frame_is_not_used_and_one_without_a_frame_is(
    maps: VectorMap, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        maps.offer(map_message(b"lanes", frame_id="world"))
        until(lambda: counts(maps)["failed"] == 1)
    assert maps.take() is None
    assert maps.state.problem == "expected a map in frame 'map', got one in 'world'"
    assert "got one in 'world'; the map in use stays" in caplog.text
    maps.offer(map_message(b"lanes", frame_id=""))
    until(lambda: maps.take() is not None)


def test_closing_ends_a_build_that_is_under_way(builder: Builder) -> None:
    maps = VectorMap(TOPIC, "map", VIEW, builder)
    builder.go.clear()
    maps.offer(map_message(b"broken"))
    assert builder.begun.wait(PATIENCE_S)
    maps.close()
    assert builder.cancelled
    assert counts(maps)["failed"] == 0


def test_where_archives_cannot_be_read_one_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "can_read", lambda: False)
    with caplog.at_level(logging.WARNING):
        assert vector_map(TOPIC, "map", VIEW) is None
    assert "/map/vector_map is not read, only the parameter map_path" in caplog.text
    assert "apt install ros-$ROS_DISTRO-lanelet2" in caplog.text


# --- building apart, with a stand-in for lanelet2 whose archives are Python


LANELET2 = """
import os, time
class Origin:
    def __init__(self, latitude, longitude): pass
class Point:
    def __init__(self, x, y): self.x, self.y, self.z = x, y, 0.0
class Rule:
    def __init__(self, id, subtype): self.id, self.attributes = id, {"subtype": subtype}
class Lanelet:
    def __init__(self, id, attributes, left, right, *rules):
        self.id, self.attributes, self.regulatoryElements = id, attributes, [Rule(*each) for each in rules]
        self.leftBound, self.rightBound = [Point(*p) for p in left], [Point(*p) for p in right]
class Map: pass
def load(path, origin):
    found = Map()
    found.laneletLayer = [Lanelet(*each) for each in eval(open(path).read())]
    return found
"""
ROAD = "(20, {'subtype': 'road'}, [(0, 2), (50, 2)], [(0, -2), (50, -2)])"
POINT = "(22, {'subtype': 'road'}, [(0, 4)], [(0, 2), (50, 2)])"
LIGHTS = "(5, 'right_of_way'), (77, 'traffic_light')"
CROSSWALK = f"(23, {{'subtype': 'crosswalk'}}, [(20, -3), (20, 3)], [(24, -3), (24, 3)], {LIGHTS})"
WALKWAY = "(21, {'subtype': 'walkway'}, [(0, 4), (50, 4)], [(0, 2), (50, 2)])"


@pytest.fixture
def lanelet2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lanelet2").mkdir()
    (tmp_path / "lanelet2" / "__init__.py").write_text("")
    (tmp_path / "lanelet2" / "io.py").write_text(LANELET2)
    root = str(Path(module.__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")


@pytest.mark.usefixtures("lanelet2")
def test_an_archive_is_read_and_drawn_in_a_process_of_its_own() -> None:
    loaded = BuildApart()(memoryview(f"[{ROAD}, {WALKWAY}, {POINT}, {CROSSWALK}]".encode()))
    assert loaded.words == "4 lanelets (1 broken ones left out), 1 crosswalks"
    assert loaded.crosswalks is not None
    assert loaded.crosswalks.signal_id.tolist() == [77]
    assert loaded.crosswalks.length_m.tolist() == [6.0]
    assert loaded.prepared(None).crossing is not None
    assert loaded.lane_paths is not None
    places = np.array([[25.0, 0.0], [25.0, 100.0]])
    assert on_map(loaded.field, places).tolist() == [True, False]
    assert "lanelet2" not in sys.modules
    assert loaded.field.direction is not None
    assert np.abs(loaded.field.direction[..., 0]).max() > 100  # the road leads along x


def test_a_map_without_directions_is_handed_over_as_it_is(tmp_path: Path) -> None:
    drawn = make_field(np.array([1.0, -2.0]), 0.5, {"drivable": np.ones((3, 4), np.bool_)})
    LoadedMap(drawn, 7, 2).save(tmp_path / "map.npz")
    got = LoadedMap.load(tmp_path / "map.npz")
    assert (got.lanelets, got.broken, got.field.pixels_per_m) == (7, 2, 0.5)
    assert got.field.origin_m.tolist() == drawn.origin_m.tolist()
    assert np.array_equal(got.field.distance, drawn.distance)
    assert got.field.direction is None
    assert got.crosswalks is None
    assert got.prepared(VIEW).crossing is None


def test_crosswalks_are_handed_over_with_the_map(tmp_path: Path) -> None:
    drawn = make_field(np.zeros(2), 1.0, {"drivable": np.ones((3, 4), np.bool_)})
    left_m, right_m = np.array([[-2.0, 0], [-2, 10]]), np.array([[2.0, 0], [2, 10]])
    lane = Lane("1", left_m, right_m, 0.5 * (left_m + right_m), drivable=False, crosswalk=True, signal_id=7)
    LoadedMap(drawn, 1, crosswalks=(walks := crosswalks_of([lane]))).save(tmp_path / "map.npz")
    got = LoadedMap.load(tmp_path / "map.npz").crosswalks
    assert got is not None
    assert walks is not None
    for name in ("begin_m", "axis", "length_m", "half_width_m", "signal_id", "has_signal"):
        assert getattr(got, name).tolist() == getattr(walks, name).tolist()


def test_lanes_are_handed_over_with_the_map(tmp_path: Path) -> None:
    drawn = make_field(np.zeros(2), 1.0, {"drivable": np.ones((3, 4), np.bool_)})
    bend_m = np.array([[0.0, 0], [30, 0], [60, 20]])
    lanes = LanePaths([Lane("1", bend_m, bend_m, bend_m)])
    LoadedMap(drawn, 1, lane_paths=lanes).save(tmp_path / "map.npz")
    got = LoadedMap.load(tmp_path / "map.npz").lane_paths
    assert got is not None
    here_m, yaw_rad, gone_m = np.array([[20.0, 0.5], [0.0, 50.0]]), np.zeros(2), np.array([[5.0, 30.0, 90.0]] * 2)
    (point, on), expected = got.under(here_m, yaw_rad), lanes.under(here_m, yaw_rad)
    assert (point.tolist(), on.tolist()) == (expected[0].tolist(), expected[1].tolist())
    assert on.tolist() == [True, False]
    for mine, theirs in zip(got.follow(point, here_m, gone_m), lanes.follow(point, here_m, gone_m), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.usefixtures("lanelet2")
def test_it_gives_way_to_the_node_and_does_not_keep_its_real_time_priority() -> None:
    tell = "print(os.sched_getscheduler(0), os.nice(0) >= 10, file=__import__('sys').stderr) or os.abort()"
    with pytest.raises(InputError, match="0 True"):
        BuildApart()(memoryview(tell.encode()))


@pytest.mark.usefixtures("lanelet2")
@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (f"[{WALKWAY}]", "expected lanelets that vehicles may use, got none among 1"),
        ("nonsense", "expected a Lanelet2 archive that this lanelet2 can read, got NameError"),
        ("os.abort()", "the reader of the map ended with exit code -6"),
    ],
)
def test_whatever_is_in_an_archive_the_node_lives_and_is_told(archive: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        BuildApart()(memoryview(archive.encode()))


@pytest.mark.usefixtures("lanelet2")
def test_a_build_that_takes_too_long_or_is_not_wanted_any_more_is_ended() -> None:
    forever = memoryview(b"time.sleep(1000)")
    with pytest.raises(InputError, match=r"expected a map that is read within 0\.01 s, got none"):
        BuildApart(timeout_s=0.01)(forever)
    cancelled = BuildApart()
    cancelled.cancel()
    with pytest.raises(InputError, match="ended with exit code -9"):
        cancelled(forever)


@pytest.mark.usefixtures("lanelet2")
@pytest.mark.parametrize("archive", [f"[{ROAD}]", f"[{WALKWAY}]"])
def test_where_the_node_was_killed_its_folder_is_removed(tmp_path: Path, archive: str) -> None:
    folder = tmp_path / "trajnet-map-1"
    folder.mkdir()
    (folder / "map.bin").write_text(archive)
    files = [str(folder / "map.bin"), str(folder / "map.npz")]
    command = [sys.executable, "-m", "trajnet.ros.lanelet_archive", *files]
    subprocess.run([*command, str(os.getpid())], check=False)
    assert folder.exists()
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    subprocess.run([*command, str(killed.pid)], check=False)
    assert not folder.exists()
