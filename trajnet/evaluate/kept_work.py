"""What an evaluation has finished, kept in a file, so that the same command goes on from there after an interruption.

The file has one line of JSON, which says what evaluation it is of, and a pickle of sums. Of a pickle only these sums
and NumPy's arrays are read: nothing else in a file is imported or called.
"""

from __future__ import annotations

import io
import json
import pickle
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

from trajnet import __version__
from trajnet.datasets.files import companions_of
from trajnet.engine import stamp_of
from trajnet.errors import InputError
from trajnet.evaluate.evaluation_set import EvaluationSet
from trajnet.evaluate.steadiness import Steps, StepSums
from trajnet.evaluate.tally import Tally, added
from trajnet.inference import GuardCounters, JudgingCounters
from trajnet.whole_file import whole_file

#: Raised when a file of before can no longer be read the same way.
VERSION = 1
#: Time between two writes. A write waits for longer where the one before took more than a twentieth of that.
EVERY_S = 60.0

#: Modules and names of the classes that sums are made of, and of what NumPy makes arrays with. A whole module would
#: lead to all that it imports.
_SUMS = frozenset(
    [
        ("trajnet.evaluate.kept_work", "Running"),
        ("trajnet.evaluate.steadiness", "StepSums"),
        *(("trajnet.evaluate.tally", name) for name in ("JointErrors", "PartSums", "Sums", "Tally")),
        ("trajnet.evaluate.womd", "_Object"),
        ("trajnet.inference.guard_counters", "GuardCounters"),
        ("trajnet.inference.judging.self_judge", "JudgingCounters"),
        *(("numpy", name) for name in ("dtype", "ndarray")),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    ]
)

Counters = TypeVar("Counters", GuardCounters, JudgingCounters)


class UnitSums(Protocol):
    """What is added up of one unit."""

    @property
    def tally(self) -> Tally | None: ...
    @property
    def guard(self) -> GuardCounters: ...
    @property
    def judging(self) -> JudgingCounters: ...
    @property
    def steps(self) -> Steps: ...


@dataclass
class Running:
    """Sums of one predictor over the first units of a data set."""

    units: int = 0
    tally: Tally | None = None
    guard: GuardCounters = field(default_factory=GuardCounters)
    judging: JudgingCounters = field(default_factory=JudgingCounters)
    steps: StepSums = field(default_factory=StepSums)

    def add(self, result: UnitSums) -> None:
        """Add the next unit."""
        self.units += 1
        self.tally = added(self.tally, result.tally)
        self.steps.add(result.steps)
        _add(self.guard, result.guard)
        _add(self.judging, result.judging)


def _add(total: Counters, part: Counters) -> None:
    for each in fields(total):
        value = getattr(part, each.name)
        if isinstance(value, int):
            setattr(total, each.name, getattr(total, each.name) + value)
        elif value:
            setattr(total, each.name, value)


class KeptWork:
    """Sums by the name of a piece of the evaluation, and what else collects its results, in one file.

    path: None keeps nothing beyond this process. identity: see trajnet.engine.stamp_of. beside: collects results too,
    as the figures of a benchmark of its own do. Raises InputError for a file of another evaluation, and for what is no
    such file.
    """

    def __init__(self, path: Path | None = None, identity: str = "", *, every_s: float = EVERY_S) -> None:
        self._path, self._identity, self._every_s = path, identity, every_s
        self._running: dict[str, Running] = {}
        self.beside: Any = None
        self._due_s = time.monotonic() + every_s
        self._written, self._whole = True, True
        if path is not None and path.exists():
            self._running, self.beside = _read(path, identity)

    def of(self, name: str) -> Running:
        """Return the sums of this name: those of before, or none."""
        return self._running.setdefault(name, Running())

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Add one unit to everything in this block; then all is written if that is due.

        A unit that was interrupted in here may be in some of it only, so from then on nothing is written.
        """
        self._written, self._whole = False, False
        yield
        self._whole = True
        if time.monotonic() >= self._due_s:
            self.write()

    def write(self) -> None:
        """Write what has not been written. Raises InputError if it cannot be."""
        if self._path is None or self._written or not self._whole:
            return
        begin_s = time.monotonic()
        header = {"trajnet_evaluate": VERSION, "identity": self._identity}
        with whole_file(self._path) as part, part.open("wb") as out:
            out.write(json.dumps(header).encode() + b"\n")
            pickle.dump((self._running, self.beside), out, protocol=5)
        end_s = time.monotonic()
        self._due_s, self._written = end_s + max(self._every_s, 20.0 * (end_s - begin_s)), True


def identity_of(opened: EvaluationSet, specs: Sequence[str], settings: Any) -> str:
    """Return a key of an evaluation: its scenes (by size and time, with the files beside them), models and settings.

    Raises InputError for a file that cannot be read.
    """
    lists = {id(unit.files): unit.files for unit in opened.units}  # those of windows are long, and the same
    files = list(dict.fromkeys(file for each in lists.values() for file in each))
    beside = dict.fromkeys(other for file in files for other in companions_of(file))
    models = stamp_of([Path(spec) for spec in specs if Path(spec).is_file()], tuple(specs), content=True)
    known = (__version__, opened.name, opened.split, opened.time_s.tolist(), models, settings)
    return stamp_of([*files, *beside], known)


class _Sums(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _SUMS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is none of the sums")


def _read(path: Path, identity: str) -> tuple[dict[str, Running], Any]:
    try:
        first, _, rest = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise InputError(f"resume {path}: cannot be read: {error.strerror}") from error
    again = "remove it to begin anew, or name another file"
    try:
        header = json.loads(first)
        version, of = header["trajnet_evaluate"], header["identity"]
    except (ValueError, TypeError, KeyError):
        raise InputError(f"resume {path}: expected a file that trajnet evaluate --resume wrote, got another") from None
    if (version, of) != (VERSION, identity):
        raise InputError(
            f"resume {path}: expected the work of this evaluation, got that of one with other files, models, "
            f"options or another version of trajnet; {again}"
        )
    try:
        running, beside = _Sums(io.BytesIO(rest)).load()
    except Exception as error:  # whatever a damaged pickle raises
        raise InputError(f"resume {path}: its content is damaged ({error}); {again}") from error
    return running, beside
