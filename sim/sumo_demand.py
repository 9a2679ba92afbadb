"""The traffic of a generated scene: vehicle types and flows as SUMO's route XML."""

from __future__ import annotations

import numpy as np
from sumo_network import Network

from trajnet.types import ObjectClass

#: Share of each class among the vehicles that enter a street or a motorway.
STREET_MIX: dict[ObjectClass, float] = {
    ObjectClass.CAR: 0.80,
    ObjectClass.TRUCK: 0.08,
    ObjectClass.BUS: 0.04,
    ObjectClass.MOTORCYCLE: 0.08,
}
MOTORWAY_MIX: dict[ObjectClass, float] = {
    ObjectClass.CAR: 0.79,
    ObjectClass.TRUCK: 0.15,
    ObjectClass.BUS: 0.02,
    ObjectClass.MOTORCYCLE: 0.04,
}
VARIANTS: dict[ObjectClass, int] = {
    ObjectClass.CAR: 6,
    ObjectClass.TRUCK: 3,
    ObjectClass.BUS: 1,
    ObjectClass.MOTORCYCLE: 2,
    ObjectClass.BICYCLE: 3,
    ObjectClass.PEDESTRIAN: 4,
}
#: Length and width in metres: lowest and highest.
SIZES_M: dict[ObjectClass, tuple[tuple[float, float], tuple[float, float]]] = {
    ObjectClass.CAR: ((3.7, 5.4), (1.7, 2.0)),
    ObjectClass.TRUCK: ((6.5, 14.0), (2.3, 2.55)),
    ObjectClass.BUS: ((10.5, 13.5), (2.5, 2.55)),
    ObjectClass.MOTORCYCLE: ((2.0, 2.3), (0.7, 0.9)),
    ObjectClass.BICYCLE: ((1.6, 1.9), (0.55, 0.7)),
    ObjectClass.PEDESTRIAN: ((0.4, 0.6), (0.45, 0.65)),
}
VCLASSES: dict[ObjectClass, str] = {
    ObjectClass.CAR: "passenger",
    ObjectClass.TRUCK: "truck",
    ObjectClass.BUS: "bus",
    ObjectClass.MOTORCYCLE: "motorcycle",
    ObjectClass.BICYCLE: "bicycle",
    ObjectClass.PEDESTRIAN: "pedestrian",
}


def class_of_type(type_id: str) -> ObjectClass:
    """Return the class of a vehicle type's id, ``car_0`` and so on."""
    return ObjectClass[type_id.rsplit("_", 1)[0].upper()]


def _type(rng: np.random.Generator, kind: ObjectClass, index: int, share: float, filtering: bool) -> str:
    (length_low, length_high), (width_low, width_high) = SIZES_M[kind]
    length_m, width_m = rng.uniform(length_low, length_high), rng.uniform(width_low, width_high)
    text = (
        f'<vType id="{kind.name.lower()}_{index}" vClass="{VCLASSES[kind]}" '
        f'length="{length_m:.2f}" width="{width_m:.2f}" '
        f'probability="{share:.4f}" '
    )
    if kind == ObjectClass.PEDESTRIAN:
        speed_mps = [0.9, 1.25, 1.5, 2.6][index] * rng.uniform(0.92, 1.08)
        return text + f'maxSpeed="{speed_mps:.2f}" speedFactor="normc(1,0.1,0.8,1.2)"/>\n'
    heavy = kind in (ObjectClass.TRUCK, ObjectClass.BUS)
    accel = rng.uniform(0.8, 1.3) if heavy else rng.uniform(1.5, 2.8)
    if kind == ObjectClass.BICYCLE:
        accel = rng.uniform(0.7, 1.2)
        text += f'maxSpeed="{rng.uniform(3.5, 7.5):.2f}" '
    elif heavy:
        text += f'maxSpeed="{rng.uniform(22.5, 25.5):.2f}" '
    alignment = "right" if kind == ObjectClass.BICYCLE else str(rng.choice(["center", "center", "arbitrary"]))
    model = str(rng.choice(["IDM", "EIDM"])) if kind == ObjectClass.CAR else "IDM"
    gap_m, more = 0.5, 'jmTimegapMinor="0.6" impatience="0.4" ' if filtering else ""
    if filtering and kind in (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE):
        gap_m, more = 0.2, more + 'lcPushy="1" '
    return text + (
        f'carFollowModel="{model}" accel="{accel:.2f}" decel="{rng.uniform(2.5, 4.0):.2f}" '
        f'tau="{rng.uniform(0.9, 1.7):.2f}" '
        f'minGap="{rng.uniform(1.5, 2.8):.2f}" speedFactor="normc({rng.uniform(0.88, 1.08):.2f},0.08,0.6,1.3)" '
        f'latAlignment="{alignment}" maxSpeedLat="{rng.uniform(0.7, 1.3):.2f}" '
        f'lcAccelLat="{rng.uniform(0.6, 1.0):.2f}" '
        f'{more}minGapLat="{gap_m}" lcAssertive="1" lcKeepRight="0.3" '
        f'lcSpeedGain="{rng.uniform(0.8, 3.0):.2f}" lcStrategic="2"/>\n'
    )


def type_distribution(
    rng: np.random.Generator, name: str, mix: dict[ObjectClass, float], *, filtering: bool = False
) -> str:
    """Return a distribution of vehicle types, several of each class.

    filtering: riders pass between and beside the others, and all accept small gaps where they have to give way.
    """
    text = f'<vTypeDistribution id="{name}">\n'
    for kind, share in mix.items():
        text += "".join(_type(rng, kind, i, share / VARIANTS[kind], filtering) for i in range(VARIANTS[kind]))
    return text + "</vTypeDistribution>\n"


def demand(rng: np.random.Generator, network: Network, end_s: float, density: float) -> str:
    """Return the route file of a scene: flows from every entry to every exit. density 1 is busy, not jammed."""
    text = type_distribution(rng, "traffic", STREET_MIX if network.walkable else MOTORWAY_MIX)
    if network.walkable:
        text += type_distribution(rng, "bikes", {ObjectClass.BICYCLE: 1.0})
        text += type_distribution(rng, "people", {ObjectClass.PEDESTRIAN: 1.0})
        text += _street_flows(rng, network, end_s, density)
    else:
        text += _motorway_flows(rng, network, end_s, density)
    return f"<routes>\n{text}</routes>\n"


def _street_flows(rng: np.random.Generator, network: Network, end_s: float, density: float) -> str:
    text = ""
    for i, entry in enumerate(network.entries):
        for j, leave in enumerate(network.exits):
            if i == j:
                continue
            per_second = density * network.flow * rng.uniform(0.4, 1.6) / (len(network.entries) - 1)
            for name, rate in (("traffic", 0.08), ("bikes", 0.025)):
                text += (
                    f'<flow id="{name}_{i}_{j}" type="{name}" begin="0" end="{end_s}" '
                    f'probability="{min(1.0, rate * per_second):.4f}" '
                    f'from="{entry}" to="{leave}" departLane="best" departSpeed="avg" departPos="base"/>\n'
                )
            text += (
                f'<personFlow id="people_{i}_{j}" type="people" begin="0" end="{end_s}" '
                f'probability="{min(1.0, 0.025 / network.flow * per_second):.4f}" '
                f'departPos="{rng.uniform(90, 150):.0f}">'
                f'<walk from="{entry}" to="{leave}" arrivalPos="{rng.uniform(45, 110):.0f}"/></personFlow>\n'
            )
    return text


def _motorway_flows(rng: np.random.Generator, network: Network, end_s: float, density: float) -> str:
    text = ""
    for entry in network.entries:
        for leave in network.exits:
            per_second = density * network.flow * rng.uniform(0.8, 1.2) * (0.25 if "ramp" in (entry, leave) else 1.6)
            lanes = 1 if entry == "ramp" else 3
            for lane in range(lanes):
                text += (
                    f'<flow id="{entry}_{leave}_{lane}" type="traffic" begin="0" end="{end_s}" '
                    f'probability="{min(1.0, per_second / lanes):.4f}" from="{entry}" to="{leave}" departLane="{lane}" '
                    f'departSpeed="avg" departPos="base"/>\n'
                )
    return text
