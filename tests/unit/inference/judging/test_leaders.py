"""Who is ahead of whom on its path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajnet.inference.judging.leaders import AHEAD_M, AT_ONCE, MOST, OVERLAP, REACH_M, SAME_WAY, Leaders, leaders_of
from trajnet.types import BoolArray, FloatArray

#: Points of a path, a second apart.
SECONDS: FloatArray = np.arange(1.0, 7.0)


def found(
    begin_m: list[tuple[float, float]],
    velocity_mps: list[tuple[float, float]],
    *,
    yaw_rad: list[float] | None = None,
    known: list[bool] | None = None,
    leads: list[bool] | None = None,
    size: tuple[float, float] = (4.0, 2.0),
) -> dict[int, tuple[int, float]]:
    """Follower -> leader and gap, of objects that go straight on; those that move follow."""
    count = len(begin_m)
    here_m = np.array(begin_m).reshape(count, 2) @ [1.0, 1j]
    path_m = SECONDS[:, None] * (np.array(velocity_mps).reshape(count, 2) @ [1.0, 1j])
    yaw = np.angle(path_m[-1]) if yaw_rad is None else np.array(yaw_rad)
    follows = np.abs(path_m[-1]) > 0.5
    may_lead = np.array(leads or [True] * count)
    known_ = np.array(known or [True] * count)
    return as_dict(leaders_of(path_m, here_m, yaw, known_, np.tile(size, (count, 1)), follows, may_lead))


def as_dict(leaders: Leaders) -> dict[int, tuple[int, float]]:
    rows, others, gaps_m = leaders.row.tolist(), leaders.leader.tolist(), leaders.gap_m.tolist()
    assert rows == sorted(set(rows))
    return {row: (leader, gap_m) for row, leader, gap_m in zip(rows, others, gaps_m, strict=True)}


def test_the_next_one_in_the_lane_leads_from_bumper_to_bumper() -> None:
    got = found([(0.0, 0.0), (20.0, 0.5), (50.0, 0.0)], [(10.0, 0.0)] * 3)
    assert {row: leader for row, (leader, _) in got.items()} == {0: 1, 1: 2}
    assert got[0][1] == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("place", "yaw"),
    [
        ((20.0, 3.5), 0.0),  # the next lane
        ((-10.0, 0.0), 0.0),  # behind
        ((AHEAD_M - 0.1, 0.0), 0.0),  # the same object twice
        ((20.0, 0.0), np.pi),  # comes the other way
        ((20.0, 0.0), 1.5),  # crosses
        ((20.0, 2.0 * OVERLAP + 0.01), 0.0),  # touches hardly
    ],
)
def test_others_do_not(place: tuple[float, float], yaw: float) -> None:
    assert 0 not in found([(0.0, 0.0), place], [(10.0, 0.0), (0.0, 0.0)], yaw_rad=[0.0, yaw])


def test_whose_heading_is_unknown_leads() -> None:
    places: list[tuple[float, float]] = [(0.0, 0.0), (20.0, 0.0)]
    moving: list[tuple[float, float]] = [(10.0, 0.0), (0.0, 0.0)]
    assert found(places, moving, yaw_rad=[0.0, 2.0]) == {}
    assert found(places, moving, yaw_rad=[0.0, 2.0], known=[True, False])[0][0] == 1


def test_who_may_not_lead_does_not() -> None:
    got = found([(0.0, 0.0), (20.0, 0.0), (40.0, 0.0)], [(10.0, 0.0)] * 3, leads=[True, False, True])
    assert got[0][0] == 2
    assert got[0][1] == pytest.approx(36.0)


@pytest.mark.parametrize(("ahead_m", "leads"), [(REACH_M - 1.0, True), (REACH_M + 2.0, False)])
def test_short_paths_are_looked_along_for_a_while_straight_on(ahead_m: float, leads: bool) -> None:
    got = found([(0.0, 0.0), (ahead_m, 0.0)], [(1.0, 0.0), (0.0, 0.0)], yaw_rad=[0.0, 0.0])
    assert (0 in got) == leads


def test_the_end_of_a_path_that_creeps_goes_on_as_the_path_did() -> None:
    path_m = np.array([[4.0], [8.0], [8.0 + 0.01j]])
    here_m = np.array([0.0, 20.0])
    got = leaders_of(
        np.concatenate([path_m, np.zeros((3, 1))], axis=1), here_m + 0j, np.zeros(2), np.ones(2, bool),
        np.tile([4.0, 2.0], (2, 1)), np.array([True, False]), np.ones(2, bool),
    )  # fmt: skip
    assert got.leader.tolist() == [1]
    assert got.gap_m == pytest.approx([16.0], abs=0.01)


def test_a_path_is_followed_around_its_bend() -> None:
    angle = np.linspace(0.0, np.pi / 2, 10)[1:]
    bend_m = 20.0 * (np.sin(angle) + 1j * (1.0 - np.cos(angle)))  # to the left, r = 20 m
    around_m, straight_m = 20.0 * (np.sin(1.3) + 1j * (1.0 - np.cos(1.3))), 26.0 + 0j
    here_m = np.array([0.0, straight_m, around_m])
    paths_m = np.stack([bend_m, 0 * bend_m, 0 * bend_m], axis=1)
    got = leaders_of(
        paths_m, here_m, np.array([0.0, 0.0, 1.3]), np.ones(3, bool), np.tile([4.0, 2.0], (3, 1)),
        np.array([True, False, False]), np.ones(3, bool),
    )  # fmt: skip
    assert got.leader.tolist() == [2]
    assert got.gap_m == pytest.approx([20.0 * 1.3 - 4.0], abs=0.1)


def test_who_comes_round_to_where_it_is_does_not_follow_itself() -> None:
    round_m = 10.0 * (np.exp(1j * np.linspace(-np.pi / 2, 1.5 * np.pi, 13)[1:]) + 1j)[:, None]
    got = leaders_of(
        round_m, np.zeros(1, np.complex128), np.zeros(1), np.ones(1, bool), np.array([[4.0, 2.0]]), np.ones(1, bool),
        np.ones(1, bool),
    )  # fmt: skip
    assert as_dict(got) == {}


def test_nobody_follows_nobody() -> None:
    assert found([], []) == {}
    assert found([(0.0, 0.0)], [(10.0, 0.0)]) == {}
    assert found([(0.0, 0.0), (9.0, 0.0)], [(0.0, 0.0)] * 2) == {}


def test_of_too_many_that_may_be_on_a_path_the_nearest_of_each_are_looked_at() -> None:
    count = AT_ONCE
    places = [(0.0, 0.0), (400.0, 400.0)] + [(200.0 + 0.1 * i, 200.0) for i in range(count)]
    # The first goes round a wide bend, inside of which all others stand; its leader is farther away than they.
    bend_m = 400.0 * np.exp(1j * np.linspace(-np.pi / 2, 0.0, 12)[1:]) + 400j
    path_m = np.zeros((11, len(places)), np.complex128)
    path_m[:, 0] = bend_m

    def leader(*, others: bool) -> list[int]:
        leads = np.ones(len(places), bool)
        leads[2:] = others
        got = leaders_of(
            path_m, np.array(places) @ [1.0, 1j], np.full(len(places), np.pi / 2), np.ones(len(places), bool),
            np.tile([4.0, 2.0], (len(places), 1)), np.arange(len(places)) == 0, leads,
        )  # fmt: skip
        return [int(row) for row in got.leader]

    assert leader(others=False) == [1]
    assert leader(others=True) == []
    assert count > MOST


coordinate = st.floats(-60.0, 60.0).map(lambda x: round(x, 2))
speed = st.floats(-15.0, 15.0).map(lambda x: round(x, 2))


@given(
    st.lists(st.tuples(coordinate, st.floats(-6.0, 6.0).map(lambda y: round(y, 2)), speed, speed), max_size=12),
    st.sampled_from([0.0, 4.5e6 + 6.7e5j]),
)
def test_as_when_everybody_is_looked_at(objects: list[tuple[float, float, float, float]], origin: complex) -> None:
    values = np.array(objects).reshape(-1, 4)
    here_m, velocity_mps = values[:, :2] @ [1.0, 1j], values[:, 2:] @ [1.0, 1j]
    path_m = SECONDS[:, None] * velocity_mps
    yaw, count = np.angle(velocity_mps), len(values)
    known: BoolArray = np.ones(count, bool)
    got = leaders_of(
        path_m, here_m + origin, yaw, known, np.tile([4.0, 2.0], (count, 1)), np.abs(path_m[-1]) > 0.5, known
    )
    wanted = {}
    for i in np.flatnonzero(np.abs(path_m[-1]) > 0.5):
        way = velocity_mps[i] / abs(velocity_mps[i])
        along = (here_m - here_m[i]) * way.conjugate()  # straight paths: along and aside
        margin = 1e-6  # what is just at a limit may be either
        reach_m = max(abs(path_m[-1, i]), REACH_M)
        unclear = np.abs(np.abs(along.imag) - 2.0 * OVERLAP) < margin
        unclear |= (np.abs(along.real - AHEAD_M) < margin) | (np.abs(np.cos(yaw - yaw[i]) - SAME_WAY) < margin)
        # Beyond the end the distance from the end counts.
        aside = np.where(along.real > reach_m, np.abs(along - reach_m), np.abs(along.imag))
        unclear |= np.abs(aside - 2.0 * OVERLAP) < margin
        on_it = (aside < 2.0 * OVERLAP) & (along.real > AHEAD_M) & (np.cos(yaw - yaw[i]) > SAME_WAY)
        on_it[i] = unclear[i] = False
        if unclear.any():
            continue
        if on_it.any():
            wanted[int(i)] = min(along.real[j].clip(max=reach_m) for j in np.flatnonzero(on_it)) - 4.0
        else:
            assert int(i) not in as_dict(got)
    for row, gap_m in wanted.items():
        assert as_dict(got)[row][1] == pytest.approx(gap_m, abs=1e-6)
