"""Lanelet2 maps as Autoware has them, and maps of any kind by one call."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trajnet.context.map_field import INT8_MAX, REACH_M, field_of
from trajnet.datasets.files import load_map
from trajnet.errors import InputError

#: Node -> x, y. A road along x: its middle line at y = 0, borders at y = -3 and 3; a pavement beyond, up to 5.
NODES: dict[int, tuple[float, float]] = {
    1: (0, -3), 2: (50, -3), 3: (0, 0), 4: (25, 0), 5: (50, 0), 6: (0, 3), 7: (50, 3), 8: (0, 5), 9: (50, 5),
}  # fmt: skip
WAYS = {10: (1, 2), 11: (3, 4, 5), 12: (7, 6), 13: (8, 9)}


def osm(
    *relations: str,
    nodes: dict[int, tuple[float, float]] = NODES,
    local: str = "local_",
    place: str = 'lat="35.0" lon="139.0"',
) -> str:
    points = "".join(
        f'<node id="{i}" {place}><tag k="ele" v="1.0"/><tag k="{local}x" v="{x}"/><tag k="{local}y" v="{y}"/></node>'
        for i, (x, y) in nodes.items()
    )
    lines = ""
    for i, refs in WAYS.items():
        listed = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        lines += f'<way id="{i}">{listed}<tag k="type" v="line_thin"/></way>'
    return f'<?xml version="1.0"?><osm generator="a test">{points}{lines}{"".join(relations)}</osm>'


def lanelet(name: int, left: int, right: int, subtype: str = "road", **tags: str) -> str:
    every = {"type": "lanelet", "subtype": subtype, "one_way": "yes", **tags}
    return (
        f'<relation id="{name}"><member type="way" role="left" ref="{left}"/>'
        f'<member type="way" role="right" ref="{right}"/><member type="relation" role="regulatory_element" ref="99"/>'
        + "".join(f'<tag k="{key.replace("__", ":")}" v="{value}"/>' for key, value in every.items())
        + "</relation>"
    )


STREET = (lanelet(20, 11, 10), lanelet(21, 11, 12), lanelet(22, 13, 12, "walkway"))


def write(folder: Path, text: str, name: str = "lanelet2_map.osm") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lanelets_lead_where_their_left_border_is_on_the_left(tmp_path: Path) -> None:
    lanes, raster = load_map(write(tmp_path, osm(*STREET)))
    assert raster is None
    east, west, walk = lanes
    assert [lane.lane_id for lane in lanes] == ["20", "21", "22"]
    assert east.left_m.tolist() == [[0, 0], [25, 0], [50, 0]]
    assert east.right_m.tolist() == [[0, -3], [50, -3]]
    assert east.centre_m.tolist() == [[0, -1.5], [25, -1.5], [50, -1.5]]
    # Of the other direction: the shared way is turned round, and the outer one is as it is drawn.
    assert west.left_m.tolist() == [[50, 0], [25, 0], [0, 0]]
    assert west.right_m.tolist() == [[50, 3], [0, 3]]
    assert walk.left_m.tolist() == [[0, 5], [50, 5]]
    assert [lane.drivable for lane in lanes] == [True, True, False]


def test_the_middle_line_of_a_two_way_road_is_a_road_divider(tmp_path: Path) -> None:
    field = field_of(*load_map(write(tmp_path, osm(*STREET))))
    assert field is not None

    def at(x_m: float, y_m: float) -> list[int]:
        pixel = ((np.array([x_m, y_m]) - field.origin_m) * field.pixels_per_m).astype(int) + 1
        return [int(value) for value in field.distance[tuple(pixel)]]

    assert at(25.0, 0.0)[1] * REACH_M / INT8_MAX < 1.0 / field.pixels_per_m
    assert at(25.0, 0.0)[2] == INT8_MAX
    assert at(25.0, 4.0)[0] < 0  # the pavement
    assert at(25.0, 1.5)[0] > 0


@pytest.mark.parametrize(
    ("subtype", "tags", "drivable"),
    [
        ("highway", {}, True),
        ("road_shoulder", {}, True),
        ("bicycle_lane", {}, True),
        ("something else", {}, True),
        ("crosswalk", {}, False),
        ("pedestrian_lane", {}, False),
        ("walkway", {"participant__vehicle": "yes"}, True),
        ("road", {"participant__pedestrian": "yes"}, False),
        ("road", {"participant__vehicle__car": "yes", "participant__pedestrian": "yes"}, True),
        ("crosswalk", {"participant__vehicle": "no"}, False),
    ],
)
def test_who_may_use_a_lanelet(subtype: str, tags: dict[str, str], drivable: bool, tmp_path: Path) -> None:
    ((lane,), _) = load_map(write(tmp_path, osm(lanelet(20, 11, 10, subtype, **tags))))
    assert lane.drivable is drivable


def test_broken_lanelets_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    no_right = lanelet(30, 11, 10).replace('role="right"', 'role="centerline"')
    with caplog.at_level(logging.WARNING):
        lanes, _ = load_map(write(tmp_path, osm(no_right, *STREET, lanelet(31, 11, 77))))
    assert [lane.lane_id for lane in lanes] == ["20", "21", "22"]
    (record,) = caplog.records
    assert "2 of 5 lanelets left out, the first: lanelet 30: expected one way as its right border, got 0" in (
        record.getMessage()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a Lanelet2 map in OSM's XML, got a broken file"),
        (osm(*STREET)[:-9], "expected a Lanelet2 map in OSM's XML, got a broken file"),
        (osm(), "expected a Lanelet2 map, got a file without lanelets"),
        (osm(*STREET, local="other_", place=""), "or with lat and lon, got 9 without; save the map"),
        (osm(*STREET, local="other_", place='lat="95" lon="1"'), "expected lat from -90 to 90"),
        (osm(lanelet(20, 11, 88)), "none of 1: lanelet 20: expected way 88 with two nodes or more .* got 0 such of 0"),
        (osm(STREET[0], nodes={**NODES, 4: (np.nan, 0.0)}), "lanelet 20: expected way 11 .* got 2 such of 3"),
    ],
)
def test_bad_maps_are_one_clear_sentence(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_map(write(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_map_that_is_not_there_or_a_scene_without_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.osm"):
        load_map(tmp_path / "no.osm")
    with pytest.raises(InputError, match="expected a map, got a scene without lanes and without a raster"):
        load_map(write(tmp_path, "0 1 2.0 3.0\n10 1 2.5 3.0\n", "walkers.txt"))


def test_a_scene_table_is_a_map(root: Path) -> None:
    pytest.importorskip("pyarrow")
    lanes, raster = load_map(root / "sim" / "scenes" / "intersection.parquet")
    assert raster is None
    assert {lane.drivable for lane in lanes} == {True, False}


def test_elements_marked_as_deleted_are_no_part_of_the_map(tmp_path: Path) -> None:
    gone = lanelet(23, 13, 12).replace('<relation id="23"', '<relation id="23" action="delete" visible="true"')
    hidden = lanelet(24, 13, 12).replace('<relation id="24"', '<relation id="24" visible="false"')
    lanes, _ = load_map(write(tmp_path, osm(STREET[0], gone, hidden)))
    assert [lane.lane_id for lane in lanes] == ["20"]
    without_way = osm(*STREET).replace('<way id="10"', '<way id="10" action="delete"')
    assert [lane.lane_id for lane in load_map(write(tmp_path, without_way))[0]] == ["21", "22"]


def test_a_lanelet_for_both_directions_has_no_direction_on_the_map(tmp_path: Path) -> None:
    lanes, _ = load_map(write(tmp_path, osm(lanelet(20, 11, 10, one_way="no"))))
    assert [lane.one_way for lane in lanes] == [False]
    one, both = (field_of(drawn, None) for drawn in ((replace(lanes[0], one_way=True),), lanes))
    assert one is not None
    assert both is not None
    assert one.direction is not None
    assert both.direction is not None
    assert one.direction.any()
    assert not both.direction.any()
    np.testing.assert_array_equal(one.distance[..., 0], both.distance[..., 0])


def test_degrees_alone_are_projected_by_the_file_beside_the_map(tmp_path: Path) -> None:
    """A road of 0.001 degrees along the equator: 111.32 m, and a little less where UTM's scale is below 1."""
    places = {1: (0.0, 0.0), 2: (0.0, 0.001), 3: (0.00003, 0.0), 4: (0.00003, 0.0005), 5: (0.00003, 0.001)}
    nodes = "".join(f'<node id="{i}" lat="{lat}" lon="{lon}"/>' for i, (lat, lon) in places.items())
    text = osm(lanelet(20, 11, 10), nodes={}).replace("<way", f"{nodes}<way", 1)
    ((lane,), _) = load_map(write(tmp_path, text))
    assert np.ptp(lane.right_m[:, 0]) == pytest.approx(0.001 * 111319.49 * 0.99997, abs=0.15)
    (tmp_path / "map_projector_info.yaml").write_text(
        "projector_type: LocalCartesian\nmap_origin: {latitude: 0.0, longitude: 0.0005}\n", encoding="utf-8"
    )
    ((lane,), _) = load_map(write(tmp_path, text))
    np.testing.assert_allclose(lane.right_m[:, 0], [-0.0005 * 111319.49, 0.0005 * 111319.49], atol=1e-3)


def split_in_tiles(folder: Path) -> Path:
    """Write the map as a folder of two tiles: the second has the walkway, the first the way that is its left border."""
    whole, tiles = osm(*STREET), folder / "lanelet2_map.osm"
    tiles.mkdir()
    write(tiles, whole.replace(STREET[2], "").replace('<way id="12">', '<way id="12x">'), "tile_0.osm")
    write(tiles, whole.replace(STREET[0], "").replace('<way id="13">', '<way id="13x">'), "tile_1.osm")
    (tiles / "notes.txt").write_text("no tile")
    return tiles


def test_the_tiles_of_a_folder_are_one_map(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, _ = load_map(write(tmp_path / "whole", osm(*STREET)))
    lanes, _ = load_map(split_in_tiles(tmp_path))
    assert [lane.lane_id for lane in lanes] == ["20", "21", "22"]  # 21 is in both tiles, and counts once
    for lane, other in zip(lanes, whole, strict=True):
        assert lane.left_m.tolist() == other.left_m.tolist()
        assert lane.right_m.tolist() == other.right_m.tolist()


@pytest.mark.parametrize("beside", [".", "lanelet2_map.osm"])
def test_the_projector_of_tiles_is_beside_them_or_beside_their_folder(tmp_path: Path, beside: str) -> None:
    tiles = split_in_tiles(tmp_path)
    for tile in tiles.glob("*.osm"):
        write(tiles, tile.read_text().replace("local_", "other_"), tile.name)
    place = "projector_type: LocalCartesian\nmap_origin: {latitude: 35.0, longitude: 139.0}\n"
    (tmp_path / beside / "map_projector_info.yaml").write_text(place)
    lanes, _ = load_map(tiles)
    assert max(float(np.abs(lane.left_m).max()) for lane in lanes) < 1e-6  # every node is at the origin


def test_a_folder_without_tiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder with the \.osm tiles of a Lanelet2 map, found none"):
        load_map(tmp_path)


def test_a_crosswalk_knows_its_traffic_lights(tmp_path: Path) -> None:
    lights = '<relation id="77"><tag k="type" v="regulatory_element"/><tag k="subtype" v="{}"/></relation>'
    member = '<member type="relation" role="regulatory_element" ref="77"/><tag'
    crosswalk = lanelet(20, 11, 10, "crosswalk").replace("<tag", member, 1)
    for subtype, signal_id in (("traffic_light", 77), ("right_of_way", None)):
        lanes, _ = load_map(write(tmp_path, osm(crosswalk, lights.format(subtype), lanelet(21, 11, 10))))
        assert [(lane.crosswalk, lane.drivable, lane.signal_id) for lane in lanes] == [
            (True, False, signal_id),
            (False, True, None),
        ]
