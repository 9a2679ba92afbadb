"""Road networks for generated scenes, drawn at random from a seed and built with SUMO's netconvert.

Coordinates in metres; the junction, or the start of the merge, is at (0, 0). Right-hand traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from sumo_tools import run_sumo_tool

from trajnet.types import FloatArray, Lane

ARM_M = 190.0
LANE_WIDTH_M = 3.3
MOTORWAY_LANE_WIDTH_M = 3.6
RING_WIDTH_M = 4.5
#: Lanes that allow only one of these of SUMO's classes are not part of a street.
RAILS = ("rail", "rail_electric", "rail_fast", "rail_urban", "tram", "ship")


@dataclass(frozen=True)
class Network:
    """A network as plain XML for netconvert, and what the demand needs to know about it.

    entries and exits: edges at which vehicles appear and leave, entries[i] beside exits[i] on the same arm.
    radius_m: rows within this distance of (0, 0) are recorded.
    flow: traffic that it carries without a standstill, relative to a junction with signals.
    """

    nodes: str
    edges: str
    connections: str
    entries: tuple[str, ...]
    exits: tuple[str, ...]
    walkable: bool
    radius_m: float
    flow: float = 1.0


def _shape(points_m: FloatArray) -> str:
    return " ".join(f"{x:.3f},{y:.3f}" for x, y in points_m)


def _bezier(points_m: Sequence[tuple[float, float]], count: int = 16) -> FloatArray:
    """Return points (count, 2) of the quadratic curve through the first and the last of three control points."""
    first, control, last = np.asarray(points_m, dtype=np.float64)
    u = np.linspace(0.0, 1.0, count)[:, None]
    curve: FloatArray = (1 - u) ** 2 * first + 2 * u * (1 - u) * control + u**2 * last
    return curve


def _arm(angle_rad: float, bend_m: float, start_m: float) -> FloatArray:
    """Return the centre line (16, 2) of an arm, outwards from start_m; its end is bend_m to the side."""
    out = np.array([np.cos(angle_rad), np.sin(angle_rad)])
    side = np.array([-out[1], out[0]])
    return _bezier([tuple(start_m * out), tuple(0.5 * ARM_M * out), tuple(ARM_M * out + bend_m * side)])


def _arm_edges(
    index: int, line_m: FloatArray, node: str, *, lanes: int, speed_mps: float, priority: int, street: str
) -> str:
    common = f'type="{street}" priority="{priority}" numLanes="{lanes}" speed="{speed_mps:.2f}"'
    return (
        f'<edge id="in{index}" from="outer{index}" to="{node}" shape="{_shape(line_m[::-1])}" {common}/>\n'
        f'<edge id="out{index}" from="{node}" to="outer{index}" shape="{_shape(line_m)}" {common}/>\n'
    )


def intersection(rng: np.random.Generator, *, arms: int = 4, signals: bool = True) -> Network:
    """Draw a junction of 3 or 4 streets with pavements and crossings, with signals or a road that has priority."""
    angles = np.arange(4)[:arms] * np.pi / 2 + rng.uniform(-0.12, 0.12, arms)
    speed_mps = float(rng.choice([8.33, 11.11, 13.89]))
    street = str(rng.choice(["street", "street_with_bike_lane"]))
    main_lanes, side_lanes = (int(rng.integers(1, 3)), 1) if signals else (1, 1)
    rule = "traffic_light" if signals else "priority"
    nodes = f'<node id="centre" x="0" y="0" type="{rule}" radius="{rng.uniform(6, 11):.1f}"/>\n'
    edges = ""
    for i in range(arms):
        line_m = _arm(angles[i], rng.uniform(-25, 25), 0.0)
        nodes += f'<node id="outer{i}" x="{line_m[-1, 0]:.3f}" y="{line_m[-1, 1]:.3f}"/>\n'
        is_main = i % 2 == 0
        lanes, priority = (main_lanes, 5) if is_main else (side_lanes, 2)
        edges += _arm_edges(i, line_m, "centre", lanes=lanes, speed_mps=speed_mps, priority=priority, street=street)
    entries, exits = (tuple(f"{name}{i}" for i in range(arms)) for name in ("in", "out"))
    return Network(nodes, edges, "", entries, exits, True, 75.0, 1.0 if signals else 0.5)


def roundabout(rng: np.random.Generator, *, radii_m: tuple[float, float] = (13, 22)) -> Network:
    """Draw a roundabout of one lane with 3 to 5 arms, pavements and crossings.

    radii_m: lowest and highest radius of the lane's inner border; vehicles circle RING_WIDTH_M / 2 further out.
    """
    arms = int(rng.integers(3, 6))
    radius_m = float(rng.uniform(*radii_m))
    angles = np.arange(arms) * 2 * np.pi / arms + rng.uniform(-0.1, 0.1, arms)
    speed_mps = float(rng.choice([8.33, 11.11, 13.89]))
    nodes, edges = "", ""
    for i in range(arms):
        line_m = _arm(angles[i], rng.uniform(-25, 25), radius_m)
        nodes += f'<node id="ring{i}" x="{line_m[0, 0]:.3f}" y="{line_m[0, 1]:.3f}" type="priority" radius="6"/>\n'
        nodes += f'<node id="outer{i}" x="{line_m[-1, 0]:.3f}" y="{line_m[-1, 1]:.3f}"/>\n'
        edges += _arm_edges(i, line_m, f"ring{i}", lanes=1, speed_mps=speed_mps, priority=1, street="street")
        arc = np.linspace(angles[i], angles[(i + 1) % arms] + (2 * np.pi if i == arms - 1 else 0.0), 12)
        arc_m = radius_m * np.stack([np.cos(arc), np.sin(arc)], axis=1)
        edges += (
            f'<edge id="arc{i}" from="ring{i}" to="ring{(i + 1) % arms}" numLanes="1" priority="10" speed="8.33" '
            f'width="{RING_WIDTH_M}" shape="{_shape(arc_m)}"/>\n'
        )
    ring, arcs = (" ".join(f"{name}{i}" for i in range(arms)) for name in ("ring", "arc"))
    edges += f'<roundabout nodes="{ring}" edges="{arcs}"/>\n'
    entries, exits = (tuple(f"{name}{i}" for i in range(arms)) for name in ("in", "out"))
    return Network(nodes, edges, "", entries, exits, True, 75.0)


def motorway(rng: np.random.Generator, *, ramp: str = "on") -> Network:
    """Draw one carriageway of three lanes on a gentle bend with an on-ramp or an off-ramp of one lane."""
    lanes = 3
    line = partial(_carriageway, float(rng.uniform(-1 / 900, 1 / 900)))
    length_m = float(rng.uniform(200, 300))
    speed_mps = float(rng.choice([22.22, 27.78, 33.33]))
    common = f'priority="10" speed="{speed_mps:.2f}" width="{MOTORWAY_LANE_WIDTH_M}"'
    first_m, last_m = (0.0, length_m) if ramp == "on" else (-length_m, 0.0)
    curve = _ramp(line, lanes * MOTORWAY_LANE_WIDTH_M, ramp)
    ends = {"start": line(-700, 0)[0], "begin": line(-700, first_m)[-1]}
    ends |= {"end": line(-700, last_m)[-1], "stop": line(0, 800)[-1], "ramp": curve[0 if ramp == "on" else -1]}
    edges = (
        f'<edge id="before" from="start" to="begin" numLanes="{lanes}" {common} '
        f'shape="{_shape(line(-700, first_m))}"/>\n'
        f'<edge id="weave" from="begin" to="end" numLanes="{lanes + 1}" {common} '
        f'shape="{_shape(line(first_m, last_m))}"/>\n'
        f'<edge id="after" from="end" to="stop" numLanes="{lanes}" {common} shape="{_shape(line(last_m, 800))}"/>\n'
    )
    connections = "".join(
        f'<connection from="before" to="weave" fromLane="{i}" toLane="{i + 1}"/>\n'
        f'<connection from="weave" to="after" fromLane="{i + 1}" toLane="{i}"/>\n'
        for i in range(lanes)
    )
    ramp_speed = f'priority="5" numLanes="1" speed="{min(speed_mps, 22.22):.2f}" width="{MOTORWAY_LANE_WIDTH_M}"'
    start, end, joined = ("ramp", "begin", "ramp weave") if ramp == "on" else ("end", "ramp", "weave ramp")
    edges += f'<edge id="ramp" from="{start}" to="{end}" {ramp_speed} shape="{_shape(curve)}"/>\n'
    connections += '<connection from="{}" to="{}" fromLane="0" toLane="0"/>\n'.format(*joined.split())
    entries, exits = (("before", "ramp"), ("after",)) if ramp == "on" else (("before",), ("after", "ramp"))
    nodes = "".join(f'<node id="{name}" x="{x:.3f}" y="{y:.3f}" type="priority"/>\n' for name, (x, y) in ends.items())
    return Network(nodes, edges, connections, entries, exits, False, 260.0)


def _carriageway(curvature_per_m: float, start_m: float, end_m: float, offset_m: float = 0.0) -> FloatArray:
    """Return points (P, 2) every 20 m along a carriageway's left edge, or offset_m to the right of it."""
    along = np.linspace(start_m, end_m, max(2, int((end_m - start_m) / 20)))
    angle = curvature_per_m * along
    if abs(curvature_per_m) < 1e-6:
        middle = np.stack([along, np.zeros_like(along)], axis=1)
    else:
        middle = np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1) / curvature_per_m
    points: FloatArray = middle + offset_m * np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    return points


def _ramp(line: Callable[..., FloatArray], side_m: float, ramp: str) -> FloatArray:
    """Return the middle line (P, 2) of a ramp in the direction of travel, side_m right of the carriageway's edge."""
    if ramp == "on":
        inner, far = line(-120, 0, side_m), line(-330, 0)[0] + np.array([0.0, -70.0])
        bend = _bezier([tuple(far), tuple(line(-230, 0, side_m + 6)[0]), tuple(inner[0])])
        return np.concatenate([bend, inner[1:]])
    inner, far = line(0, 120, side_m), line(0, 330)[-1] + np.array([0.0, -70.0])
    bend = _bezier([tuple(inner[-1]), tuple(line(0, 230, side_m + 6)[-1]), tuple(far)])
    return np.concatenate([inner, bend[1:]])


def street_types(lane_width_m: float, *, pavements: bool) -> str:
    """Return the types of streets for netconvert."""
    common = f'width="{lane_width_m}"' + (' sidewalkWidth="2.5"' if pavements else "")
    types = f'<type id="street" {common}/>\n<type id="street_with_bike_lane" {common} bikeLaneWidth="1.6"/>\n'
    return f"<types>\n{types}</types>"


def build(network: Network, folder: Path, *, pavements: bool = True, lane_width_m: float = LANE_WIDTH_M) -> Path:
    """Run netconvert and return the network file in folder. pavements: whether a walkable network has them."""
    for name, root, text in (
        ("nod", "nodes", network.nodes),
        ("edg", "edges", network.edges),
        ("con", "connections", network.connections),
    ):
        (folder / f"{name}.xml").write_text(f"<{root}>\n{text}</{root}>\n", encoding="utf-8")
    (folder / "typ.xml").write_text(street_types(lane_width_m, pavements=pavements), encoding="utf-8")
    options = ["--node-files=nod.xml", "--edge-files=edg.xml", "--connection-files=con.xml", "--type-files=typ.xml"]
    options += ["--offset.disable-normalization=true", "--output-file=net.xml", "--no-turnarounds=true"]
    options += ["--junctions.internal-link-detail=24", "--junctions.corner-detail=8", "--precision=3"]
    if network.walkable:
        options += ["--tls.default-type=static", "--tls.cycle.time=50"]
    if network.walkable and pavements:
        options += ["--crossings.guess=true", "--walkingareas=true"]
    run_sumo_tool("netconvert", options, folder)
    return folder / "net.xml"


def lanes_of(
    net_file: Path, radius_m: float, *, middle_m: tuple[float, float] = (0.0, 0.0), step_m: float = np.inf
) -> tuple[Lane, ...]:
    """Return the lanes, pavements and crossings within radius_m of a point of a network, rounded to 1 cm.

    middle_m: that point, which becomes (0, 0). step_m: points are added where a lane has none for longer than this.
    """
    lanes = []
    for element in ElementTree.parse(net_file).iter("lane"):
        if element.attrib["id"].startswith(":") and "_w" in element.attrib["id"]:
            continue  # a walking area: its shape is an outline, not a line
        if element.attrib.get("allow") in RAILS:
            continue
        centre_m = np.array([point.split(",")[:2] for point in element.attrib["shape"].split()], dtype=np.float64)
        centre_m = centre_m - middle_m
        apart = np.hypot(*np.diff(centre_m, axis=0).T) > 0.05
        centre_m = _filled_in(centre_m[np.append(True, apart)], step_m)
        inside = np.flatnonzero(np.hypot(*centre_m.T) <= radius_m)
        if len(inside) < 2:
            continue
        centre_m = centre_m[inside[0] : inside[-1] + 1]
        half_m = float(element.attrib.get("width", LANE_WIDTH_M)) / 2
        along = np.gradient(centre_m, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
        left_m, right_m = centre_m + half_m * normal, centre_m - half_m * normal
        drivable = element.attrib.get("allow") != "pedestrian"
        lanes.append(Lane(element.attrib["id"], left_m.round(2), right_m.round(2), centre_m.round(2), drivable))
    return tuple(lanes)


def _filled_in(line_m: FloatArray, step_m: float) -> FloatArray:
    """Return the line (P, 2) with evenly spaced points added between two that are more than step_m apart."""
    apart_m = np.hypot(*np.diff(line_m, axis=0).T)
    pieces = [
        np.linspace(line_m[i], line_m[i + 1], max(1, int(np.ceil(apart_m[i] / step_m))), endpoint=False)
        for i in range(len(apart_m))
    ]
    return np.concatenate([*pieces, line_m[-1:]])
