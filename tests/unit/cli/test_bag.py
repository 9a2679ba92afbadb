"""trajnet bag, play and evaluate --dataset bag, as a user calls them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from trajnet.cli.main import main
from trajnet.datasets.files import load_scene
from trajnet.errors import ContractError, InputError
from trajnet.inference import ConstantTurnRate, RecordedPredictor, Stream, load_predictor, save_recorded
from trajnet.scenes import write_scene
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, Prediction, Scene

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags: pip install trajnet-av[ros]")


def scene(frames: int = 60) -> Scene:
    """Two cars at 10 Hz that turn."""
    row_frame, row_track = np.repeat(np.arange(frames), 2), np.tile([0, 1], frames)
    time_s, speed = row_frame * 0.1, np.array([8.0, 3.0])[row_track]
    rate = np.array([0.2, -0.3])[row_track]
    yaw = rate * time_s
    position = (speed / rate)[:, None] * np.stack([np.sin(yaw), 1 - np.cos(yaw)], 1) + 20.0 * row_track[:, None]
    return Scene(
        scene_id="turns", timestamp_ns=1_700_000_000_000_000_000 + np.arange(frames) * 100_000_000,
        frame_number=np.arange(frames), track_id=("0" * 32, "1" * 32), object_class=np.full(2, ObjectClass.CAR),
        size_m=DEFAULT_SIZE_M[[1, 1]], row_frame=row_frame, row_track=row_track, position_m=position, yaw_rad=yaw,
        yaw_valid=np.ones(len(yaw), bool), velocity_mps=speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], 1),
        velocity_valid=np.ones(len(yaw), bool), is_target=np.zeros(len(yaw), bool),
    )  # fmt: skip


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def trajnet(*arguments: str | Path) -> Done:
    """The command in this process: importing everything anew for each call would take most of the time."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["trajnet", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "turns.parquet"
    write_scene(scene(), path)
    return path


def test_export_info_import(table: Path, tmp_path: Path) -> None:
    bag, back = tmp_path / "turns.mcap", tmp_path / "back.parquet"
    done = trajnet("bag", "export", table, "--model", "ctrv", "--out", bag)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{60 * 5} messages" in done.stdout  # /tf with the clouds
    assert trajnet("bag", "info", bag).stdout.count(" 60") == 5
    assert trajnet("bag", "import", bag, "--out", back).returncode == 0
    assert np.allclose(load_scene(back).position_m, scene().position_m)


def test_recorded_predictions_are_scored_next_to_models_on_the_same_objects(table: Path, tmp_path: Path) -> None:
    bag, report = tmp_path / "turns.mcap", tmp_path / "report.json"
    trajnet("bag", "export", table, "--model", "ctrv", "--out", bag)
    done = trajnet(
        "evaluate",
        "--dataset",
        "bag",
        "--data",
        bag,
        "--model",
        "cv",
        "--json",
        report,
        "--jobs",
        "1",
        "--horizon",
        "3",
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(report.read_text())
    assert (told["dataset"], told["data"]) == ("bag", str(bag))
    by_name = {m["model"]: m["per_horizon"]["3"] for m in told["models"]}
    # the bag was recorded from ctrv, so it has to score as ctrv does, and on arcs better than cv
    for metric in ("minADE_1", "minFDE_1"):
        assert by_name["recorded"][metric] == pytest.approx(by_name["ctrv"][metric], abs=1e-6)
        assert by_name["recorded"][metric] < 0.5 * by_name["cv"][metric]
    assert re.search(r"recorded predictions cover (\d+) of \1 objects", " ".join(done.stdout.split()))


def test_a_bag_without_predictions_is_a_scene(table: Path, tmp_path: Path) -> None:
    bag, report = tmp_path / "turns.mcap", tmp_path / "report.json"
    trajnet("bag", "export", table, "--out", bag)
    arguments = ("evaluate", "--dataset", "bag", "--data", bag, "--json", report, "--jobs", "1", "--horizon", "3")
    assert trajnet(*arguments).returncode == 0
    assert "recorded" not in {m["model"] for m in json.loads(report.read_text())["models"]}
    done = trajnet(*arguments, "--predictions-topic", "/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected a topic /x" in done.stderr


def test_replay_takes_a_bag(table: Path, tmp_path: Path) -> None:
    trajnet("bag", "export", table, "--out", tmp_path / "turns")
    done = trajnet("replay", tmp_path / "turns", "--model", "cv", "--rate", "max")
    told = "Replaying turns (60 frames, 5.9 s, 2 tracks) as fast as possible with cv\n"
    assert (done.returncode, done.stderr) == (0, told)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("bag", "import", "missing.mcap", "--out", "x.parquet"), "missing.mcap: no such bag"),
        (("bag", "import", "TABLE", "--out", "x.parquet"), "expected a bag: a folder with metadata.yaml"),
        (("bag", "import", "missing.mcap", "--out", "x.txt"), "out: expected a .parquet file, got x.txt"),
        (("bag", "export", "TABLE", "--out", "TABLE"), "exists already"),
        (("bag", "info", "TABLE"), "expected a bag"),
        (("evaluate", "--dataset", "bag", "--data", "missing.mcap"), "missing.mcap: no such bag"),
        (("evaluate", "--dataset", "scenes", "--data", "TABLE", "--topic", "/x"), "topics are for bag"),
        (("play", "missing.parquet"), "missing.parquet: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    table: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = trajnet(*(str(table) if a == "TABLE" else a for a in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is not None, reason="ROS 2 is here, so play would play")
def test_play_without_ros_says_what_it_needs(table: Path) -> None:
    done = trajnet("play", table)
    assert done.returncode == 2
    assert "play needs ROS 2 with autoware_perception_msgs, and rclpy cannot be imported" in done.stderr


# --- recorded predictions as a predictor


def predictions() -> list[Prediction]:
    stream = Stream(ConstantTurnRate())
    return [stream.update(frame, frame.timestamp_ns) for frame in scene(5).frames()]


def test_a_recorded_predictor_answers_what_was_recorded_and_physics_stands_in(tmp_path: Path) -> None:
    told = predictions()
    told[2] = replace(told[2], track_id=("0" * 32, "f" * 32))  # in frame 2 there is none for the second object
    save_recorded(told, tmp_path / "recorded.npz")
    stream = Stream(load_predictor(tmp_path / "recorded.npz"))
    for index, frame in enumerate(scene(5).frames()):
        got = stream.update(frame, frame.timestamp_ns)
        rows = [0] if index == 2 else [0, 1]
        assert np.array_equal(got.position_m[rows], told[index].position_m[rows])
        got.validate()
    assert (stream.guard.counters.model_rows, stream.guard.counters.physics_rows) == (9, 1)


def test_other_grids_and_numbers_of_modes_are_made_alike(tmp_path: Path) -> None:
    first = predictions()[0]
    short = replace(
        predictions()[1],
        time_s=np.array([1.0, 2.0]),
        **{n: getattr(predictions()[1], n)[:, :, [1, 3]] for n in ("position_m", "yaw_rad", "covariance_m2")},
    )
    save_recorded([first, predictions()[2], short], tmp_path / "recorded.npz")
    predictor = RecordedPredictor(tmp_path / "recorded.npz")
    assert predictor.time_s == pytest.approx(np.arange(1.0, 13.0) * 0.5)
    stream = Stream(predictor)
    frames = list(scene(5).frames())
    got = stream.update(frames[1], frames[1].timestamp_ns)
    at_1, at_2 = short.position_m[0, 0]
    assert got.position_m[0, 0, :4] == pytest.approx(
        np.array([at_1 - 0.5 * (at_2 - at_1), at_1, 0.5 * (at_1 + at_2), at_2])
    )
    assert got.position_m[0, 0, 11] == pytest.approx(at_2 + 4 * (at_2 - at_1))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", version=np.array(1), x=np.zeros(3))
    np.savez(tmp_path / "newer.npz", version=np.array(99))
    for name, complaint in (
        ("text.npz", "expected recorded predictions, got another file"),
        ("other.npz", "expected recorded predictions, got another file"),
        ("newer.npz", "expected version 1 of recorded predictions, got 99"),
        ("missing.npz", "got no such file"),
    ):
        with pytest.raises((InputError, ContractError), match=complaint):
            load_predictor(tmp_path / name)
    with pytest.raises(InputError, match="expected predictions to save, got none"):
        save_recorded([], tmp_path / "none.npz")
