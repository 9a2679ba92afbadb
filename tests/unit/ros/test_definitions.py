"""The shipped message definitions are Autoware's: the same type hashes, the same text as the tests' own package."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.ros.definitions import DEFINITIONS, PACKAGE, TYPE_HASHES

PUBLISHED = {
    "autoware_perception_msgs/msg/TrackedObjects": "3559bd4e62ce8a4d96e32720c02bbe656cc090bb2b3f3f91f52a7c3ab095417a",
    "autoware_perception_msgs/msg/PredictedObjects": "b63151309c3323bb6e3f09c54b3358aa53a8e66937a1cde15c5d5ede1ef80a08",
}


def test_hashes_of_the_definitions_are_the_published_ones() -> None:
    rosbags = pytest.importorskip("rosbags.typesys")
    store = rosbags.get_typestore(rosbags.Stores.ROS2_JAZZY)
    for name, text in DEFINITIONS.items():
        store.register(rosbags.get_types_from_msg(text, name))
    assert {name: store.hash_rihs01(name) for name in PUBLISHED} == {n: f"RIHS01_{h}" for n, h in PUBLISHED.items()}
    assert {n: f"RIHS01_{h}" for n, h in PUBLISHED.items()} == TYPE_HASHES


def test_test_package_has_the_same_text(root: Path) -> None:
    files = {p.stem: p.read_text() for p in (root / "tests/ros" / PACKAGE / "msg").glob("*.msg")}
    found = {f"{PACKAGE}/msg/{stem}": text for stem, text in files.items() if "TrafficLight" not in stem}
    assert found == DEFINITIONS
