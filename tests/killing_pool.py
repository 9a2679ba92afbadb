"""A pool of processes, one of which is killed in the middle of the work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajnet.engine import ProcessPool


@dataclass(frozen=True)
class _DiesOnce:
    """Runs a function; the process that is given the third task first does its work, then is killed, once."""

    function: Callable[[Any], Any]
    notes: Path

    def __call__(self, numbered: tuple[int, Any]) -> Any:
        number, task = numbered
        result = self.function(task)
        if number == 2 and not (self.notes / "died").exists():
            (self.notes / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class KillingPool(ProcessPool):
    """Two processes, as every command uses them. notes: an empty folder; afterwards ``died`` is in it."""

    def __init__(self, notes: Path) -> None:
        super().__init__(2)
        self._notes = notes

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        return super().map(_DiesOnce(function, self._notes), enumerate(tasks))
