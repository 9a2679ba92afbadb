"""CommonRoad scenarios: obstacles, lanelets, and what is said of a file that is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from trajnet.datasets.files import load_map, load_scene
from trajnet.errors import InputError
from trajnet.scenes.commonroad import _box_m, _source
from trajnet.types import ObjectClass

pytest.importorskip("commonroad", reason="commonroad-io is not installed")


def point(x: float, y: float) -> str:
    return f"<point><x>{x}</x><y>{y}</y></point>"


def state(tag: str, step: int, x: float, y: float, yaw: float, speed: float | None) -> str:
    velocity = "" if speed is None else f"<velocity><exact>{speed}</exact></velocity>"
    return (
        f"<{tag}><position>{point(x, y)}</position><orientation><exact>{yaw}</exact></orientation>"
        f"<time><exact>{step}</exact></time>{velocity}</{tag}>"
    )


TRUCK = (
    '<dynamicObstacle id="42"><type>truck</type>'
    "<shape><rectangle><length>9.5</length><width>2.5</width></rectangle></shape>"
    + state("initialState", 3, 10.0, 20.0, 1.5707963267948966, 4.0)
    + "<trajectory>"
    + state("state", 4, 10.0, 20.4, 1.5707963267948966, 4.0)
    + state("state", 5, 10.0, 20.8, 1.5707963267948966, 4.0)
    + "</trajectory></dynamicObstacle>"
)
WALKER = (
    '<dynamicObstacle id="43"><type>pedestrian</type><shape><circle><radius>0.35</radius></circle></shape>'
    + state("initialState", 4, 1.0, 2.0, 0.0, 1.0)
    + "<trajectory>"
    + state("state", 5, 1.1, 2.0, 0.0, 1.0)
    + "</trajectory></dynamicObstacle>"
)
PARKED = (
    '<staticObstacle id="44"><type>parkedVehicle</type>'
    "<shape><rectangle><length>4.4</length><width>1.8</width></rectangle></shape>"
    + state("initialState", 0, -5.0, -6.0, 0.25, None)
    + "</staticObstacle>"
)
LANELET = (
    '<lanelet id="7"><leftBound>' + point(0, 3) + point(50, 3) + "</leftBound><rightBound>" + point(0, 0)
    + point(50, 0) + "</rightBound><laneletType>urban</laneletType></lanelet>"
)  # fmt: skip


def scenario(*parts: str, source: str = "NGSIM and OpenStreetMaps (OSM)") -> str:
    return (
        '<?xml version="1.0" ?><commonRoad affiliation="a" author="b" benchmarkID="USA_Test-1_1_T-1" '
        f'commonRoadVersion="2020a" date="2024-01-01" source="{source}" timeStepSize="0.1">'
        "<location><geoNameId>1</geoNameId><gpsLatitude>1</gpsLatitude><gpsLongitude>1</gpsLongitude></location>"
        f"<scenarioTags><urban/></scenarioTags>{''.join(parts)}</commonRoad>"
    )


def test_obstacles_and_lanelets(tmp_path: Path) -> None:
    path = tmp_path / "USA_Test-1_1_T-1.xml"
    path.write_text(scenario(LANELET, PARKED, TRUCK, WALKER))
    scene = load_scene(path)
    assert scene.scene_id == "USA_Test-1_1_T-1"
    assert scene.frame_number.tolist() == [3, 4, 5]
    assert scene.timestamp_ns.tolist() == [300_000_000, 400_000_000, 500_000_000]
    of = {track: i for i, track in enumerate(scene.track_id)}
    assert scene.object_class[of["42"]] == ObjectClass.TRUCK
    assert scene.object_class[of["43"]] == ObjectClass.PEDESTRIAN
    assert scene.object_class[of["44"]] == ObjectClass.CAR
    assert scene.size_m[of["42"]].tolist() == [9.5, 2.5]
    assert scene.size_m[of["43"]].tolist() == [0.7, 0.7]
    rows = scene.rows_by_track()
    assert scene.position_m[rows[of["42"]]].tolist() == [[10.0, 20.0], [10.0, 20.4], [10.0, 20.8]]
    np.testing.assert_allclose(scene.velocity_mps[rows[of["42"]]], [[0.0, 4.0]] * 3, atol=1e-12)
    assert scene.row_frame[rows[of["43"]]].tolist() == [1, 2]
    assert scene.row_frame[rows[of["44"]]].tolist() == [0, 1, 2]
    assert scene.velocity_mps[rows[of["44"]]].tolist() == [[0.0, 0.0]] * 3
    assert scene.velocity_valid.all()
    assert scene.yaw_rad[rows[of["44"]]].tolist() == [0.25] * 3
    (lane,) = scene.lanes
    assert lane.lane_id == "7"
    assert lane.left_m.tolist() == [[0, 3], [50, 3]]
    assert lane.centre_m.tolist() == [[0, 1.5], [50, 1.5]]
    assert "NGSIM" in scene.source
    assert scene.licence == "NGSIM: US DOT open data; OpenStreetMap: ODbL"


def test_a_map_needs_lanelets_and_no_obstacles(tmp_path: Path) -> None:
    path = tmp_path / "map.xml"
    crossing = LANELET.replace('id="7"', 'id="8"').replace("urban", "crosswalk")
    path.write_text(scenario(LANELET, crossing))
    lanes, raster = load_map(path)
    assert [(lane.lane_id, lane.drivable) for lane in lanes] == [("7", True), ("8", False)]
    assert raster is None
    path.write_text(scenario(TRUCK))
    with pytest.raises(InputError, match=r"map\.xml: expected a map, got a scenario without lanelets"):
        load_map(path)


def test_a_source_without_a_known_licence_is_not_given_one(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(scenario(LANELET, TRUCK, source="somewhere else"))
    assert load_scene(path).licence == "not stated"


def test_a_polygon_counts_as_the_box_around_it(tmp_path: Path) -> None:
    corners = "".join(point(x, y) for x, y in ((-1, -1), (3, -1), (3, 1), (-1, 1)))
    rectangle = "<rectangle><length>9.5</length><width>2.5</width></rectangle>"
    path = tmp_path / "x.xml"
    path.write_text(scenario(LANELET, TRUCK.replace(rectangle, f"<polygon>{corners}</polygon>")))
    scene = load_scene(path)
    assert scene.size_m.tolist() == [[4.0, 2.0]]
    # The box's middle is 1 m ahead of the obstacle's position, and it faces along y.
    np.testing.assert_allclose(scene.position_m, [[10.0, 21.0], [10.0, 21.4], [10.0, 21.8]])


def test_a_trajectory_that_begins_with_the_initial_state_has_it_once(tmp_path: Path) -> None:
    again = "<trajectory>" + state("state", 3, 10.0, 20.0, 1.5707963267948966, 4.0)
    path = tmp_path / "x.xml"
    path.write_text(scenario(LANELET, TRUCK.replace("<trajectory>", again)))
    assert load_scene(path).frame_number.tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (SimpleNamespace(length=4.0, width=2.0, origin_x_shift=-1.5), (4.0, 2.0, 1.5, 0.0)),
        (SimpleNamespace(radius=0.5), (1.0, 1.0, 0.0, 0.0)),
        (SimpleNamespace(vertices=((-1, -1), (3, -1), (3, 1))), (4.0, 2.0, 1.0, 0.0)),
        (SimpleNamespace(hitch=1.0), None),
    ],
)
def test_shapes_of_commonroad_io_2026(shape: SimpleNamespace, box: tuple[float, ...] | None) -> None:
    """Its shapes have no centre, but a rectangle's offset of the origin (a rear axle, say)."""
    assert _box_m(shape) == box


def test_the_source_stands_in_the_scenario_or_in_its_file_information() -> None:
    assert _source(SimpleNamespace(source="a")) == "a"
    assert _source(SimpleNamespace(file_information=SimpleNamespace(source="b"))) == "b"
    assert _source(SimpleNamespace(source=None)) == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected a CommonRoad scenario"),
        ("<html></html>", "expected a CommonRoad scenario"),
        (scenario(LANELET, TRUCK)[:-40], "expected a CommonRoad scenario"),
        (scenario(LANELET), "expected obstacles, got a scenario without any"),
        (scenario(LANELET, TRUCK.replace("20.4", "north")), "expected a CommonRoad scenario"),
        (scenario(LANELET, TRUCK.replace("20.4", "nan")), "expected finite values|expected a CommonRoad scenario"),
        (scenario(LANELET, TRUCK.replace("<exact>5<", "<exact>4<")), "twice in frame 4|expected a CommonRoad scenario"),
    ],
)
def test_bad_files_are_one_clear_sentence(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert "bad.xml" in str(raised.value)
    assert "\n" not in str(raised.value)
