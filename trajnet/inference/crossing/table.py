"""How often people enter a crosswalk within 6 s, and how they do, fitted to recordings.

PROBABILITY and START_S come from ``tools/crosswalk_fit.py`` on SinD, three intersections, pedestrians only; for riders
the same is assumed (see docs/crossing.md).
"""

from __future__ import annotations

import numpy as np

from trajnet.types import BoolArray, FloatArray, ObjectClass

#: By distance (approach.DISTANCES_M) and motion (approach.STATES). Who moves has a crossing among the paths of the
#: default model already, and well calibrated, nearly always; theirs is the probability where it has none.
PROBABILITY: FloatArray = np.array(
    [
        [0.21, 0.00, 0.00],
        [0.10, 0.10, 0.04],
        [0.03, 0.07, 0.00],
        [0.02, 0.03, 0.00],
    ]
)
#: Speed (m/s) of those who stand now, by class, and how long they go on standing (s).
WALKING_MPS: FloatArray = np.full(len(ObjectClass), 1.3)
WALKING_MPS[ObjectClass.BICYCLE] = 2.5
START_S = 1.4


def along_sigma_m(stands: BoolArray, time_s: FloatArray) -> FloatArray:
    """Return standard deviations (R, T) along the path at time_s (T,); stands (R,)."""
    return np.where(stands[:, None], 0.3 + 0.6 * time_s, 0.3 + 0.25 * time_s)


def across_sigma_m(time_s: FloatArray) -> FloatArray:
    """Return standard deviations (T,) across the path."""
    sigma_m: FloatArray = 0.3 + 0.2 * time_s
    return sigma_m
