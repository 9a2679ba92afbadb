"""Projection of latitude and longitude to the metres of a map's frame, as in Lanelet2 and Autoware.

A Lanelet2 map without local coordinates gives its nodes in WGS84 degrees. Autoware's ``map_projector_info.yaml``
beside the map names the projection. Without that file, maps of published data sets (SinD, INTERACTION), which lie
around 0 degrees, are in UTM relative to that point; any other map is taken as plain UTM, and the caller gets a text
that says so.

Transverse Mercator by the Krueger series to the sixth order (C. F. F. Karney, Transverse Mercator with an accuracy of
a few nanometers, Journal of Geodesy 85, 2011, equations 7 to 11, 35).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from trajnet.errors import InputError
from trajnet.types import FloatArray

PROJECTOR_INFO = "map_projector_info.yaml"

#: A map whose nodes all lie within so many degrees of 0, 0 is drawn relative to that point, where no street is.
NEAR_ZERO_DEG = 1.0

#: WGS84: equatorial radius (m) and flattening.
_RADIUS_M, _FLATTENING = 6_378_137.0, 1 / 298.257223563
_ECCENTRICITY = math.sqrt(_FLATTENING * (2 - _FLATTENING))
_N = _FLATTENING / (2 - _FLATTENING)
#: Karney's alpha_1 to alpha_6 (equation 35), each as its coefficients of n^j, n^(j + 1), ... up to n^6.
_ALPHA_TERMS = (
    (1 / 2, -2 / 3, 5 / 16, 41 / 180, -127 / 288, 7891 / 37800),
    (13 / 48, -3 / 5, 557 / 1440, 281 / 630, -1983433 / 1935360),
    (61 / 240, -103 / 140, 15061 / 26880, 167603 / 181440),
    (49561 / 161280, -179 / 168, 6601661 / 7257600),
    (34729 / 80640, -3418889 / 1995840),
    (212378941 / 319334400,),
)
_ALPHA = [sum(c * _N ** (j + k) for k, c in enumerate(terms)) for j, terms in enumerate(_ALPHA_TERMS, start=1)]
#: The meridian's radius (equation 14).
_MERIDIAN_M = _RADIUS_M / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64 + _N**6 / 256)

UTM_SCALE, UTM_FALSE_EASTING_M, UTM_FALSE_NORTHING_M = 0.9996, 500_000.0, 10_000_000.0
MGRS_SQUARE_M = 100_000.0

#: latitude_deg (N,), longitude_deg (N,) -> (N, 2) m, x east and y north.
Projection = Callable[[FloatArray, FloatArray], FloatArray]


def transverse_mercator(
    latitude_deg: FloatArray, longitude_deg: FloatArray, *, meridian_deg: float, scale: float
) -> FloatArray:
    """Project N places to (N, 2) in m, x east of the central meridian, y north of the equator."""
    phi, lam = np.radians(latitude_deg), np.radians(np.asarray(longitude_deg) - meridian_deg)
    sine = np.sin(phi)
    conformal = np.sinh(np.arctanh(sine) - _ECCENTRICITY * np.arctanh(_ECCENTRICITY * sine))
    xi, eta = np.arctan2(conformal, np.cos(lam)), np.arcsinh(np.sin(lam) / np.hypot(conformal, np.cos(lam)))
    x, y = eta.copy(), xi.copy()
    for order, alpha in enumerate(_ALPHA, start=1):
        x += alpha * np.cos(2 * order * xi) * np.sinh(2 * order * eta)
        y += alpha * np.sin(2 * order * xi) * np.cosh(2 * order * eta)
    return np.stack([scale * _MERIDIAN_M * x, scale * _MERIDIAN_M * y], axis=-1)


def utm_zone(longitude_deg: float) -> int:
    """Return the number of the UTM zone, 1 to 60."""
    return math.floor((longitude_deg + 180.0) / 6.0) % 60 + 1


def utm(latitude_deg: FloatArray, longitude_deg: FloatArray, *, zone: int, south: bool) -> FloatArray:
    """Return UTM easting and northing of N places, (N, 2) m."""
    places_m = transverse_mercator(latitude_deg, longitude_deg, meridian_deg=6.0 * zone - 183.0, scale=UTM_SCALE)
    false_m = [UTM_FALSE_EASTING_M, UTM_FALSE_NORTHING_M if south else 0.0]
    return np.asarray(places_m + false_m)


@dataclass(frozen=True)
class ProjectorInfo:
    """The content of ``map_projector_info.yaml``: the projector's type, and the origin (deg) if the type has one."""

    projector_type: str
    origin_deg: tuple[float, float] | None = None
    scale: float = UTM_SCALE


def read_projector_info(path: Path) -> ProjectorInfo:
    """Read Autoware's projector file. Raises InputError that names the file and what does not fit."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not isinstance(values.get("projector_type"), str):
        raise InputError(f"{path}: expected a mapping with projector_type, got {values!r:.80}")
    scale = _number(path, values, "scale_factor", UTM_SCALE)
    origin = values.get("map_origin")
    if origin is None:
        return ProjectorInfo(values["projector_type"], None, scale)
    if not isinstance(origin, dict):
        raise InputError(f"{path}: map_origin: expected latitude and longitude, got {origin!r:.80}")
    place = _number(path, origin, "latitude"), _number(path, origin, "longitude")
    return ProjectorInfo(values["projector_type"], place, scale)


def _number(path: Path, values: dict[Any, Any], key: str, default: float | None = None) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{path}: {key}: expected a number, got {value!r:.80}")
    return float(value)


def projection_of(info: ProjectorInfo, path: Path) -> Projection:
    """Return the projection that the file at path names. Raises InputError for a type that is not supported."""
    kind = re.sub("[^a-z]", "", info.projector_type.lower())
    if kind == "mgrs":
        return lambda latitude, longitude: np.mod(_plain_utm(latitude, longitude), MGRS_SQUARE_M)
    if kind in ("localcartesianutm", "transversemercator", "localcartesian"):
        if info.origin_deg is None:
            raise InputError(
                f"{path}: {info.projector_type}: expected map_origin with latitude and longitude, got none"
            )
        return _from_origin(kind, info.origin_deg, info.scale)
    raise InputError(
        f"{path}: projector_type: expected MGRS, LocalCartesianUTM, LocalCartesian or TransverseMercator for a map "
        f"without local_x and local_y, got {info.projector_type!r}"
    )


def projection_without_info(latitude_deg: FloatArray, longitude_deg: FloatArray) -> tuple[Projection, str]:
    """Return the projection of a map without a projector file, and its name in words."""
    furthest_deg = float(np.max(np.abs([latitude_deg, longitude_deg])))
    if furthest_deg <= NEAR_ZERO_DEG:
        return _from_origin("localcartesianutm", (0.0, 0.0), UTM_SCALE), "UTM from latitude 0, longitude 0"
    zone = utm_zone(float(np.median(longitude_deg)))
    return _plain_utm, f"UTM zone {zone}{'S' if np.median(latitude_deg) < 0 else 'N'}"


def _plain_utm(latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
    """Project to the UTM zone in which most of the places lie."""
    zone, south = utm_zone(float(np.median(longitude_deg))), bool(np.median(latitude_deg) < 0)
    return utm(latitude_deg, longitude_deg, zone=zone, south=south)


def _from_origin(kind: str, origin_deg: tuple[float, float], scale: float) -> Projection:
    latitude, longitude = np.array([origin_deg[0]]), np.array([origin_deg[1]])
    if kind == "localcartesian":
        return lambda lat, lon: _tangent_plane(lat, lon, origin_deg)
    meridian_deg = 6.0 * utm_zone(origin_deg[1]) - 183.0 if kind == "localcartesianutm" else origin_deg[1]
    origin_m = transverse_mercator(latitude, longitude, meridian_deg=meridian_deg, scale=scale)
    return lambda lat, lon: transverse_mercator(lat, lon, meridian_deg=meridian_deg, scale=scale) - origin_m


def _tangent_plane(latitude_deg: FloatArray, longitude_deg: FloatArray, origin_deg: tuple[float, float]) -> FloatArray:
    """Return east and north (N, 2) m on the plane that touches the ellipsoid at the origin, all at height 0."""
    touching_m = _geocentric(np.array([origin_deg[0]]), np.array([origin_deg[1]]))
    offset_m = _geocentric(latitude_deg, longitude_deg) - touching_m
    phi, lam = math.radians(origin_deg[0]), math.radians(origin_deg[1])
    east = np.array([-math.sin(lam), math.cos(lam), 0.0])
    north = np.array([-math.sin(phi) * math.cos(lam), -math.sin(phi) * math.sin(lam), math.cos(phi)])
    return np.stack([offset_m @ east, offset_m @ north], axis=-1)


def _geocentric(latitude_deg: FloatArray, longitude_deg: FloatArray) -> FloatArray:
    """Return Earth-centred coordinates of places on the ellipsoid, (N, 3) m."""
    phi, lam = np.radians(latitude_deg), np.radians(longitude_deg)
    normal_m = _RADIUS_M / np.sqrt(1 - (_ECCENTRICITY * np.sin(phi)) ** 2)
    across_m = normal_m * np.cos(phi)
    up_m = (1 - _ECCENTRICITY**2) * normal_m * np.sin(phi)
    return np.stack([across_m * np.cos(lam), across_m * np.sin(lam), up_m], axis=-1)
