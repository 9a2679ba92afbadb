"""Mutated messages into the codec: it decodes or raises CdrError, never anything else, and never allocates much.

    python -m tests.ros.fuzz_cdr --inputs 1000000 --seed 1

What it decodes must encode again into a message that decodes to the same arrays. Needs no ROS. An input that fails is
written to --out as it is, to become a test.
"""

from __future__ import annotations

import argparse
import resource
import struct
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tests.ros.random_objects import assert_same, random_predicted, random_tracked
from trajnet.ros.cdr import (
    CdrError,
    ObjectList,
    decode_predicted,
    decode_tracked,
    encode_predicted,
    encode_tracked,
)

COUNTS = [0, 1, 2, 3, 7, 255, 65535, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1]
#: Arrays may take this many times the message's own size, and an object's fixed fields.
GROWTH = 4


class FoundError(Exception):
    """An input that broke a promise."""

    def __init__(self, data: bytes, what: str) -> None:
        super().__init__(what)
        self.data = data


@dataclass
class Report:
    inputs: int = 0
    decoded: int = 0
    refused: int = 0
    slowest_ms: float = 0.0


class Fuzz:
    """Draws messages, breaks them, feeds both decoders."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._whole = [self._message() for _ in range(200)]

    def _message(self) -> bytes:
        rng = self._rng
        count = int(rng.integers(0, 4))
        classes, points = rng.integers(0, 3, count), rng.integers(0, 4, count)
        frame_id = str(rng.choice(["", "map", "base_link", "Straße"]))
        seed, stamp_ns = int(rng.integers(2**32)), int(rng.integers(2**60))
        if rng.random() < 0.5:
            return encode_tracked(random_tracked(seed, classes, points, frame_id, stamp_ns))
        poses = [list(rng.integers(0, 4, rng.integers(0, 3))) for _ in range(count)]
        return encode_predicted(random_predicted(seed, classes, points, poses, frame_id, stamp_ns))

    def _pick(self, bound: int) -> int:
        return int(self._rng.integers(bound)) if bound > 0 else 0

    def mutated(self) -> bytes:
        """One message with one to four faults."""
        data = bytearray(self._whole[self._pick(len(self._whole))])
        for _ in range(1 + self._pick(4)):
            kind = self._pick(7)
            if kind == 0:
                del data[self._pick(len(data) + 1) :]
            elif kind == 1:
                data += self._rng.bytes(self._pick(64))
            elif kind == 2 and data:
                data[self._pick(len(data))] ^= 1 << self._pick(8)
            elif kind == 3 and len(data) >= 8:
                at = 4 * self._pick(len(data) // 4 - 1)
                struct.pack_into("<I", data, at, COUNTS[self._pick(len(COUNTS))])
            elif kind == 4:
                begin = self._pick(len(data) + 1)
                del data[begin : begin + self._pick(64)]
            elif kind == 5:
                other = self._whole[self._pick(len(self._whole))]
                cut = self._pick(len(data) + 1)
                data[cut:] = other[self._pick(len(other)) :]
            elif kind == 6 and len(data) > 24:
                # Early words hold the lengths that everything behind them depends on.
                struct.pack_into("<I", data, 4 * self._pick(6), COUNTS[self._pick(len(COUNTS))])
        return bytes(data)

    def run(self, inputs: int) -> Report:
        report = Report()
        codecs: list[tuple[Any, Any]] = [(decode_tracked, encode_tracked), (decode_predicted, encode_predicted)]
        for _ in range(inputs):
            data = self.mutated()
            report.inputs += 1
            begin = time.perf_counter()
            decoded = [self._try(data, decode, encode) for decode, encode in codecs]
            report.slowest_ms = max(report.slowest_ms, (time.perf_counter() - begin) * 1e3)
            report.decoded += any(decoded)
            report.refused += not any(decoded)
        return report

    def _try(self, data: bytes, decode: Any, encode: Any) -> bool:
        try:
            objects: ObjectList = decode(data)
        except CdrError:
            return False
        except BaseException as error:
            raise FoundError(data, f"{decode.__name__}: {type(error).__name__}: {error}") from error
        taken = sum(v.nbytes for v in (getattr(objects, f.name) for f in fields(objects)) if isinstance(v, np.ndarray))
        if taken > GROWTH * len(data):
            raise FoundError(data, f"{decode.__name__}: {taken} bytes of arrays from {len(data)} bytes")
        try:
            assert_same(decode(encode(objects)), objects)
        except Exception as error:
            raise FoundError(data, f"{encode.__name__}: {type(error).__name__}: {error}") from error
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz_cdr.bin"))
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    begin, total, slowest_ms = time.monotonic(), Report(), 0.0
    fuzz = Fuzz(arguments.seed)
    try:
        while total.inputs < arguments.inputs:
            part = fuzz.run(min(50_000, arguments.inputs - total.inputs))
            slowest_ms = max(slowest_ms, part.slowest_ms)
            total = Report(
                total.inputs + part.inputs, total.decoded + part.decoded, total.refused + part.refused, slowest_ms
            )
            print(f"{total.inputs} inputs, {time.monotonic() - begin:.0f} s", flush=True)
    except FoundError as found:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_bytes(found.data)
        print(f"found: {found}\nwritten: {arguments.out}", file=sys.stderr)
        return 1
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{total.inputs} inputs in {time.monotonic() - begin:.0f} s: {total.decoded} decoded, {total.refused} refused, "
        f"slowest {total.slowest_ms:.1f} ms, peak memory {peak_mb:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
