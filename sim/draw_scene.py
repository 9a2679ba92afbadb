#!/usr/bin/env python3
"""Draw scenes from above as one picture: ``python sim/draw_scene.py SCENE.parquet... --out picture.png``.

Lanes grey, their borders light; vehicles that never move blue, others red; bicycles orange; people green. Boxes are
drawn at one instant (--at, seconds), lines show the whole way. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from kerbside import boxes

from trajnet.datasets.files import load_scene
from trajnet.errors import TrajnetError
from trajnet.types import ObjectClass, Scene

STANDING_M = 0.5


def colour_of(scene: Scene, rows: np.ndarray) -> str:
    """Return the colour of the track with these rows."""
    kind = ObjectClass(int(scene.object_class[scene.row_track[rows[0]]]))
    if kind == ObjectClass.PEDESTRIAN:
        return "tab:green"
    if kind == ObjectClass.BICYCLE:
        return "tab:orange"
    far_m = np.hypot(*(scene.position_m[rows] - scene.position_m[rows[0]]).T).max()
    return "tab:blue" if far_m < STANDING_M else "tab:red"


def draw(axes: Any, scene: Scene, at_s: float) -> None:
    """Draw the scene into axes."""
    for lane in scene.lanes:
        axes.fill(*lane.outline_m.T, color="0.82" if lane.drivable else "0.93", zorder=0)
        for border in lane.edges_m:
            axes.plot(*border.T, color="0.65", linewidth=0.4, zorder=1)
    frame = int(np.argmin(np.abs((scene.timestamp_ns - scene.timestamp_ns[0]) * 1e-9 - at_s)))
    for rows in scene.rows_by_track():
        colour = colour_of(scene, rows)
        axes.plot(*scene.position_m[rows].T, color=colour, linewidth=0.5, alpha=0.6, zorder=2)
        now = rows[scene.row_frame[rows] == frame]
        if len(now):
            size_m = scene.size_m[scene.row_track[now]]
            (box,) = boxes(scene.position_m[now], scene.yaw_rad[now], size_m)
            axes.fill(*np.array(box.exterior.coords).T, color=colour, zorder=3)
            nose_m = scene.position_m[now[0]] + 0.5 * size_m[0, 0] * np.array(
                [np.cos(scene.yaw_rad[now[0]]), np.sin(scene.yaw_rad[now[0]])]
            )
            axes.plot(*np.stack([scene.position_m[now[0]], nose_m]).T, color="k", linewidth=0.6, zorder=4)
    axes.set_aspect("equal")
    axes.set_title(f"{scene.scene_id}\n{'; '.join(scene.source.split('; ')[1:])}", fontsize=8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="+", type=Path, help="scene files")
    parser.add_argument("--out", type=Path, required=True, help="the picture")
    parser.add_argument("--at", type=float, default=30.0, help="instant at which boxes are drawn, in seconds")
    parser.add_argument("--window", type=float, default=0.0, help="draw only this far from (0, 0), in metres")
    arguments = parser.parse_args()
    try:
        scenes = [load_scene(path) for path in arguments.scenes]
    except TrajnetError as error:
        print(f"draw_scene: {error}", file=sys.stderr)
        return 2
    columns = min(3, len(scenes))
    figure, axes = plt.subplots(
        -(-len(scenes) // columns), columns, figsize=(9 * columns, 9 * -(-len(scenes) // columns)), squeeze=False
    )
    for one, scene in zip(axes.flat, scenes, strict=False):
        draw(one, scene, arguments.at)
        if arguments.window:
            one.set_xlim(-arguments.window, arguments.window)
            one.set_ylim(-arguments.window, arguments.window)
    for empty in axes.flat[len(scenes) :]:
        empty.set_axis_off()
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=70)
    return 0


if __name__ == "__main__":
    sys.exit(main())
