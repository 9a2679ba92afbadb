"""What a track store tells of a frame: its rows with the previous observation of each track, and who is missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays, all_true
from trajnet.context.map_field import MapField
from trajnet.context.surroundings import InputRequirements, Surroundings, surroundings_of
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray

#: For each class: whether it moves along its heading.
WHEELED_CLASSES: BoolArray = np.array(WHEELED)


@dataclass(frozen=True, eq=False)
class Observations(StructOfArrays):
    """The N rows of one used frame, with the previous observation of each track.

    slot (N,): unique; states of slots need room for ``slots`` of them. reset (N,): the track's first observation;
    previous_* then equal the present values and dt_s is 0. yaw_rad (N,): measured where yaw_valid, else derived by
    causal_heading, which also gives heading_known and direction_known (N,). previous_yaw_rad equals the present yaw
    where no heading was known before: a heading that becomes known is not a turn. steady_velocity_mps (N, 2): see
    motion. surroundings: map and neighbours of each row; None until they are computed, and where the predictor uses
    none.
    """

    SHARED = ("timestamp_ns", "slots")

    timestamp_ns: int
    slots: int
    track_id: tuple[str, ...]
    slot: IntArray
    reset: BoolArray
    dt_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    previous_position_m: FloatArray
    previous_yaw_rad: FloatArray
    previous_yaw_valid: BoolArray
    heading_known: BoolArray
    direction_known: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    steady_velocity_mps: FloatArray
    object_class: NDArray[np.int8]
    size_m: FloatArray
    surroundings: Surroundings | None = None

    def __len__(self) -> int:
        return len(self.track_id)

    @classmethod
    def unchecked(cls, **fields: Any) -> Observations:
        """Return observations of these fields, all of them: faster than the constructor.

        begun and wheeled may be among them, of a caller that knows them: in a frame several functions ask for them.
        """
        made = object.__new__(cls)
        vars(made).update(fields)
        return made

    @cached_property
    def begun(self) -> IntArray:
        """The slots of the rows that are reset, (B,)."""
        return self.slot[self.reset]

    @cached_property
    def wheeled(self) -> BoolArray:
        """The rows whose class moves along its heading, (N,)."""
        return WHEELED_CLASSES.take(self.object_class)

    def with_surroundings(self, surroundings: Surroundings) -> Observations:
        """Return the same rows with these surroundings; much faster than dataclasses.replace."""
        told = object.__new__(Observations)
        vars(told).update(vars(self), surroundings=surroundings)
        return told

    def make_surroundings(
        self, requirements: InputRequirements, field: MapField | None, rows: IntArray | None = None
    ) -> Surroundings:
        """Return the required surroundings of these rows: samples of the map, and all other rows as neighbours.

        rows (R,): None: of all.
        """
        velocity_mps = self.velocity_mps
        if not all_true(self.velocity_valid):
            velocity_mps = np.where(self.velocity_valid[:, None], velocity_mps, self.steady_velocity_mps)
        return surroundings_of(requirements, field, self.position_m, self.yaw_rad, velocity_mps, self.size_m, rows)


@dataclass(frozen=True, eq=False)
class Coasting(StructOfArrays):
    """Live tracks that the newest frame did not report: id, slot (M,), time since their last observation (M,)."""

    track_id: tuple[str, ...]
    slot: IntArray
    age_s: FloatArray
