"""autoware_map_msgs/LaneletMapBin, in which Autoware publishes its map. Needs no ROS."""

from __future__ import annotations

from typing import NamedTuple

from trajnet.ros.cdr import Buffer
from trajnet.ros.cdr_reader import CdrReader
from trajnet.ros.cdr_writer import CdrWriter


class MapMessage(NamedTuple):
    """One message. data: the Lanelet2 map as an archive of Boost.Serialization, as lanelet2 writes it."""

    stamp_ns: int
    frame_id: str
    format_version: str
    version: str
    name: str
    data: memoryview

    @property
    def words(self) -> str:
        """What the map calls itself, where it does."""
        return " ".join(word for word in (self.name, self.version) if word)


def decode_map(data: Buffer) -> MapMessage:
    """Return the message in CDR bytes; its data is not copied. Raises CdrError for anything else."""
    reader = CdrReader(data, "LaneletMapBin")
    stamp_ns, frame_id = reader.header()
    format_version, version, name = reader.text(), reader.text(), reader.text()
    (count,) = reader.take("I")
    return MapMessage(stamp_ns, frame_id, format_version, version, name, reader.octets(count))


def encode_map(message: MapMessage) -> bytes:
    """Return the CDR bytes of a message, the same as rclpy's."""
    writer = CdrWriter()
    writer.header(message.stamp_ns, message.frame_id)
    for text in (message.format_version, message.version, message.name):
        writer.text(text)
    writer.put("I", len(message.data))
    return writer.bytes() + bytes(message.data)
