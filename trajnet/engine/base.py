"""What every executor promises, and the one that works in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Tasks that are taken from the caller for each worker before the oldest result is handed over: enough to keep workers
#: busy behind one slow task, few enough that neither tasks nor results pile up in memory.
AHEAD = 4
#: How often a task may lose its worker (killed, out of memory, its machine gone) before the run gives up.
MAX_LOSSES = 3


class Executor(Protocol):
    """Runs a function over tasks.

    Results come in the order of the tasks whatever the order in which they were finished, so whoever adds them up gets
    the same sum with every executor. Tasks are taken as workers become free, so an endless iterator is no problem.
    A task whose worker is lost runs again; a function must therefore leave nothing half done, or mend it when it is
    called again. What a function raises is raised to the caller, and no more tasks are taken.
    """

    @property
    def workers(self) -> int:
        """How many tasks run at the same time."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the function's result for every task. The function and tasks must be picklable."""


class InProcess:
    """Runs one task after the other in this process."""

    workers = 1

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the function's result for every task."""
        return map(function, tasks)
