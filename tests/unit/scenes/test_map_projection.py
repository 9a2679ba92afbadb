"""Degrees to metres: against PROJ's and Lanelet2's own figures, and what the projector file may say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.scenes.map_projection import (
    ProjectorInfo,
    projection_of,
    projection_without_info,
    read_projector_info,
    utm,
    utm_zone,
)

#: latitude, longitude, zone, easting, northing: pyproj 3.7.2, proj=utm ellps=WGS84.
UTM: list[tuple[float, float, int, float, float]] = [
    (48.137, 11.575, 32, 691567.3263841465, 5334734.33048176),
    (-33.9, 18.4, 34, 259583.22166043136, 6245888.045440769),
    (35.68, 139.76, 54, 387789.1743030044, 3949165.001789363),
]


def array(value: float) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize(("latitude", "longitude", "zone", "easting", "northing"), UTM)
def test_utm_is_that_of_proj(latitude: float, longitude: float, zone: int, easting: float, northing: float) -> None:
    assert utm_zone(longitude) == zone
    found = utm(array(latitude), array(longitude), zone=zone, south=latitude < 0)
    np.testing.assert_allclose(found, [[easting, northing]], atol=1e-6)


def test_a_map_around_zero_is_utm_from_there() -> None:
    # lanelet2 1.2.3: UtmProjector(Origin(0, 0)).forward(GPSPoint(0.0003, 0.00025, 0))
    projection, words = projection_without_info(array(0.0003), array(0.00025))
    np.testing.assert_allclose(projection(array(0.0003), array(0.00025)), [[27.857176864228677, 33.20481915219281]])
    assert words == "UTM from latitude 0, longitude 0"


def test_a_map_elsewhere_without_a_file_is_plain_utm_and_says_which() -> None:
    projection, words = projection_without_info(array(-33.9), array(18.4))
    np.testing.assert_allclose(projection(array(-33.9), array(18.4)), [UTM[1][3:]], atol=1e-6)
    assert words == "UTM zone 34S"


def test_each_projector_of_autoware(tmp_path: Path) -> None:
    latitude, longitude = np.array([35.68, 35.6812]), np.array([139.76, 139.7615])
    path = tmp_path / "map_projector_info.yaml"

    def projected(text: str) -> np.ndarray:
        path.write_text(text, encoding="utf-8")
        return projection_of(read_projector_info(path), path)(latitude, longitude)

    origin = "map_origin: {latitude: 35.68, longitude: 139.76, altitude: 0.0}\n"
    tangent = projected("projector_type: LocalCartesian\nvertical_datum: WGS84\n" + origin)
    # lanelet2 1.2.3: LocalCartesianProjector(Origin(35.68, 139.76)).forward(GPSPoint(35.6812, 139.7615, 0))
    np.testing.assert_allclose(tangent, [[0.0, 0.0], [135.787767534838, 133.14474575570364]], atol=1e-8)
    from_origin = projected("projector_type: LocalCartesianUTM\n" + origin)
    whole = utm(latitude, longitude, zone=54, south=False)
    np.testing.assert_allclose(from_origin, whole - whole[0], atol=1e-8)
    np.testing.assert_allclose(projected("projector_type: MGRS\nmgrs_grid: 54SUE\n"), whole % 100_000, atol=1e-8)
    mercator = projected("projector_type: TransverseMercator\nscale_factor: 1.0\n" + origin)
    np.testing.assert_allclose(mercator, tangent, atol=0.01)  # at the central meridian both are true to scale


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("projector_type: Local\n", "expected MGRS"),
        ("projector_type: LocalCartesianUTM\n", "expected map_origin"),
        (
            "projector_type: LocalCartesianUTM\nmap_origin: {latitude: north, longitude: 1}\n",
            "latitude: expected a number",
        ),
        ("projector_type: LocalCartesianUTM\nmap_origin: [1, 2]\n", "map_origin: expected latitude"),
        ("projector_type: 2026-02-30\n", "projector_type|expected YAML"),
        ("projector_type: [\n", "expected YAML"),
        ("- 1\n", "expected a mapping"),
        ("projector_type: TransverseMercator\nscale_factor: .nan\n", "scale_factor: expected a number"),
    ],
)
def test_a_projector_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map_projector_info.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        projection_of(read_projector_info(path), path)
    assert "map_projector_info.yaml" in str(caught.value)


def test_an_unknown_type_names_what_is_known() -> None:
    with pytest.raises(InputError, match="got 'Mercator'"):
        projection_of(ProjectorInfo("Mercator"), Path("x.yaml"))
