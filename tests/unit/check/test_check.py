"""trajnet.check: each mistake with units and axes is named, and a right scene has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trajnet.check import SceneCheck, check_scene
from trajnet.inference import load_predictor
from trajnet.inference.domain import ClassDomain, Domain
from trajnet.types import FloatArray, Lane, Scene

RATE_HZ, FRAMES = 10.0, 60


def street(**changes: Any) -> dict[str, Any]:
    """Columns of five cars that drive curves and a walker, 10 Hz, with exact headings and velocities."""
    t = np.arange(FRAMES) / RATE_HZ
    rows: dict[str, list[Any]] = {name: [] for name in ("time", "id", "class", "x", "y", "heading", "vx", "vy")}
    for index in range(6):
        walker = index == 5
        speed, turn, start = (1.4, 0.0, 0.3) if walker else (8.0 + index, 0.1 * (index - 2), 0.7 * index + 0.2)
        yaw = start + turn * t
        velocity = speed * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
        place = np.array([30.0 * index, 12.0 * index]) + np.cumsum(velocity, axis=0) / RATE_HZ
        rows["time"] += np.rint(t * 1e9).astype(int).tolist()
        rows["id"] += [f"o{index}"] * FRAMES
        rows["class"] += ["pedestrian" if walker else "car"] * FRAMES
        for name, values in zip(("x", "y", "heading", "vx", "vy"), (*place.T, yaw, *velocity.T), strict=True):
            rows[name] += values.tolist()
    return {**{name: np.array(values) for name, values in rows.items()}, **changes}


def checked(columns: dict[str, Any], **options: Any) -> SceneCheck:
    return check_scene(Scene.from_dataframe(columns, **{"units": "time=ns", **options}))


def mistakes(found: SceneCheck) -> dict[str, str]:
    return {f.check: f"{f.sentence}. {f.cause}" for f in found.findings if f.severity == "mistake"}


def test_a_right_scene_has_neither_mistakes_nor_doubts() -> None:
    found = checked(street())
    assert found.findings == ()
    assert found.facts["period_s"] == pytest.approx(0.1)
    assert found.facts["classes"] == {"car": 5, "pedestrian": 1}
    assert found.facts["position_noise_m"] == pytest.approx(0.0, abs=0.05)


def degrees_as_radians(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "heading": np.degrees(c["heading"])}


def swapped_places(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": c["y"], "y": c["x"]}


def degrees_as_metres(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": 11.5 + c["x"] / 75_000, "y": 48.1 + c["y"] / 111_320}


def only_places_as_degrees(c: dict[str, Any]) -> dict[str, Any]:
    moved = degrees_as_metres(c)
    return {name: moved[name] for name in ("time", "id", "x", "y")}


def milliseconds_as_nanoseconds(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "time": c["time"] // 1_000_000}


def microseconds_as_nanoseconds(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "time": c["time"] // 1000}


def nanoseconds_as_milliseconds(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "time": c["time"] * 1_000_000}


def compass(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "heading": 90 - np.degrees(c["heading"])}


def y_down(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "y": -c["y"]}


def backwards(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "heading": c["heading"] + np.pi}


def people_backwards(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "heading": c["heading"] + np.pi * (c["class"] == "pedestrian")}


def zero(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "heading": 0.0 * c["heading"]}


def kilometres_per_hour(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "vx": 3.6 * c["vx"], "vy": 3.6 * c["vy"]}


def own_frame(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "vx": np.hypot(c["vx"], c["vy"]), "vy": 0 * c["vy"]}


def standing(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "vx": 0.0 * c["vx"], "vy": 0.0 * c["vy"]}


def centimetres(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": 100 * c["x"], "y": 100 * c["y"]}


def swapped_sizes(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "length": np.full(len(c["x"]), 1.9), "width": np.full(len(c["x"]), 4.6)}


@pytest.mark.parametrize(
    ("spoil", "check", "cause"),
    [
        (degrees_as_radians, "heading", "degrees taken as radians"),
        (swapped_places, "heading", "x and y are swapped"),
        (swapped_places, "velocity", "x and y are swapped"),
        (degrees_as_metres, "degrees", "longitude and latitude taken as metres"),
        (only_places_as_degrees, "degrees", "longitude and latitude taken as metres"),
        (milliseconds_as_nanoseconds, "time_unit", "milliseconds taken as nanoseconds"),
        (microseconds_as_nanoseconds, "time_unit", "microseconds taken as nanoseconds (units time=us)"),
        (microseconds_as_nanoseconds, "time_unit", "like seconds taken as milliseconds (units time=s), or"),
        (nanoseconds_as_milliseconds, "time_unit", "like microseconds taken as seconds (units time=us), or nano"),
        (compass, "heading", "compass"),
        (y_down, "heading", "the y axis points to the other side"),
        (backwards, "heading", "backwards"),
        (people_backwards, "heading", "of people are along the motion"),
        (people_backwards, "heading", "backwards"),
        (zero, "heading", "placeholder"),
        (kilometres_per_hour, "velocity_unit", "km/h"),
        (own_frame, "velocity", "in the frame of each object"),
        (standing, "velocity", "100% of what moves is measured as standing"),
        (standing, "velocity", "placeholder"),
        (centimetres, "velocity_unit", "centimetres"),
        (swapped_sizes, "size", "length and width are swapped"),
    ],
)
def test_each_mistake_is_named(spoil: Callable[[dict[str, Any]], dict[str, Any]], check: str, cause: str) -> None:
    found = mistakes(checked(spoil(street())))
    assert cause in found.get(check, ""), found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e300, 1e20, 1.7e308])
def test_places_that_are_nowhere_are_one_mistake(far: float) -> None:
    columns = street()
    columns["x"] = np.where(np.arange(len(columns["x"])) % 2, far, -far)
    found = checked(columns)
    assert [f.check for f in found.findings] == ["far"]
    said = found.findings[0].sentence
    assert said.startswith(
        "360 of 360 positions are more than 100,000 km from the origin, the first of track 'o0' at ("
    )
    columns["x"] = street()["x"]
    columns["x"][7] = far
    assert "1 of 360 positions" in mistakes(checked(columns))["far"]


def stands_but_says_it_drives(c: dict[str, Any]) -> dict[str, Any]:
    first = np.repeat(np.arange(6) * FRAMES, FRAMES)
    return {**c, "x": c["x"][first], "y": c["y"][first]}


def one_stands_but_says_it_drives(c: dict[str, Any]) -> dict[str, Any]:
    one, still = c["id"] == "o1", stands_but_says_it_drives(c)
    return {**c, **{name: np.where(one, still[name], c[name]) for name in ("x", "y")}}


def in_kilometres(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": 3 + c["x"] / 1000, "y": 3000 + c["y"] / 1000}


def far_too_fast(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "vx": 1e5 * c["vx"], "vy": 1e5 * c["vy"]}


def fast_and_uneven(c: dict[str, Any]) -> dict[str, Any]:
    uneven = np.repeat([20.0, 30.0, 300.0, 1000.0, 50.0, 70.0], FRAMES)
    return {**c, "vx": uneven * c["vx"], "vy": uneven * c["vy"]}


def a_tenth_of_x_is_zero(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": np.where(np.arange(len(c["x"])) % 10 == 3, 0.0, 500 + c["x"])}


def a_tenth_is_elsewhere(c: dict[str, Any]) -> dict[str, Any]:
    return {**c, "x": np.where(np.arange(len(c["x"])) % 10 == 3, -999.0, 500 + c["x"])}


@pytest.mark.parametrize(
    ("spoil", "check", "said"),
    [
        (stands_but_says_it_drives, "velocity_stuck", "in 100% of the moves whose measured speed would take them 2 m"),
        (one_stands_but_says_it_drives, "velocity_stuck", "The positions are repeated, or the velocities of"),
        (in_kilometres, "velocity_stuck", "Or positions and velocities are in different units"),
        (far_too_fast, "velocity_unit", "1e+05 times those that the positions imply. The unit of velocities"),
        (fast_and_uneven, "velocity_unit", "The unit of velocities, positions or times is wrong"),
        (a_tenth_of_x_is_zero, "leaps", "of them to or from a place with a coordinate of 0: it looks like a"),
        (a_tenth_is_elsewhere, "leaps", "Ids are used for several objects, or detections are wrong"),
    ],
)
def test_what_nothing_can_do_is_a_mistake(
    spoil: Callable[[dict[str, Any]], dict[str, Any]], check: str, said: str
) -> None:
    found = mistakes(checked(spoil(street())))
    assert said in found.get(check, ""), found
    assert not {"velocity_stuck", "velocity_unit"} <= set(found)  # it is one mistake, said once


def test_a_standing_car_with_a_noisy_velocity_and_a_smoothed_one_are_no_mistake() -> None:
    columns = street()
    noisy = {**stands_but_says_it_drives(columns), "vx": 0.4 * np.resize([1.0, -1.0], 360), "vy": 0 * columns["vy"]}
    assert mistakes(checked(noisy)) == {}
    smoothed = {**columns, "vx": 0.5 * columns["vx"], "vy": 0.5 * columns["vy"]}
    assert [f.severity for f in checked(smoothed).findings] == ["doubt"]


def test_people_may_look_aside() -> None:
    columns = street()
    aside = np.where(columns["class"] == "pedestrian", np.radians(35.0), 0.0)
    assert mistakes(checked({**columns, "heading": columns["heading"] + aside})) == {}
    assert checked({**columns, "heading": columns["heading"] + aside}).findings == ()


def test_a_placeholder_for_people_alone_is_named() -> None:
    columns = street()
    people = columns["class"] == "pedestrian"  # one of them, along 0.3 rad; another one along 2 rad
    t = np.arange(FRAMES) / RATE_HZ
    other = {name: values[people] for name, values in columns.items()}
    other |= {"id": np.full(FRAMES, "w"), "x": 1.4 * np.cos(2.0) * t, "y": 1.4 * np.sin(2.0) * t}
    other |= {"vx": np.full(FRAMES, 1.4 * np.cos(2.0)), "vy": np.full(FRAMES, 1.4 * np.sin(2.0))}
    both = {name: np.concatenate([values, other[name]]) for name, values in columns.items()}
    both["heading"] = np.where(both["class"] == "pedestrian", 0.0, both["heading"])
    found = mistakes(checked(both))
    assert "100% of the headings of people are 0 rad" in found["heading"]


def test_everybody_along_the_x_axis_is_no_placeholder() -> None:
    columns = street()
    straight = {"heading": 0.0 * columns["heading"], "vx": np.full(len(columns["x"]), 8.0), "vy": 0.0 * columns["vy"]}
    straight["x"] = 8.0 * np.tile(np.arange(FRAMES) / RATE_HZ, 6)
    straight["y"] = np.repeat(12.0 * np.arange(6), FRAMES)
    assert mistakes(checked({**columns, **straight, "class": np.full(len(columns["x"]), "car")})) == {}


def test_parked_cars_with_degrees_are_found_by_their_size_alone() -> None:
    columns = street()
    columns["x"], columns["y"] = np.zeros(len(columns["x"])), np.repeat(np.arange(6) * 10.0, FRAMES)
    columns["vx"] = columns["vy"] = np.zeros(len(columns["x"]))
    columns["heading"] = np.repeat([10.0, 95.0, 180.0, 270.0, 45.0, 300.0], FRAMES)
    assert "degrees taken as radians" in mistakes(checked(columns))["heading"]


def test_doubts_do_not_count_as_mistakes() -> None:
    columns = street()
    columns["class"] = np.full(len(columns["x"]), "unknown")
    found = checked(columns)
    assert [f.check for f in found.findings] == ["classes"]
    assert found.mistakes == 0


def test_gaps_leaps_and_duplicates_are_counted() -> None:
    columns = street()
    lost = np.arange(len(columns["x"])) % 4 != 0
    assert "gaps" in {f.check for f in checked({n: v[lost] for n, v in columns.items()}).findings}
    leapt = {**columns, "x": columns["x"] + np.where(np.arange(len(columns["x"])) == 30, 500.0, 0.0)}
    leap = next(f for f in checked(leapt).findings if f.check == "leaps")
    assert leap.sentence.startswith("2 steps are leaps, the first of track 'o0'")
    twin = columns["id"] == "o0"
    doubled = {n: np.concatenate([v, v[twin]]) for n, v in columns.items()}
    doubled["id"][-FRAMES:] = "o9"
    assert "'o0' and 'o9'" in next(f for f in checked(doubled).findings if f.check == "duplicates").sentence


def test_stamps_of_each_object_are_told_from_frames() -> None:
    columns = street()
    columns["time"] = columns["time"] + np.repeat(np.arange(6), FRAMES) * 13_000_000
    assert "asynchronous" in {f.check for f in checked(columns).findings}
    assert checked(columns, rate_hz=10.0).findings == ()


def test_noise_is_measured() -> None:
    columns = street()
    noise = np.random.default_rng(0).normal(0, 0.5, (2, len(columns["x"])))
    found = checked({**columns, "x": columns["x"] + noise[0], "y": columns["y"] + noise[1]})
    assert found.facts["position_noise_m"] == pytest.approx(0.5, rel=0.1)
    assert "noise" in {f.check for f in found.findings}


def road(at_m: FloatArray, yaw_rad: float) -> Lane:
    along = np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
    left = np.array([-along[1], along[0]]) * 2
    ends = at_m + np.outer([-100.0, 0.0, 100.0], along)
    return Lane("a", ends + left, ends - left, ends)


def test_a_map_of_another_place_or_with_turned_lanes_is_found() -> None:
    columns = street()
    straight = columns["id"] == "o2"
    scene = Scene.from_dataframe({n: v[straight] for n, v in columns.items()}, units="time=ns")
    yaw = float(scene.yaw_rad[0])
    right = check_scene(replace(scene, lanes=(road(scene.position_m[0], yaw),)))
    assert right.findings == ()
    assert (right.facts["on_road_share"], right.facts["along_lane_share"]) == (1.0, 1.0)
    turned = check_scene(replace(scene, lanes=(road(scene.position_m[0], yaw + np.pi),)))
    assert "the way of their lane" in mistakes(turned)["map"]
    moved = check_scene(replace(scene, lanes=(road(scene.position_m[0] + 500, yaw),)))
    assert "different frames" in mistakes(moved)["map"]


def test_a_map_of_centre_lines_or_of_sides_alone_fits_and_one_without_lines_is_a_doubt() -> None:
    columns, none = street(), np.zeros((0, 2))
    straight = columns["id"] == "o2"
    scene = Scene.from_dataframe({n: v[straight] for n, v in columns.items()}, units="time=ns")
    lane = road(scene.position_m[0], float(scene.yaw_rad[0]))
    for kept in (replace(lane, left_m=none, right_m=none), replace(lane, centre_m=none)):
        found = check_scene(replace(scene, lanes=(kept,)))
        assert found.findings == ()
        assert (found.facts["on_road_share"], found.facts["along_lane_share"]) == (1.0, 1.0)
    (doubt,) = check_scene(replace(scene, lanes=(Lane("a", none, none, none),))).findings
    assert (doubt.severity, doubt.check) == ("doubt", "map")
    assert "no lane of the map has two points" in doubt.sentence


@pytest.mark.parametrize(("slower", "doubted"), [(8.0, False), (9.9, True), (10.1, True), (20.0, True)])
def test_a_tracker_so_slow_that_its_tracks_are_forgotten_is_a_doubt(slower: float, doubted: bool) -> None:
    """The street at 10 Hz, played so many times slower."""
    columns = street()
    found = checked({**columns, "time": (columns["time"] * slower).astype(np.int64)}).findings
    said = [f.sentence for f in found if f.check == "timeout"]
    expected = f"a track is observed every {0.1 * slower:.3g} s, and one that is missing for 1 s is forgotten"
    assert said == ([expected] if doubted else [])


def test_what_a_model_was_not_trained_on_is_named() -> None:
    model = load_predictor().model_file
    assert model is not None
    cars = {"car": ClassDomain(1000, (0.0, 4.0), ())}
    domain = Domain(cars, ((2.0, 1000),), {"right": 1000}, 1.0, 1.0, 1.0, speed_edges_mps=(0.0,))
    scene = Scene.from_dataframe(street(), units="time=ns")
    found = check_scene(scene, replace(model.contract, domain=domain)).findings
    assert {f.check for f in found} == {"domain"}
    said = " ".join(f.sentence for f in found)
    assert "the rate is 10 Hz, and trajnet-urban serves 1 to 4 Hz" in said
    assert "1 objects are of class pedestrian, which trajnet-urban was not trained on" in said
    assert "100% of the moves of car objects are faster than the 6 m/s of trajnet-urban" in said
    assert check_scene(scene, replace(model.contract, domain=None)).findings == ()


def test_an_empty_scene_and_one_of_a_single_row_are_checked() -> None:
    one = {name: values[:1] for name, values in street().items()}
    assert check_scene(Scene.from_dataframe(one, units="time=ns")).mistakes == 0
