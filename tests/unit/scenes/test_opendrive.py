"""OpenDRIVE: a straight, a curve and a connecting road computed by hand, broken files, a network that SUMO wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from trajnet.datasets.files import load_map
from trajnet.errors import DependencyError, InputError
from trajnet.scenes.opendrive import read_opendrive

pytest.importorskip("pyxodr_omega_prime", reason="no pyxodr: install the extra opendrive")


def lane(name: int, kind: str, width_m: float, growth: float = 0.0) -> str:
    return f'<lane id="{name}" type="{kind}"><width sOffset="0" a="{width_m}" b="{growth}" c="0" d="0"/></lane>'


def road(name: str, geometry: str, length_m: float, left: str, right: str, more: str = "") -> str:
    sides = f"<left>{left}</left>" if left else ""
    return (
        f'<road id="{name}" length="{length_m}" junction="-1" {more}><planView>{geometry}</planView><lanes>'
        f'<laneSection s="0">{sides}<center><lane id="0" type="none"/></center><right>{right}</right></laneSection>'
        "</lanes></road>"
    )


def geometry(x: float, y: float, length_m: float, shape: str = "<line/>") -> str:
    return f'<geometry s="0" x="{x}" y="{y}" hdg="0" length="{length_m}">{shape}</geometry>'


STRAIGHT = road(
    "1", geometry(0, 0, 100), 100.0, lane(2, "sidewalk", 2.0) + lane(1, "driving", 3.5),
    lane(-1, "driving", 3.0, 0.01) + lane(-2, "shoulder", 1.0) + lane(-3, "biking", 1.5),
)  # fmt: skip
QUARTER_M = 25.0 * np.pi
CURVE = road("2", geometry(120, 0, QUARTER_M, '<arc curvature="0.02"/>'), QUARTER_M, "", lane(-1, "bus", 3.0))
CONNECTING = road("3", geometry(100, 0, 20), 20.0, "", lane(-1, "driving", 4.0, -0.05))
JUNCTION = '<junction id="9"><connection id="0" incomingRoad="1" connectingRoad="3" contactPoint="start"/></junction>'


def write(folder: Path, *roads: str) -> Path:
    path = folder / "map.xodr"
    path.write_text(f'<?xml version="1.0"?><OpenDRIVE><header/>{"".join(roads)}{JUNCTION}</OpenDRIVE>')
    return path


def test_a_straight_road_has_its_lanes_in_their_directions(tmp_path: Path) -> None:
    lanes = {found.lane_id: found for found in read_opendrive(write(tmp_path, STRAIGHT, CURVE, CONNECTING))}
    assert list(lanes) == ["1.0.1", "1.0.2", "1.0.-1", "1.0.-3", "2.0.-1", "3.0.-1"]
    right, left, pavement = lanes["1.0.-1"], lanes["1.0.1"], lanes["1.0.2"]
    np.testing.assert_allclose(right.left_m[[0, -1]], [[0, 0], [100, 0]], atol=1e-9)
    np.testing.assert_allclose(right.right_m[[0, -1]], [[0, -3], [100, -4]], atol=1e-9)
    assert np.abs(right.centre_m[[0, -1]] - np.array([[0, -1.5], [100, -2.0]])).max() < 1e-9
    np.testing.assert_allclose(left.left_m[[0, -1]], [[100, 0], [0, 0]], atol=1e-9)
    np.testing.assert_allclose(left.right_m[[0, -1]], [[100, 3.5], [0, 3.5]], atol=1e-9)
    np.testing.assert_allclose(lanes["1.0.-3"].centre_m[[0, -1]], [[0, -4.75], [100, -5.75]], atol=1e-9)
    np.testing.assert_allclose(lanes["3.0.-1"].right_m[[0, -1]], [[100, -4], [120, -3]], atol=1e-9)
    assert [(found.drivable, found.one_way) for found in (right, pavement)] == [(True, True), (False, False)]


def test_a_curve_has_its_radius(tmp_path: Path) -> None:
    (found,) = load_map(write(tmp_path, CURVE))[0]
    borders = ((found.left_m, 50.0), (found.centre_m, 51.5), (found.right_m, 53.0))
    for border_m, radius_m in borders:
        apart_m = np.linalg.norm(border_m - np.array([120.0, 50.0]), axis=1)
        assert np.abs(apart_m - radius_m).max() < 0.01
    assert found.left_m[-1].tolist() == pytest.approx([170.0, 50.0])
    assert len(found.centre_m) > 100


def test_where_traffic_keeps_left_lanes_lead_the_other_way(tmp_path: Path) -> None:
    left_hand = road("1", geometry(0, 0, 10), 10.0, "", lane(-1, "driving", 3.0), more='rule="LHT"')
    (found,) = read_opendrive(write(tmp_path, left_hand))
    np.testing.assert_allclose(found.left_m[[0, -1]], [[10, -3], [0, -3]], atol=1e-9)
    np.testing.assert_allclose(found.right_m[[0, -1]], [[10, 0], [0, 0]], atol=1e-9)


def test_broken_roads_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = road("7", geometry(0, 0, 10, "<circle/>"), 10.0, "", lane(-1, "driving", 3.0))
    widthless = road("8", geometry(0, 0, 10), 10.0, "", '<lane id="-1" type="driving"/>')
    endless = road("9", geometry(0, 0, 1e12), 1e12, "", lane(-1, "driving", 3.0))
    assert len(read_opendrive(write(tmp_path, STRAIGHT, nowhere, widthless, endless))) == 4
    assert "left out 3 lanes or roads, the first: road 7" in caplog.text
    with pytest.raises(
        InputError, match=r"got none of 1 roads: road 9: .*length above 0 and up to 100000 m, got 1e\+12"
    ):
        read_opendrive(write(tmp_path, endless))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<OpenDRIVE/>", "expected roads with lanes for vehicles or people, got none of 0 roads"),
        ("<OpenDRIVE", "expected a map in OpenDRIVE's XML, got a broken file"),
        ("", "expected a map in OpenDRIVE's XML, got a broken file"),
    ],
)
def test_other_files_are_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "map.xodr"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_opendrive(path)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyxodr_omega_prime.road_objects.road", None)
    with pytest.raises(DependencyError, match=r"pip install 'trajnet-av\[opendrive\]'"):
        read_opendrive(write(tmp_path, STRAIGHT))


def test_a_network_of_sumo_has_its_lanes_where_sumo_has_them(tmp_path: Path) -> None:
    sumo = pytest.importorskip("sumo", reason="no Eclipse SUMO: install the extra dev")
    programs = Path(sumo.SUMO_HOME) / "bin"
    net, target = tmp_path / "net.xml", tmp_path / "net.xodr"
    made = [str(programs / "netgenerate"), "--rand", "--rand.iterations=8", "--seed=3", "--no-turnarounds"]
    for command in (
        [*made, "--default.lanenumber=2", "-o", str(net)],
        [str(programs / "netconvert"), "-s", str(net), "--opendrive-output", str(target)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    lanes = read_opendrive(target)
    edges = [edge for edge in ElementTree.parse(net).iter("edge") if edge.get("function") != "internal"]
    shapes = [found.get("shape", "").split() for edge in edges for found in edge.iter("lane")]
    assert len(shapes) >= 16
    ends_m = np.array([found.centre_m[[0, -1]] for found in lanes])
    for shape in shapes:
        expected_m = np.array([point.split(",")[:2] for point in (shape[0], shape[-1])], np.float64)
        assert np.linalg.norm(ends_m - expected_m, axis=2).max(axis=1).min() < 0.1
