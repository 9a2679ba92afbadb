"""Choose how far the most probable path is drawn towards physics: the constants of judging/combination.py.

    python -m tools.top_path --data DATA --model trajnet/models/trajnet-urban.onnx
    python -m tools.top_path --data DATA --model trajnet/models/trajnet-urban.onnx --sites mini,east,changchun

Every scene is streamed frame by frame, by the model without self-judging and by constant velocity. Four tables: the
weight of constant velocity by speed; that of standing still by how long the object has stood; and that of standing
still where an object is seen once, without a velocity, by the probability of the modes that stay, in the first frame of
a scene and later. For each horizon: the weight, in steps of 0.05, with which the error is least, as a share of the
model's own error and averaged over the sites that have at least LEAST objects there; and that share. "-": no site has.
By default at sites that the default model was not trained on, but for xian.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tools.self_judging import HISTORY_S, SITES, Site, scenes_of
from trajnet.arrays import StructOfArrays, concat
from trajnet.datasets.windows import windows_of_scene
from trajnet.evaluate.paths import ScoredPaths
from trajnet.evaluate.units import played
from trajnet.inference import NO_JUDGING, Predictor, Stream, load_predictor
from trajnet.inference.judging.combination import HORIZONS_S, SPEEDS_MPS, STAYS_M, STOOD_S, combined, group_of
from trajnet.inference.judging.experts import velocity_of
from trajnet.inference.judging.speed_change import SpeedChange
from trajnet.inference.judging.standing_time import StandingTime
from trajnet.tracking.store import TrackStore
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, Scene

SHARES: FloatArray = np.linspace(0.0, 1.0, 21)
LEAST = 50
CHOSEN_AT = {
    "agents": SITES["agents"]._replace(scenes=80),
    "west": SITES["west"],
    "chongqing": SITES["chongqing"],
    "xian": Site("sind", "xian", 10, frames=3000),
}
EDGES_MPS = (np.array(SPEEDS_MPS[1:]) + np.array(SPEEDS_MPS[:-1])) / 2.0
STAYS = (0.0, 0.05, 0.2, 0.35, 0.5, 0.7)
#: Vehicles, riders and people that are faster do not stand.
SLOW_MPS = 1.5
GROUPS = ("vehicles", "riders", "people")


@dataclass(frozen=True, eq=False)
class Seen(StructOfArrays):
    """Of W objects: their group (W,), of GROUPS; top_m, truth_m (W, T, 2), known (W, T): most probable path, future.

    begin_m, velocity_mps, change_mps2 (W, 2), wheeled (W,). stood_s (W,): how long it has stood. once (W,): seen once
    and without a velocity. appears (W,): after the scene's first frame. stays (W,): the probability of the modes that
    end within STAYS_M.
    """

    group: IntArray
    top_m: FloatArray
    truth_m: FloatArray
    known: BoolArray
    begin_m: FloatArray
    velocity_mps: FloatArray
    wheeled: BoolArray
    change_mps2: FloatArray
    stood_s: FloatArray
    once: BoolArray
    appears: BoolArray
    stays: FloatArray


def motion_in(scene: Scene) -> tuple[FloatArray, FloatArray]:
    """Return how the velocity of the object of each row changes, (R, 2), and how long it has stood, (R,), in s.

    As a stream finds them.
    """
    store, standing, changes = TrackStore(), StandingTime(), SpeedChange()
    change_mps2, stood_s = np.zeros((len(scene.row_frame), 2)), np.zeros(len(scene.row_frame))
    for index, frame in enumerate(scene.frames()):
        observations = store.update(frame, frame.timestamp_ns)[1]
        if observations is not None:
            standing.observe(observations)
            rows = scene.rows_of_frame(index)
            stood_s[rows] = standing.stood_s(observations)
            change_mps2[rows] = changes.observed(observations, velocity_of(observations)).T
    return change_mps2, stood_s


def paths_of(predictor: Predictor, scene: Scene, rows: IntArray, time_s: FloatArray, frames: BoolArray) -> ScoredPaths:
    """Return the paths of these rows of the scene."""
    stream = Stream(predictor, judging=NO_JUDGING, warn_without_map=False)
    windows = windows_of_scene(scene, rows, HISTORY_S, time_s)
    everything = np.ones(len(scene.row_frame), np.bool_)
    return concat([paths for _, paths in played(stream, scene, rows, windows, time_s, frames, everything)])


def seen_at(site: Site, model: Predictor, data: Path) -> Seen:
    """Stream the site's scenes by the model and by constant velocity."""
    time_s, parts = model.time_s, []
    for scene in scenes_of(site, data):
        frames = np.arange(scene.frame_count) < (site.frames or scene.frame_count)
        rows = np.flatnonzero((scene.row_frame % site.stride == 0) & frames[scene.row_frame])
        windows = windows_of_scene(scene, rows, HISTORY_S, time_s)
        some = np.flatnonzero(windows.future_valid[:, 1])
        if not len(some):
            continue
        rows, windows = rows[some], windows.select(some)
        paths, cruise = (paths_of(p, scene, rows, time_s, frames) for p in (model, load_predictor("cv", time_s=time_s)))
        velocity_mps = (cruise.position_m[:, 0, 1] - cruise.position_m[:, 0, 0]) / (time_s[1] - time_s[0])
        begin_m = windows.position_m[:, -1]
        stays = np.linalg.norm(paths.position_m[:, :, -1] - begin_m[:, None], axis=-1) < STAYS_M
        first = np.zeros(len(scene.row_frame), np.bool_)
        first[np.unique(scene.row_track, return_index=True)[1]] = True
        change_mps2, stood_s = motion_in(scene)
        parts.append(
            Seen(
                group_of(windows.object_class), paths.position_m[:, 0], windows.future_m, windows.future_valid, begin_m,
                velocity_mps, np.array(WHEELED)[windows.object_class], change_mps2[rows], stood_s[rows],
                first[rows] & ~scene.velocity_valid[rows], scene.row_frame[rows] > 0,
                (paths.probability * stays).sum(axis=1),
            )
        )  # fmt: skip
    return concat(parts)


def shares_of_error(seen: Seen, rows: BoolArray, knots: IntArray, time_s: FloatArray, *, stand: bool) -> FloatArray:
    """Return the mean error with each of SHARES over that with none, (SHARES, H)."""
    given = seen.select(rows)
    known = np.where(given.known, 1.0, np.nan)[:, knots]

    def error_m(share: float) -> FloatArray:
        weight = np.full(given.top_m.shape[:2], share)
        cruise, still = (0.0 * weight, weight) if stand else (weight, 0.0 * weight)
        going = given.velocity_mps, given.change_mps2.T
        nobody = np.zeros_like(given.wheeled)
        path_m = combined(given.top_m, given.begin_m, *going, time_s, cruise, still, given.wheeled, nobody)
        found: FloatArray = np.nanmean(np.linalg.norm(path_m - given.truth_m, axis=-1)[:, knots] * known, axis=0)
        return found

    return np.stack([error_m(share) for share in SHARES.tolist()]) / error_m(0.0)


def table(
    title: str, by: str, values: Sequence[float], seen: dict[str, Seen], time_s: FloatArray,
    rows_of: Callable[[Seen, int, int], BoolArray], *, stand: bool,
) -> None:  # fmt: skip
    """Print one table. rows_of: of what was seen at a site, the group and the index of the value -> (W,)."""
    horizons_s = [h for h in HORIZONS_S if h <= time_s[-1]]
    knots = np.searchsorted(time_s, horizons_s)
    print(f"\n| {title} | {by} | objects | weight at {', '.join(f'{h:g}' for h in horizons_s)} s | error left |")
    print("|---" * 5 + "|", flush=True)
    for group, name in enumerate(GROUPS):
        for index, value in enumerate(values):
            rows = {site: rows_of(one, group, index) & one.known[:, knots[-1]] for site, one in seen.items()}
            rows = {site: chosen for site, chosen in rows.items() if np.count_nonzero(chosen) >= LEAST}
            found = {
                f"{site} {np.count_nonzero(chosen):,}": shares_of_error(seen[site], chosen, knots, time_s, stand=stand)
                for site, chosen in rows.items()
            }
            print(row_of(name, value, found))


def row_of(name: str, value: float, found: dict[str, FloatArray]) -> str:
    """Return the row of a table. found: of each site, with its number of objects, the errors left (SHARES, H)."""
    if not found:
        return f"| {name} | {value:g} | - | - | - |"
    left = np.mean(list(found.values()), axis=0)
    weight = " ".join(f"{SHARES[w]:.2f}" for w in left.argmin(axis=0))
    return f"| {name} | {value:g} | {', '.join(found)} | {weight} | {' '.join(f'{v:.2f}' for v in left.min(axis=0))} |"


def asked(about: str | None) -> tuple[Path, dict[str, Site], Predictor]:
    """Return the data, the sites and the model of the command line. about: the docstring of the tool."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a model file")
    parser.add_argument("--sites", default="", help="with commas between them; those of tools/self_judging.py")
    chosen = parser.parse_args()
    sites = {name: SITES[name] for name in chosen.sites.split(",")} if chosen.sites else CHOSEN_AT
    return chosen.data, sites, load_predictor(chosen.model)


def main() -> None:
    data, sites, model = asked(__doc__)
    seen = {name: seen_at(site, model, data) for name, site in sites.items()}

    def at_speed(one: Seen, group: int, index: int) -> BoolArray:
        near: IntArray = np.searchsorted(EDGES_MPS, np.linalg.norm(one.velocity_mps, axis=1))
        rows: BoolArray = (one.group == group) & (near == index) & ~one.once & (one.stood_s <= STOOD_S[0])
        return rows

    def standing(one: Seen, group: int, index: int) -> BoolArray:
        since: IntArray = np.searchsorted(STOOD_S, one.stood_s, side="right") - 1
        slow = np.linalg.norm(one.velocity_mps, axis=1) < SLOW_MPS
        rows: BoolArray = (one.group == group) & (since == index) & slow & ~one.once
        return rows

    def seen_once(one: Seen, group: int, index: int, appears: bool) -> BoolArray:
        band: IntArray = np.searchsorted(STAYS, one.stays, side="right") - 1
        rows: BoolArray = (one.group == group) & one.once & (one.appears == appears) & (band == index)
        return rows

    table("constant velocity", "m/s", SPEEDS_MPS, seen, model.time_s, at_speed, stand=False)
    table("standing still", "stood, s", STOOD_S, seen, model.time_s, standing, stand=True)
    for title, appears in (("seen once, from the start", False), ("seen once, appears", True)):
        rows_of = partial(seen_once, appears=appears)
        table(title, "modes that stay", STAYS, seen, model.time_s, rows_of, stand=True)


if __name__ == "__main__":
    main()
