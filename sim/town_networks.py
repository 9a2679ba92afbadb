"""Real road networks as SUMO files, and the split that keeps whole towns out of training.

Files are named TOWN-NUMBER.net.xml.gz or TOWN__anything.net.xml.gz: the town stands before "__" or the last "-".
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from sumo_tools import run_sumo_tool

from trajnet.errors import InputError
from trajnet.types import FloatArray

SUFFIXES = (".net.xml.gz", ".net.xml")
#: One town in this many is held out.
HELD_OUT_ONE_IN = 6
#: Networks with fewer metres of lanes than this are too small for traffic.
SHORTEST_NETWORK_M = 300.0
#: Limits above this are for motorways; converters also write them where they know none.
FASTEST_STREET_MPS = 22.3
UNKNOWN_LIMIT_MPS = 13.89
MOTORWAY_TOWNS = ("DEU_A9", "handmade_motorway")
#: Highest lateral acceleration in a bend: speed limits are lowered in bends that are too tight for them.
BEND_MPS2 = 2.5
SLOWEST_BEND_MPS = 3.0


def town_of(path: Path) -> str:
    """Return the town of a network file, ``DEU_Backnang`` of ``DEU_Backnang-1.net.xml.gz``."""
    name = path.name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name.split("__")[0].rsplit("-", 1)[0]


def is_held_out(town: str) -> bool:
    """Return whether a town is kept for validation; its name alone decides, so that a new town moves no other."""
    return int.from_bytes(hashlib.sha256(town.encode()).digest()[:4], "big") % HELD_OUT_ONE_IN == 0


def networks_by_town(folder: Path, *, held_out: bool) -> dict[str, list[Path]]:
    """Return the files below folder of the towns that are held out, or of the others, both in order of name.

    Raises InputError if there is no folder, or no such network in it.
    """
    if not folder.is_dir():
        raise InputError(f"--networks: expected a folder of {' or '.join(SUFFIXES)} files, got {str(folder)!r}")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.net.xml*"), key=lambda path: path.name):
        town = town_of(path)
        if (
            path.name.endswith(SUFFIXES)
            and is_held_out(town) == held_out
            and driven_length_m(path) > SHORTEST_NETWORK_M
        ):
            found.setdefault(town, []).append(path)
    if not found:
        kind = "a held-out town" if held_out else "a town that is not held out"
        raise InputError(f"--networks: expected a network of {kind} in {str(folder)!r}, found none")
    return dict(sorted(found.items()))


def read_network(path: Path) -> ElementTree.Element:
    """Return the root element of a SUMO network, compressed or not. Raises InputError if it is none."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            root = ElementTree.parse(file).getroot()
    except (OSError, EOFError, ElementTree.ParseError) as error:
        raise InputError(f"{path}: expected a SUMO network, got a file that cannot be read as one ({error})") from error
    if root.tag != "net":
        raise InputError(f"{path}: expected a SUMO network with the root <net>, got <{root.tag}>")
    return root


def driven_length_m(path: Path) -> float:
    """Return the summed length in m of the lanes that cars may use, without junctions."""
    edges = [edge for edge in read_network(path).iter("edge") if edge.get("function") is None]
    return sum(
        float(lane.get("length", 0)) for edge in edges for lane in edge.iter("lane") if lets_in(lane, "passenger")
    )


def lets_in(lane: ElementTree.Element, vehicle_class: str) -> bool:
    """Return whether a <lane> allows one of SUMO's vehicle classes."""
    allow, disallow = lane.get("allow"), lane.get("disallow", "")
    if allow is not None:
        return vehicle_class in allow.split() or allow == "all"
    return vehicle_class not in disallow.split() and disallow != "all"


def points_of(lane: ElementTree.Element) -> FloatArray:
    """Return a lane's centre line (P, 2) in m, points closer than 5 cm to the one before left out; P may be 1."""
    points_m = np.array([point.split(",")[:2] for point in lane.get("shape", "").split()], dtype=np.float64)
    apart = np.append(True, np.hypot(*np.diff(points_m, axis=0).T) > 0.05)
    kept: FloatArray = points_m.reshape(-1, 2)[apart]
    return kept


def cut_out(path: Path, centre_m: FloatArray, reach_m: float, folder: Path) -> Path:
    """Return a network in folder with the edges of a larger one within reach_m of a point, in both directions."""
    (west, south), (east, north) = (centre_m - reach_m).tolist(), (centre_m + reach_m).tolist()
    options = [f"--sumo-net-file={path.resolve()}", "--offset.disable-normalization=true", "--no-warnings=true"]
    options += [f"--keep-edges.in-boundary={west:.1f},{south:.1f},{east:.1f},{north:.1f}", "--output-file=cut.net.xml"]
    run_sumo_tool("netconvert", options, folder)
    return folder / "cut.net.xml"


def prepare_network(root: ElementTree.Element, *, motorway: bool, to: Path) -> None:
    """Write the network with limits at which its bends can be driven, and no motorway's limit in a town."""
    for lane in root.iter("lane"):
        limit_mps = float(lane.get("speed", UNKNOWN_LIMIT_MPS))
        if not motorway and limit_mps > FASTEST_STREET_MPS:
            limit_mps = UNKNOWN_LIMIT_MPS
        bend_mps = float(np.sqrt(BEND_MPS2 * tightest_radius_m(points_of(lane))))
        lane.set("speed", f"{min(limit_mps, max(bend_mps, SLOWEST_BEND_MPS)):.2f}")
    ElementTree.ElementTree(root).write(to, encoding="utf-8")


def tightest_radius_m(points_m: FloatArray, *, over_m: float = 6.0) -> float:
    """Return the smallest radius in m of a line (P, 2) over stretches of over_m; infinity if it is straight."""
    if len(points_m) < 3:
        return np.inf
    step_m = np.diff(points_m, axis=0)
    heading = np.unwrap(np.arctan2(step_m[:, 1], step_m[:, 0]))
    along_m = np.append(0.0, np.cumsum(np.hypot(*step_m.T)))
    at_m = np.arange(0.0, along_m[-1], 1.0)
    sampled = np.interp(at_m, 0.5 * (along_m[1:] + along_m[:-1]), heading)
    window = max(1, min(round(over_m), len(sampled) - 1))
    if len(sampled) < 2:
        return np.inf
    turn = float(np.abs(sampled[window:] - sampled[:-window]).max())
    return window / turn if turn > 1e-3 else np.inf
