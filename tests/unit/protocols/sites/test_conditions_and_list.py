"""What is shown of a recording, which sites there are, and whether a model was trained on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.replay_scenes import crossing_scene
from trajnet.errors import ConfigError, InputError
from trajnet.protocols.sites.conditions import (
    CONDITIONS,
    HEADINGS,
    LATE_S,
    VELOCITIES,
    Condition,
    condition_named,
    conditions_named,
)
from trajnet.protocols.sites.site_list import KNOWN_SITES, Site, sites_at_hand, trained_on
from trajnet.scenes import write_scene


@pytest.mark.parametrize("condition", CONDITIONS)
def test_names_name_their_condition(condition: Condition) -> None:
    assert condition_named(condition.name) == condition


def test_names_are_read_or_refused() -> None:
    assert condition_named("noise-7.5cm+no-map") == Condition(with_map=False, noise_m=0.075)
    assert conditions_named([]) == list(CONDITIONS)
    assert conditions_named(["no-map", "no-map"]) == [Condition(with_map=False)]
    assert condition_named("reversed-headings+noise-5cm") == Condition(noise_m=0.05, headings="reversed-headings")
    assert condition_named("late-velocities+no-map").name == "no-map+late-velocities"
    assert condition_named("noise-5cm+no-heading+no-map").name == "no-map+no-heading+noise-5cm"
    for name in ("", "recorded+no-map", "noise", "noise-5m", "no-maps", "no-headings"):
        with pytest.raises(InputError, match="conditions: expected recorded"):
            condition_named(name)
    with pytest.raises(ConfigError, match="noise"):
        Condition(noise_m=float("nan"))
    with pytest.raises(ConfigError, match="velocities: expected one of recorded, no-velocity, zero-velocities"):
        Condition(velocities="zero-headings")
    with pytest.raises(ConfigError, match="headings: expected one of recorded, no-heading"):
        Condition(headings="")


def test_what_is_hidden_is_hidden_and_the_rest_stays() -> None:
    scene = crossing_scene(3.0)
    assert Condition().shown(scene, 0) is scene
    without = Condition(with_map=False, velocities="no-velocity").shown(scene, 0)
    assert not without.lanes
    assert not without.velocity_valid.any()
    np.testing.assert_array_equal(without.position_m, scene.position_m)
    assert scene.lanes
    assert scene.velocity_valid.all()


def test_headings_are_hidden_reversed_or_made_up() -> None:
    scene = crossing_scene(3.0)
    scene = replace(scene, yaw_valid=np.arange(len(scene.yaw_rad)) > 0)
    hidden, turned, zero = (Condition(headings=name).shown(scene, 0) for name in HEADINGS)
    assert not hidden.yaw_valid.any()
    np.testing.assert_allclose(turned.yaw_rad - scene.yaw_rad, np.pi)
    np.testing.assert_array_equal(turned.yaw_valid, scene.yaw_valid)
    assert not zero.yaw_rad.any()
    assert zero.yaw_valid.all()
    np.testing.assert_array_equal(zero.velocity_mps, scene.velocity_mps)


def test_velocities_are_made_up_or_late() -> None:
    scene = crossing_scene(3.0)
    scene = replace(scene, velocity_valid=np.arange(len(scene.yaw_rad)) > 0)
    zero, late = (Condition(velocities=name).shown(scene, 0) for name in VELOCITIES[1:])
    assert not zero.velocity_mps.any()
    assert zero.velocity_valid.all()
    np.testing.assert_array_equal(late.velocity_valid, scene.velocity_valid)
    for rows in scene.rows_by_track():
        time_s = (scene.timestamp_ns[scene.row_frame[rows]] - scene.timestamp_ns[scene.row_frame[rows[0]]]) * 1e-9
        share = 1.0 - np.exp(-time_s / LATE_S)
        np.testing.assert_allclose(late.velocity_mps[rows], share[:, None] * scene.velocity_mps[rows])


def test_noise_is_seeded_nested_and_as_large_as_it_says() -> None:
    scene = crossing_scene(12.0)
    small, large = (Condition(noise_m=m).shown(scene, 0).position_m - scene.position_m for m in (0.02, 0.10))
    np.testing.assert_allclose(large, 5.0 * small, atol=1e-8)
    assert large.std() == pytest.approx(0.10, rel=0.05)
    np.testing.assert_array_equal(Condition(noise_m=0.02).shown(scene, 0).position_m - scene.position_m, small)
    assert np.abs(Condition(noise_m=0.02).shown(scene, 1).position_m - scene.position_m - small).max() > 0.01


def test_nothing_is_hidden_where_there_is_nothing() -> None:
    all_there = {"has_map": True, "has_velocity": True, "has_heading": True}
    nothing = dict.fromkeys(all_there, False)
    assert Condition(with_map=False).missing(**{**all_there, "has_map": False}) == "there is no map to hide"
    for name in ("no-velocity", "late-velocities"):
        without = Condition(velocities=name).missing(**{**all_there, "has_velocity": False})
        assert without == "there is no measured velocity to hide or delay"
    for name in HEADINGS[:2]:
        assert "no measured heading" in Condition(headings=name).missing(**{**all_there, "has_heading": False})
        assert Condition(headings=name).missing(**{**nothing, "has_heading": True}) == ""
    assert Condition(velocities="zero-velocities", headings="zero-headings").missing(**nothing) == ""
    assert Condition(noise_m=0.1).missing(**nothing) == ""


def test_sites_that_are_absent_are_named_with_the_reason(tmp_path: Path) -> None:
    found, absent = sites_at_hand([tmp_path])
    assert [site.name for site in found] == ["sim"]
    assert set(absent) == {site.name for site in KNOWN_SITES} - {"sim"}
    assert "nuscenes_mini" in absent["nuscenes_mini"]
    assert "commonroad_ngsim/US101" in absent["us101"]


def test_own_folders_are_sites(tmp_path: Path) -> None:
    write_scene(crossing_scene(3.0), tmp_path / "a.parquet")
    found, absent = sites_at_hand([], [("yard", tmp_path)], ["yard"])
    assert [(site.name, [path.name for path in site.files]) for site in found] == [("yard", ["a.parquet"])]
    assert absent == {}
    with pytest.raises(InputError, match=r"sites: expected some of .*, yard, got lawn"):
        sites_at_hand([], [("yard", tmp_path)], ["lawn"])
    with pytest.raises(InputError, match="expected a name that no other site has, got 'sim' again"):
        sites_at_hand([], [("sim", tmp_path)])


def test_one_recording_of_each_us101_scenario(tmp_path: Path) -> None:
    folder = tmp_path / "commonroad_ngsim" / "US101"
    folder.mkdir(parents=True)
    for name in ("1_1_S-1", "1_1_T-1", "1_2_T-1", "11_1_T-1", "2_2_T-1", "2_3_T-1"):
        (folder / f"USA_US101-{name}.xml").touch()
    (site,) = sites_at_hand([tmp_path], names=["us101"])[0]
    assert [path.name[10:-4] for path in site.files] == ["11_1_T-1", "1_1_T-1", "2_2_T-1"]


@pytest.mark.parametrize(
    ("site", "source", "expected"),
    [
        ("nuscenes_mini", "scenes nuscenes_pred/label/train", "same recordings"),
        ("nuscenes_mini", "nuscenes_agents train", "same data set"),
        ("nuscenes_agents", "nuscenes_agents train", "same data set"),
        ("nuscenes_agents", "nuscenes_agents val", "same recordings"),
        ("nuscenes_agents", "nuscenes_agents train_val", "same data set"),
        ("mona_east", "mona west", "same data set"),
        ("sind_changchun", "sind xian", "same data set"),
        ("us101", "scenes commonroad_ngsim/Lankershim", "same data set"),
        ("eth_ucy", "scenes eth_ucy/raw/train", "same data set"),
        ("dut", "dut all", "same recordings"),
        ("dut", "scenes generated/train", "no"),
        ("sim", "scenes generated/train_tracker", "same data set"),
    ],
)
def test_what_a_model_was_trained_on(site: str, source: str, expected: str) -> None:
    assert trained_on(Site(site, "", ()), ["apolloscape train", source]) == (
        expected, [] if expected == "no" else [source],
    )  # fmt: skip


def test_an_own_site_is_one_that_a_model_was_trained_on_if_its_files_lie_in_the_folder_of_a_source() -> None:
    site = Site("yard", "", (Path("/data/generated/train/a.parquet"),))
    assert trained_on(site, ["scenes generated/train"]) == ("same recordings", ["scenes generated/train"])
    for source in ("scenes other/train", "scenes generated/train_tracker", "nuscenes_agents val", "nuscenes"):
        assert trained_on(site, [source]) == ("no", []), source


def test_nobody_knows_what_trained_a_model_without_a_contract() -> None:
    assert trained_on(Site("dut", "", ()), None) == ("unknown", [])
