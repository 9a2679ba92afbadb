"""Tracked objects from one coordinate frame into another. No ROS."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trajnet.ros.cdr import TrackedObjects
from trajnet.ros.transforms import Transform, TransformBuffer, TransformError, quaternion_product
from trajnet.ros.unknown_values import known_covariance
from trajnet.types import FloatArray

#: A turn smaller than this does not mix axes.
_NO_TURN = 1e-9


def transformed(objects: TrackedObjects, frame_id: str, transform: Transform) -> TrackedObjects:
    """Return the objects in frame_id, by the transform from their frame to that one.

    Poses move, and pose covariances turn with their axes. Twists, accelerations and footprints are in the object's own
    frame and stay. What is unknown stays unknown: orientations that are none, heights and covariances that are not
    finite.
    """
    rotation = transform.rotation
    pose = objects.pose.copy()
    height_m = pose[:, 2]
    no_height = ~np.isfinite(height_m)
    height_m[no_height] = 0.0
    pose[:, :3] = pose[:, :3] @ rotation.T + transform.translation_m
    pose[no_height, 2] = np.nan
    pose[:, 3:] = quaternion_product(transform.quaternion, objects.pose[:, 3:])
    return replace(objects, frame_id=frame_id, pose=pose, pose_covariance=_turned(objects.pose_covariance, rotation))


def _turned(covariance: FloatArray, rotation: FloatArray) -> FloatArray:
    """Return pose covariances (N, 36) in turned axes; the variance of an axis with an unknown part is NaN."""
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = rotation
    known, unknown = known_covariance(covariance, np.zeros((len(covariance), 6), np.bool_))
    matrix = known.reshape(-1, 6, 6)
    if not unknown.any():
        return (both @ matrix @ both.T).reshape(-1, 36)
    matrix = np.where(unknown[:, :, None], 0.0, matrix)
    turned = both @ matrix @ both.T
    row, axis = np.nonzero(unknown @ (np.abs(both) > _NO_TURN).T)
    turned[row, axis, axis] = np.nan
    return turned.reshape(-1, 36)


@dataclass
class IntoFrame:
    """Puts the objects of other frames into the expected one.

    buffer: None before anybody has asked for transforms. wanted: objects have come in another frame, so that transforms
    are needed. transformed, untransformed: messages. reason: why the last one stayed in its own frame; else empty.
    """

    buffer: TransformBuffer | None = None
    wanted: bool = False
    transformed: int = 0
    untransformed: int = 0
    reason: str = ""

    def put(self, objects: TrackedObjects, frame_id: str) -> TrackedObjects:
        """Return the objects in frame_id where a transform is known, else as they are. An empty frame_id: any."""
        self.reason = ""
        if not frame_id or objects.frame_id == frame_id:
            return objects
        self.wanted = True
        try:
            if self.buffer is None:
                raise TransformError("no transforms have been received")
            found = self.buffer.find(frame_id, objects.frame_id, objects.stamp_ns)
        except TransformError as error:
            self.untransformed += 1
            self.reason = str(error)
            return objects
        self.transformed += 1
        return transformed(objects, frame_id, found)

    def counts(self) -> dict[str, int]:
        """Return the counters by name."""
        beyond = 0 if self.buffer is None else self.buffer.extrapolated
        return {"transformed": self.transformed, "untransformed": self.untransformed, "extrapolated": beyond}
