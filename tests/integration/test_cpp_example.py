"""The C++ program of examples/cpp predicts what Python predicts."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trajnet import Scene, load_model, load_scene
from trajnet.models import model_named
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import CLASS_NAMES, TrackFrame

#: As the program's: no hand-over of ids, no restarts and no filter, which need more than the network.
POLICY = TrackPolicy(
    handover=False, restart_leaps=False, filter_positions=False, doubt_velocities=False, doubt_headings=False
)
HEADER = "timestamp_ns,track_id,object_class,position_x,position_y,heading,velocity_x,velocity_y,length,width"
HEADERS = (".onnxruntime-headers", "/usr/include/onnxruntime", "/usr/local/include/onnxruntime")


@pytest.fixture(scope="module")
def program(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++: install it to compile examples/cpp")
    stated = os.environ.get("ONNXRUNTIME_HEADERS")
    places = [Path(stated)] if stated else [root / place for place in HEADERS]
    headers = next((place for place in places if (place / "onnxruntime_cxx_api.h").is_file()), None)
    if headers is None:
        pytest.skip("no headers of ONNX Runtime: python tools/onnxruntime_headers.py .onnxruntime-headers")
    import onnxruntime

    folder = tmp_path_factory.mktemp("cpp")
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    (folder / "libonnxruntime.so.1").symlink_to(library)
    source, target = root / "examples" / "cpp" / "predict.cpp", folder / "predict"
    command = [compiler, "-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", str(source), "-isystem", str(headers)]
    command += [f"-L{folder}", "-l:libonnxruntime.so.1", f"-Wl,-rpath,{folder}", "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run(program: Path, model: str, table: Path) -> subprocess.CompletedProcess[str]:
    file = model_named(model)
    assert file is not None
    return subprocess.run([str(program), str(file), str(table)], capture_output=True, text=True, check=False)


def write_csv(frames: list[TrackFrame], path: Path) -> None:
    lines = [HEADER]
    for frame in frames:
        for i, track_id in enumerate(frame.track_id):
            velocity = frame.velocity_mps[i].tolist() if frame.velocity_valid[i] else ["", ""]
            numbers = [*frame.position_m[i].tolist(), float(frame.yaw_rad[i]), *velocity, *frame.size_m[i].tolist()]
            name = CLASS_NAMES[frame.object_class[i]]
            lines.append(",".join(map(str, [frame.timestamp_ns, track_id, name, *numbers])))
    path.write_text("\n".join(lines) + "\n")


def some_frames(scene: Scene, count: int) -> list[TrackFrame]:
    """Frames of a scene, moved far from the origin, with gaps of objects and of velocities."""
    frames = []
    for index, frame in zip(range(count), scene.frames(), strict=False):
        rows = np.array([i for i in range(len(frame)) if (index + i) % 7 != 3 or index < 2])
        kept = frame.select(rows)
        measured = np.array([(index // 4 + i) % 5 != 0 for i in range(len(rows))])
        frames.append(
            TrackFrame(
                kept.timestamp_ns, kept.track_id, kept.object_class, kept.position_m + [300_000.0, 5_600_000.0],
                kept.yaw_rad, kept.yaw_valid, kept.velocity_mps, kept.velocity_valid & measured, kept.size_m,
            )
        )  # fmt: skip
    return frames


@pytest.mark.parametrize("model", ["urban", "nuscenes"])
def test_it_predicts_what_python_predicts(program: Path, model: str, root: Path, tmp_path: Path) -> None:
    frames = some_frames(load_scene(root / "sim" / "scenes" / "intersection.parquet"), 40)
    table = tmp_path / "tracks.csv"
    write_csv(frames, table)
    done = run(program, model, table)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))

    predictor, store = load_model(model), TrackStore(POLICY)
    read = 0
    for frame in frames:
        _, observations = store.update(frame, frame.timestamp_ns)
        assert observations is not None
        seen = observations.make_surroundings(predictor.requirements, None)
        expected = predictor.predict(replace(observations, surroundings=seen))
        size = expected.probability.size * len(expected.time_s)
        part, read = rows[read : read + size], read + size
        assert [row["track_id"] for row in part[:: size // len(frame)]] == list(frame.track_id)
        assert {int(row["timestamp_ns"]) for row in part} == {frame.timestamp_ns}

        def column(name: str, part: list[dict[str, str]] = part) -> np.ndarray:
            return np.array([float(row[name]) for row in part])

        shape = (*expected.probability.shape, len(expected.time_s))
        position_m = np.stack([column("x"), column("y")], axis=-1).reshape(*shape, 2)
        np.testing.assert_allclose(position_m, expected.position_m, rtol=0, atol=1e-4)
        np.testing.assert_allclose(np.cos(column("yaw").reshape(shape) - expected.yaw_rad), 1.0, atol=1e-6)
        np.testing.assert_allclose(column("probability").reshape(shape)[..., 0], expected.probability, atol=2e-6)
        variance_m2 = np.stack([column("cov_xx"), column("cov_yy")], axis=-1).reshape(*shape, 2)
        covariance_m2 = expected.covariance_m2[..., [0, 1], [0, 1]]
        np.testing.assert_allclose(variance_m2, covariance_m2, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(column("time_s").reshape(shape)[0, 0], expected.time_s)
    assert read == len(rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,2\n", "expected a column timestamp_ns"),
        (f"{HEADER}\n2,a,car,0,0,0,,,,\n1,a,car,0,0,0,,,,\n", "line 3: expected rows in order of time"),
        (f"{HEADER}\n1,a,tram,0,0,0,,,,\n", "line 2: unknown class tram"),
        (f"{HEADER}\n1,a,car,0,0,,,,,\n", "line 2: expected a value of heading"),
        (f"{HEADER}\n1,a,car,0,0,0,,,,\n1,a,car,0,0,0,,,,\n", "expected each track once in a frame, got a twice"),
    ],
)
def test_it_refuses_what_it_cannot_use(program: Path, text: str, said: str, tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    table.write_text(text)
    done = run(program, "urban", table)
    assert done.returncode == 2
    assert said in done.stderr
