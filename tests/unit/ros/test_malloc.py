"""The C library takes the setting, and freed memory is there for the next array."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref

import pytest

from trajnet.ros.malloc import settle, tidy

CODE = """
import resource
import numpy as np
from trajnet.ros.malloc import keep_freed_memory

def faults() -> int:
    def touch() -> None:
        for array in [np.ones(100_000) for _ in range(8)]:
            array[:] = 2.0
    for _ in range(3):
        touch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        touch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
assert keep_freed_memory()
print(first, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    without, kept = map(int, done.stdout.split())
    assert kept < 100  # 20 rounds of 6.4 MB are 31,000 pages
    assert without > kept


class _Knot:
    """An object that only a collection of garbage frees."""

    def __init__(self) -> None:
        self.itself = self


def test_what_has_settled_is_not_looked_at_again_and_garbage_still_is() -> None:
    gc.disable()
    settle()
    try:
        assert gc.get_freeze_count() > 1_000
        gone = weakref.ref(_Knot())
        assert gone() is not None
        tidy()
        assert gone() is None
    finally:
        gc.unfreeze()
        gc.enable()
