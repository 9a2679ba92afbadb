"""An evaluation that was interrupted goes on from its file, to the same report."""

from __future__ import annotations

import os
import pickle
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.unit.evaluate import test_womd
from tests.unit.evaluate.test_evaluate import scene_of, straight, wavy
from trajnet.cli.main import build
from trajnet.errors import InputError
from trajnet.evaluate import evaluate, kept_work, open_dataset, runner
from trajnet.evaluate.kept_work import KeptWork
from trajnet.evaluate.mined import WorstKeeper
from trajnet.evaluate.tally import JointErrors
from trajnet.evaluate.womd import WomdFigures
from trajnet.scenes import write_scene

MODELS = ["cv", "kalman"]
HORIZON_S = 3.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four scenes, in a folder of their own."""
    for number in range(4):
        tracks = {"car": straight(range(45), 10.0 + number), "walker": wavy(range(45), 5)}
        write_scene(scene_of(tracks, scene_id=f"s{number}"), tmp_path / "scenes" / f"s{number}.parquet")
    return tmp_path / "scenes"


class Stop(Exception):
    """What interrupts the evaluation."""


def stop_after(units: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == units:
            raise Stop

    return progress


def scored(folder: Path, **options: Any) -> dict[str, Any]:
    return evaluate("scenes", folder, None, MODELS, **{"horizon_s": HORIZON_S, "baselines": False, **options})


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scenes that were played, in order."""
    found: list[str] = []
    run_unit = runner.run_unit

    def noted(unit: Any, *arguments: Any, **options: Any) -> Any:
        found.append(unit.path.stem)
        return run_unit(unit, *arguments, **options)

    monkeypatch.setattr(runner, "run_unit", noted)
    return found


@pytest.mark.parametrize("units", [1, 3, 4, 6])
def test_it_goes_on_where_it_was_interrupted(folder: Path, tmp_path: Path, played: list[str], units: int) -> None:
    whole, work = scored(folder), tmp_path / "work"
    assert played == 2 * ["s0", "s1", "s2", "s3"]
    with pytest.raises(Stop):
        scored(folder, resume=work, progress=stop_after(units))
    played.clear()
    told: list[tuple[int, int]] = []
    assert scored(folder, resume=work, progress=lambda *one: told.append(one)) == whole
    assert played == (2 * ["s0", "s1", "s2", "s3"])[units:]
    assert told == [(done, 8) for done in range(units + 1, 9)]


def test_losses_go_on_too(folder: Path, tmp_path: Path, played: list[str]) -> None:
    options = {"drops": [0.0, 0.2], "stride": 10, "horizon_s": 2.0}
    whole, work = scored(folder, **options), tmp_path / "work"
    units = len(played)
    assert units > 16
    with pytest.raises(Stop):
        scored(folder, resume=work, progress=stop_after(units - 1), **options)
    played.clear()
    assert scored(folder, resume=work, **options) == whole
    assert len(played) == 1
    assert scored(folder, resume=work, **options) == whole
    assert len(played) == 1  # finished: nothing is played again


KILLED = """
import os, signal, sys
from pathlib import Path
from trajnet.evaluate import evaluate, kept_work
kept_work.KeptWork.__init__.__kwdefaults__["every_s"] = 0.0
def progress(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)
folder, work = map(Path, sys.argv[1:])
evaluate("scenes", folder, None, ["cv", "kalman"], horizon_s=3.0, baselines=False, resume=work, progress=progress)
"""


def test_a_kill_loses_what_was_not_written_yet_and_no_more(folder: Path, tmp_path: Path, played: list[str]) -> None:
    work = tmp_path / "work"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(work)], check=False)
    assert ended.returncode == -signal.SIGKILL
    found = scored(folder, resume=work)
    assert 0 < len(played) <= 8 - 4
    assert found == scored(folder)


def test_a_unit_that_was_interrupted_halfway_is_not_written(tmp_path: Path) -> None:
    work = KeptWork(tmp_path / "work", "a")

    def add(*, interrupted: bool) -> None:
        with work.adding():
            work.of("cv").units += 1
            if interrupted:
                raise Stop
        work.write()

    add(interrupted=False)
    with pytest.raises(Stop):
        add(interrupted=True)
    work.write()
    assert KeptWork(tmp_path / "work", "a").of("cv").units == 1


def test_it_is_written_when_it_is_due(tmp_path: Path) -> None:
    for every_s, written in ((0.0, True), (1e9, False)):
        work = KeptWork(tmp_path / "work", "a", every_s=every_s)
        with work.adding():
            pass
        assert (tmp_path / "work").exists() == written
        (tmp_path / "work").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "other", [{"stride": 2}, {"horizon_s": 2.0}, {"drops": [0.5]}, {"self_judging": False}, {"baselines": True}]
)
def test_another_evaluation_is_refused(folder: Path, tmp_path: Path, other: dict[str, Any]) -> None:
    scored(folder, resume=tmp_path / "work")
    with pytest.raises(InputError, match="expected the work of this evaluation, got that of one with other files"):
        scored(folder, resume=tmp_path / "work", **other)


def test_another_recording_is_refused(folder: Path, tmp_path: Path) -> None:
    scored(folder, resume=tmp_path / "work")
    write_scene(scene_of({"car": straight(range(45), 3.0)}, scene_id="s3"), folder / "s3.parquet")
    with pytest.raises(InputError, match="remove it to begin anew"):
        scored(folder, resume=tmp_path / "work")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"trajnet_evaluate": 1}\n'])
def test_another_file_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "work").write_bytes(content)
    with pytest.raises(InputError, match=r"resume .*work: expected a file that trajnet evaluate --resume wrote"):
        scored(folder, resume=tmp_path / "work")
    assert (tmp_path / "work").read_bytes() == content


def test_a_damaged_file_is_refused_and_runs_nothing(folder: Path, tmp_path: Path) -> None:
    scored(folder, resume=tmp_path / "work")
    whole = (tmp_path / "work").read_bytes()
    header = whole.partition(b"\n")[0] + b"\n"

    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    harm = pickle.dumps(Harm())
    hidden = b"\x80\x04ctrajnet.evaluate.kept_work\npickle.loads\nB" + struct.pack("<I", len(harm)) + harm + b"\x85R."
    for content in (whole[:-100], header, header + harm, header + hidden):
        (tmp_path / "work").write_bytes(content)
        with pytest.raises(InputError, match="its content is damaged"):
            scored(folder, resume=tmp_path / "work")
    assert not (tmp_path / "harm").exists()


def test_joint_errors_are_kept(tmp_path: Path) -> None:
    zeros = np.zeros((1, 2))
    errors = JointErrors(np.array(["s"]), np.array([3]), np.array([1], np.int8), np.array(["g"]), zeros, zeros + 1.0)
    work = KeptWork(tmp_path / "work", "a")
    with work.adding():
        work.beside = errors
    work.write()
    again = KeptWork(tmp_path / "work", "a").beside
    assert again.scene_id.tolist() == ["s"]
    assert again.final_m.tolist() == [[1.0, 1.0]]


def test_files_that_begin_anew_are_refused_with_it(folder: Path, tmp_path: Path) -> None:
    for other in ({"save": tmp_path / "paths.parquet"}, {"sink": WorstKeeper(3)}):
        with pytest.raises(InputError, match="resume: expected no save, objects or worst"):
            scored(folder, resume=tmp_path / "work", **other)
    command = ["evaluate", "--dataset", "bag", "--data", str(folder), "--resume", str(tmp_path / "work")]
    result = CliRunner().invoke(build(), command)
    assert re.search("resume: expected none with dataset bag", result.output + str(result.exception))


def test_figures_of_a_benchmark_of_its_own_are_kept_beside(tmp_path: Path) -> None:
    files = [test_womd.table(tmp_path)]
    figures, work = WomdFigures(files), KeptWork(tmp_path / "work", "a")
    work.beside = figures.objects
    with work.adding():
        figures.add("x", test_womd.saved([test_womd.TRUTH_M], [1.0]))
    work.write()
    again = WomdFigures(files, KeptWork(tmp_path / "work", "a").beside)
    assert again.summary("x") == figures.summary("x")
    assert again.summary("x")["objects"] == 1


def test_the_command_takes_it(folder: Path, tmp_path: Path) -> None:
    command = ["evaluate", "--dataset", "scenes", "--data", str(folder), "--model", "cv", "--jobs", "1"]
    command += ["--horizon", "3", "--resume", str(tmp_path / "work")]
    for _ in range(2):
        result = CliRunner().invoke(build(), command)
        assert result.exit_code == 0, result.output
    assert kept_work.KeptWork.__init__.__kwdefaults__ == {"every_s": kept_work.EVERY_S}


INTERRUPTED = """
import sys
from trajnet.evaluate import runner
from trajnet.cli.main import main
run_unit, played = runner.run_unit, []
def stops(unit, *arguments, **options):
    played.append(unit)
    if len(played) == 3:
        raise KeyboardInterrupt
    return run_unit(unit, *arguments, **options)
runner.run_unit = stops
main()
"""


def test_an_interrupted_command_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    command = ["evaluate", "--dataset", "scenes", "--data", str(folder), "--model", "cv", "--jobs", "1"]
    command += ["--horizon", "3", "--no-baselines"]
    for resume, words in (
        (["--resume", str(tmp_path / "work")], f"{tmp_path / 'work'} has what is finished; run the same command again"),
        ([], "--resume FILE keeps what is finished"),
    ):
        ended = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, *command, *resume], check=False, capture_output=True, text=True
        )
        assert ended.returncode == 130, ended.stderr
        assert words in " ".join(ended.stderr.split())


def test_files_beside_the_scenes_and_the_weights_are_part_of_what_it_is_of(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, model = tmp_path / "map.osm", tmp_path / "model.onnx"
    monkeypatch.setattr(kept_work, "companions_of", lambda _file: [beside])
    opened = open_dataset("scenes", folder, None, horizon_s=HORIZON_S)
    found = set()
    for map_text, weights in (("a", "1"), ("other", "1"), ("a", "2")):
        beside.write_text(map_text)
        model.write_text(weights)
        for file in (beside, model):
            os.utime(file, (1e9, 1e9))
        found.add(kept_work.identity_of(opened, [str(model)], ()))
    assert len(found) == 3
