"""Kill commands that write, as kill -9 does, at seeded moments; what a program can read must be whole, and the same
command again must end with what an unbroken one gives.

    python -m tests.kill_nine --kills 40           # of each command: 20 by the clock, 20 by the count of Python calls
    python -m tests.kill_nine train export --kills 4

The suite kills each a few times by the count of calls, which does not depend on the machine
(tests/integration/test_kill_nine.py).
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tiny_training import ROOT, tiny_config, train_arguments

SCENE = ROOT / "sim/scenes/crossing_small.parquet"
#: Python files whose calls are counted: those that write, here and in the libraries that write for us.
WRITING = (
    "trajnet/whole_file.py", "trajnet/shards/build.py", "trajnet/shards/store.py", "trajnet/shards/pieces.py",
    "trajnet/training/finish.py", "trajnet/export/graph.py",
    "trajnet/ros/bag_export.py", "trajnet/scenes/table.py", "trajnet/evaluate/path_writer.py",
    "rosbag2/writer.py", "rosbag2/storage_mcap.py", "rosbag2/storage_sqlite3.py",
    "lightning/pytorch/callbacks/model_checkpoint.py", "torch/serialization.py", "numpy/lib/_npyio_impl.py",
)  # fmt: skip

#: Runs Python arguments and kills its own process at the n-th counted call; writes the number of calls otherwise.
DRIVER = f"""
import os, runpy, signal, sys
last, calls, told, words = int(sys.argv[1]), 0, sys.argv[2], sys.argv[3:]
known = {{}}
def count(frame, event, _):
    global calls
    if event == "call":
        name = frame.f_code.co_filename
        if name not in known:
            known[name] = name.endswith({WRITING!r})
        if known[name]:
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
try:
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *words[2:]]
        exec(words[1])
finally:
    sys.setprofile(None)
    open(told, "w").write(str(calls))
"""

CACHE = """
import sys
from pathlib import Path
from trajnet.config import load_yaml
from trajnet.training.config import TrainConfig
from trajnet.training.window_store import stored_windows
import numpy as np
config = load_yaml(TrainConfig, Path(sys.argv[1]))
time_s = np.array(config.model.time_s)
stored_windows(config.train, [Path(sys.argv[2])], time_s, config.model.requirements, Path(sys.argv[3]))
"""


@dataclass(frozen=True)
class Command:
    """words: Python's arguments for an empty folder to write into. read: what a program finds there."""

    words: Callable[[Path], list[str]]
    read: Callable[[Path], dict[str, Any]]


def visible(out: Path) -> list[Path]:
    """Return the files below a folder that are not hidden, nor in a hidden folder."""
    files = (f for f in out.rglob("*") if f.is_file() and not any(p.startswith(".") for p in f.relative_to(out).parts))
    return sorted(files)


def file_bytes(out: Path) -> dict[str, Any]:
    return {str(f.relative_to(out)): f.read_bytes() for f in visible(out)}


def weights(out: Path) -> dict[str, Any]:
    """Return the weights of the run if it is at its end; a checkpoint before that must be readable."""
    from trajnet.training.checkpoint import read_checkpoint

    path = out / "last.ckpt"
    if not path.is_file():
        return {}
    stored = read_checkpoint(path)
    if stored["trajnet"]["epochs_done"] < EPOCHS or float(stored["state_dict"]["model.spread"].std()) == 0.0:
        return {}  # not yet calibrated
    return {name: value.numpy().tobytes() for name, value in stored["state_dict"].items()}


EPOCHS = 3


def commands(folder: Path) -> dict[str, Command]:
    """Return the commands that are killed; what they need is made in the folder on first use."""
    config = tiny_config(folder, epochs=EPOCHS, batch=64)

    def checkpoint() -> Path:
        if not (folder / "trained/last.ckpt").is_file():
            process(train_arguments(config, folder / "trained"), check=True)
        return folder / "trained/last.ckpt"

    def recorded() -> Path:
        if not (folder / "recorded.mcap").is_file():
            words = ["-m", "trajnet", "bag", "export", str(SCENE), "--out", str(folder / "recorded.mcap")]
            process(words, check=True)
        return folder / "recorded.mcap"

    def saved(out: Path) -> list[str]:
        words = ["-m", "trajnet", "evaluate", "--dataset", "scenes", "--data", str(SCENE), "--stride", "20"]
        return [*words, "--save", str(out / "paths.parquet"), "--json", str(out / "report.json")]

    def bag(name: str) -> Callable[[Path], list[str]]:
        return lambda out: ["-m", "trajnet", "bag", "export", str(SCENE), "--model", "cv", "--out", str(out / name)]

    return {
        "train": Command(lambda out: train_arguments(config, out), weights),
        "export": Command(
            lambda out: ["-m", "trajnet", "export", str(checkpoint()), "--out", str(out / "tiny.onnx")], file_bytes
        ),
        "cache": Command(lambda out: ["-c", CACHE, str(config), str(ROOT / "sim"), str(out)], file_bytes),
        "convert": Command(
            lambda out: ["-m", "trajnet", "convert", str(SCENE), str(out / "scene.parquet")], file_bytes
        ),
        "import": Command(
            lambda out: ["-m", "trajnet", "bag", "import", str(recorded()), "--out", str(out / "scene.parquet")],
            file_bytes,
        ),
        "save": Command(saved, file_bytes),
        "bag-mcap": Command(bag("bag.mcap"), file_bytes),
        "bag-db3": Command(bag("bag.db3"), file_bytes),
        "bag-folder": Command(bag("bag"), file_bytes),
    }


def process(words: list[str], *, check: bool = False, kill_after_s: float | None = None) -> int:
    """Run Python with these arguments, killed after a time if one is given; return the exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, told = running.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        running.kill()
        _, told = running.communicate()
    if check and running.returncode:
        raise RuntimeError(f"exit code {running.returncode}: {told.decode()}")
    return running.returncode


def kill_and_run_again(
    name: str, command: Command, folder: Path, *, kills: int, seed: int, by_clock: bool = False
) -> list[str]:
    """Kill a command at seeded moments; return a sentence for everything that then was not as it must be."""
    whole, counted = folder / f"{name}-whole", folder / "calls"
    whole.mkdir()
    began_s = time.monotonic()
    driven = ["-c", DRIVER, "0", str(counted)]
    process(command.words(whole) if by_clock else [*driven, *command.words(whole)], check=True)
    took_s = time.monotonic() - began_s
    expected, moments, wrong = command.read(whole), random.Random(seed), list[str]()
    assert expected, f"{name}: nothing written"
    calls = 0 if by_clock else int(counted.read_text())
    for number in range(kills):
        out = folder / f"{name}-{by_clock}-{number}"
        out.mkdir()
        if by_clock:
            at = f"{(after_s := moments.uniform(0.2, 1.0) * took_s):.2f} s"
            code = process(command.words(out), kill_after_s=after_s)
        else:
            last = moments.randint(1, calls)
            at = f"call {last} of {calls}"
            code = process(["-c", DRIVER, str(last), str(counted), *command.words(out)])
            wrong += [] if code == -9 else [f"{name}: {at}: expected a kill, got exit code {code}"]
        for file, content in command.read(out).items():
            wrong += [] if content == expected.get(file) else [f"{name}: killed at {at}: {file} is not whole"]
        complete = command.read(out) == expected
        code = process(command.words(out))
        if code and not complete:  # a bag that is there already is not written again
            wrong.append(f"{name}: killed at {at}: the same command again ended with exit code {code}")
        if command.read(out) != expected:
            wrong.append(f"{name}: killed at {at}: the same command again gave another result")
        wrong += [f"{name}: killed at {at}: {left.name} is left" for left in out.rglob(".*.part*")]
    return wrong


def main() -> int:
    """Kill every command, or those named; print what was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        known = commands(folder)
        for name in options.names or known:
            found = []
            for by_clock in (False, True):
                inside = folder / f"{name}-{by_clock}"
                inside.mkdir()
                found += kill_and_run_again(
                    name, known[name], inside, kills=options.kills // 2, seed=options.seed, by_clock=by_clock
                )
            print(f"{name}: {options.kills // 2 * 2} kills, {len(found)} wrong", *found, sep="\n  ", flush=True)
            wrong += found
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
