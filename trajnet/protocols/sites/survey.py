"""What a site has, found out before it is played: how far its objects are recorded, a map, measured velocities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trajnet.context.crosswalks import crosswalks_of
from trajnet.context.surroundings import scene_map
from trajnet.errors import InputError
from trajnet.protocols.sites.conditions import Condition
from trajnet.protocols.sites.objects import HORIZON_S, STEP_S, scored_objects
from trajnet.protocols.sites.site_list import Site
from trajnet.types import Scene

#: A site is scored as far as so many of its objects are recorded.
ENOUGH_OBJECTS = 30


@dataclass(frozen=True)
class Survey:
    """What a site has: how far its objects are recorded (at most as far as asked), a map, velocities and headings.

    has_map: whether any of it can be shown. has_velocity, has_heading: whether any are measured. left_out: files that
    cannot be read, as far as was looked -> why.
    """

    horizon_s: float
    has_map: bool
    has_velocity: bool
    has_heading: bool
    left_out: Mapping[Path, str] = field(default_factory=dict)

    def missing(self, condition: Condition) -> str:
        """Return why the site cannot be shown under this condition; "" where it can."""
        return condition.missing(has_map=self.has_map, has_velocity=self.has_velocity, has_heading=self.has_heading)


def survey(site: Site, every_s: float, reach_s: float) -> Survey:
    """Read a site until everything is known. Raises InputError where no object has a future of STEP_S."""
    counts, left_out = dict.fromkeys(_horizons_s(reach_s), 0), dict[Path, str]()
    has_map = has_velocity = has_heading = False
    for path in site.files:
        try:
            scene = site.read(path)
        except InputError as error:  # the other files are worth their time all the same
            left_out[path] = str(error)
            continue
        has_map = has_map or _shows_map(scene)
        has_velocity |= bool(scene.velocity_valid.any())
        has_heading |= bool(scene.yaw_valid.any())
        for horizon_s in counts:
            counts[horizon_s] += len(scored_objects(scene, every_s, horizon_s))
            if counts[horizon_s] >= ENOUGH_OBJECTS:  # a shorter one will not be needed
                break
        if has_map and has_velocity and has_heading and counts[reach_s] >= ENOUGH_OBJECTS:
            break
    enough = [horizon_s for horizon_s, count in counts.items() if count >= ENOUGH_OBJECTS]
    some = [horizon_s for horizon_s, count in counts.items() if count]
    if len(left_out) == len(site.files):
        first = next(iter(left_out.values()))
        raise InputError(f"site {site.name}: expected files that can be read, got none of {len(left_out)}: {first}")
    if not some:
        raise InputError(f"site {site.name}: expected objects whose next {STEP_S} s are recorded, got none")
    return Survey(max(enough or some), has_map, has_velocity, has_heading, left_out)


def _shows_map(scene: Scene) -> bool:
    return scene_map(scene)[0] is not None or crosswalks_of(scene.lanes) is not None


def _horizons_s(reach_s: float) -> list[float]:
    """Return the horizons that a site may have, the longest first: reach_s, the whole seconds below, one step."""
    whole = [float(second) for second in range(int(HORIZON_S), 0, -1) if second < reach_s]
    return list(dict.fromkeys([reach_s, *whole, STEP_S]))
