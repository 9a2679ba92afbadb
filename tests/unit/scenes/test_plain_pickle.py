"""Pickles are data here: what a file asks to be run is not, and what it says about arrays is checked."""

from __future__ import annotations

import enum
import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.scenes.plain_pickle import Record, plain_value, read_pickle


class Colour(enum.IntEnum):
    RED = 3


class Thing:
    def __init__(self) -> None:
        self.name = "cup"


class Evil:
    """Its pickle calls os.mkdir when it is read by the standard library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


VALUES = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(4, dtype=">f8"),
    "truths": np.array([True, False]),
    "texts": np.array(["x", "yy"]),
    "objects": np.array(["a", None], object),
    "empty": np.zeros((0, 3)),
    "scalar": np.float32(2.5),
    "set": {1, "two"},
    "frozen": frozenset({1}),
    "tuple": (1, None, True, -7, 10**30, 0.1),
    "bytes": b"\x00\xff",
    "by name": OrderedDict(a=1),
    "counts": defaultdict(int, b=2),
}


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_plain_values_come_out_as_they_went_in(protocol: int) -> None:
    values = {name: value for name, value in VALUES.items() if protocol > 3 or not isinstance(value, (set, frozenset))}
    found = plain_value(pickle.dumps(values, protocol))
    assert list(found) == list(values)
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(np.asarray(found[name]), value)
            assert value.dtype == object or found[name].dtype == value.dtype
        else:
            assert found[name] == value, name


def test_an_array_that_is_named_twice_is_one() -> None:
    one, other = plain_value(pickle.dumps([VALUES["floats"]] * 2))
    assert one is other
    assert one.shape == (2, 3)
    assert not one.flags.writeable


def test_instances_become_records_without_their_code() -> None:
    colour, thing = plain_value(pickle.dumps([Colour.RED, Thing()]))
    assert isinstance(colour, Record)
    assert (colour.kind, colour.arguments) == (f"{__name__}.Colour", (3,))
    assert (thing.kind, thing.fields) == (f"{__name__}.Thing", {"name": "cup"})


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    content = pickle.dumps(Evil(tmp_path / "made"))
    found = plain_value(content)
    assert isinstance(found, Record)
    assert found.arguments == (str(tmp_path / "made"),)
    assert not (tmp_path / "made").exists()
    pickle.loads(content)  # the standard library does what the file says
    assert (tmp_path / "made").exists()


def _array_pickle(shape: tuple[int, ...], raw: bytes, name: str = "f8") -> bytes:
    class Forged:
        def __reduce__(self) -> tuple[Any, ...]:
            reconstruct = np.zeros(1).__reduce__()[0]
            return reconstruct, (np.ndarray, (0,), b"b"), (1, shape, np.dtype(name), False, raw)

    return pickle.dumps(Forged())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_array_pickle((1 << 30,), b"12345678"), "expected 8589934592 bytes for an array of shape .*, got 8"),
        (_array_pickle((-1,), b""), "expected a shape of at most 8 whole numbers"),
        (_array_pickle((1,), b"12345678", "O"), "expected 1 objects as a list, got 8"),
        (_array_pickle((1,), b"12345678", "M8[s]"), "expected arrays of numbers or texts, got the type 'M8'"),
        (pickle.dumps(np.zeros(2), 2), "expected 16 bytes for an array of shape"),
        (pickle.dumps({((1,),): 2}), "expected texts and numbers as keys and in sets, got tuple"),
        (pickle.dumps({(1, 2)}), "expected texts and numbers as keys and in sets, got tuple"),
        (b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\x00.", "expected 72057594037927935 bytes, got 1"),
        (b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\xff.", "expected a pickle of plain data, got OverflowError"),
        (b"\x80\x04r\xff\xff\xff\xff.", "expected a pickle of plain data, got"),
        (b"\x80\x04\x82\x01.", "expected a pickle of plain data, got the opcode or reference"),
        (b"Pvalue\n.", "expected a pickle of plain data, got the opcode or reference"),
        (b"", "expected a pickle of plain data, got EOFError"),
        (b"}}b.", "expected an instance before its state, got dict"),
        (pickle.dumps([1] * 9)[:-4], "expected a pickle of plain data"),
    ],
)
def test_what_is_no_plain_data_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.pkl: {said}"):
        read_pickle(path)


def test_a_state_changes_nothing_but_instances() -> None:
    # A pickle that gives the class of arrays a state, as if to change it for whoever reads next.
    forged = b"\x80\x04cnumpy\nndarray\n}X\x05\x00\x00\x00shapeK\x01sb."
    with pytest.raises(InputError, match="expected an instance before its state, got _Name"):
        plain_value(forged)
