"""Measure our shards of windows against litdata, webdataset and plain .npy, on the same windows.

    pip install litdata webdataset zstd
    python tools/compare_shards.py --scenes 100 --tables out/scale/tables --out out/compare

Tables are those that tools/scale_numbers.py makes. Every format is written from the same windows and gives batches of
256 of them, as arrays: in the order in which they were written, and shuffled, once over all windows. Rates are windows
for each second of processor time, of all processes together, so that other programs on the machine hardly change them.
Each format is shuffled as it is meant to be: ours block by block, webdataset's with a buffer, litdata's by chunks.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.shards import Shard, write_shards
from trajnet.training.block_order import BLOCK_WINDOWS
from trajnet.training.config import SourceConfig
from trajnet.training.scene_pieces import scene_pieces
from trajnet.training.sources import scene_windows
from trajnet.training.training_set import TrainingSet, joined
from trajnet.training.window_store import StoredWindows
from trajnet.types import FloatArray, IntArray

#: Windows of the shipped models: as tools/scale_numbers.py builds them.
REQUIREMENTS = InputRequirements(MapView(75.0, 10.0, 27.5, 5.0, 3, True), 8)
KNOTS_S: FloatArray = 0.5 * np.arange(1.0, 13.0)
SOURCE = SourceConfig("scenes", path="tables", history_s=5.0, rate_hz=10, stride=10, min_future_s=3.0)
BATCH = 256
NAMES = [field.name for field in fields(TrainingSet)]
Sample = dict[str, NDArray[Any]]


class Format(NamedTuple):
    """How one format writes windows into a folder, and yields batches of them."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path, bool], Iterator[Sample]]


def processor_s() -> float:
    """Return the processor time of this process and of those that it waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def order_of(count: int, shuffled: bool) -> IntArray:
    return np.random.default_rng(0).permutation(count) if shuffled else np.arange(count)


def collated(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield batches of samples that come one by one; the last, smaller one is left out."""
    batch = list[Sample]()
    for sample in samples:
        batch.append(sample)
        if len(batch) == BATCH:
            yield {name: np.stack([one[name] for one in batch]) for name in NAMES}
            batch = []


def sample_of(data: TrainingSet, row: int) -> Sample:
    return {name: getattr(data, name)[row] for name in NAMES}


def ours(files: list[Path]) -> Format:
    made = [m for file in files if (m := scene_windows(SOURCE, file, None, KNOTS_S, REQUIREMENTS)) is not None]
    written = list[Shard]()

    def write(folder: Path) -> None:
        pieces = [p for m in made for p in scene_pieces(m, np.arange(len(m.data)), m.data, REQUIREMENTS)]
        written[:] = [Shard(folder / name, tuple(held)) for name, held in write_shards(pieces, folder / "a")]

    def read(_folder: Path, shuffled: bool) -> Iterator[Sample]:
        stored = StoredWindows([written], REQUIREMENTS)
        order = stored.shuffled(np.random.default_rng(0)) if shuffled else np.arange(len(stored))
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            yield vars(stored.select(order[begin : begin + BATCH]))

    return Format("ours", write, read)


def npy(data: TrainingSet) -> Format:
    def write(folder: Path) -> None:
        for name in NAMES:
            np.save(folder / f"{name}.npy", getattr(data, name))

    def read(folder: Path, shuffled: bool) -> Iterator[Sample]:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
        order = order_of(len(data), shuffled)
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            yield {name: np.array(values[order[begin : begin + BATCH]]) for name, values in arrays.items()}

    return Format(".npy, one file for each array", write, read)


def webdataset(data: TrainingSet) -> Format:
    import webdataset as wds

    def write(folder: Path) -> None:
        with wds.ShardWriter(str(folder / "%04d.tar"), maxsize=64e6, verbose=0) as sink:
            for row in range(len(data)):
                sink.write({"__key__": f"{row:08d}", "pickle": pickle.dumps(sample_of(data, row), protocol=5)})

    def read(folder: Path, shuffled: bool) -> Iterator[Sample]:
        urls = [str(path) for path in sorted(folder.glob("*.tar"))]
        samples = wds.WebDataset(urls, shardshuffle=len(urls) if shuffled else False, empty_check=False)
        if shuffled:
            samples = samples.shuffle(BLOCK_WINDOWS // 4, initial=BLOCK_WINDOWS // 4)
        yield from collated(pickle.loads(sample["pickle"]) for sample in samples)

    return Format("webdataset, tar", write, read)


def litdata(data: TrainingSet, compression: str | None) -> Format:
    def write(folder: Path) -> None:
        from litdata.streaming.cache import Cache

        cache = Cache(str(folder), chunk_bytes=64_000_000, compression=compression)
        for row in range(len(data)):
            cache[row] = sample_of(data, row)
        cache.done()
        cache.merge()

    def read(folder: Path, shuffled: bool) -> Iterator[Sample]:
        from litdata import StreamingDataset

        yield from collated(StreamingDataset(str(folder), shuffle=shuffled, seed=0))

    return Format(f"litdata{', ' + compression if compression else ''}", write, read)


def measured(chosen: Format, out: Path, windows: int) -> dict[str, Any]:
    folder = out / chosen.name.split(",")[0].replace(".", "").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begin = processor_s()
    chosen.write(folder)
    row: dict[str, Any] = {"format": chosen.name, "write_per_s": windows / (processor_s() - begin)}
    row["bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for name, shuffled in (("in_order", False), ("shuffled", True)):
        begin, count, wall = processor_s(), 0, time.perf_counter()
        for batch in chosen.read(folder, shuffled):
            count += len(batch["observed"])
        assert count > windows - BATCH
        row[f"{name}_per_s"] = count / (processor_s() - begin)
        row[f"{name}_wall_s"] = time.perf_counter() - wall
    shutil.rmtree(folder)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    files = sorted(chosen.tables.glob("*.parquet"))[: chosen.scenes]
    parts = [scene_windows(SOURCE, file, None, KNOTS_S, REQUIREMENTS) for file in files]
    data = joined([part.data for part in parts if part is not None])
    print(f"{len(files)} scenes, {len(data)} windows")
    makers = (partial(ours, files), *(partial(of, data) for of in (npy, webdataset)))
    for make in (*makers, partial(litdata, data, None), partial(litdata, data, "zstd")):
        try:
            row = measured(make(), chosen.out, len(data))
        except ImportError as error:
            print(f"left out: {error}")
            continue
        row["kB_per_scenario"] = row["bytes"] / len(files) / 1000
        print({key: round(value) if isinstance(value, float) else value for key, value in row.items()}, flush=True)


if __name__ == "__main__":
    main()
