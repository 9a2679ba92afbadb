"""What /tf and /tf_static say about coordinate frames, and the transform from one frame to another at a time. No ROS.

A frame has one parent, and the transform to it over time. Between two times a transform is interpolated: the
translation linearly, the rotation along the great arc. Objects may be up to EXTRAPOLATION_S newer than the newest
transform; then its motion goes on. Everything else is refused with a reason, as tf2 does: a guess would move objects.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trajnet.ros.cdr import Buffer, CdrError
from trajnet.ros.cdr_reader import CdrReader
from trajnet.types import FloatArray

#: Transforms older than this before the newest of their frame are forgotten, as tf2's listener does.
KEPT_S = 10.0
#: At most so many of one frame are kept, however often they come, and so many frames.
MAX_KEPT, MAX_FRAMES = 4_000, 1_000
EXTRAPOLATION_S = 0.2
#: A stamp that goes back by more than this is of a new clock, as of a bag that loops.
CLOCK_RESET_S = 1.0
_SMALLEST_QUATERNION = 1e-6


class Transform(NamedTuple):
    """parent_SE3_child: x_parent = R(quaternion) x_child + translation_m. quaternion (4,): x, y, z, w, of length 1."""

    translation_m: FloatArray
    quaternion: FloatArray

    @property
    def rotation(self) -> FloatArray:
        """The rotation matrix (3, 3)."""
        x, y, z, w = self.quaternion
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    def after(self, first: Transform) -> Transform:
        """Return a_SE3_c of this a_SE3_b after the first b_SE3_c."""
        translation_m = self.rotation @ first.translation_m + self.translation_m
        return Transform(translation_m, quaternion_product(self.quaternion, first.quaternion))

    def inverse(self) -> Transform:
        """Return child_SE3_parent."""
        turned_back = self.quaternion * [-1.0, -1.0, -1.0, 1.0]
        return Transform(-(self.rotation.T @ self.translation_m), turned_back)


IDENTITY = Transform(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


class StampedTransform(NamedTuple):
    """One of a TFMessage."""

    stamp_ns: int
    parent: str
    child: str
    transform: Transform


class TransformError(Exception):
    """There is no transform; the text says why."""


def quaternion_product(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return first * second (..., 4), x, y, z, w: the rotation second followed by first. Either may be (4,)."""
    ax, ay, az, aw = np.moveaxis(first, -1, 0)
    bx, by, bz, bw = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def decode_transforms(data: Buffer) -> list[StampedTransform]:
    """Return the transforms of a tf2_msgs/TFMessage. Raises CdrError for anything else, and for broken rotations."""
    reader = CdrReader(data, "TFMessage")
    (count,) = reader.take("I")
    found = []
    for _ in range(count):
        stamp_ns, parent = reader.header()
        child = reader.text()
        values = np.array(reader.take("ddddddd"))
        length = float(np.linalg.norm(values[3:]))
        if not (np.isfinite(values).all() and _SMALLEST_QUATERNION < length < np.inf):
            raise CdrError(
                f"TFMessage: from {child!r} to {parent!r}: expected finite numbers and a rotation, got {values}"
            )
        transform = Transform(values[:3], values[3:] / length)
        found.append(StampedTransform(stamp_ns, parent.lstrip("/"), child.lstrip("/"), transform))
    return found


@dataclass
class _History:
    """The transforms of one frame to its parent, by time."""

    parent: str
    static: bool
    stamps_ns: list[int] = field(default_factory=list)
    transforms: dict[int, Transform] = field(default_factory=dict)

    def goes_on(self, stamped: StampedTransform, static: bool) -> bool:
        """Return whether a transform continues these. One much older is of a clock that began anew."""
        moves = not static and not self.static
        return moves and self.parent == stamped.parent and self.stamps_ns[-1] - stamped.stamp_ns <= CLOCK_RESET_S * 1e9

    def add(self, stamp_ns: int, transform: Transform) -> None:
        if stamp_ns not in self.transforms:
            insort(self.stamps_ns, stamp_ns)
        self.transforms[stamp_ns] = transform
        oldest_ns = self.stamps_ns[-1] - int(KEPT_S * 1e9)
        while len(self.stamps_ns) > 1 and (self.stamps_ns[0] < oldest_ns or len(self.stamps_ns) > MAX_KEPT):
            del self.transforms[self.stamps_ns.pop(0)]

    def at(self, stamp_ns: int, child: str) -> tuple[Transform, bool]:
        """Return parent_SE3_child at a time, and whether it goes beyond the newest one known."""
        stamps_ns = self.stamps_ns
        after = bisect_left(stamps_ns, stamp_ns)
        if self.static:
            return self.transforms[stamps_ns[-1]], False
        if after < len(stamps_ns) and stamps_ns[after] == stamp_ns:
            return self.transforms[stamp_ns], False
        if after == 0:
            late_s = (stamps_ns[0] - stamp_ns) * 1e-9
            raise TransformError(f"{child} to {self.parent} is known only from {late_s:.3f} s after the objects on")
        beyond_s = (stamp_ns - stamps_ns[-1]) * 1e-9
        if beyond_s > EXTRAPOLATION_S:
            raise TransformError(f"{child} to {self.parent} is {beyond_s:.3f} s older than the objects")
        if len(stamps_ns) == 1:
            raise TransformError(f"{child} to {self.parent} came only once yet")
        after = min(after, len(stamps_ns) - 1)
        begin_ns, end_ns = stamps_ns[after - 1], stamps_ns[after]
        share = (stamp_ns - begin_ns) / (end_ns - begin_ns)
        return _between(self.transforms[begin_ns], self.transforms[end_ns], share), beyond_s > 0


def _between(begin: Transform, end: Transform, share: float) -> Transform:
    """Return the transform at a share of the way; above 1 the motion goes on."""
    translation_m = begin.translation_m + share * (end.translation_m - begin.translation_m)
    cosine = float(begin.quaternion @ end.quaternion)
    nearer = end.quaternion if cosine >= 0 else -end.quaternion  # a quaternion and its opposite are one rotation
    half_rad = float(np.arccos(min(1.0, abs(cosine))))
    if half_rad < 1e-6:
        quaternion = begin.quaternion + share * (nearer - begin.quaternion)
    else:
        quaternion = np.sin((1 - share) * half_rad) * begin.quaternion + np.sin(share * half_rad) * nearer
    return Transform(translation_m, quaternion / np.linalg.norm(quaternion))


@dataclass
class TransformBuffer:
    """The transforms that were received, bounded in time and number. extrapolated: answers beyond the newest one."""

    extrapolated: int = 0
    _frames: dict[str, _History] = field(default_factory=dict)

    def add(self, data: Buffer, *, static: bool) -> None:
        """Note a TFMessage. Raises CdrError where it is none; what it says of frames above MAX_FRAMES is ignored."""
        for stamped in decode_transforms(data):
            history = self._frames.get(stamped.child)
            if history is None and len(self._frames) >= MAX_FRAMES:
                continue
            if history is None or not history.goes_on(stamped, static):
                history = self._frames[stamped.child] = _History(stamped.parent, static)
            history.add(stamped.stamp_ns, stamped.transform)

    def find(self, target: str, source: str, stamp_ns: int) -> Transform:
        """Return target_SE3_source at a time. Raises TransformError where it is not known."""
        to_source, to_target = self._upward(source.lstrip("/")), self._upward(target.lstrip("/"))
        common = next((frame for frame in to_source if frame in to_target), None)
        if common is None:
            raise TransformError(f"no transform leads from {source!r} to {target!r}")
        beyond = False
        found = {}
        for name, chain in (("source", to_source), ("target", to_target)):
            so_far = IDENTITY
            for frame in chain[: chain.index(common)]:
                step, is_beyond = self._frames[frame].at(stamp_ns, frame)
                so_far, beyond = step.after(so_far), beyond or is_beyond
            found[name] = so_far
        self.extrapolated += beyond
        return found["target"].inverse().after(found["source"])

    def _upward(self, frame: str) -> list[str]:
        """Return the frame, its parent, the parent of that, ... up to the root."""
        chain = [frame]
        while (history := self._frames.get(chain[-1])) is not None and history.parent not in chain:
            chain.append(history.parent)
        return chain
