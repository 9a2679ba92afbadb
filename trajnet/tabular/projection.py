"""Coordinates of any system to metres in a plane, by pyproj (the extra ``geo``)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.types import FloatArray


class Projected(NamedTuple):
    """position_m (R, 2). turn_rad (R,): what directions turn by, counter-clockwise. words: what was done."""

    position_m: FloatArray
    turn_rad: FloatArray
    words: str


def project(x: FloatArray, y: FloatArray, crs: str, to_crs: str | None, metres: float = 1.0) -> Projected:
    """Return R places of a coordinate system in metres: of to_crs, by default UTM for degrees and else the same system.

    x, y (R,): east and north, or longitude and latitude, whatever order the system itself states. metres: length of a
    unit of x and y where the system is not in degrees and is kept. Raises DependencyError without pyproj, InputError
    for an unknown system and places outside it.
    """
    pyproj = _pyproj()
    source = _system(pyproj, "crs", crs)
    if source.is_geographic:
        _require_degrees(x, y, crs)
        target = _system(pyproj, "to-crs", to_crs or _utm(x, y))
    elif to_crs is None:
        unit_m = source.axis_info[0].unit_conversion_factor * metres
        words = f"kept in {source.name}" + ("" if unit_m == 1 else f", a unit of which is {unit_m:g} m")
        return Projected(np.stack([x, y], axis=1) * unit_m, np.zeros(len(x)), words)
    else:
        target = _system(pyproj, "to-crs", to_crs)
    if target.is_geographic:
        raise InputError(f"to-crs: expected a system in metres, got {target.name}, which is in degrees")
    transform = pyproj.Transformer.from_crs(source, target, always_xy=True).transform
    position_m = _transformed(transform, x, y)
    if not np.isfinite(position_m).all():
        row = int((~np.isfinite(position_m).all(axis=1)).argmax())
        raise InputError(f"crs: expected places that {target.name} covers, got {x[row]}, {y[row]} in row {row}")
    position_m *= target.axis_info[0].unit_conversion_factor
    east = _transformed(transform, x + (1e-5 if source.is_geographic else 1.0), y) - _transformed(transform, x, y)
    return Projected(position_m, np.arctan2(east[:, 1], east[:, 0]), f"projected from {source.name} to {target.name}")


def _transformed(transform: Any, x: FloatArray, y: FloatArray) -> FloatArray:
    return np.stack(transform(x, y), axis=1).astype(np.float64)


def _pyproj() -> Any:
    try:
        import pyproj
    except ImportError as error:
        raise DependencyError(
            "coordinate systems (crs) need pyproj, which is not installed; run: pip install 'trajnet-av[geo]'"
        ) from error
    return pyproj


def _system(pyproj: Any, option: str, name: str) -> Any:
    try:
        return pyproj.CRS.from_user_input(name)
    except pyproj.exceptions.CRSError as error:
        raise InputError(f"{option}: expected a coordinate system such as EPSG:4326, got {name!r}") from error


def _require_degrees(x: FloatArray, y: FloatArray, crs: str) -> None:
    if len(x) and (np.abs(y).max() > 90 or np.abs(x).max() > 360):
        hint = "; are x and y swapped? x is the longitude" if np.abs(x).max() <= 90 else ""
        raise InputError(
            f"crs {crs}: expected longitude as x and latitude as y in degrees, got x up to {np.abs(x).max():g} and y "
            f"up to {np.abs(y).max():g}{hint}"
        )


def _utm(longitude_deg: FloatArray, latitude_deg: FloatArray) -> str:
    """Return the UTM zone (WGS84) of the middle of these places."""
    zone = int((float(np.mean(longitude_deg)) + 180.0) % 360.0 // 6.0) + 1
    return f"EPSG:{(32600 if np.mean(latitude_deg) >= 0 else 32700) + zone}"
