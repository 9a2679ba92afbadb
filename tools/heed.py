"""Choose how far the most probable path is drawn towards others: the constants of following.py and company.py.

    python -m tools.heed --data DATA --model trajnet/models/trajnet-urban.onnx
    python -m tools.heed --data DATA --model trajnet/models/trajnet-urban.onnx --sites mini,east

Every scene is streamed frame by frame, with self-judging but for heeding others. Three tables: the weight of a leader
that gets less far than who follows it, and of one that gets farther, by the gap; and that of who walks along, by how
much all of them count. For each horizon: the weight, in steps of 0.05, with which the error is least, as a share of the
error without and averaged over the sites that have at least LEAST objects there; and that share. Only objects whose
next 6 s are recorded whole. By default at sites that the default model was not trained on, but for xian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.self_judging import HISTORY_S, TIME_S, Site, scenes_of
from tools.top_path import LEAST, SHARES, asked, row_of
from trajnet.arrays import StructOfArrays, concat
from trajnet.datasets.windows import windows_of_scene
from trajnet.evaluate.paths import paths_at
from trajnet.inference import JudgingOptions, Predictor, Stream
from trajnet.inference.judging.company import WALKS_MPS, companions
from trajnet.inference.judging.following import VEHICLES
from trajnet.inference.judging.leaders import leaders_of
from trajnet.inference.judging.way import SHORTEST_M, along, way_of
from trajnet.tracking.observations import WHEELED_CLASSES
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Scene

HORIZONS_S = (1.0, 2.0, 3.0, 4.0, 6.0)
KNOTS = np.searchsorted(TIME_S, HORIZONS_S)
#: Points a second apart, as following.py looks for leaders.
COARSE = slice(1, None, 2)
GAPS_M = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0)
COUNTS = (0.1, 0.3, 0.6, 1.0, 2.0)


@dataclass(frozen=True, eq=False)
class Drawn(StructOfArrays):
    """W objects. top_m, truth_m (W, T, 2): most probable path, and what came, from where they are.

    value (W,): the gap to the leader, or how much others count. towards (W, T): the progress of the leader, or NaN of
    who walks. others_m (W, T, 2): the mean of the paths of who walks along, or NaN of vehicles.
    """

    top_m: FloatArray
    truth_m: FloatArray
    value: FloatArray
    towards: FloatArray
    others_m: FloatArray


def drawn_at(site: Site, model: Predictor, data: Path) -> Drawn:
    """Stream the site's scenes; return who follows and who walks beside others."""
    parts = []
    for scene in scenes_of(site, data):
        first = scene.row_frame < (site.frames or scene.frame_count)
        rows = np.flatnonzero((scene.row_frame % site.stride == 0) & first)
        windows = windows_of_scene(scene, rows, HISTORY_S, TIME_S)
        whole = windows.future_valid.all(axis=1)
        truth_m = np.full((len(scene.row_frame), len(TIME_S), 2), np.nan)
        truth_m[rows[whole]] = (windows.future_m - windows.position_m[:, -1:])[whole]
        parts += drawn_in(scene, model, truth_m, np.unique(scene.row_frame[rows[whole]]))
    return concat(parts)


def drawn_in(scene: Scene, model: Predictor, truth_m: FloatArray, frames: IntArray) -> list[Drawn]:
    """Return who follows, and who walks beside others, in each of these frames of a scene."""
    stream = Stream(model, judging=JudgingOptions(heed=False), warn_without_map=False)
    stream.use_map_of(scene)
    parts = []
    for index in range(int(frames[-1]) + 1 if len(frames) else 0):
        frame = scene.frame(index)
        prediction = stream.update(frame, frame.timestamp_ns)
        if index not in frames:
            continue
        rows = scene.rows_of_frame(index)
        here_m, classes = scene.position_m[rows], frame.object_class
        paths = paths_at(prediction, np.arange(len(here_m)), here_m, TIME_S)
        top_m, truth = paths.position_m[:, 0] - here_m[:, None], truth_m[rows]
        known = ~np.isnan(truth[:, -1, 0])
        velocity_mps = np.where(frame.velocity_valid[:, None], frame.velocity_mps, top_m[:, 0] / TIME_S[0])
        way = way_of(paths.position_m[:, 0], here_m)
        gone_m = way.gone_m[:, COARSE]
        leaders = leaders_of(
            gone_m[0] + 1j * gone_m[1], here_m @ np.array([1.0, 1j]), np.nan_to_num(frame.yaw_rad), frame.yaw_valid,
            frame.size_m, VEHICLES[classes] & known & (way.passed_m[-1] >= SHORTEST_M), WHEELED_CLASSES[classes],
        )  # fmt: skip
        row, towards = leaders.row, way.passed_m.T[leaders.leader]
        parts.append(Drawn(top_m[row], truth[row], np.maximum(leaders.gap_m, 0), towards, np.nan * top_m[row]))
        walks = classes == ObjectClass.PEDESTRIAN
        walks &= np.hypot(*velocity_mps.T) > WALKS_MPS
        row = np.flatnonzero(walks)
        weight = companions(here_m[row], velocity_mps[row])
        total = weight.sum(axis=1)
        others_m = np.einsum("ij,jtx->itx", weight, top_m[row]) / np.maximum(total, 1e-9)[:, None, None]
        scored = known[row]
        row, nowhere = row[scored], np.full((np.count_nonzero(scored), len(TIME_S)), np.nan)
        parts.append(Drawn(top_m[row], truth[row], total[scored], nowhere, others_m[scored]))
    return parts


def shares_of_error(drawn: Drawn) -> FloatArray:
    """Return the mean error with each of SHARES over that with none, (SHARES, H)."""
    begin_m = np.zeros((len(drawn.value), 2))
    way = way_of(drawn.top_m, begin_m)

    def error_m(share: float) -> FloatArray:
        if np.isnan(drawn.towards).any():
            path_m = drawn.top_m + share * (drawn.others_m - drawn.top_m)
        else:
            path_m = along(way, way.passed_m + share * (drawn.towards.T - way.passed_m)).T
        found: FloatArray = np.linalg.norm(path_m - drawn.truth_m, axis=-1)[:, KNOTS].mean(axis=0)
        return found

    return np.stack([error_m(share) for share in SHARES.tolist()]) / error_m(0.0)


def table(
    title: str, by: str, values: tuple[float, ...], drawn: dict[str, Drawn], chosen: Callable[[Drawn], BoolArray]
) -> None:
    """Print one table: rows of those that are chosen, by their value."""
    print(f"\n| {title} | {by} from | objects | weight at {', '.join(f'{h:g}' for h in HORIZONS_S)} s | error left |")
    print("|---" * 5 + "|", flush=True)
    for index, value in enumerate(values):
        found = {}
        for site, one in drawn.items():
            rows = chosen(one) & (np.searchsorted(values, one.value, side="right") - 1 == index)
            if (count := np.count_nonzero(rows)) >= LEAST:
                found[f"{site} {count:,}"] = shares_of_error(one.select(rows))
        print(row_of("", value, found))


def main() -> None:
    data, sites, model = asked(__doc__)
    drawn = {name: drawn_at(site, model, data) for name, site in sites.items()}

    def ahead_m(one: Drawn) -> FloatArray:
        own_m: FloatArray = way_of(one.top_m, np.zeros((len(one.value), 2))).passed_m[-1]
        return one.towards[:, -1] - own_m  # NaN of who walks: neither slower nor faster

    table("leader, slower", "gap, m", GAPS_M, drawn, lambda one: ahead_m(one) < 0.0)
    table("leader, faster", "gap, m", GAPS_M, drawn, lambda one: ahead_m(one) > 0.0)
    table("who walks along", "counts", COUNTS, drawn, lambda one: np.isnan(one.towards[:, 0]))


if __name__ == "__main__":
    main()
