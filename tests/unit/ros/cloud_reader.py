"""Reads a PointCloud2 as any consumer does: by the fields that it names."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.ros.cdr_reader import CdrReader

NUMPY = {7: "<f4", 8: "<f8", 6: "<u4"}


class Points(NamedTuple):
    """The header of a cloud and its records."""

    stamp_ns: int
    frame_id: str
    records: NDArray[Any]


def read_cloud(data: bytes) -> Points:
    reader = CdrReader(data, "PointCloud2")
    stamp_ns, frame_id = reader.header()
    height, width, count = reader.take("III")
    fields = []
    for _ in range(count):
        name = reader.text()
        offset, datatype, number = reader.take("IBI")
        assert number == 1
        fields.append((name, offset, NUMPY[datatype]))
    _, step, _, size = reader.take("?III")
    dtype = np.dtype(
        {
            "names": [n for n, _, _ in fields],
            "offsets": [o for _, o, _ in fields],
            "formats": [f for _, _, f in fields],
            "itemsize": step,
        }
    )
    records = np.frombuffer(bytes(reader.octets(size)), dtype)
    assert len(records) == height * width
    return Points(stamp_ns, frame_id, records)
