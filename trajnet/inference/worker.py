"""A thread for one predictor's calls, so that the caller can stop waiting for a late one."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread

from trajnet.tracking.store import Observations
from trajnet.types import Prediction


class Worker:
    """One thread that runs calls in the order of submission.

    Not a ThreadPoolExecutor, which waits for running calls when the process exits: for ever if one hangs.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=_serve, args=(self._calls,), name="trajnet-predict", daemon=True)
        self._thread.start()
        weakref.finalize(self, self._calls.put, None)

    def submit(self, function: Callable[[Observations], Prediction], asked: Observations) -> Future[Prediction]:
        future: Future[Prediction] = Future()
        if self._closed:
            future.set_exception(RuntimeError("the predictor's thread has ended"))
            return future
        self._calls.put((future, function, asked))
        return future

    def close(self, timeout_s: float) -> bool:
        """Stop after the running call; return whether that happened within timeout_s."""
        self._closed = True
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


_Call = tuple["Future[Prediction]", Callable[[Observations], Prediction], Observations]


def _serve(calls: SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        future, function, asked = call
        try:
            future.set_result(function(asked))
        except BaseException as error:  # the future passes it to the caller
            future.set_exception(error)
        del call, future, function, asked  # keep no references while the thread waits
