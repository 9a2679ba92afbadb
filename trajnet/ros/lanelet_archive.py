"""The archive in a LaneletMapBin, read with lanelet2's own Python package, which every installation of Autoware has.

The archive is one of Boost.Serialization: only the library that wrote it knows it, and bytes that are none may end the
process that reads them. So it is read in a process of its own, at low priority: whatever is in it, and however long the
map takes to be drawn, the node goes on answering (trajnet.ros.vector_map starts this module as a program).

Autoware's own regulatory elements are known to lanelet2 once autoware_lanelet2_extension_python is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.context.crosswalks import crosswalks_of
from trajnet.context.lane_paths import lane_paths_of
from trajnet.context.map_field import field_of
from trajnet.errors import DependencyError, InputError, TrajnetError, in_words
from trajnet.ros.loaded_map import LoadedMap
from trajnet.scenes.lanelet2 import lane_between
from trajnet.types import Lane

LIBRARY = "lanelet2"
ADVICE = (
    "reading /map/vector_map needs lanelet2's Python package: apt install ros-$ROS_DISTRO-lanelet2 (or pip install "
    "lanelet2), with autoware_lanelet2_extension_python from Autoware's workspace for its own map elements"
)
#: Importing any of these registers Autoware's regulatory elements.
EXTENSIONS = ("autoware_lanelet2_extension_python.regulatory_elements", "lanelet2_extension_python.regulatory_elements")
NICE = 10


def can_read() -> bool:
    """Return whether archives can be read on this machine."""
    return importlib.util.find_spec(LIBRARY) is not None


def read_archive(path: Path) -> list[Any]:
    """Return the lanelets of an archive, as lanelet2 has them.

    Raises InputError where it cannot be read, DependencyError without lanelet2.
    """
    try:
        io: Any = importlib.import_module(f"{LIBRARY}.io")
    except ImportError as error:
        raise DependencyError(f"{ADVICE} ({error})") from error
    for extension in EXTENSIONS:
        with contextlib.suppress(ImportError):
            importlib.import_module(extension)
    try:
        return list(io.load(str(path), io.Origin(0.0, 0.0)).laneletLayer)  # it has metres: nothing is projected
    except Exception as error:
        raise InputError(f"expected a Lanelet2 archive that this lanelet2 can read, got {in_words(error)}") from error


def _lane(lanelet: Any) -> Lane | None:
    """Return the lane of a lanelet; None where a border of it is no line."""
    left_m, right_m = (
        np.array([(p.x, p.y) for p in side], np.float64) for side in (lanelet.leftBound, lanelet.rightBound)
    )
    if min(len(left_m), len(right_m)) < 2 or not (np.isfinite(left_m).all() and np.isfinite(right_m).all()):
        return None
    tags = {str(key): str(lanelet.attributes[key]) for key in lanelet.attributes.keys()}  # noqa: SIM118 - no mapping
    lane = lane_between(str(lanelet.id), tags, left_m, right_m)
    return replace(lane, signal_id=_signal_id(lanelet)) if lane.crosswalk else lane


def _signal_id(lanelet: Any) -> int | None:
    """Return the id of a lanelet's first traffic lights, as Autoware's messages name them; None without any."""
    for rule in lanelet.regulatoryElements:
        if "subtype" in rule.attributes and str(rule.attributes["subtype"]) == "traffic_light":
            return int(rule.id)
    return None


def build(archive: Path) -> LoadedMap:
    """Return the map that an archive has, drawn. Raises TrajnetError where no vehicle may use any of its lanelets."""
    lanelets = read_archive(archive)
    lanes = [lane for lane in map(_lane, lanelets) if lane is not None]
    field = field_of(lanes, None)
    if field is None:
        raise InputError(f"expected lanelets that vehicles may use, got none among {len(lanelets)}")
    broken = len(lanelets) - len(lanes)
    return LoadedMap(field, len(lanelets), broken, crosswalks_of(lanes), lane_paths_of(lanes))


def give_way() -> None:
    """Lower this process's priority: a node that runs with a real-time one has handed that on."""
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(NICE)


def main() -> int:
    """Build the map of the archive at the first argument, and keep it at the second, or say why it cannot be.

    The third is the process that waits for it: where that was killed meanwhile, the folder of both files is removed.
    """
    give_way()
    archive, target = (Path(argument) for argument in sys.argv[1:3])
    try:
        build(archive).save(target)
    except TrajnetError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if os.getppid() != int(sys.argv[3]):
            shutil.rmtree(archive.parent, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
