"""What a model ought to reach: each limit met just inside of it and missed just outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trajnet.protocols.sites.objects import Objects
from trajnet.protocols.sites.scores import Scores
from trajnet.protocols.sites.tables import _target
from trajnet.protocols.sites.targets import targets
from trajnet.types import ObjectClass

#: So many cars that move, pedestrians that walk, and cars that stand, each a track of its own.
EACH = 200
MOVING, WALKING, STANDING = (slice(EACH * i, EACH * (i + 1)) for i in range(3))


def objects(tracks: int = EACH) -> Objects:
    count = 3 * EACH
    zero, no = np.zeros(count), np.zeros(count, np.bool_)
    kind = np.full(count, ObjectClass.CAR, np.int8)
    kind[WALKING] = ObjectClass.PEDESTRIAN
    band, stands = np.ones(count, np.int8), no.copy()
    band[STANDING], stands[STANDING] = 0, True
    track = np.array([f"{i // EACH}-{i % tracks}" for i in range(count)])
    return Objects(
        row=np.arange(count), track=track, object_class=kind, seen_for_s=zero, speed_mps=zero, band=band,
        manoeuvre=band, history=band, stands=stands, starts=no, goes_on=no, stops=no,
        here_m=np.zeros((count, 2)), future_m=np.zeros((count, 0, 2)),
    )  # fmt: skip


def scores(top_m: float, best_m: float = 1.0) -> Scores:
    one, deep = np.ones(3 * EACH), np.ones((3 * EACH, 5))
    return Scores(top_m * one, one, best_m * one, one, 0.0 * one, one, deep, deep)


def met(model: Scores, *, with_map: bool = False, covered: float = 0.9, tracks: int = EACH) -> dict[str, Any]:
    """Return name -> met against physics that are 1 m off."""
    physics = {name: scores(1.0) for name in ("cv", "ctrv", "kalman")}
    calibration = [{"horizon_s": 1.0, "covered_50": covered - 0.4, "covered_90": covered}]
    rows = targets(objects(tracks), model, physics, calibration, 0, with_map=with_map)
    return {row["name"]: row["met"] for row in rows}


@pytest.mark.parametrize(("physics_m", "told"), [(0.011, True), (0.009, False), (1e-15, False), (0.0, False)])
def test_a_change_against_physics_that_hardly_errs_says_nothing(physics_m: float, told: bool) -> None:
    physics = {name: scores(physics_m) for name in ("cv", "ctrv", "kalman")}
    rows = targets(objects(), scores(1.0), physics, [], 0, with_map=False)
    changes = [row for row in rows if " vs " in row["name"]]
    assert len(changes) == 3
    for row in changes:
        assert (row["value"] is not None, row["met"]) == (told, False if told else None)
        assert (_target(row) == "-") is not told
    assert [row["met"] for row in rows if row["unit"] == "m"] == [False]  # in metres there is something to say


@pytest.mark.parametrize(
    ("top_m", "with_map", "wanted"),
    [(0.74, False, True), (0.76, False, False), (0.64, True, True), (0.66, True, False)],
)
def test_moving_vehicles_are_asked_for_more_with_a_map(top_m: float, with_map: bool, wanted: bool) -> None:
    assert met(scores(top_m), with_map=with_map)["moving vehicles, top path vs cv"] is wanted


@pytest.mark.parametrize(("best_m", "wanted"), [(0.44, True), (0.46, False)])
def test_the_best_of_six(best_m: float, wanted: bool) -> None:
    assert met(scores(1.0, best_m))["moving vehicles, best of six vs cv"] is wanted


@pytest.mark.parametrize(("top_m", "wanted"), [(0.89, True), (0.91, False)])
def test_walking_pedestrians(top_m: float, wanted: bool) -> None:
    assert met(scores(top_m))["walking pedestrians, top path vs physics"] is wanted


@pytest.mark.parametrize(("behind_m", "wanted"), [(-0.5, True), (0.019, True), (0.021, False)])
def test_standing_objects_may_be_two_centimetres_behind(behind_m: float, wanted: bool) -> None:
    assert met(scores(1.0 + behind_m))["standing objects, top path minus physics"] is wanted


@pytest.mark.parametrize(("driving", "wanted"), [(2, True), (3, False)])
def test_one_standing_object_of_a_hundred_may_drive_off(driving: int, wanted: bool) -> None:
    model = scores(1.0)
    end_m = model.top_end_m.copy()
    end_m[STANDING][:driving] = 2.1
    end_m[MOVING] = 50.0  # what moves is another matter
    assert met(replace(model, top_end_m=end_m))["standing objects that end > 2 m away"] is wanted


@pytest.mark.parametrize(("covered", "wanted"), [(0.851, True), (0.849, False), (0.949, True), (0.951, False)])
def test_coverage_within_five_points(covered: float, wanted: bool) -> None:
    found = met(scores(1.0), covered=covered)
    assert (found["90 % region holds at 1 s"], found["50 % region holds at 1 s"]) == (wanted, wanted)


def test_too_few_tracks_tell_nothing() -> None:
    found = met(scores(0.1), tracks=29)
    for name in ("moving vehicles, top path vs cv", "standing objects, top path minus physics"):
        assert found[name] is None
