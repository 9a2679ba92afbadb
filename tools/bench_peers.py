"""Prepare the same real recordings with trajdata and with trajnet, and read samples of them, in one run.

    python tools/bench_peers.py --peers PEERS_PYTHON --data DATA --out out/peers

PEERS_PYTHON has trajdata (tools/peers-requirements.txt); DATA holds eth_ucy/raw/all_data. Every step is a process of
its own, and the two take turns. Processor time and peak memory are those of the process and its children, with the
start of Python and of its libraries in them; the step ``start`` is that alone, and ``open`` is what reading begins
with: what was prepared is found again. Prints tables in Markdown and writes all
figures as JSON.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trajnet.timing.hardware import describe_hardware

ROOT = Path(__file__).resolve().parents[1]
#: trajdata's parts of ETH/UCY that have every recording once: seven cut into two, one whole.
PARTS = [f"eupeds_eth-{part}" for part in ("train_loo", "val_loo", "test_loo")]
#: Seconds seen at most and predicted, and the step; neighbours of a sample. The same for both.
HISTORY_S, FUTURE_S, STEP_S, NEIGHBOURS = 2.8, 4.8, 0.4, 8
#: How many random samples are read, in batches of so many.
SAMPLES, BATCH = 512, 64

_TRAJDATA = f"""
import sys
import numpy as np
from trajdata import UnifiedDataset
data = UnifiedDataset(
    desired_data={PARTS!r}, data_dirs={{"eupeds_eth": sys.argv[1]}}, cache_location=sys.argv[2], save_index=True,
    history_sec=({STEP_S}, {HISTORY_S}), future_sec=({FUTURE_S}, {FUTURE_S}), max_neighbor_num={NEIGHBOURS},
    num_workers=0, verbose=False,
)
"""
_TRAJNET = f"""
import sys
from pathlib import Path
import numpy as np
from trajnet.cli.conversion import Conversion, convert_one
from trajnet.context.surroundings import InputRequirements
from trajnet.training.config import SourceConfig
from trajnet.training.window_store import stored_windows
raw, folder = map(Path, sys.argv[1:3])
if not (folder / "tables").exists():
    (folder / "tables").mkdir()
    for file in sorted(raw.glob("*.txt")):
        table = folder / "tables" / (file.stem + ".parquet")
        came = convert_one(Conversion(file, table, "eth_ucy", False, None, None, False, True))
        assert came.error is None, came.error
source = SourceConfig(
    kind="scenes", path="tables", history_s={HISTORY_S}, rate_hz=2.5, stride=1, min_future_s={FUTURE_S},
)
knots_s = {STEP_S} * np.arange(1.0, {round(FUTURE_S / STEP_S) + 1})
data = stored_windows([source], [folder], knots_s, InputRequirements(None, {NEIGHBOURS}), folder / "windows")
"""
_READ = f"""
order = np.random.default_rng(0).integers(0, len(data), ({SAMPLES // BATCH}, {BATCH}))
"""
#: Tool -> step -> program. What a program prints last is a count.
STEPS = {
    "trajdata": {
        "start": "import trajdata; print(0)",
        "prepare": f"{_TRAJDATA}print(len(data))",
        "open": f"{_TRAJDATA}print(len(data))",
        "read": f"{_TRAJDATA}{_READ}collate = data.get_collate_fn()\n"
        f"for rows in order:\n    collate([data[int(i)] for i in rows])\nprint({SAMPLES})",
    },
    "trajnet": {
        "start": "import trajnet.training.window_store, trajnet.cli.conversion, pyarrow.parquet; print(0)",
        "prepare": f"{_TRAJNET}print(len(data))",
        "open": f"{_TRAJNET}print(len(data))",
        "read": f"{_TRAJNET}{_READ}for rows in order:\n    data.select(rows)\nprint({SAMPLES})",
    },
}
COLUMNS = ("count", "wall_s", "core_s", "peak_MB", "bytes")


def run(python: str, program: str, raw: Path, folder: Path) -> dict[str, float]:
    """Run a program in a fresh process; return its count, wall and processor seconds, peak memory and bytes on disk."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        command = [python, "-c", program, str(raw), str(folder)]
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=errors)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors.seek(0)
        if child.returncode:
            raise SystemExit(f"{python}: exit status {child.returncode}: {errors.read().decode()[-2000:]}")
        count = int(said.read().split()[-1])
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return {
        "count": count,
        "wall_s": wall_s,
        "core_s": used.ru_utime + used.ru_stime,
        "peak_MB": used.ru_maxrss / 1024,
        "bytes": sum(sizes),
        "files": len(sizes),
    }


def measure(
    pythons: dict[str, str], raw: Path, out: Path, repeats: int
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return tool -> step -> a figure of each repeat. What was prepared is made anew each time."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        tool: {step: [] for step in steps} for tool, steps in STEPS.items()
    }
    for _ in range(repeats):
        for tool, steps in STEPS.items():
            folder = out / tool
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for step, program in steps.items():
                figure = run(pythons[tool], program, raw, folder)
                found[tool][step].append(figure)
                print(tool, step, json.dumps({k: round(v, 2) for k, v in figure.items()}), file=sys.stderr, flush=True)
    return found


def table(found: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """Return the medians as Markdown, with the range of the processor time."""
    lines = ["| tool | step | samples | wall s | core s | peak MB | bytes |", "|---|---|---|---|---|---|---|"]
    for tool, steps in found.items():
        for step, figures in steps.items():
            count, wall_s, core_s, peak, size = (statistics.median(f[name] for f in figures) for name in COLUMNS)
            cores = [f["core_s"] for f in figures]
            cells = f"{wall_s:.1f} | {core_s:.2f} ({min(cores):.2f} to {max(cores):.2f}) | {peak:.0f} | {size:,.0f}"
            lines.append(f"| {tool} | {step} | {count:,.0f} | {cells} |")
    return "\n".join(lines)


def versions(python: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of distributions that a Python has."""
    program = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    said = subprocess.run([python, "-c", program, *names], check=True, capture_output=True, text=True).stdout
    return {str(name): str(version) for name, version in json.loads(said).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="a Python that has trajdata")
    parser.add_argument("--data", type=Path, required=True, help="folder with eth_ucy/raw/all_data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    raw = (chosen.data / "eth_ucy" / "raw" / "all_data").resolve()
    files = sorted(raw.glob("*.txt"))
    if len(files) != 8:
        raise SystemExit(f"{raw}: expected the eight recordings of ETH/UCY, found {len(files)}")
    out = chosen.out.resolve()
    load = os.getloadavg()
    found = measure({"trajdata": chosen.peers, "trajnet": sys.executable}, raw, out, chosen.repeats)
    report = {
        "hardware": describe_hardware(),
        "python": platform.python_version(),
        "versions": {
            "trajdata": versions(chosen.peers, ("trajdata", "numpy", "pandas", "pyarrow", "torch")),
            "trajnet": {name: importlib.metadata.version(name) for name in ("numpy", "pyarrow", "torch")},
        },
        "load": {"before": load, "after": os.getloadavg()},
        "recordings": {file.name: file.stat().st_size for file in files},
        "found": found,
    }
    (out / "peers.json").write_text(json.dumps(report, indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
