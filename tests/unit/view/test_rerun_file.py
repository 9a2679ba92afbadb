"""The recording for rerun, read back with rerun's own program."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene
from trajnet.cli.main import build, missing
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.types import Scene
from trajnet.view import write_rerun

ROOT = Path(__file__).resolve().parents[3]

pytest.importorskip("rerun", reason="rerun-sdk is not installed")


def rerun(*arguments: str) -> str:
    """Run rerun's program and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "rerun", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = crossing_scene(0.4)
    return replace(made, track_id=("ego", *made.track_id[1:]))


@pytest.fixture(scope="module")
def recording(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rerun") / "scene.rrd"
    assert write_rerun(path, scene, Fan(np.arange(1.0, 7.0) * 0.5)) == scene.frame_count
    return path


def test_rerun_verifies_the_recording(recording: Path) -> None:
    assert "verified without error" in rerun("rrd", "verify", str(recording))


def test_it_has_map_boxes_histories_paths_by_rank_and_ego_on_the_time_of_the_scene(recording: Path) -> None:
    stats = rerun("rrd", "stats", str(recording))
    entities = set(re.findall(r"^(/\S+): \d+", stats, re.M))
    drawn = {f"/world/{name}" for name in ("map", "objects", "ego", "history", "paths/0", "paths/1", "paths/2")}
    assert drawn <= entities
    assert "scene_time" in stats


def test_its_content_is_that_of_the_scene(recording: Path, scene: Scene) -> None:
    printed = rerun("rrd", "print", "-vvv", str(recording))
    assert printed.count("ego car 7.0 m/s 60%") == scene.frame_count
    assert "crossing fan" in printed


class Notes:
    """A recording that keeps what is logged: (nanoseconds, entity, what is drawn)."""

    made: ClassVar[list[Notes]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        self.time_ns, self.logged = -1, list[tuple[int, str, Any]]()
        self.made.append(self)

    def memory_recording(self) -> Notes:
        return self

    def drain_as_bytes(self) -> bytes:
        return b"notes"

    def set_time(self, timeline: str, *, duration: np.timedelta64) -> None:
        assert timeline == "scene_time"
        self.time_ns = int(duration.astype("timedelta64[ns]").astype(np.int64))

    def log(self, entity: str, drawn: Any, **_: Any) -> None:
        self.logged.append((self.time_ns, entity, drawn))


def test_everything_is_drawn_around_the_origin_at_the_time_since_the_first_frame(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinates of the scene are of a projected map, far beyond what 32 bit tell apart, and its clock is old."""
    monkeypatch.setattr("rerun.RecordingStream", Notes)
    later = replace(scene, timestamp_ns=scene.timestamp_ns + 10**15)
    write_rerun(tmp_path / "scene.rrd", later, Fan(np.arange(1.0, 7.0) * 0.5))
    logged = Notes.made[-1].logged
    assert sorted({time_ns for time_ns, *_ in logged}) == [-1, *(scene.timestamp_ns - scene.timestamp_ns[0]).tolist()]
    for name, field in (("history", "strips"), ("paths/0", "strips"), ("objects", "centers"), ("map", "strips")):
        numbers = np.concatenate(
            [flat(getattr(drawn, field).as_arrow_array()) for _, entity, drawn in logged if entity == f"world/{name}"]
        )
        assert len(numbers) > 10
        assert np.abs(numbers).max() < 200.0


def flat(values: Any) -> np.ndarray:
    """Return the numbers of nested lists."""
    while isinstance(values, pa.ListArray | pa.FixedSizeListArray):
        values = values.flatten()
    return np.asarray(values)


def test_unlikely_paths_are_left_out_but_the_likeliest(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rerun.RecordingStream", Notes)
    monkeypatch.setattr("trajnet.view.rerun_file.LEAST_PROBABILITY", 0.7)
    write_rerun(tmp_path / "scene.rrd", scene, Fan(np.arange(1.0, 7.0) * 0.5))
    drawn = {
        rank: [
            len(d.strips.as_arrow_array()) for _, entity, d in Notes.made[-1].logged if entity == f"world/paths/{rank}"
        ]
        for rank in (0, 1)
    }
    assert min(drawn[0]) > 0
    assert set(drawn[1]) == {0}


def test_the_command_writes_a_file_or_asks_for_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    write_scene(crossing_scene(1.0), tmp_path / "scene.parquet")
    base = ["view", str(tmp_path / "scene.parquet"), "--model", "cv"]
    result = CliRunner().invoke(build(), [*base, "--save", str(tmp_path / "scene.rrd")])
    assert result.exit_code == 0, result.output
    assert "scene.rrd: 11 frames" in result.output
    refused = CliRunner().invoke(build(), base)
    assert isinstance(refused.exception, InputError)
    assert "expected a screen for rerun's viewer, got none; --save FILE.rrd" in str(refused.exception)


def test_a_disk_that_is_full_is_an_error_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    """A largest size of files stands in for the disk."""
    write_scene(crossing_scene(0.4), tmp_path / "scene.parquet")
    program = (
        "import resource, sys; from trajnet.cli.main import main; limit = int(sys.argv.pop(1));"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); main()"
    )
    words = ["view", str(tmp_path / "scene.parquet"), "--model", "cv", "--save", str(tmp_path / "scene.rrd")]
    done = subprocess.run(
        [sys.executable, "-c", program, "100", *words],
        capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "scene.rrd: cannot be written" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["scene.parquet"]


def test_without_rerun_the_extra_is_named() -> None:
    said = missing(ModuleNotFoundError("no", name="rerun"))
    assert said is not None
    assert "trajnet-av[view]" in str(said)
