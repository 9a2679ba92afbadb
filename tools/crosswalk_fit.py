"""How often people near a crosswalk enter it within 6 s, and what the crossings are worth on recordings.

    python tools/crosswalk_fit.py DATA/sind

plays SinD's three recordings of pedestrians through a stream with the default model, without a map, and counts by
distance and motion how often they enter a crosswalk within 6 s: the table of trajnet.inference.crossing.table. Then
it leaves one city out at a time: the table of the other two predicts the third. The maps of Xi'an and Chongqing have
crosswalks as pairs of lines (type zebra); Changchun's has none, they are drawn here between its kerbs and stop lines.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trajnet.context.crosswalks import CrosswalkGrid, Crosswalks, crosswalks_of
from trajnet.datasets.sind import read_sind
from trajnet.inference import Stream, load_predictor
from trajnet.inference.crossing import modes as crossing_modes
from trajnet.inference.crossing.approach import DISTANCES_M, STATES, Approach, approach_of
from trajnet.inference.crossing.modes import Crossing
from trajnet.inference.judging.experts import velocity_of
from trajnet.metrics import mixture_share
from trajnet.models import default_model
from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import Expert, FloatArray, IntArray, Lane, Prediction, Scene

#: Both long sides of each crosswalk (m): the zebra lines of the maps, and for Changchun as drawn.
SIDES: dict[str, list[list[list[float]]]] = {
    "Xian": [
        [[-29.9, 48.7], [2.9, 57.8], [-29.5, 42.1], [5.6, 52.2]],
        [[23.0, 30.8], [17.3, 48.4], [17.3, 29.0], [11.2, 47.5]],
        [[-18.4, 0.8], [13.6, 8.0], [-19.7, 6.7], [12.2, 14.0]],
        [[-27.8, 14.6], [-32.3, 33.4], [-33.4, 13.3], [-37.8, 31.0]],
    ],
    "Chongqing": [
        [[-11.6, 33.3], [11.6, 33.4], [-15.9, 27.4], [16.2, 27.4]],
        [[-11.0, 2.1], [13.3, 2.2], [-14.9, 8.0], [16.7, 8.3]],
        [[-14.2, 5.3], [-14.5, 30.1], [-8.1, 4.6], [-8.7, 30.3]],
        [[16.3, 5.2], [15.8, 28.9], [10.2, 5.0], [9.9, 27.6]],
    ],
    "Changchun": [
        [[-6.0, -12.5], [-6.0, 9.0], [-10.5, -14.5], [-10.5, 11.5]],
        [[-33.5, -13.5], [-33.5, 8.0], [-37.5, -12.5], [-37.5, 7.0]],
        [[-30.5, 7.5], [-11.5, 9.5], [-32.5, 12.0], [-12.0, 13.0]],
        [[-31.0, -14.5], [-10.5, -13.0], [-30.0, -18.5], [-11.0, -17.5]],
    ],
}
EVERY_NS, HISTORY_NS, HORIZON_NS, SLACK_NS = 500_000_000, 900_000_000, 6_000_000_000, 50_000_000
#: Who has gone so far has started (m).
MOVED_M = 0.8
#: Cells with few samples are drawn to the mean of their motion by this many imagined ones.
PRIOR = 20.0


@dataclass(frozen=True)
class Sample:
    """One person at one crosswalk at one time: where, whether it was entered, and after how long (s)."""

    city: str
    track: str
    bin: int
    state: int
    given: float
    entered: bool
    start_s: float
    time_ms: float


def crosswalks(city: str) -> Crosswalks:
    """Return the crosswalks of a city."""
    sides = [np.array(each).reshape(2, 2, 2) for each in SIDES[city]]
    lanes = [Lane(str(i), a, b, 0.5 * (a + b), drivable=False, crosswalk=True) for i, (a, b) in enumerate(sides)]
    found = crosswalks_of(lanes)
    assert found is not None
    return found


class Track(NamedTuple):
    """Where somebody was: time_ns (P,), position_m (P, 2)."""

    time_ns: IntArray
    position_m: FloatArray

    def after(self, now_ns: int) -> tuple[FloatArray, FloatArray, bool]:
        """Return positions and times (s) of the 6 s after now, and whether all of it is known."""
        ahead = (self.time_ns > now_ns) & (self.time_ns <= now_ns + HORIZON_NS + SLACK_NS)
        whole = bool(self.time_ns[-1] >= now_ns + HORIZON_NS - SLACK_NS)
        after_s: FloatArray = np.asarray((self.time_ns[ahead] - now_ns) * 1e-9, np.float64)
        return self.position_m[ahead], after_s, whole


def tracks_of(scene: Scene) -> dict[str, Track]:
    """Return every track by name."""
    times: dict[str, list[int]] = {}
    places: dict[str, list[FloatArray]] = {}
    for frame in scene.frames():
        for row, name in enumerate(frame.track_id):
            times.setdefault(name, []).append(frame.timestamp_ns)
            places.setdefault(name, []).append(frame.position_m[row])
    return {name: Track(np.array(times[name]), np.array(places[name])) for name in times}


def given_share(found: Approach, grid: CrosswalkGrid, prediction: Prediction, row: int) -> FloatArray:
    """Return the probability (1, M) of the predictor's own paths onto the crosswalks."""
    entering = found.entered(grid.crosswalks, prediction.position_m[row][None, None])
    share: FloatArray = entering.any(axis=-1) @ prediction.probability[row]
    return share


def moments(scene: Scene) -> Iterator[tuple[Observations, Prediction]]:
    """Yield what was observed and what the default model says of it, every half second."""
    stream, store = Stream(load_predictor(str(default_model())), warn_without_map=False), TrackStore()
    last_ns = 0
    for frame in scene.frames():
        prediction = stream.update(frame, frame.timestamp_ns)
        observations = store.update(frame, frame.timestamp_ns)[1]
        if observations is not None and frame.timestamp_ns - last_ns >= EVERY_NS:
            last_ns = frame.timestamp_ns
            yield observations, prediction.select(np.arange(len(frame)))


def row_samples(
    city: str, grid: CrosswalkGrid, observations: Observations, prediction: Prediction, row: int, track: Track
) -> list[Sample]:
    """Return the samples of one person at one time; none of what is not known for 6 s."""
    now_ns, here_m = observations.timestamp_ns, observations.position_m[row]
    found = approach_of(grid, here_m[None], velocity_of(observations)[row][None])
    future_m, after_s, whole = track.after(now_ns)
    if not found.valid.any() or not len(future_m):
        return []
    hits = found.entered(grid.crosswalks, future_m[None, None])[0]
    given = given_share(found, grid, prediction, row)[0]
    moved = np.hypot(*(future_m - here_m).T) > MOVED_M
    start_s = float(after_s[moved.argmax()]) if moved.any() else np.nan
    name, bins, states = observations.track_id[row], found.distance_bin[0], found.state[0]
    return [
        Sample(city, name, int(bins[k]), int(states[k]), float(given[k]), bool(hits[k].any()), start_s, now_ns * 1e-6)
        for k in np.flatnonzero(found.valid[0])
        if whole or hits[k].any()
    ]


def city_samples(folder: Path, city: str) -> tuple[list[Sample], dict[str, list[float]]]:
    """Return the samples of a city, and errors of its predictions without and with crossings by name."""
    scene = read_sind(folder / city / "Ped_smoothed_tracks.csv")
    walks = crosswalks(city)
    grid, tracks, crossing = CrosswalkGrid(walks), tracks_of(scene), Crossing(walks)
    samples: list[Sample] = []
    errors: dict[str, list[float]] = {}
    for observations, before in moments(scene):
        now_ns = observations.timestamp_ns
        after = crossing.added(observations, before.select(np.arange(len(before))))
        for row, name in enumerate(observations.track_id):
            track = tracks[name]
            if now_ns - track.time_ns[0] < HISTORY_NS:
                continue
            samples += row_samples(city, grid, observations, before, row, track)
            if track.after(now_ns)[2]:
                compare(errors, before, after, row, track)
    print(city, crossing.counters)
    return samples, errors


def compare(errors: dict[str, list[float]], before: Prediction, after: Prediction, row: int, track: Track) -> None:
    """Add errors (m) of one person's paths without and with crossings to errors."""
    within = before.time_s <= HORIZON_NS * 1e-9 + 1e-9  # beyond, where the person went may not be known
    at_ns = before.timestamp_ns + before.time_s[within] * 1e9
    true_m = np.stack([np.interp(at_ns, track.time_ns, track.position_m[:, axis]) for axis in (0, 1)], axis=-1)
    changed = after.expert is not None and bool((after.expert[row] == Expert.CROSSING).any())
    for kind, prediction in (("before", before), ("after", after)):
        path_m, covariance_m2 = prediction.position_m[row][:, within], prediction.covariance_m2[row][:, within]
        away_m = np.hypot(*np.moveaxis(path_m - true_m, -1, 0)).mean(axis=1)
        top = prediction.probability[row].argmax()
        found = {"minADE_6": away_m.min(), "top ADE": away_m[top], "mean ADE": prediction.probability[row] @ away_m}
        level = mixture_share(
            path_m[None, :, -1:],
            covariance_m2[None, :, -1:],
            prediction.probability[row][None],
            true_m[None, -1:],
        )
        found["in 90 %"] = float(level[0, 0] < 0.9)
        for name, value in found.items():
            errors.setdefault(f"{kind} {name}", []).append(float(value))
            if changed:
                errors.setdefault(f"changed: {kind} {name}", []).append(float(value))


def table_of(samples: list[Sample]) -> FloatArray:
    """Return the share that entered by distance bin and state, few samples drawn to the mean of their state."""
    shape = (len(DISTANCES_M), len(STATES))
    count, hits = np.zeros(shape), np.zeros(shape)
    for each in samples:
        count[each.bin, each.state] += 1
        hits[each.bin, each.state] += each.entered
    mean = (hits.sum(axis=0) + 1) / (count.sum(axis=0) + 2)
    table: FloatArray = (hits + PRIOR * mean) / (count + PRIOR)
    return table


def scores(samples: list[Sample], table: FloatArray) -> str:
    """Return Brier scores and ECE of the model's own share, of the table, and of both as they leave."""
    truth = np.array([each.entered for each in samples], float)
    given = np.array([each.given for each in samples])
    wanted = np.array([table[each.bin, each.state] for each in samples])
    added = np.maximum(wanted - given, 0) / np.maximum(1 - given, 1e-9)
    left = given + np.where(added >= crossing_modes.LEAST_PROBABILITY, added, 0) * (1 - given)
    words = []
    for name, said in (("model", given), ("table", wanted), ("leaves", left)):
        index = np.minimum((said * 10).astype(int), 9)
        ece = sum(abs(said[index == i].sum() - truth[index == i].sum()) for i in range(10)) / len(truth)
        words.append(f"{name}: Brier {np.mean((said - truth) ** 2):.3f}, ECE {ece:.3f}, mean {said.mean():.3f}")
    return "; ".join(words) + f"; entered {truth.mean():.3f} of {len(truth)}"


def print_lights(samples: list[Sample], file: Path) -> None:
    """Print how often those who stand enter while the lights for pedestrians are green and are not."""
    rows = [line.split(",") for line in file.read_text().splitlines()[1:] if line.strip()]
    green = np.array([row[6] == "1" for row in rows])  # the four lights change together
    index = np.searchsorted(np.array([float(row[1]) for row in rows]), [each.time_ms for each in samples], "right") - 1
    for state, name in enumerate(STATES):
        for i, limit_m in enumerate(DISTANCES_M):
            for words, wanted in (("green", True), ("other", False)):
                part = [
                    each
                    for each, row in zip(samples, index, strict=True)
                    if (each.state, each.bin) == (state, i) and row >= 0 and green[row] == wanted
                ]
                hits = sum(each.entered for each in part)
                print(f"lights {words}: {name} to {limit_m:g} m: {hits} of {len(part)}")


def print_moving(samples: list[Sample]) -> None:
    """Print for people who move whether the model has paths onto the crosswalk, and what their probability is worth."""
    least = crossing_modes.LEAST_PROBABILITY
    for state, name in enumerate(STATES[1:], start=1):
        for i, limit_m in enumerate(DISTANCES_M):
            cell = [each for each in samples if (each.bin, each.state) == (i, state)]
            without = [each for each in cell if each.given < least]
            hits, missed = (sum(each.entered for each in part) for part in (cell, without))
            print(f"{name} to {limit_m:g} m: {hits} of {len(cell)} enter; {missed} of {len(without)} without a path")
    moving = [each for each in samples if each.state > 0]
    for low in range(10):
        part = [each for each in moving if low <= min(int(each.given * 10), 9) < low + 1 and each.given >= least]
        if part:
            said, truth = (np.mean([float(getattr(each, n)) for each in part]) for n in ("given", "entered"))
            print(f"moving, model says {said:.2f}: {truth:.2f} of {len(part)} enter")


def main(folder: str) -> int:
    """Print the table and what it is worth on each city that it was not fitted on."""
    samples: dict[str, list[Sample]] = {}
    errors: dict[str, dict[str, list[float]]] = {}
    for city in SIDES:
        samples[city], errors[city] = city_samples(Path(folder), city)
    every = [each for city in SIDES for each in samples[city]]
    for state, name in enumerate(STATES):
        for i, limit_m in enumerate(DISTANCES_M):
            cell = [each for each in every if (each.bin, each.state) == (i, state)]
            hits = [each for each in cell if each.entered]
            start = [each.start_s for each in hits]
            print(
                f"{name:9} to {limit_m:4g} m: {len(hits):4} of {len(cell):4}, {len({e.track for e in cell})} people",
                f"start {np.nanmedian(start):.1f} s" if hits else "",
            )
    print(np.round(table_of(every), 2).tolist())
    print_moving(every)
    print_lights(samples["Chongqing"], Path(folder) / "Chongqing" / "TrafficLight_06_22_NR1_add_plight.csv")
    for city in SIDES:
        table = table_of([each for other in SIDES if other != city for each in samples[other]])
        print(city, "held out:", scores(samples[city], table))
        for state, name in enumerate(STATES):
            print("  ", name, scores([each for each in samples[city] if each.state == state], table))
            for i in range(len(DISTANCES_M)):
                part = [each for each in samples[city] if each.state == state and each.bin == i]
                if part:
                    print("  ", name, DISTANCES_M[i], scores(part, table))
        for name, values in errors[city].items():
            print(f"  {name:28} {np.mean(values):.3f} ({len(values)})")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="SinD's recordings: DATA/sind")
    sys.exit(main(parser.parse_args().folder))
