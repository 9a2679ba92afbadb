"""The map that Autoware publishes: received at any time, built beside the node's work, taken between two frames.

Every message goes to one thread. There its archive is compared with that of the map in use (the same map sent again,
under whatever version, costs no more than a hash), and built by ``BuildApart`` in a process of its own. Of messages
that come meanwhile only the newest is built. A map that cannot be used leaves the one before in use.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from trajnet.context.map_field import FIELD_PIXELS_PER_M, MapView, empty_field
from trajnet.errors import InputError, TrajnetError, in_words
from trajnet.ros.lanelet_archive import ADVICE, can_read
from trajnet.ros.loaded_map import LoadedMap
from trajnet.ros.map_message import decode_map
from trajnet.ros.vector_map_state import VectorMapState

log = logging.getLogger(__name__)


class Builder(Protocol):
    """From an archive to a map."""

    def __call__(self, archive: memoryview) -> LoadedMap:
        """Return the map; raises TrajnetError."""

    def cancel(self) -> None:
        """End a call that is under way in another thread, and be of no more use."""


#: A map of 16 km2 takes some 10 s on a core of its own.
BUILD_TIMEOUT_S = 600.0


class BuildApart:
    """Builds maps in a process of its own, one after the other."""

    def __init__(self, timeout_s: float = BUILD_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def __call__(self, archive: memoryview) -> LoadedMap:
        """Return the map of an archive. Raises InputError with the reason where there is none."""
        with tempfile.TemporaryDirectory(prefix="trajnet-map-") as folder:
            source, target = Path(folder) / "map.bin", Path(folder) / "map.npz"
            source.write_bytes(archive)
            command = [sys.executable, "-m", "trajnet.ros.lanelet_archive", str(source), str(target), str(os.getpid())]
            self._process = subprocess.Popen(command, stderr=subprocess.PIPE)
            if self._cancelled:
                self._process.kill()
            try:
                _, said = self._process.communicate(timeout=self._timeout_s)
            except subprocess.TimeoutExpired as error:
                self._process.kill()
                self._process.communicate()
                raise InputError(f"expected a map that is read within {self._timeout_s:g} s, got none") from error
            if code := self._process.returncode:
                last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
                raise InputError(last if code == 2 else f"the reader of the map ended with exit code {code}: {last}")
            return LoadedMap.load(target)

    def cancel(self) -> None:
        """End the build that is under way, and any later one; their calls raise."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()


class VectorMap:
    """Builds the maps of one topic; see the module. offer and take may be called by one thread only."""

    def __init__(self, topic: str, expected_frame: str, view: MapView | None, build: Builder) -> None:
        self._topic, self._expected_frame, self._view, self._build = topic, expected_frame, view, build
        self._lock = threading.Condition()
        self._waiting: bytes | None = None
        self._built: tuple[LoadedMap, str] | None = None
        self._digest = b""
        self._closed = False
        self._state = VectorMapState()
        if view is not None:
            empty_field(FIELD_PIXELS_PER_M).prepare(view)  # tables that every map of this resolution shares
        self._thread = threading.Thread(target=self._work, name="vector_map", daemon=True)
        self._thread.start()

    @property
    def state(self) -> VectorMapState:
        """What has come so far, never in the middle of a change."""
        with self._lock:
            return self._state

    def offer(self, data: bytes) -> None:
        """Note a message; returns at once."""
        with self._lock:
            self._count(received=1, skipped=self._waiting is not None)
            self._waiting = data
            self._lock.notify()

    def take(self) -> LoadedMap | None:
        """Return a map to use from now on, where a new one has been built since the last call."""
        if self._built is None:
            return None
        with self._lock:
            assert self._built is not None
            (loaded, words), self._built = self._built, None
            self._count(used=1)
            self._state = replace(self._state, words=words)
        return loaded

    def close(self) -> None:
        """End the thread, and a build that is under way."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._build.cancel()
        self._thread.join()

    def _count(self, **counts: int) -> None:
        self._state = replace(self._state, **{k: getattr(self._state, k) + int(v) for k, v in counts.items()})

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._waiting is not None)
                if self._closed:
                    return
                data, self._waiting = self._waiting, None
            assert data is not None
            try:
                self._handle(data)
            except Exception as error:
                if self._closed:
                    return
                reason = str(error) if isinstance(error, TrajnetError) else in_words(error)
                log.warning("%s: %s; the map in use stays", self._topic, reason)
                with self._lock:
                    self._count(failed=1)
                    self._state = replace(self._state, problem=reason)

    def _handle(self, data: bytes) -> None:
        message = decode_map(data)
        digest = hashlib.blake2b(message.data).digest()
        if digest == self._digest:
            with self._lock:
                self._count(repeated=1)
            return
        if self._expected_frame and message.frame_id and message.frame_id != self._expected_frame:
            raise InputError(f"expected a map in frame {self._expected_frame!r}, got one in {message.frame_id!r}")
        loaded = self._build(message.data).prepared(self._view)
        words = ", ".join(filter(None, (f"{self._topic}: {loaded.words}", message.words)))
        log.info("%s (%d bytes)", words, len(message.data))
        with self._lock:
            self._count(skipped=self._built is not None)
            self._digest = digest
            self._built = (loaded, words)
            self._state = replace(self._state, problem="")


def vector_map(topic: str, expected_frame: str, view: MapView | None) -> VectorMap | None:
    """Return what builds the maps of a topic; None, and a warning, where their archives cannot be read here."""
    if not can_read():
        log.warning("%s is not read, only the parameter map_path: %s", topic, ADVICE)
        return None
    return VectorMap(topic, expected_frame, view, BuildApart())
