"""Roles beside another predictor: which message leaves when, with times by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.ros.random_objects import random_predicted
from tests.unit.ros.predicted_lines import MS, lines
from trajnet.ros.beside import KEPT_MESSAGES, Beside, BesideOptions, Outcome
from trajnet.ros.cdr import decode_predicted, encode_predicted
from trajnet.ros.levels import Level

S = 1_000_000_000
OURS, THEIRS = 10.0, 12.0


def beside(role: Any = "fall_back") -> Beside:
    made = Beside(BesideOptions(role, wait_ns=50 * MS, silent_ns=S, disagreement_m=4.0))
    made.reset(0)
    return made


def message(stamp_ms: int, speed: float, *ids: str, frame_id: str = "map") -> bytes:
    return encode_predicted(lines(stamp_ms, {i: [(speed, 1.0)] for i in ids or ("a",)}, frame_id=frame_id))


def ours(node: Beside, at_ms: int, *ids: str) -> Outcome:
    return node.ours(at_ms * MS, message(at_ms, OURS, *ids), at_ms * MS)


def theirs(node: Beside, stamp_ms: int, at_ms: int, *ids: str, frame_id: str = "map") -> Outcome:
    return node.theirs(message(stamp_ms, THEIRS, *ids, frame_id=frame_id), at_ms * MS)


def left(outcome: Outcome) -> list[tuple[int, str]]:
    """(stamp in ms, whose) of the messages that leave; ours and theirs differ in their speed."""
    found = [decode_predicted(m) for m in outcome.messages]
    return [(m.stamp_ns // MS, {5: "ours", 6: "theirs"}[round(m.path_pose[1, 0])]) for m in found]


def test_the_other_in_time_is_passed_on_byte_for_byte() -> None:
    node = beside()
    assert left(ours(node, 0)) == []
    assert node.next_due_ns == 50 * MS
    outcome = theirs(node, 0, 30)
    assert outcome.messages == [message(0, THEIRS)]
    assert node.next_due_ns is None
    assert left(node.due(100 * MS)) == []
    assert (node.totals.passed_on, node.totals.stood_in) == (1, 0)
    (found,) = node.compare(outcome, 30 * MS)
    assert found.distance_m[0] == pytest.approx([2.0, 6.0, 10.0])


def test_the_other_too_late_is_replaced_and_its_answer_only_compared() -> None:
    node = beside()
    ours(node, 0)
    assert left(node.due(49 * MS)) == []
    assert left(node.due(50 * MS)) == [(0, "ours")]
    outcome = theirs(node, 0, 60)
    assert (left(outcome), len(outcome.pairs), node.totals.late) == ([], 1, 1)
    ours(node, 100)
    assert left(theirs(node, 100, 120)) == [(100, "theirs")]  # and the next one is its own again


def test_a_silent_other_is_not_waited_for_until_it_speaks_again() -> None:
    node = beside()
    assert left(ours(node, 900)) == []
    assert left(ours(node, 1000)) == [(900, "ours"), (1000, "ours")]
    assert left(ours(node, 1100)) == [(1100, "ours")]
    assert left(theirs(node, 1100, 1150)) == []
    assert left(ours(node, 1200)) == []
    assert left(theirs(node, 1200, 1210)) == [(1200, "theirs")]


def test_an_older_one_of_ours_leaves_before_a_newer_one_of_theirs() -> None:
    node = beside()
    ours(node, 0)
    ours(node, 20)
    assert left(theirs(node, 20, 30)) == [(0, "ours"), (20, "theirs")]
    assert left(theirs(node, 0, 31)) == []
    assert left(theirs(node, 60, 70)) == [(60, "theirs")]
    assert left(ours(node, 40)) == []  # older than what has left, and its answer never came
    assert left(node.due(S)) == []


def test_the_other_first_is_not_held_up_and_compared_when_ours_is_there() -> None:
    node = beside()
    assert left(theirs(node, 0, 5)) == [(0, "theirs")]
    outcome = ours(node, 0)
    assert (left(outcome), len(outcome.pairs), node.totals.late) == ([], 1, 0)


def test_objects_that_the_other_leaves_out_or_has_no_path_for_are_filled_in() -> None:
    node = beside()
    ours(node, 0, "a", "b", "c")
    given = lines(0, {"a": [(THEIRS, 1.0)], "c": [], "x": [(THEIRS, 1.0)]})
    (data,) = node.theirs(encode_predicted(given), 10 * MS).messages
    got = decode_predicted(data)
    assert got.path_count.tolist() == [1, 1, 1, 1]  # a and x of theirs, b and c of ours
    assert got.path_pose.reshape(4, 13, 7)[:, 1, 0] == pytest.approx([6.0, 6.0, 5.0, 5.0])
    assert (node.totals.filled, node.totals.passed_on) == (2, 1)


def test_objects_with_a_number_that_is_none_are_replaced_by_ours() -> None:
    node = beside()
    ours(node, 0, "a", "b", "c")
    given = lines(0, {"a": [(THEIRS, 0.5), (THEIRS, 0.5)], "b": [(THEIRS, 1.0)], "c": [(THEIRS, 1.0)]})
    given.path_pose[5, 0] = np.nan  # of one of two paths
    given.pose[2, 1] = np.inf
    (data,) = node.theirs(encode_predicted(given), 10 * MS).messages
    got = decode_predicted(data)
    assert np.isfinite(got.path_pose).all()
    assert got.path_pose.reshape(3, 13, 7)[:, 1, 0] == pytest.approx([6.0, 5.0, 5.0])  # b of theirs, a and c of ours
    assert node.totals.filled == 2


def test_objects_that_share_an_id_are_all_there() -> None:
    """Five without an id of which the other has one: ours stand in for all of them."""
    node = beside()
    five = lines(0, {str(i): [(OURS, 1.0)] for i in range(5)})
    five = replace(five, object_id=np.zeros((5, 16), np.uint8))
    node.ours(0, encode_predicted(five), 0)
    one = lines(0, {"a": [(THEIRS, 1.0)], "b": [(THEIRS, 1.0)]})
    one = replace(one, object_id=np.repeat([[0], [7]], 16, axis=1))
    got = decode_predicted(node.theirs(encode_predicted(one), 10 * MS).messages[0])
    assert np.count_nonzero(~got.object_id.any(axis=1)) == 5
    assert len(got) == 6


@pytest.mark.parametrize(("ahead_ms", "lost"), [(300, 1), (900, 1), (5_000, 0), (1_000_000, 0)])
def test_a_message_of_the_other_that_is_ahead_of_its_time_silences_nobody(ahead_ms: int, lost: int) -> None:
    node, found = beside(), list[int]()
    for number in range(40):
        stamp_ms = 100 * number
        found += [s for s, _ in left(ours(node, stamp_ms))]
        ahead = ahead_ms if number == 10 else 0
        found += [s for s, _ in left(theirs(node, stamp_ms + ahead, stamp_ms + 20))]
        found += [s for s, _ in left(node.due((stamp_ms + 99) * MS))]
    on_time = [s for s in found if s % 100 == 0 and s <= 3900]
    assert len(set(on_time)) >= 40 - lost
    assert node.totals.ahead == (ahead_ms > 1000)


def test_where_ours_are_silent_the_other_may_be_as_far_ahead_as_it_is() -> None:
    node = beside()
    ours(node, 0)
    assert left(theirs(node, 7_000, 7_000)) == [(0, "ours"), (7_000, "theirs")]


def test_whatever_the_other_sends_ours_leave() -> None:
    """Random messages, and messages of which bytes were changed: nothing is raised, and every stamp of ours leaves."""
    rng = np.random.default_rng(0)
    for role in ("fall_back", "cross_check"):
        node, stamps = beside(role), list[int]()
        for number in range(150):
            stamp_ms = 100 * number
            count = int(rng.integers(0, 5))
            other = replace(
                random_predicted(
                    number,
                    rng.integers(0, 3, count),
                    rng.integers(0, 4, count),
                    [rng.integers(0, 9, int(rng.integers(0, 3))).tolist() for _ in range(count)],
                ),
                stamp_ns=(stamp_ms + int(rng.choice([0, 0, 0, -100, 100, 800, 5000, -5000]))) * MS,
                object_id=np.repeat(rng.integers(0, 3, (count, 1)), 16, axis=1),
                frame_id=str(rng.choice(["map", "map", "odom"])),
            )
            data = bytearray(encode_predicted(other))
            for _ in range(int(rng.choice([0, 0, 3]))):
                data[int(rng.integers(len(data)))] = int(rng.integers(256))
            outcomes = [ours(node, stamp_ms, "a", "b"), node.theirs(bytes(data), (stamp_ms + 20) * MS)]
            outcomes.append(node.due((stamp_ms + 99) * MS))
            for outcome in outcomes:
                node.compare(outcome, stamp_ms * MS)
                stamps += [decode_predicted(m).stamp_ns // MS for m in outcome.messages]
            node.judge(stamp_ms * MS)
        missed = set(range(0, 15_000, 100)) - set(stamps)
        assert len(missed) <= (15 if role == "fall_back" else 0)


def test_a_cross_check_publishes_ours_at_once_and_compares_in_either_order() -> None:
    node = beside("cross_check")
    assert left(ours(node, 0)) == [(0, "ours")]
    assert node.next_due_ns is None
    outcome = theirs(node, 0, 400)
    assert (left(outcome), len(outcome.pairs)) == ([], 1)
    assert len(theirs(node, 0, 401).pairs) == 0  # the same again
    assert len(theirs(node, 100, 90).pairs) == 0
    outcome = ours(node, 100)
    assert (left(outcome), len(outcome.pairs)) == ([(100, "ours")], 1)


def test_garbage_and_another_frame_are_counted_and_ours_leaves() -> None:
    node = beside()
    ours(node, 0)
    assert left(node.theirs(b"\x00\x01", 10 * MS)) == []
    assert left(node.due(50 * MS)) == [(0, "ours")]
    ours(node, 100, "a", "b")
    outcome = theirs(node, 100, 110, frame_id="odom")
    assert (left(outcome), outcome.pairs) == ([(100, "theirs")], [])
    assert outcome.messages == [message(100, THEIRS, frame_id="odom")]  # b is not filled in from another frame
    assert (node.totals.bad, node.totals.other_frame, node.totals.filled) == (1, 1, 0)


def test_no_message_of_ours_is_lost_however_many_wait() -> None:
    node = beside()
    found = [stamp for at_ms in range(3 * KEPT_MESSAGES) for stamp, _ in left(ours(node, at_ms))]
    found += [stamp for stamp, _ in left(node.due(S))]
    assert found == list(range(3 * KEPT_MESSAGES))


def test_a_clock_that_went_back_starts_anew() -> None:
    node = beside()
    theirs(node, 60_000, 60_000)
    assert left(ours(node, 100)) == []
    assert left(node.due(160 * MS)) == [(100, "ours")]
    node.reset(200 * MS)
    assert node.silence_ns(700 * MS) == 500 * MS


def test_a_short_recording_that_loops_is_not_held_up_until_its_stamps_come_again() -> None:
    """Ours never go back but when the track store takes the clock for restarted, see trajnet.tracking.frame_clock."""
    node = beside()
    for at_ms in (0, 2000, 4000):
        ours(node, at_ms)
    assert left(node.ours(500 * MS, message(500, OURS), 4100 * MS)) == []
    assert left(node.due(4150 * MS)) == [(500, "ours")]
    assert left(theirs(node, 600, 4200)) == [(600, "theirs")]


def test_what_the_status_says() -> None:
    node = beside()
    assert node.judge(0).level == Level.OK
    assert "silent for 0.6 s" in node.judge(600 * MS).message
    for at_ms in range(0, 400, 100):
        ours(node, at_ms, "a", "b")
        node.compare(theirs(node, at_ms, at_ms + 10, "a"), (at_ms + 10) * MS)
    judged = node.judge(400 * MS)
    assert judged.level == Level.WARN
    assert judged.message == "100% of the objects are predicted more than 4 m apart at 3 s"
    values = dict(judged.values)
    assert (values["largest_distance_m"], values["disagreeing_share"]) == ("6.00", "1.0000")
    assert (values["passed_on_total"], values["compared_total"], values["unmatched_total"]) == ("4", "4", "4")
    ours(node, 500)
    node.due(550 * MS)
    assert "ours stood in for the other in 20% of the messages" in node.judge(560 * MS).message
    later = dict(node.judge(10_560 * MS).values)  # the last ten seconds have nothing
    assert (later["stood_in_share"], later["disagreeing_share"], later["stood_in_total"]) == ("0.0000", "0.0000", "1")
