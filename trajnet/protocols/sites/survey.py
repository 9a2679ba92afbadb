"""What a site has, found out before it is played: how far its objects are recorded, a map, measured velocities."""

from __future__ import annotations

from dataclasses import dataclass

from trajnet.errors import InputError
from trajnet.protocols.sites.conditions import Condition
from trajnet.protocols.sites.objects import HORIZON_S, STEP_S, scored_objects
from trajnet.protocols.sites.site_list import Site

#: A site is scored as far as so many of its objects are recorded.
ENOUGH_OBJECTS = 30


@dataclass(frozen=True)
class Survey:
    """What a site has: how far its objects are recorded (at most as far as asked), a map, measured velocities."""

    horizon_s: float
    has_map: bool
    has_velocity: bool

    def missing(self, condition: Condition) -> str:
        """Return why the site cannot be shown under this condition; "" where it can."""
        return condition.missing(has_map=self.has_map, has_velocity=self.has_velocity)


def survey(site: Site, every_s: float, reach_s: float) -> Survey:
    """Read a site until everything is known. Raises InputError where no object has a future of STEP_S."""
    counts = dict.fromkeys(_horizons_s(reach_s), 0)
    has_map = has_velocity = False
    for path in site.files:
        scene = site.read(path)
        has_map |= bool(scene.lanes) or scene.raster is not None
        has_velocity |= bool(scene.velocity_valid.any())
        for horizon_s in counts:
            counts[horizon_s] += len(scored_objects(scene, every_s, horizon_s))
            if counts[horizon_s] >= ENOUGH_OBJECTS:  # a shorter one will not be needed
                break
        if has_map and has_velocity and counts[reach_s] >= ENOUGH_OBJECTS:
            break
    enough = [horizon_s for horizon_s, count in counts.items() if count >= ENOUGH_OBJECTS]
    some = [horizon_s for horizon_s, count in counts.items() if count]
    if not some:
        raise InputError(f"site {site.name}: expected objects whose next {STEP_S} s are recorded, got none")
    return Survey(max(enough or some), has_map, has_velocity)


def _horizons_s(reach_s: float) -> list[float]:
    """Return the horizons that a site may have, the longest first: reach_s, the whole seconds below, one step."""
    whole = [float(second) for second in range(int(HORIZON_S), 0, -1) if second < reach_s]
    return list(dict.fromkeys([reach_s, *whole, STEP_S]))
