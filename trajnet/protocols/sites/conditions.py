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
from trajnet.types import Scene

_NOISE = re.compile(r"noise-(\d+(?:\.\d+)?)cm")

#: The name of a recording that is shown as it is.
RECORDED = "recorded"
#: What headings may be instead: words of a condition. Reversed and of 0 they are said to be measured.
HEADINGS = ("no-heading", "reversed-headings", "zero-headings")


@dataclass(frozen=True)
class Condition:
    """One way to show a recording.

    noise_m: standard deviation of white noise on each coordinate of the positions. headings: RECORDED, or one of
    HEADINGS, which hide the measured ones or make them wrong.
    """

    with_map: bool = True
    with_velocity: bool = True
    noise_m: float = 0.0
    headings: str = RECORDED

    def __post_init__(self) -> None:
        require(
            math.isfinite(self.noise_m) and self.noise_m >= 0,
            f"noise: expected a standard deviation from 0 on in m, got {self.noise_m}",
        )
        allowed = (RECORDED, *HEADINGS)
        require(self.headings in allowed, f"headings: expected one of {', '.join(allowed)}, got {self.headings!r}")

    @property
    def name(self) -> str:
        """Its name, as condition_named reads it."""
        parts = [
            *(() if self.with_map else ("no-map",)),
            *(() if self.with_velocity else ("no-velocity",)),
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
        if not self.with_velocity:
            scene = replace(scene, velocity_valid=np.zeros_like(scene.velocity_valid))
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
        if not self.with_velocity and not has_velocity:
            return "there is no measured velocity to hide"
        if self.headings not in (RECORDED, "zero-headings") and not has_heading:
            return "there is no measured heading to hide or reverse"
        return ""


#: What is run unless something else is asked for.
CONDITIONS: tuple[Condition, ...] = (
    Condition(),
    Condition(with_map=False),
    Condition(with_velocity=False),
    Condition(with_map=False, with_velocity=False),
    Condition(noise_m=0.02),
    Condition(noise_m=0.05),
    Condition(noise_m=0.10),
)


def condition_named(name: str) -> Condition:
    """Return the condition of this name: recorded, or no-map, no-velocity, HEADINGS and noise-5cm joined by +.

    Raises InputError for any other name.
    """
    found = Condition()
    for word in name.split("+"):
        noise = _NOISE.fullmatch(word)
        if word == "no-map":
            found = replace(found, with_map=False)
        elif word == "no-velocity":
            found = replace(found, with_velocity=False)
        elif word in HEADINGS:
            found = replace(found, headings=word)
        elif noise is not None:
            found = replace(found, noise_m=float(noise[1]) / 100.0)
        elif word != RECORDED or name != RECORDED:
            raise InputError(
                f"conditions: expected {RECORDED}, or no-map, no-velocity, {', '.join(HEADINGS)}, noise-5cm (any "
                f"number) joined by +, got {name!r}"
            )
    return found


def conditions_named(names: Iterable[str]) -> list[Condition]:
    """Return the conditions of these names, each once; CONDITIONS where there are none. Raises InputError."""
    return list(dict.fromkeys(condition_named(name) for name in names)) or list(CONDITIONS)
