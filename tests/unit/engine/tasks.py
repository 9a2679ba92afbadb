"""Functions that the tests give to executors; workers import them by name."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

from trajnet.errors import InputError

#: On a loaded machine seconds pass between the starts of two processes: whoever waits for all of them waits long.
PATIENCE_S = 300.0


def square(number: int) -> int:
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise InputError("three: expected another number, got 3")
    return number


def die_once(task: tuple[int, str]) -> int:
    """Kill the own process the first time that a marked number comes."""
    return die_once_each(task) if task[0] in {2, 7} else square(task[0])


def die_once_each(task: tuple[int, str]) -> int:
    """Kill the own process the first time that a number comes."""
    number, folder = task
    marker = Path(folder) / f"died-{number}"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_always(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def note_and_die(task: tuple[int, str]) -> int:
    """Note the attempt, then kill the own process, every time."""
    number, folder = task
    (Path(folder) / f"died-{number}-{os.getpid()}").touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_for_file(task: tuple[int, str]) -> int:
    """Say that it began, then wait until it is let go; PATIENCE_S at most, should a test fail."""
    number, folder = task
    (Path(folder) / f"began-{number}-{os.getpid()}").touch()
    end = time.monotonic() + PATIENCE_S
    while not (Path(folder) / "go").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return number


def warn(number: int) -> int:
    """Log a warning, with something that no other process can take."""
    logging.getLogger("trajnet.tests").warning("task %d, %s", number, lambda: None)
    return number
