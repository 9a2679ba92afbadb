"""What the doubts about measured headings and velocities share: limits by kind of object, and which steps tell."""

from __future__ import annotations

import numpy as np

from trajnet.types import BoolArray, FloatArray, ObjectClass

_RIDERS = (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE)
_PEOPLE = (ObjectClass.UNKNOWN, ObjectClass.PEDESTRIAN)
#: By class: whether it is a car, truck or bus.
CARS: BoolArray = np.array([kind not in (*_RIDERS, *_PEOPLE) for kind in ObjectClass])
#: A displacement over longer than this tells neither direction nor velocity (s): they may have changed meanwhile.
LONGEST_STEP_S = 0.6
#: Divisors are no smaller than this (m/s).
LEAST_MPS = 1e-3


def by_class(car: tuple[float, ...], rider: tuple[float, ...], person: tuple[float, ...]) -> FloatArray:
    """Return limits (L, classes) from those of cars, trucks and buses, of riders, and of people and what is unknown."""
    return np.array([rider if kind in _RIDERS else person if kind in _PEOPLE else car for kind in ObjectClass]).T
