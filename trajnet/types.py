"""The structs of arrays shared by all parts of trajnet: TrackFrame, Scene, Prediction.

SI units, float64 positions in the map frame (x east or forward, y left of x), int64 nanoseconds, boolean masks for
missing values. Every struct validates itself when it is made and raises InputError with what, expected and got.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajnet.arrays import StructOfArrays
from trajnet.errors import InputError
from trajnet.geometry import offset_line

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_FLOAT64, _INT8, _BOOL = np.dtype(np.float64), np.dtype(np.int8), np.dtype(np.bool_)


class ObjectClass(IntEnum):
    """The class of a tracked object. The order is part of the model contract."""

    UNKNOWN = 0
    CAR = 1
    TRUCK = 2
    BUS = 3
    MOTORCYCLE = 4
    BICYCLE = 5
    PEDESTRIAN = 6


CLASS_NAMES: tuple[str, ...] = tuple(c.name.lower() for c in ObjectClass)

#: Whether a class moves along its heading with bounded curvature; the others may turn on the spot.
WHEELED: tuple[bool, ...] = (False, True, True, True, True, True, False)

#: Length and width in metres where a source gives no size; indexed by ObjectClass.
DEFAULT_SIZE_M: FloatArray = np.array(
    [[2.0, 1.0], [4.6, 1.9], [8.0, 2.5], [12.0, 2.9], [2.2, 0.8], [1.8, 0.6], [0.6, 0.6]]
)


#: How far the sum of an object's probabilities may be from 1.
PROBABILITY_SLACK = 1e-3


class Source(IntEnum):
    """The origin of a row's predicted paths.

    JUDGED: the model answered, and by the object's own past errors another expert's path is the most probable one. Only
    a stream gives it, never a predictor.
    """

    MODEL = 0
    PHYSICS = 1
    STALE = 2
    JUDGED = 3


class Expert(IntEnum):
    """Who predicted one mode of an object, where predictions judge themselves (trajnet.inference.judging).

    CONSTANT_VELOCITY: as fast as now, straight on, or round where the object has been turning steadily.
    UNKNOWN: none of the three that are weighed; physics answered, and nobody judged.
    CROSSING: the map; the object may enter a crosswalk (trajnet.inference.crossing).
    """

    MODEL = 0
    CONSTANT_VELOCITY = 1
    STANDING = 2
    UNKNOWN = 3
    CROSSING = 4


def _array(owner: str, name: str, value: Any, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the value as a contiguous array of the dtype. Raises InputError that names what does not fit."""
    if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape and value.flags.c_contiguous:
        return value  # the usual case in live operation, where each microsecond counts
    try:
        if (kind := np.asarray(value).dtype).kind not in "biufO":  # complex ones and words would be cast in silence
            raise ValueError(f"an array of {kind}")
        with np.errstate(invalid="ignore"):  # a NaN among integers is found below
            array: NDArray[Any] = np.asarray(value, dtype=dtype, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{owner}.{name}: expected numbers of shape {shape}, got: {error}") from error
    if array.shape != shape:
        raise InputError(f"{owner}.{name}: expected shape {shape}, got {array.shape}")
    if array.dtype.kind == "i" and array is not value and not np.array_equal(array, value):
        raise InputError(f"{owner}.{name}: expected whole numbers that fit {array.dtype}, got others")
    return array


@lru_cache(maxsize=64)
def _are_future_times(time_s: bytes) -> bool:
    """Whether float64 times are strictly increasing, finite and above 0. Cached: most predictions share theirs."""
    times = np.frombuffer(time_s)
    rising = len(times) > 0 and times[0] > 0 and (times[1:] > times[:-1]).all()
    return bool(rising and times[-1] < np.inf)


def _timestamp(owner: str, value: Any) -> int:
    """Return the value as a Python int within int64; floats are refused, as they cannot hold nanoseconds exactly."""
    try:
        timestamp_ns = operator.index(value)
    except TypeError as error:
        raise InputError(f"{owner}.timestamp_ns: expected whole nanoseconds, got {value!r}") from error
    if not -(2**63) <= timestamp_ns < 2**63:
        raise InputError(f"{owner}.timestamp_ns: expected nanoseconds that fit 64 bits, got {timestamp_ns}")
    return timestamp_ns


def _require_finite(owner: str, name: str, value: FloatArray, rows: BoolArray | None = None) -> None:
    """Raise InputError if a value is NaN or infinite; rows (N,) restricts the check to the rows of a mask."""
    bad = ~np.isfinite(value).all(axis=tuple(range(1, value.ndim)))
    if rows is not None:
        bad &= rows
    if bad.any():
        raise InputError(
            f"{owner}.{name}: expected finite values, got NaN or infinity in {int(bad.sum())} row(s), "
            f"first at row {int(bad.argmax())}"
        )


def _require_unique(owner: str, ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise InputError(f"{owner}.track_id: expected unique ids, got {twice!r} more than once")


def _require_text(owner: str, names: Sequence[str]) -> None:
    """Raise InputError for a half of a surrogate pair, as JSON and pickles may have it: no file could be written."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        bad = next(name for name in names if error.object[error.start] in name)
        raise InputError(f"{owner}: expected ids that are text in Unicode, got {bad!r}") from error


def _require_classes(owner: str, object_class: NDArray[np.int8]) -> None:
    if object_class.size and (object_class.min() < 0 or object_class.max() >= len(ObjectClass)):
        raise InputError(
            f"{owner}.object_class: expected 0..{len(ObjectClass) - 1}, got {object_class.min()}..{object_class.max()}"
        )


@dataclass(frozen=True, eq=False)
class TrackFrame(StructOfArrays):
    """All objects that the tracker reports at one instant, N rows.

    timestamp_ns: time of the observation, integer nanoseconds.
    track_id (N,): unique within the frame.
    object_class (N,): ObjectClass values.
    position_m (N, 2): centre of the object, map frame.
    yaw_rad (N,), yaw_valid (N,): heading of the object's front in the map frame.
    velocity_mps (N, 2), velocity_valid (N,): in the map frame.
    size_m (N, 2): length and width; DEFAULT_SIZE_M of the class where the source has none.
    """

    SHARED = ("timestamp_ns",)

    timestamp_ns: int
    track_id: tuple[str, ...]
    object_class: NDArray[np.int8]
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    size_m: FloatArray

    def __post_init__(self) -> None:
        count, put, held = len(self.track_id), object.__setattr__, vars(self)
        put(self, "timestamp_ns", _timestamp("TrackFrame", self.timestamp_ns))
        put(self, "track_id", tuple(self.track_id))
        for name, dtype, shape in (
            ("object_class", _INT8, (count,)),
            ("position_m", _FLOAT64, (count, 2)),
            ("yaw_rad", _FLOAT64, (count,)),
            ("yaw_valid", _BOOL, (count,)),
            ("velocity_mps", _FLOAT64, (count, 2)),
            ("velocity_valid", _BOOL, (count,)),
            ("size_m", _FLOAT64, (count, 2)),
        ):
            value = held[name]
            array = _array("TrackFrame", name, value, dtype, shape)
            if array is not value:
                put(self, name, array)
        _require_unique("TrackFrame", self.track_id)
        _require_classes("TrackFrame", self.object_class)
        _require_finite("TrackFrame", "position_m", self.position_m)
        _require_finite("TrackFrame", "yaw_rad", self.yaw_rad, self.yaw_valid)
        _require_finite("TrackFrame", "velocity_mps", self.velocity_mps, self.velocity_valid)
        _require_finite("TrackFrame", "size_m", self.size_m)
        if count and self.size_m.min() <= 0:
            raise InputError(f"TrackFrame.size_m: expected lengths and widths above 0 m, got {self.size_m.min()}")

    def __len__(self) -> int:
        return len(self.track_id)

    def __repr__(self) -> str:
        return f"TrackFrame(at {self.timestamp_ns} ns: {len(self)} objects)"


@dataclass(frozen=True, eq=False)
class Prediction(StructOfArrays):
    """Predicted paths of N objects: K modes over T future times.

    timestamp_ns: the instant that time_s counts from.
    track_id (N,).
    time_s (T,): strictly increasing, above 0.
    position_m (N, K, T, 2): map frame.
    yaw_rad (N, K, T).
    covariance_m2 (N, K, T, 2, 2): of position_m given the mode, map frame.
    probability (N, K): each row sums to 1.
    source (N,): Source values. age_s (N,): time since the observation that the path is based on.
    expert (N, K): Expert values, who predicted each mode: UNKNOWN in rows of physics, stale ones too; None where
    predictions do not judge themselves: then every mode is of the row's source.
    """

    SHARED = ("timestamp_ns", "time_s")
    #: The fields whose second dimension is the mode.
    PER_MODE: ClassVar[tuple[str, ...]] = ("position_m", "yaw_rad", "covariance_m2", "probability")

    timestamp_ns: int
    track_id: tuple[str, ...]
    time_s: FloatArray
    position_m: FloatArray
    yaw_rad: FloatArray
    covariance_m2: FloatArray
    probability: FloatArray
    source: NDArray[np.int8]
    age_s: FloatArray
    expert: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        put, held = object.__setattr__, vars(self)
        put(self, "track_id", tuple(self.track_id))
        time_s = np.ascontiguousarray(self.time_s, dtype=np.float64)
        if time_s.ndim != 1 or not _are_future_times(time_s.tobytes()):
            raise InputError(f"Prediction.time_s: expected strictly increasing times above 0 s, got {time_s}")
        put(self, "time_s", time_s)
        count, steps = len(self.track_id), len(time_s)
        probability = np.asarray(self.probability)
        if probability.ndim != 2 or probability.shape[1] == 0:
            raise InputError(
                f"Prediction.probability: expected shape ({count}, K) with K above 0, got {probability.shape}"
            )
        modes = probability.shape[1]
        for name, dtype, shape in (
            ("position_m", _FLOAT64, (count, modes, steps, 2)),
            ("yaw_rad", _FLOAT64, (count, modes, steps)),
            ("covariance_m2", _FLOAT64, (count, modes, steps, 2, 2)),
            ("probability", _FLOAT64, (count, modes)),
            ("source", _INT8, (count,)),
            ("age_s", _FLOAT64, (count,)),
        ):
            value = held[name]
            array = _array("Prediction", name, value, dtype, shape)
            if array is not value:
                put(self, name, array)
        if self.expert is not None:
            put(self, "expert", _array("Prediction", "expert", self.expert, _INT8, (count, modes)))

    def __len__(self) -> int:
        return len(self.track_id)

    def __repr__(self) -> str:
        return (
            f"Prediction(at {self.timestamp_ns} ns: {len(self)} objects, {self.modes} modes, {len(self.time_s)} times "
            f"up to {self.time_s[-1]:g} s)"
        )

    def _repr_html_(self) -> str:
        from trajnet.picture import prediction_picture

        return prediction_picture(self)

    @property
    def modes(self) -> int:
        return int(self.probability.shape[1])

    @classmethod
    def unchecked(cls, **fields: Any) -> Prediction:
        """Return a prediction of these fields as they are, for code that has just made the arrays: in every frame.

        All fields are needed but expert. They must be what the constructor would make of them: contiguous arrays of the
        right types and shapes, and a tuple of ids.
        """
        made = object.__new__(cls)
        vars(made).update({"expert": None, **fields})
        return made

    def labelled(self, expert: NDArray[np.int8]) -> Prediction:
        """Return the prediction with these experts (N, K); it shares its arrays, which are not checked again."""
        checked = _array("Prediction", "expert", expert, _INT8, (len(self.track_id), self.modes))
        made = object.__new__(Prediction)
        vars(made).update(vars(self), expert=checked)
        return made

    def usable_rows(self) -> BoolArray:
        """Return a mask (N,) of finite rows with probabilities >= 0 that sum to 1 and variances >= 0."""
        count = len(self)
        if count == 0:
            return np.ones(0, dtype=np.bool_)
        paths = (self.position_m, self.yaw_rad, self.covariance_m2)
        with np.errstate(over="ignore", invalid="ignore"):
            fine: BoolArray = np.abs(self.probability.sum(axis=1) - 1.0) < PROBABILITY_SLACK
            all_finite = np.isfinite(sum(float(v.sum()) for v in paths))  # then every value is finite: the usual case
        if not all_finite:
            for value in paths:
                fine &= np.isfinite(value.reshape(count, -1)).all(axis=1)
        variances_m2 = self.covariance_m2.reshape(count, -1, 4)[..., ::3]
        for value in (self.probability, variances_m2):
            if not value.min() >= 0:
                fine &= (value.reshape(count, -1) >= 0).all(axis=1)
        return fine

    def validate(self) -> None:
        """Raise InputError unless every row is usable (see usable_rows)."""
        fine = self.usable_rows()
        if not fine.all():
            first = int((~fine).argmax())
            raise InputError(
                "Prediction: expected finite paths and probabilities that sum to 1, "
                f"got {int((~fine).sum())} bad row(s), first track {self.track_id[first]!r}"
            )

    def best_first(self) -> Prediction:
        """Return the same prediction with the modes of each object sorted by decreasing probability (stable)."""
        return self.in_order(np.argsort(-self.probability, axis=1, kind="stable"))

    def in_order(self, order: IntArray) -> Prediction:
        """Return the same prediction with the modes of each object in this order (N, K)."""
        return replace(self, **self._at_modes((np.arange(len(self))[:, None], order)))

    def with_modes(self, modes: int) -> Prediction:
        """Return the prediction with this many modes: added ones repeat the first with probability 0.

        Raises InputError if it has more.
        """
        added = modes - self.modes
        if added < 0:
            raise InputError(f"modes: expected at most {modes}, got {self.modes}")
        if added == 0:
            return self
        index = np.pad(np.arange(self.modes), (0, added))
        wider = self._at_modes((slice(None), index))
        wider["probability"][:, self.modes :] = 0.0
        return replace(self, **wider)

    def _at_modes(self, index: Any) -> dict[str, Any]:
        """Return PER_MODE, and the experts where there are any, at this index of rows and modes."""
        found = {name: getattr(self, name)[index] for name in self.PER_MODE}
        return found if self.expert is None else {**found, "expert": self.expert[index]}

    def to_dataframe(self, library: str = "pandas") -> Any:
        """Return a row for each object, mode and future time (trajnet.tabular.frames.prediction_columns).

        library: pandas, polars or pyarrow. Raises DependencyError where it is not installed.
        """
        from trajnet.tabular.frames import data_frame, prediction_columns

        return data_frame(prediction_columns(self), library)

    def to_xarray(self) -> Any:
        """Return an xarray.Dataset over track_id, mode, time_s and axis. Raises DependencyError without xarray."""
        from trajnet.tabular.frames import prediction_dataset

        return prediction_dataset(self)


#: Width of a lane of which a map gives the centre line alone (m): usual on roads, where 3.0 to 3.75 m are built.
USUAL_LANE_M = 3.5


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane or walkway: left_m (P, 2), right_m (Q, 2) and centre_m (C, 2) polylines in the map frame.

    They run in the direction of travel. drivable: whether vehicles use it; pavements and crossings are not.
    one_way: whether traffic goes in that direction only. crosswalk: whether people cross a road on it, along its
    centre line. signal_id: of a crosswalk, the id of the traffic lights that people obey there; None: none is known.
    """

    lane_id: str
    left_m: FloatArray
    right_m: FloatArray
    centre_m: FloatArray
    drivable: bool = True
    one_way: bool = True
    crosswalk: bool = False
    signal_id: int | None = None

    def __post_init__(self) -> None:
        for name in ("left_m", "right_m", "centre_m"):
            value = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if value.ndim != 2 or value.shape[1] != 2:
                raise InputError(f"Lane.{name}: expected shape (P, 2), got {value.shape}")
            _require_finite("Lane", name, value)
            object.__setattr__(self, name, value)

    @cached_property
    def sides_m(self) -> tuple[FloatArray, FloatArray] | None:
        """The lane's left and right side, (P, 2) and (Q, 2), two points or more each; None where it has no extent.

        They are its own. One that it lacks is half of USUAL_LANE_M beside its centre line.
        """
        own, centre_m = (self.left_m, self.right_m), self.centre_m
        if min(map(len, own)) >= 2:
            return own
        moves = np.any(centre_m[1:] != centre_m[:-1], axis=1)
        if not moves.any():
            return None
        centre_m = centre_m[np.append(True, moves)]
        left_m, right_m = (
            side if len(side) >= 2 else offset_line(centre_m, away_m)
            for side, away_m in zip(own, (0.5 * USUAL_LANE_M, -0.5 * USUAL_LANE_M), strict=True)
        )
        return left_m, right_m

    @property
    def edges_m(self) -> tuple[FloatArray, FloatArray]:
        """What there is to draw of the left and the right side: sides_m, else what the lane has of its own."""
        return self.sides_m or (self.left_m, self.right_m)

    @property
    def outline_m(self) -> FloatArray:
        """The corners (P, 2) of the area between its sides, in order; none where it has no extent."""
        if self.sides_m is None:
            return np.zeros((0, 2))
        left_m, right_m = self.sides_m
        return np.concatenate([left_m, right_m[::-1]])


#: The int8 value that encodes 1.0 in a direction.
UNIT_VECTOR = 127


@dataclass(frozen=True, eq=False)
class RasterMap:
    """A drawn map, indexed [x, y]: pixel = (position_m - origin_m) * pixels_per_m.

    drivable (A, B): the drivable area. road_divider, lane_divider (A, B), None where the source has none: the lines
    between lanes of opposite directions and of the same direction. direction (A, B, 2) int8, None where the source has
    none: the mean direction of traffic, unit vectors scaled by UNIT_VECTOR; 0 where it is not known.
    """

    origin_m: FloatArray
    pixels_per_m: float
    drivable: BoolArray
    road_divider: BoolArray | None = None
    lane_divider: BoolArray | None = None
    direction: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin_m", _array("RasterMap", "origin_m", self.origin_m, np.float64, (2,)))
        if np.ndim(self.drivable) != 2:
            raise InputError(f"RasterMap.drivable: expected two dimensions, got shape {np.shape(self.drivable)}")
        if not np.size(self.drivable):
            raise InputError(f"RasterMap.drivable: expected at least one pixel, got shape {np.shape(self.drivable)}")
        if not 0 < self.pixels_per_m < np.inf:
            raise InputError(f"RasterMap.pixels_per_m: expected a number above 0, got {self.pixels_per_m}")
        for name in ("road_divider", "lane_divider"):
            lines = getattr(self, name)
            if lines is not None and np.shape(lines) != np.shape(self.drivable):
                raise InputError(
                    f"RasterMap.{name}: expected drivable's shape {np.shape(self.drivable)}, got {np.shape(lines)}"
                )
        if self.direction is not None:
            expected = (*np.shape(self.drivable), 2)
            if self.direction.dtype != np.int8 or self.direction.shape != expected:
                raise InputError(
                    f"RasterMap.direction: expected int8 of shape {expected}, got {self.direction.dtype} of "
                    f"{self.direction.shape}"
                )

    def is_drivable(self, points_m: FloatArray) -> BoolArray:
        """Return the mask (...) of points_m (..., 2) on drivable area; outside the raster counts as not drivable."""
        pixel = np.floor((np.asarray(points_m) - self.origin_m) * self.pixels_per_m)
        inside: BoolArray = np.asarray(((pixel >= 0) & (pixel < np.array(self.drivable.shape))).all(axis=-1))
        safe = np.where(inside[..., None], pixel, 0).astype(np.int64)
        return np.asarray(self.drivable[safe[..., 0], safe[..., 1]] & inside)


#: What a Scene has for each row beside its frame and its track.
ROW_VALUES = ("position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "is_target")


@dataclass(frozen=True, eq=False)
class Scene:
    """A recorded scene: F frames, M tracks, R rows; a row is one track in one frame.

    Rows are sorted by (row_frame, row_track) and no pair occurs twice.

    timestamp_ns (F,): strictly increasing.
    track_id (M,), object_class (M,), size_m (M, 2).
    row_frame (R,), row_track (R,): indices into the frames and the tracks.
    frame_number (F,): the source's own number of each frame (nuScenes frame, ETH/UCY frame, Argoverse timestep).
    position_m (R, 2), yaw_rad (R,), yaw_valid (R,), velocity_mps (R, 2), velocity_valid (R,): see TrackFrame.
    is_target (R,): rows that the source's benchmark asks a prediction for.
    source, licence: origin of the recording and its terms of use.
    """

    scene_id: str
    timestamp_ns: IntArray
    frame_number: IntArray
    track_id: tuple[str, ...]
    object_class: NDArray[np.int8]
    size_m: FloatArray
    row_frame: IntArray
    row_track: IntArray
    position_m: FloatArray
    yaw_rad: FloatArray
    yaw_valid: BoolArray
    velocity_mps: FloatArray
    velocity_valid: BoolArray
    is_target: BoolArray
    source: str = ""
    licence: str = ""
    lanes: tuple[Lane, ...] = ()
    raster: RasterMap | None = None
    _start: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        frames, tracks, rows = len(self.timestamp_ns), len(self.track_id), len(self.row_frame)
        owner, put = f"scene {self.scene_id!r}", object.__setattr__
        put(self, "track_id", tuple(self.track_id))
        for name, dtype, shape in (
            ("timestamp_ns", np.int64, (frames,)),
            ("frame_number", np.int64, (frames,)),
            ("object_class", np.int8, (tracks,)),
            ("size_m", np.float64, (tracks, 2)),
            ("row_frame", np.int64, (rows,)),
            ("row_track", np.int64, (rows,)),
            ("position_m", np.float64, (rows, 2)),
            ("yaw_rad", np.float64, (rows,)),
            ("yaw_valid", np.bool_, (rows,)),
            ("velocity_mps", np.float64, (rows, 2)),
            ("velocity_valid", np.bool_, (rows,)),
            ("is_target", np.bool_, (rows,)),
        ):
            put(self, name, _array(owner, name, getattr(self, name), dtype, shape))
        if np.any(np.diff(self.timestamp_ns) <= 0):
            raise InputError(
                f"{owner}.timestamp_ns: expected strictly increasing times, "
                f"got a step of {np.diff(self.timestamp_ns).min()} ns"
            )
        _require_unique(owner, self.track_id)
        _require_text(owner, (self.scene_id, *self.track_id))
        _require_classes(owner, self.object_class)
        _require_finite(owner, "size_m", self.size_m)
        _require_finite(owner, "position_m", self.position_m)
        _require_finite(owner, "yaw_rad", self.yaw_rad, self.yaw_valid)
        _require_finite(owner, "velocity_mps", self.velocity_mps, self.velocity_valid)
        if tracks and self.size_m.min() <= 0:
            raise InputError(f"{owner}.size_m: expected lengths and widths above 0 m, got {self.size_m.min()}")
        if rows:
            if (
                self.row_frame.min() < 0
                or self.row_frame.max() >= frames
                or self.row_track.min() < 0
                or self.row_track.max() >= tracks
            ):
                raise InputError(
                    f"{owner}: expected rows that point into {frames} frames and {tracks} tracks, got indices outside"
                )
            key = self.row_frame * tracks + self.row_track
            if np.any(np.diff(key) == 0):
                twice = int(np.flatnonzero(np.diff(key) == 0)[0])
                raise InputError(
                    f"{owner}: expected each track once per frame, got {self.track_id[self.row_track[twice]]!r} "
                    f"twice in frame {self.frame_number[self.row_frame[twice]]}"
                )
            if np.any(np.diff(key) < 0):
                raise InputError(f"{owner}: expected rows sorted by frame and track, got them unsorted")
        put(self, "_start", np.searchsorted(self.row_frame, np.arange(frames + 1)))

    @classmethod
    def from_dataframe(
        cls,
        table: Any,
        *,
        columns: Mapping[str, str] | None = None,
        classes: Mapping[str, str] | None = None,
        units: str | None = None,
        rate_hz: float | None = None,
        crs: str | None = None,
        to_crs: str | None = None,
        scene_id: str = "table",
        source: str = "",
    ) -> Scene:
        """Return the scene of a data frame of pandas, polars or pyarrow, or of a mapping of columns.

        columns: such as {"x": "pos_e", "y": "pos_n"}. classes: such as {"Van": "car"}. units: such as
        "time=ms,angle=deg". The rest as in trajnet.tabular.TableOptions; `trajnet convert` takes the same. What was
        chosen and mended is logged. Raises InputError that names column and row.
        """
        from trajnet.tabular import TableOptions, Units, columns_of, log_notes, scene_of_columns

        options = TableOptions(
            columns=columns or {}, classes=classes or {}, units=Units.parse(units), rate_hz=rate_hz, crs=crs,
            to_crs=to_crs, scene_id=scene_id, source=source,
        )  # fmt: skip
        scene, notes = scene_of_columns(columns_of(table), options)
        log_notes(scene_id, notes)
        return scene

    def to_dataframe(self, library: str = "pandas") -> Any:
        """Return a row for each object and frame, as from_dataframe reads them; maps and empty frames are not in it.

        library: pandas, polars or pyarrow. Raises DependencyError where it is not installed.
        """
        from trajnet.tabular.frames import data_frame, scene_columns

        return data_frame(scene_columns(self), library)

    def __repr__(self) -> str:
        names, counts = np.unique(self.object_class[self.row_track], return_counts=True)
        classes = ", ".join(CLASS_NAMES[c] for c in names[np.argsort(-counts, kind="stable")])
        mapped = "raster map" if self.raster is not None else f"{len(self.lanes)} lanes" if self.lanes else "no map"
        size = f"{self.frame_count} frames in {self.duration_s:.1f} s, {len(self.track_id)} tracks"
        return f"Scene({self.scene_id!r}: {size} ({classes}), {mapped})"

    def _repr_html_(self) -> str:
        from trajnet.picture import scene_picture

        return scene_picture(self)

    @property
    def frame_count(self) -> int:
        return len(self.timestamp_ns)

    @property
    def duration_s(self) -> float:
        return float(self.timestamp_ns[-1] - self.timestamp_ns[0]) * 1e-9 if self.frame_count else 0.0

    def rows_of_frame(self, index: int) -> slice:
        """Return the rows of the frame with this index (0..F-1), in order of row_track."""
        return slice(int(self._start[index]), int(self._start[index + 1]))

    def frame(self, index: int) -> TrackFrame:
        """Return the frame with this index (0..F-1) as the tracker reports it."""
        rows = self.rows_of_frame(index)
        tracks = self.row_track[rows]
        return TrackFrame(
            int(self.timestamp_ns[index]),
            tuple(self.track_id[t] for t in tracks),
            self.object_class[tracks],
            self.position_m[rows],
            self.yaw_rad[rows],
            self.yaw_valid[rows],
            self.velocity_mps[rows],
            self.velocity_valid[rows],
            self.size_m[tracks],
        )

    def frames(self) -> Iterator[TrackFrame]:
        """Yield every frame in order of time, including empty ones."""
        return (self.frame(i) for i in range(self.frame_count))

    def rows_by_track(self) -> list[IntArray]:
        """Return M arrays, the row indices of each track in order of time."""
        order = np.argsort(self.row_track, kind="stable")
        bounds = np.searchsorted(self.row_track[order], np.arange(len(self.track_id) + 1))
        return [order[bounds[i] : bounds[i + 1]] for i in range(len(self.track_id))]
