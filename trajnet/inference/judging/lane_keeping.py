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
#: How far a path is moved towards the lane, for each second ahead, and at most.
SHARE_PER_S, MOST_SHARE = 0.16, 0.8
#: Paths of this length are moved that far, shorter ones less (m): who crawls changes lanes, parks and turns in.
WHOLE_M = 20.0
#: A path that ends farther from the lane than this share of its length, or of SHORT_M, takes another way.
OTHER_WAY, SHORT_M = 0.7, 5.0
#: Whose heading is farther off that of the lane changes lanes, turns off, or is not on that lane (rad).
ALIGNED_RAD = np.deg2rad(15.0)
#: Lanes are looked along at so many points; where they fork, so many points of each path say along which it goes.
POINTS, COARSE = 13, 4

WHOLE_TURN = 2.0 * np.pi


class LaneKeeping:
    """Draws the paths of vehicles towards lanes."""

    def __init__(self, time_s: FloatArray) -> None:
        """Prepare the weights for the predictor's times (T,)."""
        self._share: FloatArray = np.minimum(SHARE_PER_S * time_s, MOST_SHARE)
        self._coarse: IntArray = np.unique(np.linspace(0, len(time_s), COARSE + 1)[1:].astype(np.int64) - 1)
        self._time_s = time_s
        self.trust = LaneTrust(time_s)
        self._lanes: LanePaths | None = None
        self._known: LanePaths | None = None  # those that the trust is about

    @property
    def trusted(self) -> float | None:
        """How far lanes are trusted; None where there are none."""
        return None if self._lanes is None else self.trust.share

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
        point, on_lane = lanes.under(observations.position_m[row], observations.yaw_rad[row], ALIGNED_RAD)
        row, point = row[on_lane], point[on_lane]
        if not len(row):
            return row
        begin_m = observations.position_m[row].T  # (2, R): the axes come first here, for NumPy is slow along short ones
        path_m = prediction.position_m[row].transpose(3, 0, 1, 2).copy()  # (2, R, K, T)
        passed_m = _passed_m(path_m, begin_m)
        off_m, lane_rad = self._nearest(lanes, point, begin_m, path_m, passed_m)
        length_m = passed_m[..., -1]
        along = np.hypot(off_m[0, ..., -1], off_m[1, ..., -1]) < OTHER_WAY * np.maximum(length_m, SHORT_M)
        share = self._share * (np.minimum(length_m / WHOLE_M, 1.0) * along)[..., None]  # (R, K, T)
        off_m *= share
        each, top = np.arange(len(row)), prediction.probability[row].argmax(axis=1)
        self.trust.keep(observations, row, *(values[:, each, top].transpose(1, 2, 0) for values in (path_m, off_m)))
        trusted = self.trust.share
        moved: IntArray = row[share[each, top, -1] > 0.0]
        off_m *= trusted
        path_m += off_m
        prediction.position_m[row] = path_m.transpose(1, 2, 3, 0)
        share *= trusted
        yaw_rad = prediction.yaw_rad[row]
        lane_rad -= yaw_rad
        lane_rad -= WHOLE_TURN * np.rint(lane_rad / WHOLE_TURN)
        lane_rad *= share
        passed_m /= SHORT_M
        lane_rad *= np.minimum(passed_m, 1.0, out=passed_m)
        lane_rad += yaw_rad
        prediction.yaw_rad[row] = within_half_turn(lane_rad)
        remains = 1.0 - np.minimum(share, MOST_SHARE, out=share)
        prediction.covariance_m2[row] = _with_lane(prediction.covariance_m2[row], yaw_rad, lane_rad, remains)
        return moved

    def _nearest(
        self, lanes: LanePaths, point: IntArray, begin_m: FloatArray, path_m: FloatArray, passed_m: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return from each point of paths (2, R, K, T) to where its progress is on the nearest lane, and its heading.

        (2, R, K, T) and (R, K, T). point (R,): of the lane under each row. passed_m (R, K, T): the progress.
        """
        rows, turns = len(point), np.repeat(np.arange(len(Turn)), len(point))
        reach_m = np.maximum(passed_m[..., -1].max(axis=1), SHORT_M)
        distance_m = reach_m[:, None] * np.linspace(0.0, 1.0, POINTS)
        lane_m, lane_rad = lanes.follow(
            np.tile(point, len(Turn)), np.tile(begin_m.T, (len(Turn), 1)), np.tile(distance_m, (len(Turn), 1)), turns
        )
        line_m = lane_m.reshape(-1, 2).T.copy()
        # The points of a lane that each point of a path is after, and how far from there to the next.
        share = passed_m * ((POINTS - 1) / reach_m)[:, None, None]
        after: IntArray = np.minimum(share.astype(np.int64), POINTS - 2)
        share -= after
        after += POINTS * np.arange(rows)[:, None, None]
        ends_m = lane_m[:, -1].reshape(len(Turn), rows, 2)
        forks = (ends_m[1:] != ends_m[0]).any(axis=(0, 2)).nonzero()[0]
        if len(forks):
            forked_m, progress, beyond = (
                values[forks][..., self._coarse] for values in (path_m.swapaxes(0, 1), after, share)
            )
            place = progress + (rows * POINTS) * np.arange(len(Turn))[:, None, None, None]  # (turns, F, K, points)
            apart_m = _between(line_m, place, beyond)
            apart_m -= forked_m.swapaxes(0, 1)[:, None]
            chosen = np.hypot(apart_m[0], apart_m[1]).sum(axis=-1).argmin(axis=0)  # (F, K)
            after[forks] += (rows * POINTS) * chosen[..., None]
        off_m = _between(line_m, after, share)
        off_m -= path_m
        return off_m, lane_rad.take(after)


def _between(line_m: FloatArray, after: IntArray, share: FloatArray) -> FloatArray:
    """Return the points (2, ...) on a line (2, P), a share (...) of the way from one of its points (...) on."""
    point_m, next_m = line_m.take(after, axis=1), line_m[:, 1:].take(after, axis=1)
    next_m -= point_m
    next_m *= share
    point_m += next_m
    return point_m


def _passed_m(path_m: FloatArray, begin_m: FloatArray) -> FloatArray:
    """Return the length (R, K, T) of paths (2, R, K, T) up to each point, from begin_m (2, R) on."""
    step_m = path_m.copy()
    step_m[..., 1:] -= path_m[..., :-1]
    step_m[..., 0] -= begin_m[:, :, None]
    np.square(step_m, out=step_m)
    step_m[0] += step_m[1]
    passed_m: FloatArray = np.add.accumulate(np.sqrt(step_m[0]), axis=2)
    return passed_m


def _with_lane(covariance_m2: FloatArray, from_rad: FloatArray, to_rad: FloatArray, remains: FloatArray) -> FloatArray:
    """Return covariances (..., 2, 2) turned from one heading to another, with what remains of the variance across it.

    from_rad, to_rad, remains (...). Double angles, of the difference of the two variances, cost the least.
    """
    xx, xy, yy = covariance_m2[..., 0, 0], covariance_m2[..., 0, 1], covariance_m2[..., 1, 1]
    cos, sin, half = np.cos(2.0 * from_rad), np.sin(2.0 * from_rad), 0.5 * (xx - yy)
    along, between = half * cos + xy * sin, xy * cos - half * sin
    mean = 0.5 * (xx + yy)
    across = mean - along
    along += mean
    across *= remains
    between *= np.sqrt(remains)
    mean, half = 0.5 * (along + across), 0.5 * (along - across)
    cos, sin = np.cos(2.0 * to_rad), np.sin(2.0 * to_rad)
    changed = np.empty_like(covariance_m2)
    changed[..., 0, 1] = changed[..., 1, 0] = half * sin + between * cos
    half *= cos
    half -= between * sin
    np.add(mean, half, out=changed[..., 0, 0])
    np.subtract(mean, half, out=changed[..., 1, 1])
    return changed
