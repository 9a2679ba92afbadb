"""Builds shards group by group, in many processes and by many commands at once; what is complete is never built again.

A group is a few input files whose rows become one or several shards. Its stamp (see trajnet.engine.stamp_of) names all
of its files: STAMP.json, written last, lists the shards STAMP-0000.bin and so on. So a group is complete or it is not
there, and other settings or changed files are other groups.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trajnet.engine import Executor, InProcess
from trajnet.errors import InputError
from trajnet.shards.reader import Shard
from trajnet.shards.shared import give_group, take_groups
from trajnet.shards.store import Piece, write_shards
from trajnet.whole_file import whole_file

#: Called after every group with the number of groups done and their total.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Group:
    """What becomes a few shards. stamp: names them. what: what the function that makes their pieces is called with."""

    stamp: str
    what: Any


def build_groups(
    groups: Sequence[Group],
    folder: Path,
    make: Callable[[Any], list[Piece]],
    executor: Executor,
    *,
    progress: Progress | None = None,
    shared: str = "",
) -> list[list[Shard]]:
    """Return the shards of each group, made where they are not there yet.

    make: returns the pieces of a group, see write_shards; it runs in the executor's processes. A group that another
    command is building meanwhile is left to it and waited for at the end. shared: a folder or URL from which complete
    groups are taken, and to which those that are made here are given; see trajnet.shards.shared.
    Raises InputError if something cannot be written or read, and what ``make`` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if shared:
        take_groups([g.stamp for g in groups if not _index(folder, g.stamp).is_file()], folder, shared)
    for wait in (False, True):
        missing = [group for group in groups if not _index(folder, group.stamp).is_file()]
        chosen = executor if len(missing) > 1 else InProcess()  # a worker takes seconds to start
        built = chosen.map(partial(_build, folder, make, wait, shared), missing)
        for done, _ in enumerate(built, len(groups) - len(missing) + 1):
            if progress is not None:
                progress(done, len(groups))
    return [read_group(folder, group.stamp) for group in groups]


def read_group(folder: Path, stamp: str) -> list[Shard]:
    """Return the shards of a complete group. Raises InputError if it is not there or was damaged."""
    index = _index(folder, stamp)
    try:
        listed = [
            Shard(folder / name, tuple((int(rows), int(size)) for rows, size in pieces))
            for name, pieces in json.loads(index.read_text(encoding="utf-8"))
        ]
        if not all(0 < value < 2**63 for shard in listed for piece in shard.pieces for value in piece):
            raise ValueError("a count that is none")
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{index}: expected a list of shards, got: {error}; remove it, it is built again") from error
    for shard in listed:
        if not shard.path.is_file():
            raise InputError(f"{shard.path}: is missing; remove {index.name}, it is built again")
    return listed


def _index(folder: Path, stamp: str) -> Path:
    return folder / f"{stamp}.json"


def _build(folder: Path, make: Callable[[Any], list[Piece]], wait: bool, shared: str, group: Group) -> None:
    """Build a group unless it is there, or another process builds it and ``wait`` is false."""
    with _alone(folder / f".{group.stamp}.lock", wait) as alone:
        if alone and not _index(folder, group.stamp).is_file():
            pieces = make(group.what)
            listed = json.dumps(write_shards(pieces, folder / group.stamp))
            with whole_file(_index(folder, group.stamp)) as index:
                index.write_text(listed, encoding="utf-8")
                if shared:  # before the group is complete here: a run that is stopped in between gives it later
                    give_group(group.stamp, index, shared)


@contextmanager
def _alone(lock: Path, wait: bool) -> Iterator[bool]:
    """Hold the lock file during the block; yield whether it is held. The kernel frees it when the process ends.

    On a file system without locks every process has it: then a group may be built twice, which harms nothing.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True
        lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
