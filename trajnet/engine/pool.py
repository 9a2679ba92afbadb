"""Tasks in several processes of this machine."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from logging.handlers import QueueHandler
from typing import Any, Generic

from trajnet.engine.base import AHEAD, MAX_LOSSES, Result, Task
from trajnet.errors import TrajnetError


class ProcessPool:
    """Runs tasks in worker processes. A worker that dies is replaced, and the tasks that it had run again.

    Every worker is a fresh interpreter: a fork would copy the threads of NumPy and ONNX Runtime half-way. Ctrl-C ends
    all of them at once, and so does the end of this process, however it ends. What a task logs is logged here, with its
    result: a worker that writes to the terminal itself writes into the progress bar of this process.
    """

    def __init__(self, workers: int) -> None:
        """Use this many processes, at least 1. They start with the first task."""
        self.workers = workers

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the function's result for every task. Raises TrajnetError if a task loses its worker repeatedly."""
        source = enumerate(tasks)
        waiting: deque[_Pending[Any, Result]] = deque()
        pool = self._start()
        try:
            while True:
                for index, task in itertools.islice(source, AHEAD * self.workers - len(waiting)):
                    waiting.append(_Pending(index, task, _submitted(pool, function, task)))
                if not waiting:
                    return
                try:
                    result, records = waiting[0].future.result()
                except BrokenProcessPool as error:
                    pool.shutdown(wait=True)
                    pool = self._start()
                    self._run_again(pool, function, waiting, error)
                    continue
                waiting.popleft()
                for record in records:
                    logging.getLogger(record.name).handle(record)
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent
        )

    def _run_again(
        self,
        pool: ProcessPoolExecutor,
        function: Callable[[Any], Result],
        waiting: Iterable[_Pending[Any, Result]],
        error: BrokenProcessPool,
    ) -> None:
        """Give the unfinished tasks to a new pool. The oldest of them, as many as ran at once, lost their worker."""
        unfinished = [one for one in waiting if one.lost]
        for one in unfinished[: self.workers]:
            one.losses += 1
            if one.losses >= MAX_LOSSES:
                raise TrajnetError(
                    f"a worker process died {MAX_LOSSES} times at task {one.index}, out of memory perhaps; "
                    "try fewer processes with --jobs"
                ) from error
        for one in unfinished:
            one.future = _submitted(pool, function, one.task)


@dataclass
class _Pending(Generic[Task, Result]):
    """A task that was given to the pool and whose result was not handed over yet."""

    index: int
    task: Task
    future: Future[tuple[Result, list[logging.LogRecord]]]
    losses: int = 0

    @property
    def lost(self) -> bool:
        """Whether its worker, or the pool before it was begun, is gone."""
        return not self.future.done() or isinstance(self.future.exception(), BrokenProcessPool)


def _submitted(
    pool: ProcessPoolExecutor, function: Callable[[Any], Result], task: Any
) -> Future[tuple[Result, list[logging.LogRecord]]]:
    """Give a task to the pool; a pool that has just lost a worker refuses, which counts as lost, too."""
    try:
        return pool.submit(_with_log, function, task)
    except BrokenProcessPool as error:
        refused: Future[tuple[Result, list[logging.LogRecord]]] = Future()
        refused.set_exception(error)
        return refused


def _with_log(function: Callable[[Any], Result], task: Any) -> tuple[Result, list[logging.LogRecord]]:
    """Run a task in a worker; return its result and what it logged."""
    kept, root = _Kept(), logging.getLogger()
    root.addHandler(kept)
    try:
        return function(task), kept.records
    finally:
        root.removeHandler(kept)


class _Kept(QueueHandler):
    """Keeps what is logged, as another process can take it: without arguments and tracebacks that cannot be sent."""

    def __init__(self) -> None:
        self.records: list[logging.LogRecord] = []
        super().__init__(self.records)  # type: ignore[arg-type]

    def enqueue(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _end_with_parent() -> None:
    """Let a worker end on Ctrl-C without a traceback, and when its parent ends without telling it (kill -9)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this runs in a worker

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
