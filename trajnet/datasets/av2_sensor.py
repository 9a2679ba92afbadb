"""Argoverse 2's sensor data set: 15 s of all annotated road users around a vehicle, with vector maps, at 10 Hz."""

from __future__ import annotations

from trajnet.datasets.description import Dataset, Part
from trajnet.datasets.folders import files_in
from trajnet.scenes.av2_sensor import ANNOTATIONS, LICENCE, poses_and_maps, read_av2_sensor
from trajnet.scenes.formats import SceneFormat

AV2_SENSOR = Dataset(
    name="av2_sensor",
    title="Argoverse 2 sensor logs",
    licence=LICENCE,
    download="https://www.argoverse.org/av2.html, the logs' annotations, poses and maps; no images or lidar are needed",
    note="no measured velocities; some drives are also in the motion forecasting data",
    folder="av2_sensor",
    marker="val",
    parts=(Part("train"), Part("val")),
    files=lambda folder, part: files_in(folder / part, f"*/{ANNOTATIONS}"),
    format=SceneFormat("av2_sensor", (), read_av2_sensor, names=(ANNOTATIONS,), companions=poses_and_maps),
)
