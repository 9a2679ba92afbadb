"""What a predictor is shown of a recording: with or without map, measured velocities and headings, and how noisy.

The truth that predictions are compared with is always the recording as it is.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from trajnet.config import require
from trajnet.errors import InputError
from trajnet.protocols.sites.objects import seen_for
from trajnet.types import Scene

_NOISE = re.compile(r"noise-(\d+(?:\.\d+)?)cm")

#: The name of a recording that is shown as it is.
RECORDED = "recorded"
#: What velocities and headings may be instead: words of a condition. Those that are not hidden are said to be measured.
VELOCITIES = ("no-velocity", "zero-velocities", "late-velocities")
HEADINGS = ("no-heading", "reversed-headings", "zero-headings")
#: Late velocities begin at 0 in each track and approach the measured ones with this time constant (s).
LATE_S = 0.3


@dataclass(frozen=True)
class Condition:
    """One way to show a recording.

    noise_m: standard deviation of white noise on each coordinate of the positions. velocities, headings: RECORDED, or
    one of VELOCITIES and HEADINGS, which hide the measured ones or make them wrong.
    """

    with_map: bool = True
    velocities: str = RECORDED
    noise_m: float = 0.0
    headings: str = RECORDED

    def __post_init__(self) -> None:
        require(
            math.isfinite(self.noise_m) and self.noise_m >= 0,
            f"noise: expected a standard deviation from 0 on in m, got {self.noise_m}",
        )
        for name, words in (("velocities", VELOCITIES), ("headings", HEADINGS)):
            allowed, word = (RECORDED, *words), getattr(self, name)
            require(word in allowed, f"{name}: expected one of {', '.join(allowed)}, got {word!r}")

    @property
    def name(self) -> str:
        """Its name, as condition_named reads it."""
        parts = [
            *(() if self.with_map else ("no-map",)),
            *(() if self.velocities == RECORDED else (self.velocities,)),
            *(() if self.headings == RECORDED else (self.headings,)),
            *((f"noise-{100 * self.noise_m:g}cm",) if self.noise_m else ()),
        ]
        return "+".join(parts) or RECORDED

    @property
    def without_map(self) -> Condition:
        """The same without the map: physics cannot tell the two apart."""
        return replace(self, with_map=False)

    def shown(self, scene: Scene, seed: int) -> Scene:
        """Return what a predictor is shown of the scene.

        The noise is drawn once for each scene and seed and scaled, so that two levels differ by their size alone.
        """
        if not self.with_map:
            scene = replace(scene, lanes=(), raster=None)
        if self.velocities == "no-velocity":
            scene = replace(scene, velocity_valid=np.zeros_like(scene.velocity_valid))
        elif self.velocities == "zero-velocities":
            valid = np.ones_like(scene.velocity_valid)
            scene = replace(scene, velocity_mps=np.zeros_like(scene.velocity_mps), velocity_valid=valid)
        elif self.velocities == "late-velocities":
            arrived = 1.0 - np.exp(seen_for(scene) / -LATE_S)
            scene = replace(scene, velocity_mps=scene.velocity_mps * arrived[:, None])
        if self.headings == "no-heading":
            scene = replace(scene, yaw_valid=np.zeros_like(scene.yaw_valid))
        elif self.headings == "reversed-headings":
            scene = replace(scene, yaw_rad=scene.yaw_rad + np.pi)
        elif self.headings == "zero-headings":
            scene = replace(scene, yaw_rad=np.zeros_like(scene.yaw_rad), yaw_valid=np.ones_like(scene.yaw_valid))
        if self.noise_m:
            random = np.random.default_rng([seed, zlib.crc32(scene.scene_id.encode())])
            noise_m = self.noise_m * random.standard_normal(scene.position_m.shape)
            scene = replace(scene, position_m=scene.position_m + noise_m)
        return scene

    def missing(self, *, has_map: bool, has_velocity: bool, has_heading: bool) -> str:
        """Return why a recording cannot be shown so: it lacks what the condition would hide; "" where it can."""
        if not self.with_map and not has_map:
            return "there is no map to hide"
        if self.velocities not in (RECORDED, "zero-velocities") and not has_velocity:
            return "there is no measured velocity to hide or delay"
        if self.headings not in (RECORDED, "zero-headings") and not has_heading:
            return "there is no measured heading to hide or reverse"
        return ""


#: What is run unless something else is asked for.
CONDITIONS: tuple[Condition, ...] = (
    Condition(),
    Condition(with_map=False),
    Condition(velocities="no-velocity"),
    Condition(with_map=False, velocities="no-velocity"),
    Condition(noise_m=0.02),
    Condition(noise_m=0.05),
    Condition(noise_m=0.10),
)


def condition_named(name: str) -> Condition:
    """Return the condition of this name: recorded, or no-map, VELOCITIES, HEADINGS and noise-5cm joined by +.

    Raises InputError for any other name.
    """
    found = Condition()
    for word in name.split("+"):
        noise = _NOISE.fullmatch(word)
        if word == "no-map":
            found = replace(found, with_map=False)
        elif word in VELOCITIES:
            found = replace(found, velocities=word)
        elif word in HEADINGS:
            found = replace(found, headings=word)
        elif noise is not None:
            found = replace(found, noise_m=float(noise[1]) / 100.0)
        elif word != RECORDED or name != RECORDED:
            raise InputError(
                f"conditions: expected {RECORDED}, or no-map, {', '.join((*VELOCITIES, *HEADINGS))}, noise-5cm (any "
                f"number) joined by +, got {name!r}"
            )
    return found


def conditions_named(names: Iterable[str]) -> list[Condition]:
    """Return the conditions of these names, each once; CONDITIONS where there are none. Raises InputError."""
    return list(dict.fromkeys(condition_named(name) for name in names)) or list(CONDITIONS)
