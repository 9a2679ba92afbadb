"""Tasks on a Ray cluster: many machines behind the interface of one process."""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trajnet.engine.base import AHEAD, MAX_LOSSES, Result, Task
from trajnet.errors import DependencyError, InputError, TrajnetError, install_advice

#: As an address: start Ray on this machine alone.
LOCAL = "local"


class RayCluster:
    """Runs tasks on the CPUs of a Ray cluster. Ray itself runs a task again whose worker or machine is lost.

    Every machine must see the same files under the same paths and have the same trajnet installed.
    Tasks that Ray was given before another one raised still run, until this process ends: Ray 2.60 aborts the process
    where a task that is cancelled ends just then (its check ``it != submissible_tasks_.end()``).
    """

    def __init__(self, address: str, *, workers: int = 0) -> None:
        """Connect to a cluster.

        address: as ray.init takes it (``auto``, ``host:port``, ``ray://host:port``), or ``local`` to start one on this
        machine. workers: tasks at once; 0 for one on each CPU of the cluster. Raises DependencyError without Ray,
        InputError where there is no cluster.
        """
        self._ray = _connected(address)
        cpus = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = workers or max(cpus, 1)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the function's result for every task. Raises TrajnetError if a task loses its worker repeatedly."""
        ray = self._ray
        call = ray.remote(num_cpus=1, max_retries=MAX_LOSSES - 1)(_call)
        shared = ray.put(function)  # once, however many tasks there are
        source = enumerate(tasks)
        waiting: deque[tuple[int, Any]] = deque()
        while True:
            for index, task in itertools.islice(source, AHEAD * self.workers - len(waiting)):
                waiting.append((index, call.remote(shared, task)))
            if not waiting:
                return
            result = self._result(*waiting[0])
            waiting.popleft()
            yield result

    def _result(self, index: int, reference: Any) -> Any:
        """Return a task's result; raise what its function raised, as it would have been raised in this process."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            raise TrajnetError(f"Ray lost task {index}: {' '.join(str(error).split())}") from error


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    return function(task)


def _connected(address: str) -> Any:
    """Return the module ray, connected to the cluster; a connection that there is already is used as it is."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a program of ours tells nobody that it runs
    try:
        import ray
    except ImportError as error:
        raise DependencyError(f"--ray needs Ray, which is not installed; run: {install_advice('cluster')}") from error
    if ray.is_initialized():
        return ray
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"ray: expected a running cluster at {address!r}, found none ({' '.join(str(error).split())}); "
            f"start one with `ray start --head`, or give {LOCAL!r}"
        ) from error
    return ray
