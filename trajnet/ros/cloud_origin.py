"""An origin near the objects, so that float32 coordinates are exact to a millimetre wherever the map lies. No ROS.

float32 has steps of 0.5 m at the northings of UTM. Point clouds and RViz have nothing better, so both are given small
numbers: relative to an origin that float32 has exactly. Clouds name it as a coordinate frame, whose place goes out on
/tf with the stamp of the cloud; markers carry it in their pose.
"""

from __future__ import annotations

import numpy as np

from trajnet.ros.cdr_writer import CdrWriter
from trajnet.types import FloatArray

#: Origins are whole multiples of this. Coarse, so that the origin stays where it is for most frames.
GRID_M = 1000.0


def origin_near(position_m: FloatArray) -> FloatArray:
    """Return an origin (2,) for positions (N, 2): their median, to the next GRID_M; (0, 0) where none is finite.

    The median, because one object that is far off must not take the others' precision. Up to 8 km from the origin
    float32 is within 0.25 mm. Its height is 0: heights are small.
    """
    known_m = position_m[np.isfinite(position_m).all(axis=1)]
    if not len(known_m):
        return np.zeros(2)
    return np.round(np.median(known_m, axis=0) / GRID_M) * GRID_M + 0.0  # + 0.0: no -0.0


def encode_origin(stamp_ns: int, frame_id: str, origin_frame: str, origin_m: FloatArray) -> bytes:
    """Return a tf2_msgs/TFMessage: origin_frame lies at origin_m (2,) of frame_id, and is not turned."""
    writer = CdrWriter()
    writer.put("I", 1)
    writer.header(stamp_ns, frame_id)
    writer.text(origin_frame)
    writer.put("ddddddd", *origin_m, 0.0, 0.0, 0.0, 0.0, 1.0)
    return writer.bytes()
