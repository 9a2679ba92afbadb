#!/usr/bin/env python3
"""A CSV of tracked objects to a table of predicted paths and a picture.

    python examples/own_csv_to_paths.py tracks.csv out/

Without arguments it writes a small CSV first, so that it runs as it is.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import trajnet


def write_example(path: Path) -> None:
    """Two cars, one of them turning, 6 s at 10 Hz: time in s, position in m, heading in degrees."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time_s", "track_id", "class", "x", "y", "heading_deg"])
        for name, turn_rad_per_s in (("straight", 0.0), ("turning", 0.15)):
            x, y, yaw = 0.0, 5.0 * turn_rad_per_s, 0.2
            for step in range(60):
                rows.writerow([f"{step / 10:.1f}", name, "Van", f"{x:.3f}", f"{y:.3f}", f"{math.degrees(yaw):.2f}"])
                x, y, yaw = x + 0.8 * math.cos(yaw), y + 0.8 * math.sin(yaw), yaw + turn_rad_per_s / 10


def main(table: Path, folder: Path) -> None:
    """Read the table, check it, predict its last frame, and write paths.csv and paths.svg."""
    import pyarrow.csv

    scene = trajnet.Scene.from_dataframe(pyarrow.csv.read_csv(table), classes={"Van": "car"}, scene_id=table.stem)
    print(scene)
    for finding in trajnet.check_scene(scene).findings:
        print(finding)
    prediction = trajnet.predict(scene)
    print(prediction)
    folder.mkdir(parents=True, exist_ok=True)
    pyarrow.csv.write_csv(prediction.to_dataframe("pyarrow"), folder / "paths.csv")
    trajnet.plot(scene, prediction).save(folder / "paths.svg")
    print(f"{folder / 'paths.csv'}, {folder / 'paths.svg'}")


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/example/tracks.csv")
    if len(sys.argv) < 2:
        write_example(source)
    main(source, Path(sys.argv[2]) if len(sys.argv) > 2 else source.parent)
