"""SinD's pedestrian files: what is read, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.text_files import write
from trajnet.datasets.files import load_scene, scene_kind
from trajnet.datasets.folders import part_files
from trajnet.datasets.sind import CITIES, FILE, HEADER, SIND
from trajnet.errors import InputError
from trajnet.types import ObjectClass

ROW = "P0,76,7607.607607607608,pedestrian,-35.5,32.25,-4.1,-2.0,-0.1,-0.2\n"
NEXT = "P0,77,7707.707707707707,pedestrian,-35.9,32.05,-4.1,-2.0,-0.1,-0.2\n"


def test_columns_times_and_what_is_not_known(tmp_path: Path) -> None:
    path = write(tmp_path / "Xian" / FILE, f"{HEADER}\n{ROW}{ROW.replace('P0', 'P1')}{NEXT}")
    scene = load_scene(path)
    assert (scene_kind(path), scene.scene_id) == ("sind", "Xian/Ped_smoothed_tracks")
    assert scene.track_id == ("P0", "P1")
    assert scene.timestamp_ns.tolist() == [7_607_607_608, 7_707_707_708]
    assert scene.frame_number.tolist() == [76, 77]
    assert scene.frame(1).position_m.tolist() == [[-35.9, 32.05]]
    assert scene.frame(0).velocity_mps.tolist() == [[-4.1, -2.0], [-4.1, -2.0]]
    assert scene.object_class.tolist() == [ObjectClass.PEDESTRIAN] * 2
    assert scene.velocity_valid.all()
    assert not scene.yaw_valid.any()
    assert not scene.is_target.any()
    assert scene.licence == "CC0 1.0"


LANELET = (
    '<osm version="0.6"><node id="0" lat="0" lon="0"/><node id="1" lat="0" lon="0.00045"/>'
    '<node id="2" lat="0.00004" lon="0"/><node id="3" lat="0.00004" lon="0.00045"/>'
    '<way id="10"><nd ref="0"/><nd ref="1"/></way><way id="11"><nd ref="2"/><nd ref="3"/></way>'
    '<relation id="20"><member type="way" role="right" ref="10"/><member type="way" role="left" ref="11"/>'
    '<tag k="type" v="lanelet"/><tag k="subtype" v="road"/></relation></osm>'
)


def test_the_map_beside_the_tracks_is_read_where_it_is_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "Xian" / FILE, f"{HEADER}\n{ROW}{NEXT}")
    assert load_scene(path, with_map=True).lanes == ()
    write(path.parent / "map.osm", LANELET)
    assert load_scene(path).lanes == ()
    (lane,) = load_scene(path, with_map=True).lanes
    # A degree at 0, 0 is 110.574 km of latitude and 111.319 km of longitude; 3 degrees off the meridian, UTM's scale is
    # 0.9996 (1 + 0.05236^2 / 2) = 1.00097.
    np.testing.assert_allclose(lane.left_m, [[0.0, 4.427], [50.142, 4.427]], atol=2e-3)
    write(path.parent / "other.osm", LANELET)
    with pytest.raises(InputError, match=r"expected one Lanelet2 map \(\.osm\) beside the tracks, got 2"):
        load_scene(path, with_map=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0 1 2 3\n", f"line 1: expected the columns '{HEADER}', got '0 1 2 3'"),
        ("", "line 1: expected the columns"),
        (HEADER + "\n", "expected rows of 10 columns below the first line, got none"),
        (HEADER + "\nP0,76,1.0\n", "line 2: expected 10 columns, got 3"),
        (HEADER + "\n" + ROW + NEXT.replace("-35.9", "nan"), r"line 3: expected a finite x \(column 4\)"),
        (HEADER + "\n" + ROW.replace(",76,", ",76.5,"), r"line 2: expected a whole number as frame_id \(column 1\)"),
        (
            HEADER + "\n" + ROW.replace("pedestrian", "animal"),
            r"line 2: expected an agent_type of pedestrian \(column 3\), got 'animal'",
        ),
        (HEADER + "\n" + ROW + ROW, "'P0' twice in frame 76"),
    ],
)
def test_bad_files_are_one_clear_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = write(tmp_path / "Xian" / FILE, content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path, "sind")
    assert "\n" not in str(raised.value)


def test_a_city_is_a_part(tmp_path: Path) -> None:
    file = write(tmp_path / "sind" / "Changchun" / FILE, HEADER)
    assert part_files(SIND, [tmp_path], "changchun") == [file]
    assert SIND.splits["all"] == tuple(CITIES)
    with pytest.raises(InputError, match="expected the pedestrians of Xian, found no such file"):
        part_files(SIND, [tmp_path], "xian")
