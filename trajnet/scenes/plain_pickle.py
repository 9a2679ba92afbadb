"""Pickles of plain data, read without running anything that is in them.

A pickle is a program: the standard library's reader imports what the file names and calls it. This one calls nothing
but what is listed here. Numbers, texts, lists, dictionaries, sets and NumPy arrays come out as what they are; instances
of any class come out as Record, which has their attributes and none of their code.

What a file could do besides is refused, too: opcodes that set memory aside by a number in the file or reach outside it
(buffers, extensions, persistent ids), keys whose hash takes for ever, and arrays whose bytes do not fit their shape,
which NumPy's own functions would believe. Arrays are views of the bytes that were read: they cost no memory of their
own, and cannot be written to. Arrays of protocols 0 to 2 (Python 2) are not read.
"""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from pickle import _Unpickler  # the reader in Python
from typing import Any, ClassVar

from trajnet.errors import InputError, in_words
from trajnet.scenes.plain_arrays import FACTORIES, Array, ArrayType
from trajnet.scenes.rows import require_file

#: The opcodes that plain data and instances are made of.
OPCODES = """
    PROTO STOP FRAME MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
    BINFLOAT BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST LIST APPEND
    APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET GET
    BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD BYTEARRAY8
"""
#: Classes of dictionaries; a pickle gives their items as those of the plain one.
DICTIONARIES = (
    "collections.defaultdict",
    "collections.OrderedDict",
    "metadrive.scenario.scenario_description.ScenarioDescription",
)
#: What may be a key or in a set. The hash of nested tuples takes time that doubles with each level.
_KEYS = (str, int, float, bytes, type(None))


class Record:
    """An instance of some class. kind: the class's module and name; fields: its attributes.

    arguments: what it was made with, where it is stored by that (members of enumerations, named tuples).
    """

    def __init__(self, kind: str, arguments: tuple[Any, ...] = ()) -> None:
        self.kind = kind
        self.arguments = arguments
        self.fields: dict[str, Any] = {}


def read_pickle(path: Path) -> Any:
    """Return what a pickle holds: plain values, read-only arrays, and Record for instances of other classes.

    Raises InputError that names the file.
    """
    require_file(path)
    try:
        return plain_value(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def plain_value(content: bytes) -> Any:
    """Return what the bytes of a pickle hold, as read_pickle. Raises InputError."""
    try:
        return _plain(_Reader(io.BytesIO(content)).load())
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"expected a pickle of plain data, got the opcode or reference {error}") from error
    except RecursionError as error:
        raise InputError("expected a pickle of plain data, got one that is nested too deeply") from error
    except (
        pickle.UnpicklingError, EOFError, IndexError, TypeError, ValueError, AttributeError, OverflowError,
        UnicodeError, MemoryError, struct.error,
    ) as error:  # fmt: skip
        raise InputError(f"expected a pickle of plain data, got {in_words(error)[:200]}") from error


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Array) else value


class _Name:
    """A class or function that a pickle names."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def make(self, arguments: Any) -> Any:
        if not isinstance(arguments, tuple):
            raise InputError(f"expected the arguments of {self.kind} as a tuple, got {type(arguments).__name__}")
        if self.kind in DICTIONARIES:
            return {}  # its items follow
        factory = FACTORIES.get(self.kind)
        return Record(self.kind, arguments) if factory is None else factory(*arguments)


def _require_keys(values: Any) -> None:
    for value in values:
        if not isinstance(value, _KEYS):
            raise InputError(f"expected texts and numbers as keys and in sets, got {type(value).__name__}")


class _Reader(_Unpickler):
    """The standard library's reader, the one in Python: that in C sets memory aside for a memo of any length."""

    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: _Unpickler.dispatch[getattr(pickle, name)[0]] for name in OPCODES.split()
    }
    stack: list[Any]
    memo: dict[int, Any]
    read: Any
    readline: Any
    pop_mark: Any

    def find_class(self, module: str, name: str) -> Any:
        return _Name(f"{module}.{name}")

    def load_make(self) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        if not isinstance(made, _Name):
            raise InputError(f"expected a name before its arguments, got {type(made).__name__}")
        self.stack.append(made.make(arguments))

    def load_build(self) -> None:
        state, made = self.stack.pop(), self.stack.pop()
        if isinstance(made, Record):
            _set_fields(made, state)
        elif isinstance(made, (Array, ArrayType)):
            made.set_state(state)
        else:
            raise InputError(f"expected an instance before its state, got {type(made).__name__}")
        self.stack.append(_plain(made))

    def load_bytes(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        raw = self.read(size)
        if len(raw) != size:
            raise InputError(f"expected {size} bytes, got {len(raw)}")
        self.stack.append(bytes(raw))

    def load_binget(self) -> None:
        self.stack.append(_plain(self.memo[self.read(1)[0]]))

    def load_long_binget(self) -> None:
        self.stack.append(_plain(self.memo[int.from_bytes(self.read(4), "little")]))

    def load_get(self) -> None:
        self.stack.append(_plain(self.memo[int(self.readline()[:-1])]))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _require_keys([key])
        _dictionary(self.stack[-1])[key] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        _require_keys(items[::2])
        _dictionary(self.stack[-1]).update(zip(items[::2], items[1::2], strict=True))

    def load_dict(self) -> None:
        items = self.pop_mark()
        _require_keys(items[::2])
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def load_additems(self) -> None:
        items = self.pop_mark()
        _require_keys(items)
        if not isinstance(self.stack[-1], set):
            raise InputError(f"expected a set before its items, got {type(self.stack[-1]).__name__}")
        self.stack[-1].update(items)

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        _require_keys(items)
        self.stack.append(frozenset(items))

    for _name, _load in {
        "REDUCE": load_make, "NEWOBJ": load_make, "BUILD": load_build, "BINGET": load_binget, "GET": load_get,
        "LONG_BINGET": load_long_binget, "SETITEM": load_setitem, "SETITEMS": load_setitems, "DICT": load_dict,
        "ADDITEMS": load_additems, "FROZENSET": load_frozenset, "BYTEARRAY8": load_bytes,
    }.items():  # fmt: skip
        dispatch[getattr(pickle, _name)[0]] = _load


def _dictionary(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"expected a dictionary before its items, got {type(value).__name__}")
    return value


def _set_fields(record: Record, state: Any) -> None:
    """Give a record its attributes: a dictionary, or a pair of one or None and of those that the class has slots for.

    They are not copied: a file may give the same ones to many.
    """
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    given = [part for part in parts if part is not None]
    if len(given) > 1 or not all(isinstance(part, dict) for part in given):
        raise InputError(f"expected the attributes of {record.kind} in one dictionary, got something else")
    record.fields = given[0] if given else {}
