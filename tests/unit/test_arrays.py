"""Structs of arrays: rows chosen, parts joined, rows overwritten, room made for slots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trajnet.arrays import MIN_SLOTS, StructOfArrays, all_true, any_true, concat, grown
from trajnet.errors import InputError


@dataclass(frozen=True, eq=False)
class Inner(StructOfArrays):
    width_m: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Made(StructOfArrays):
    SHARED = ("timestamp_ns", "time_s")

    timestamp_ns: int
    track_id: tuple[str, ...]
    time_s: NDArray[Any]
    position_m: NDArray[Any]
    flag: NDArray[Any]
    values: dict[str, NDArray[Any]]
    inner: Inner | None = None


def made(count: int, first: int = 0, *, inner: bool = True) -> Made:
    """Return rows first, first + 1, ...: every field of a row is made of its number."""
    number = np.arange(first, first + count)
    return Made(
        timestamp_ns=7,
        track_id=tuple(f"t{i}" for i in number),
        time_s=np.array([0.5, 1.0]),
        position_m=np.stack([number, -number], axis=1).astype(np.float64),
        flag=number % 2 == 0,
        values={"error_m": number * 0.5},
        inner=Inner(number * 3) if inner else None,
    )


def numbers(rows: Made) -> list[int]:
    """Return the numbers that the rows were made of, after a look at every field."""
    number = rows.position_m[:, 0].astype(int)
    assert rows.track_id == tuple(f"t{i}" for i in number)
    assert (rows.position_m[:, 1] == -number).all()
    assert (rows.flag == (number % 2 == 0)).all()
    assert (rows.values["error_m"] == number * 0.5).all()
    assert rows.inner is None or (rows.inner.width_m == number * 3).all()
    assert rows.timestamp_ns == 7
    assert rows.time_s.tolist() == [0.5, 1.0]
    assert len(rows) == len(number)
    found: list[int] = number.tolist()
    return found


@given(st.lists(st.integers(0, 4), max_size=8))
def test_indices_choose_rows_in_their_order(index: list[int]) -> None:
    assert numbers(made(5).select(np.array(index, dtype=np.int64))) == index


@given(st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_mask_chooses_rows(mask: list[bool]) -> None:
    assert numbers(made(5).select(np.array(mask))) == [i for i, chosen in enumerate(mask) if chosen]


def test_a_slice_chooses_rows_without_copies() -> None:
    rows = made(5)
    part = rows.select(slice(1, 3))
    assert numbers(part) == [1, 2]
    assert np.shares_memory(part.position_m, rows.position_m)


def test_rows_that_do_not_exist_are_refused() -> None:
    with pytest.raises(IndexError):
        made(5).select(np.array([5]))
    with pytest.raises(IndexError):
        made(5).select(np.ones(4, dtype=np.bool_))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.booleans())
def test_parts_are_joined_in_their_order_and_can_be_chosen_again(counts: list[int], inner: bool) -> None:
    ends = np.cumsum(counts)
    parts = [made(c, int(e) - c, inner=inner) for c, e in zip(counts, ends, strict=True)]
    whole = concat(parts)
    assert numbers(whole) == list(range(ends[-1]))
    for part, end in zip(parts, ends, strict=True):
        assert numbers(whole.select(np.arange(end - len(part), end))) == numbers(part)


def test_parts_that_do_not_fit_are_refused_by_the_name_of_the_field() -> None:
    with pytest.raises(InputError, match=r"^windows: expected at least one part to join, got none"):
        concat([], what="windows")
    with pytest.raises(InputError, match=r"^Made.timestamp_ns: expected 7 in all parts, got 8"):
        concat([made(1), replace(made(1), timestamp_ns=8)])
    with pytest.raises(InputError, match=r"^Made.time_s: expected \[0.5 1. \] in all parts, got \[0.5\]"):
        concat([made(1), replace(made(1), time_s=np.array([0.5]))])
    for parts in ([made(1), made(1, inner=False)], [made(1, inner=False), made(1)]):
        with pytest.raises(InputError, match=r"^Made.inner: expected it in all parts or in none"):
            concat(parts)
    with pytest.raises(InputError, match=r"^Made.values: expected the keys \['error_m'\] in all parts"):
        concat([made(1), replace(made(1), values={})])


def test_a_field_without_rows_is_refused() -> None:
    wrong = replace(made(1), flag=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="per-row field: expected an array"):
        wrong.select(np.array([0]))
    with pytest.raises(TypeError, match="per-row field: expected an array"):
        concat([wrong, wrong])


@dataclass(frozen=True, eq=False)
class Flat(StructOfArrays):
    SHARED = ("timestamp_ns",)

    timestamp_ns: int
    track_id: tuple[str, ...]
    position_m: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Slots(StructOfArrays):
    seen_ns: NDArray[Any]
    known: NDArray[Any]


@given(st.lists(st.integers(0, 300), max_size=20))
def test_slots_keep_what_they_hold_while_the_room_grows(slots: list[int]) -> None:
    held = Slots(np.zeros(0, np.int64), np.zeros((0, 2), np.bool_))
    expected: dict[int, int] = {}
    for value, slot in enumerate(slots, start=1):
        held = grown(held, slot + 1)
        assert (len(held.seen_ns), held.known.shape) == (len(held), (len(held), 2))
        held.seen_ns[slot], held.known[slot] = value, True
        expected[slot] = value
    assert held.seen_ns.dtype == np.int64
    assert {i: v for i, v in enumerate(held.seen_ns.tolist()) if v} == expected
    assert np.flatnonzero(held.known.all(axis=1)).tolist() == sorted(expected)


def test_room_at_least_doubles() -> None:
    values = np.zeros(0)
    rooms = set()
    for slot in range(10 * MIN_SLOTS):
        values = grown(values, slot + 1)
        rooms.add(len(values))
    assert sorted(rooms) == [MIN_SLOTS * 2**i for i in range(5)]
    assert len(grown(np.zeros(0), 3 * MIN_SLOTS)) == 3 * MIN_SLOTS


def test_room_that_suffices_is_left_alone() -> None:
    values, held = np.zeros(5), Slots(np.zeros(5), np.zeros(5))
    assert grown(values, 5) is values
    assert grown(held, 5) is held
    assert grown(held, 0) is held


def test_another_axis_grows() -> None:
    larger = grown(np.ones((2, 3, 4), np.float32), 4, axis=1)
    assert larger.shape == (2, MIN_SLOTS, 4)
    assert larger.dtype == np.float32
    assert larger[:, :3].all()
    assert not larger[:, 3:].any()


@pytest.mark.parametrize("mask", [[], [True], [False], [True, False], [True] * 9, [False] * 9])
def test_masks_are_looked_at_as_numpy_does(mask: list[bool]) -> None:
    one = np.array(mask, np.bool_)
    column = np.stack([~one, one], axis=1)[:, 1]
    for found in (one, column):
        assert all_true(found) is bool(found.all())
        assert any_true(found) is bool(found.any())
