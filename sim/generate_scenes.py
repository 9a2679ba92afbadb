#!/usr/bin/env python3
"""Generate traffic scenes with Eclipse SUMO: the ones bundled in sim/scenes, or many for training.

    python sim/generate_scenes.py                                          # sim/scenes again
    python sim/generate_scenes.py --count 40 --seed 1000 --out training    # 40 varied scenes of 60 s
    python sim/generate_scenes.py --count 120 --seed 20000 --networks NETS --out streets    # streets of real towns
    python sim/generate_scenes.py --count 12 --seed 50000 --networks NETS --held-out --out validation

NETS is a folder of SUMO networks; docs/generated-traffic.md describes the scenes on them.
One seed is one scene: its junction, streets, speeds, vehicles and flows are drawn from it, and SUMO runs with it.
Needs: pip install eclipse-sumo (1.28.0 made the bundled scenes; another version drives otherwise).
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from street_scene import HANDMADE, StreetRecipe, street_scene
from sumo_demand import demand
from sumo_network import Network, build, intersection, lanes_of, motorway, roundabout
from sumo_recording import STEP_S, record, simulate
from town_networks import driven_length_m, networks_by_town
from tracker_view import RATES_HZ, tracker_view

from trajnet.errors import InputError, TrajnetError
from trajnet.scenes import write_scene
from trajnet.types import Scene

LANE_MARGIN_M = 30.0
MARGIN_S = 2.0  # simulated and smoothed before and after the recorded time
BUNDLED_SEEDS = range(100)  # training variants draw from 100 up

NETWORKS: dict[str, Callable[[np.random.Generator], Network]] = {
    "signals": intersection,
    "motorway_on": motorway,
    "priority": partial(intersection, signals=False),
    "roundabout": roundabout,
    "motorway_off": partial(motorway, ramp="off"),
    "signals_tee": partial(intersection, arms=3),
    "priority_tee": partial(intersection, arms=3, signals=False),
}
#: A network with more metres of lanes than this is a city.
CITY_M = 20_000.0
#: Share of street scenes whose layout is drawn here.
DRAWN_SHARE = 0.25


@dataclass(frozen=True)
class Recipe:
    """The parameters of a scene: the same recipe gives the same scene."""

    scene_id: str
    network: str
    seed: int
    duration_s: float
    density: float
    warm_up_s: float = 90.0
    radius_m: float | None = None  # None: as the network has it


BUNDLED: tuple[Recipe, ...] = (
    Recipe("intersection", "signals", 4, 30.0, 1.0),
    Recipe("motorway", "motorway_on", 2, 30.0, 0.7),
    Recipe("crossing_small", "priority", 8, 9.0, 0.9, radius_m=40.0),
)


def training_recipes(count: int, seed: int, duration_s: float) -> list[Recipe]:
    """Return recipes with the seeds seed, seed + 1, ...: the networks take turns, the density is drawn.

    Raises InputError for a seed of the bundled scenes.
    """
    if seed in BUNDLED_SEEDS:
        raise InputError(
            f"--seed: expected {BUNDLED_SEEDS.stop} or more (those below are the bundled scenes'), got {seed}"
        )
    recipes = []
    for i in range(count):
        network = list(NETWORKS)[i % len(NETWORKS)]
        density = float(np.random.default_rng([seed + i, 1]).uniform(0.3, 1.1))
        recipes.append(Recipe(f"{network}_{seed + i}", network, seed + i, duration_s, round(density, 3)))
    return recipes


def generate(recipe: Recipe, out: Path) -> str:
    """Make one scene file in out and return a line that describes it."""
    rng = np.random.default_rng(recipe.seed)
    network = NETWORKS[recipe.network](rng)
    end_s = recipe.warm_up_s + recipe.duration_s + MARGIN_S
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net_file = build(network, folder)
        (folder / "rou.xml").write_text(demand(rng, network, end_s, recipe.density), encoding="utf-8")
        simulate(folder, seed=recipe.seed, begin_s=recipe.warm_up_s - MARGIN_S, end_s=end_s)
        scene = record(
            folder,
            recipe.scene_id,
            first_frame=round(MARGIN_S / STEP_S),
            frames=round(recipe.duration_s / STEP_S),
            radius_m=recipe.radius_m or network.radius_m,
            lanes=lanes_of(net_file, (recipe.radius_m or network.radius_m) + LANE_MARGIN_M),
        )
    return write_and_describe(scene, out)


def write_and_describe(scene: Scene, out: Path) -> str:
    """Write a scene to its file in out and return a line that describes it."""
    path = out / f"{scene.scene_id}.parquet"
    write_scene(scene, path)
    each = np.bincount(scene.row_frame, minlength=scene.frame_count)
    return (
        f"{path}: {scene.frame_count} frames, {len(scene.track_id)} tracks, "
        f"{each.min()}-{each.max()} at a time, {path.stat().st_size / 1e3:.0f} kB"
    )


def street_recipes(networks: Path, *, count: int, seed: int, duration_s: float, held_out: bool) -> list[StreetRecipe]:
    """Return recipes with the seeds seed, seed + 1, ... on networks of towns that are held out, or of the others.

    Of the others, one recipe in four is on a layout drawn here. All towns are equally likely, whole cities three times
    as likely as a town.
    """
    towns = networks_by_town(networks, held_out=held_out)
    city = np.array([max(map(driven_length_m, files)) > CITY_M for files in towns.values()])
    share = np.where(city, 3.0, 1.0) / np.where(city, 3.0, 1.0).sum()
    recipes = []
    for number in range(seed, seed + count):
        rng = np.random.default_rng([number, 5])
        files = towns[str(rng.choice(list(towns), p=share))]
        network: Path | str = files[int(rng.integers(len(files)))]
        if not held_out and rng.random() < DRAWN_SHARE:
            network = str(rng.choice(list(HANDMADE)))
        name = network if isinstance(network, str) else network.name.split(".")[0]
        recipes.append(StreetRecipe(f"{name}_{number}", network, number, duration_s))
    return recipes


def generate_street(recipe: StreetRecipe, out: Path, tracker: Path | None = None, rate_hz: float | None = None) -> str:
    """Make one street scene in out, and as a tracker of rate_hz reports it (None: drawn) in tracker.

    Return a line that describes each file, or one that gives the reason why the scene was left out.
    """
    try:
        scene = street_scene(recipe)
    except TrajnetError as error:
        return f"{recipe.scene_id}: left out, {error}"
    line = f"{write_and_describe(scene, out)}; {scene.source.partition('; ')[2]}"
    if tracker is None:
        return line
    rng = np.random.default_rng([recipe.seed, 29])
    rate_hz = rate_hz or float(rng.choice(list(RATES_HZ), p=list(RATES_HZ.values())))
    return f"{line}\n{write_and_describe(tracker_view(rng, scene, rate_hz), tracker)}; {rate_hz:g} Hz"


def _jobs(arguments: argparse.Namespace) -> list[partial[str]]:
    """Return the calls that the command line asks for, one for each scene. Raises InputError."""
    if arguments.networks is not None:
        if not arguments.count:
            raise InputError("--networks: expected --count, how many street scenes to make, got none")
        if arguments.seed in BUNDLED_SEEDS:
            raise InputError(f"--seed: expected {BUNDLED_SEEDS.stop} or more, got {arguments.seed}")
        streets = street_recipes(
            arguments.networks,
            count=arguments.count,
            seed=arguments.seed,
            duration_s=arguments.duration,
            held_out=arguments.held_out,
        )
        return [
            partial(generate_street, recipe, arguments.out, arguments.tracker, arguments.tracker_rate)
            for recipe in streets
        ]
    if arguments.held_out or arguments.tracker is not None:
        raise InputError("--held-out, --tracker: expected --networks too, they are about street scenes")
    recipes = [recipe for recipe in BUNDLED if arguments.only in (None, recipe.scene_id)]
    if arguments.count:
        recipes = training_recipes(arguments.count, arguments.seed, arguments.duration)
    return [partial(generate, recipe, arguments.out) for recipe in recipes]


def _run(job: partial[str]) -> str:
    return job()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "scenes", help="folder for the tables")
    parser.add_argument("--count", type=int, default=0, help="this many training scenes instead of the bundled ones")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first training scene, 100 or more")
    parser.add_argument("--duration", type=float, default=60.0, help="length of a training scene in seconds")
    parser.add_argument(
        "--only", choices=[recipe.scene_id for recipe in BUNDLED], help="this one of the bundled scenes"
    )
    parser.add_argument("--networks", type=Path, help="folder of SUMO networks: make street scenes on them")
    parser.add_argument("--held-out", action="store_true", help="street scenes of the held-out towns only")
    parser.add_argument("--tracker", type=Path, help="folder for the street scenes as a tracker reports them")
    parser.add_argument("--tracker-rate", type=float, choices=list(RATES_HZ), help="its rate in Hz (default: drawn)")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        jobs = _jobs(arguments)
        with ProcessPoolExecutor(arguments.jobs) as pool:
            for line in pool.map(_run, jobs):
                print(line, flush=True)
    except TrajnetError as error:
        print(f"generate_scenes: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
