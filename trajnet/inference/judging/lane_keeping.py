"""Draw the paths of vehicles towards the lanes that they are on.

A network that sees the map as a picture knows roughly where the road leads; centre lines say it to the decimetre. Who
drives along a lane mostly goes on along it, as far from its centre as now, and the further ahead, the less the model
knows that. So each path keeps its progress, and is moved towards where that progress along the lane would be: along the
lane, of all that go on from here, that is nearest to the path. A path that ends far from all of them takes another way,
which the map does not show, and stays as it is.

How the weights were chosen: docs/self-judging-choices.md.
"""

from __future__ import annotations

import numpy as np

from trajnet.context.lane_paths import LanePaths, Turn
from trajnet.geometry import within_half_turn
from trajnet.inference.judging.lane_trust import LaneTrust
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Prediction

#: For each class: whether it keeps to lanes. Cyclists ride beside and across them.
KEEPS: BoolArray = np.array(
    [kind in (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS, ObjectClass.MOTORCYCLE) for kind in ObjectClass]
)
#: How far a path is moved towards the lane long ahead, and when half as far (s).
MOST_SHARE, HALF_S = 0.9, 2.5
#: Paths of this length are moved that far, shorter ones less (m): who crawls changes lanes, parks and turns in.
WHOLE_M = 20.0
#: How far from the lane a path ends, as a share of its length or of SHORT_M (m): from the first on it is moved less,
#: from the second on it takes another way.
DOUBTED, OTHER_WAY, SHORT_M = 0.4, 1.0, 5.0
#: How far lanes are trusted is known from so many judged answers on.
KNOWN = 20
#: No lane leaves less of the variance across a path (m²): drivers sway by 0.2 m within their lane (SDLP of Verster and
#: Roth 2011, Standard operation procedures for conducting the on-the-road driving test).
SWAY_M2 = 0.04
#: Of the lanes that overlap under a vehicle, so many are looked along.
OVERLAPPING = 3
#: Pieces of a path that are shorter have no direction (m).
PIECE_M = 0.1
#: Whose heading is farther off that of the lane changes lanes, turns off, or is not on that lane (rad).
ALIGNED_RAD = np.deg2rad(15.0)
#: Lanes are looked along at so many points; where they fork, so many points of each path say along which it goes.
POINTS, COARSE = 13, 4


class LaneKeeping:
    """Draws the paths of vehicles towards lanes."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._share: FloatArray = MOST_SHARE * time_s**2 / (time_s**2 + HALF_S**2)
        self._coarse: IntArray = np.unique(np.linspace(0, len(time_s), COARSE + 1)[1:].astype(np.int64) - 1)
        self._time_s = time_s
        self.trust = LaneTrust(time_s)
        self._lanes: LanePaths | None = None
        self._known: LanePaths | None = None  # those that the trust is about

    @property
    def known_trust(self) -> float | None:
        """How far lanes are trusted; None where there are none, and before it is known."""
        return self.trust.share if self._lanes is not None and self.trust.judged >= KNOWN else None

    def use(self, lanes: LanePaths | None) -> None:
        """Draw paths towards these lanes from now on; None: towards none. Other lanes are trusted anew."""
        self._lanes = lanes
        if lanes is not None and lanes is not self._known:
            self._known = lanes
            self.trust = LaneTrust(self._time_s)

    def observe(self, observations: Observations) -> None:
        """Learn from this frame's positions how far lanes are trusted."""
        self.trust.observe(observations)

    def draw(self, observations: Observations, prediction: Prediction, model: BoolArray) -> IntArray:
        """Move the paths in place; return the rows (M,) whose most probable one is moved.

        model (N,): rows that the model answered; others stay as they are.
        """
        lanes = self._lanes
        if lanes is None:
            return np.zeros(0, np.int64)
        row: IntArray
        row = (model & KEEPS.take(observations.object_class) & observations.direction_known).nonzero()[0]
        if not len(row):
            return row
        point, on_lane = lanes.all_under(
            observations.position_m[row], observations.yaw_rad[row], OVERLAPPING, ALIGNED_RAD
        )
        row, point, on_lane = row[on_lane[0]], point[:, on_lane[0]], on_lane[:, on_lane[0]]
        if not len(row):
            return row
        begin_m = observations.position_m[row].T  # (2, R): the axes come first here, for NumPy is slow along short ones
        path_m = prediction.position_m[row].transpose(3, 0, 1, 2).copy()  # (2, R, K, T)
        step_m, passed_m = _steps(path_m, begin_m)
        off_m = self._nearest(lanes, np.where(on_lane, point, point[0]), begin_m, path_m, passed_m)
        length_m = passed_m[..., -1]
        doubt = np.hypot(off_m[0, ..., -1], off_m[1, ..., -1]) / np.maximum(length_m, SHORT_M)
        trusted = np.clip((OTHER_WAY - doubt) / (OTHER_WAY - DOUBTED), 0.0, 1.0)
        trusted *= np.minimum(length_m / WHOLE_M, 1.0)
        share = self._share * trusted[..., None]  # (R, K, T)
        off_m *= share
        each, top = np.arange(len(row)), prediction.probability[row].argmax(axis=1)
        self.trust.keep(observations, row, *(values[:, each, top].transpose(1, 2, 0) for values in (path_m, off_m)))
        trust = self.trust.share
        off_m *= trust
        path_m += off_m
        prediction.position_m[row] = path_m.transpose(1, 2, 3, 0)
        turned_rad = _turned_rad(step_m, off_m)
        prediction.yaw_rad[row] = within_half_turn(prediction.yaw_rad[row] + turned_rad)
        share *= trust
        moved: IntArray = row[(share[each, top, -1] > 0.0) & off_m[:, each, top, -1].any(axis=0)]
        remains = 1.0 - np.minimum(share, MOST_SHARE, out=share)
        prediction.covariance_m2[row] = _with_lane(
            prediction.covariance_m2[row], prediction.yaw_rad[row], turned_rad, remains
        )
        return moved

    def _nearest(
        self, lanes: LanePaths, point: IntArray, begin_m: FloatArray, path_m: FloatArray, passed_m: FloatArray
    ) -> FloatArray:
        """Return how far each point of paths (2, R, K, T) is from where its progress is on the nearest lane.

        point (lanes, R): of the lanes under each row. passed_m (R, K, T): the progress. Of the nearest lane all turns
        are looked along, of the others straight on.
        """
        rows, others = point.shape[1], len(point) - 1
        ways = len(Turn) + others
        start = np.concatenate([np.tile(point[0], len(Turn)), point[1:].reshape(-1)])
        turn = np.repeat(np.array([*Turn, *[Turn.STRAIGHT] * others]), rows)
        reach_m = np.maximum(passed_m[..., -1].max(axis=1), SHORT_M)
        distance_m = reach_m[:, None] * np.linspace(0.0, 1.0, POINTS)
        lane_m, _ = lanes.ahead(start, np.tile(begin_m.T, (ways, 1)), np.tile(distance_m, (ways, 1)), turn)
        line_m = lane_m.reshape(-1, 2).T.copy()
        # The points of a lane that each point of a path is after, and how far from there to the next.
        share = passed_m * ((POINTS - 1) / reach_m)[:, None, None]
        after: IntArray = np.minimum(share.astype(np.int64), POINTS - 2)
        share -= after
        after += POINTS * np.arange(rows)[:, None, None]
        ends_m = lane_m[:, -1].reshape(ways, rows, 2)
        forks = (ends_m[1:] != ends_m[0]).any(axis=(0, 2)).nonzero()[0]
        if len(forks):
            forked_m = path_m[:, forks][..., self._coarse]
            place = after[forks][..., self._coarse] + (rows * POINTS) * np.arange(ways)[:, None, None, None]
            apart_m = _between(line_m, place, share[forks][..., self._coarse])  # (2, ways, F, K, points)
            apart_m -= forked_m[:, None]
            chosen = np.hypot(apart_m[0], apart_m[1]).sum(axis=-1).argmin(axis=0)  # (F, K)
            after[forks] += (rows * POINTS) * chosen[..., None]
        off_m = _between(line_m, after, share)
        off_m -= path_m
        return off_m


def _between(line_m: FloatArray, after: IntArray, share: FloatArray) -> FloatArray:
    """Return the points (2, ...) on a line (2, P), a share (...) of the way from one of its points (...) on."""
    point_m, next_m = line_m.take(after, axis=1), line_m[:, 1:].take(after, axis=1)
    next_m -= point_m
    next_m *= share
    point_m += next_m
    return point_m


def _steps(path_m: FloatArray, begin_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the pieces (2, R, K, T) of paths up to each point, from begin_m (2, R) on, and the paths' length up to it.

    The latter (R, K, T).
    """
    step_m = path_m.copy()
    step_m[..., 1:] -= path_m[..., :-1]
    step_m[..., 0] -= begin_m[:, :, None]
    passed_m: FloatArray = np.add.accumulate(np.sqrt(step_m[0] * step_m[0] + step_m[1] * step_m[1]), axis=2)
    return step_m, passed_m


def _turned_rad(step_m: FloatArray, off_m: FloatArray) -> FloatArray:
    """Return by how much paths turn at their points when these are moved by off_m (2, R, K, T), (R, K, T).

    step_m (2, R, K, T): the pieces up to the points. A point turns as the pieces before and after it do.
    """
    x_m, y_m = step_m
    more_x_m, more_y_m = off_m.copy()
    more_x_m[..., 1:] -= off_m[0, ..., :-1]
    more_y_m[..., 1:] -= off_m[1, ..., :-1]
    squared_m2 = x_m * x_m + y_m * y_m
    along_m2 = squared_m2 + x_m * more_x_m + y_m * more_y_m
    turned_rad: FloatArray = np.arctan2(x_m * more_y_m - y_m * more_x_m, along_m2)
    turned_rad[squared_m2 < PIECE_M * PIECE_M] = 0.0
    half_rad = 0.5 * np.diff(turned_rad, axis=-1)
    turned_rad[..., :-1] += half_rad
    turned_rad[..., -1:] += half_rad[..., -1:]
    return turned_rad


def _with_lane(
    covariance_m2: FloatArray, yaw_rad: FloatArray, turned_rad: FloatArray, remains: FloatArray
) -> FloatArray:
    """Return covariances (..., 2, 2) turned by turned_rad (...) to the heading yaw_rad, with less variance across it.

    remains (...): of that variance. Double angles, of the difference of the two variances, cost the least.
    """
    xx, xy, yy = covariance_m2[..., 0, 0], covariance_m2[..., 0, 1], covariance_m2[..., 1, 1]
    angle_rad = 2.0 * (yaw_rad - turned_rad)
    cos, sin, half = np.cos(angle_rad), np.sin(angle_rad), 0.5 * (xx - yy)
    along, between = half * cos + xy * sin, xy * cos - half * sin
    mean = 0.5 * (xx + yy)
    across = mean - along
    along += mean
    remains = np.maximum(remains, np.minimum(SWAY_M2 / np.maximum(across, SWAY_M2), 1.0))
    across *= remains
    between *= np.sqrt(remains)
    mean, half = 0.5 * (along + across), 0.5 * (along - across)
    angle_rad = 2.0 * yaw_rad
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    changed = np.empty_like(covariance_m2)
    changed[..., 0, 1] = changed[..., 1, 0] = half * sin + between * cos
    half *= cos
    half -= between * sin
    np.add(mean, half, out=changed[..., 0, 0])
    np.subtract(mean, half, out=changed[..., 1, 1])
    return changed
