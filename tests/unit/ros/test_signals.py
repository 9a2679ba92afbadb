"""Traffic lights as Autoware says them."""

from __future__ import annotations

from types import SimpleNamespace as Message

import pytest

from trajnet.inference.crossing.signals import GREEN, RED, UNKNOWN
from trajnet.ros.signals import signals_of


@pytest.mark.parametrize(
    ("elements", "state"),
    [
        ([], UNKNOWN),
        ([(0, 2)], UNKNOWN),
        ([(1, 2)], RED),
        ([(2, 2)], RED),
        ([(3, 2)], GREEN),
        ([(3, 3)], RED),  # flashes
        ([(1, 1), (3, 2)], GREEN),  # the red one is off
        ([(1, 2), (3, 2)], RED),
    ],
)
def test_what_a_group_of_lights_says(elements: list[tuple[int, int]], state: int) -> None:
    group = Message(traffic_light_group_id=77, elements=[Message(color=c, status=s) for c, s in elements])
    message = Message(stamp=Message(sec=3, nanosec=5), traffic_light_groups=[group])
    ids, states, stamp_ns = signals_of(message)
    assert (ids.tolist(), states.tolist(), stamp_ns) == ([77], [state], 3_000_000_005)


def test_a_message_without_lights() -> None:
    ids, states, _ = signals_of(Message(stamp=Message(sec=0, nanosec=0), traffic_light_groups=[]))
    assert len(ids) == len(states) == 0


def test_the_older_message_and_the_constants_of_its_own_version() -> None:
    version = {"SOLID_OFF": 15, "SOLID_ON": 16, "FLASHING": 17}
    elements = [
        [Message(color=1, status=15, **version), Message(color=3, status=16, **version)],
        [Message(color=3, status=17, **version)],
    ]
    signals = [Message(traffic_signal_id=n, elements=each) for n, each in enumerate(elements)]
    ids, states, _ = signals_of(Message(stamp=Message(sec=0, nanosec=0), signals=signals))
    assert (ids.tolist(), states.tolist()) == ([0, 1], [GREEN, RED])
