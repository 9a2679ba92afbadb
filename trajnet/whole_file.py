"""Atomic writes: a file or folder appears complete or not at all, even on a full disk, Ctrl-C or kill -9.

What is being written stands beside its target under a hidden name, locked by the process that writes it; the kernel
frees the lock when that process ends, however it ends. So two writers of one target never share a part, and the next
writer of a target takes over or removes what a killed one left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trajnet.errors import InputError

#: Writers of one target at the same time. Beyond this, and on file systems without locks, a part's name holds the
#: process id, and what a killed process leaves of it stays.
_WRITERS = 8
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; the file replaces ``path`` when the block ends without an error.

    The temporary name starts with a dot and keeps the suffix, so readers ignore it. Two processes may write the same
    path: the later one wins. Raises InputError, naming path, if it cannot be written.
    """
    with _errors_of(path), _part(path, folder=False) as part:
        yield part
        _flush(part)
        part.replace(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``, removed at the end; ``publish`` moves a result out of it.

    For libraries that name their files themselves. Raises InputError, naming path, if something cannot be written.
    """
    with _errors_of(path), _part(path, folder=True) as part:
        yield part


def publish(made: Path, path: Path) -> None:
    """Move a finished file or folder to ``path`` on the same file system, flushed to the disk. Raises OSError."""
    for file in made.rglob("*") if made.is_dir() else [made]:
        if file.is_file():
            _flush(file)
    made.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically. Raises InputError if it cannot be written."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def only_process(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file ``path`` during the block. Raises InputError if another process holds it.

    doing: what the other one does, for the message. File systems without locks cannot refuse.
    """
    with _errors_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _open(path, folder=False)
    try:
        if _lock(handle) is False:
            owner = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "unknown"
            raise InputError(f"{path.parent}: another process ({owner}) {doing}; wait for it or name another folder")
        with _errors_of(path):
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn an OSError into an InputError that names the target."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _flush(path: Path) -> None:
    """Wait until a file is on the disk, or a power failure could keep its name but lose its content."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def _part(path: Path, *, folder: bool) -> Iterator[Path]:
    """Yield an empty, locked part of the target that no other process writes; it is removed at the end."""
    if not path.name:  # "/" or "."
        raise InputError(f"{path}: expected the name of a {'folder' if folder else 'file'} to write, got none")
    if path.exists() and not (path.is_file() or path.is_dir()):  # renaming would put a file in its place
        raise InputError(f"{path}: expected a {'folder' if folder else 'file'} to write, got a device, pipe or socket")
    path.parent.mkdir(parents=True, exist_ok=True)
    part, handle = _claim(path, folder)
    try:
        yield part
    finally:
        _remove(part, handle)
        os.close(handle)


def _claim(path: Path, folder: bool) -> tuple[Path, int]:
    """Return a part and the handle that locks it; parts that killed processes left are taken over or removed."""
    ending = f"parts{path.suffix}" if folder else f"part{path.suffix}"
    names = [path.with_name(f".{path.stem}.{number}.{ending}") for number in range(_WRITERS)]
    for number, part in enumerate(names):
        handle = _take(part, folder)
        if handle is not None:
            for other in names[number + 1 :]:
                left = _take(other, folder) if os.path.lexists(other) else None
                if left is not None:
                    _remove(other, left)
                    os.close(left)
            return part, handle
    part = path.with_name(f".{path.stem}.{os.getpid()}-{os.urandom(4).hex()}.{ending}")
    return part, _open(part, folder)


def _take(part: Path, folder: bool) -> int | None:
    """Return a handle that locks an own, empty part, or None if another process has it or nothing can be locked."""
    while True:
        try:
            handle = _open(part, folder)
        except PermissionError:
            if os.path.lexists(part):  # another user's
                return None
            raise
        locked = _lock(handle)
        if locked and not _is_there(part, handle):  # its owner finished between our two steps
            os.close(handle)
            continue
        if not locked:
            if locked is None:
                _remove_empty(part, folder)  # made by _open above; writers without locks have names of their own
            os.close(handle)
            return None
        if folder:
            _remove_content(part)
        else:
            os.truncate(handle, 0)
        return handle


def _open(path: Path, folder: bool) -> int:
    """Open the file or folder, made where it is missing, without following a link."""
    if folder:
        path.mkdir(exist_ok=True)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _lock(handle: int) -> bool | None:
    """Return whether the lock is ours now; None on a file system without locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _is_there(path: Path, handle: int) -> bool:
    """Return whether the path still leads to what the handle holds."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _remove(part: Path, handle: int) -> None:
    """Remove the part if it is still ours: after a rename, another process may have made one of the same name."""
    try:
        if not _is_there(part, handle):
            return
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink()
    except OSError:
        pass


def _remove_empty(part: Path, folder: bool) -> None:
    """Remove the file or folder if nothing is in it."""
    with suppress(OSError):
        if folder:
            part.rmdir()
        elif not part.stat().st_size:
            part.unlink()


def _remove_content(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
