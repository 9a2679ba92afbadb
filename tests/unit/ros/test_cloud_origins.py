"""The frames of clouds and who broadcasts them, with a stand-in for the node and for the message of /tf."""

from __future__ import annotations

from typing import Any

import pytest

from trajnet.ros import clouds as module
from trajnet.ros.clouds import CloudOrigins
from trajnet.ros.visual import Cloud


class Node:
    """Records what is published, and what is logged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.topics: list[str] = []
        self.published: list[bytes] = []
        self.warnings: list[str] = []

    def get_fully_qualified_name(self) -> str:
        return self._name

    def get_logger(self) -> Node:
        return self

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def create_publisher(self, _message: Any, topic: str, _profile: Any) -> Node:
        self.topics.append(topic)
        return self

    def destroy_publisher(self, _publisher: Node) -> None:
        self.topics.pop()

    def publish(self, data: bytes) -> None:
        self.published.append(data)


def origins(monkeypatch: pytest.MonkeyPatch, name: str, *, has_tf: bool) -> tuple[CloudOrigins, Node]:
    monkeypatch.setattr(module, "message_class", lambda *_: object() if has_tf else None)
    node = Node(name)
    return CloudOrigins(node, None), node


@pytest.mark.parametrize(("name", "prefix"), [("/trajnet_predictor", "trajnet_predictor"), ("/a/b/lstm", "a/b/lstm")])
def test_a_frame_begins_with_the_name_of_the_node(monkeypatch: pytest.MonkeyPatch, name: str, prefix: str) -> None:
    found, node = origins(monkeypatch, name, has_tf=True)
    assert found.frame("disagreement", wanted=True) == f"{prefix}/disagreement_origin"
    assert found.frame("disagreement", wanted=False) == ""
    assert not node.warnings


def test_the_publisher_of_tf_is_there_from_the_first_transform_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    found, node = origins(monkeypatch, "/trajnet_predictor", has_tf=True)
    found.broadcast(Cloud(b"", None))
    assert not node.topics
    for data in (b"1", b"2"):
        found.broadcast(Cloud(b"", data))
    assert (node.topics, node.published) == (["/tf"], [b"1", b"2"])
    found.close()
    assert not node.topics
    found.broadcast(Cloud(b"", b"3"))
    assert node.topics == ["/tf"]


def test_without_the_message_of_tf_clouds_are_in_the_frame_of_the_predictions_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, node = origins(monkeypatch, "/trajnet_predictor", has_tf=False)
    assert found.frame("path_covariance", wanted=False) == ""
    assert not node.warnings
    assert [found.frame("path_covariance", wanted=True) for _ in range(2)] == ["", ""]
    assert node.warnings == ["clouds are in the frame of the predictions: tf2_msgs is not installed"]
