"""A report says for how many objects a model's neighbours were all agents, and warns where there is no recording."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.nuscenes_scene import Agents, agents_table, label_file
from tests.onlooker import Onlooker
from trajnet.cli.evaluate_tables import show_all_agents
from trajnet.cli.terminal import Console
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.datasets.nuscenes import FUTURE_S, HISTORY_S, NUSCENES
from trajnet.datasets.windows import windows_of_scene
from trajnet.evaluate import EvaluationSet
from trajnet.evaluate.everybody import all_agents_of
from trajnet.evaluate.units import WindowUnit

EGO: Agents = {"ego": ("car", dict.fromkeys(range(20), (90.0, 50.0, 1.0)))}
ALL, LISTED = Onlooker(InputRequirements(neighbours=2, all_agents=True)), Onlooker(InputRequirements(neighbours=2))


def opened(label: Path) -> EvaluationSet:
    scene = load_scene(label)
    windows = windows_of_scene(scene, np.flatnonzero(scene.is_target), HISTORY_S, FUTURE_S)
    return EvaluationSet(NUSCENES, "val", FUTURE_S, (WindowUnit(windows, "", (label,)),))


def test_objects_with_all_agents_are_counted_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = label_file(tmp_path)
    agents_table(tmp_path, EGO)
    found = all_agents_of(opened(label), {"all": ALL, "listed": LISTED})
    assert found == {"all": {"all_agents": {"objects": 4, "of": 4}}}
    show_all_agents([{"model": "one"}, {"model": "other", **found["all"]}], Console())
    assert "other: its neighbours are all agents for 4 of 4 objects" in capsys.readouterr().out


def test_without_a_recording_of_them_there_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    label = label_file(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert all_agents_of(opened(label), {"listed": LISTED}) == {}
        assert not caplog.records
        assert all_agents_of(opened(label), {"all": ALL})["all"]["all_agents"]["objects"] == 0
    assert "onlooker learned with all agents as neighbours, but there is no recording of them" in caplog.text
