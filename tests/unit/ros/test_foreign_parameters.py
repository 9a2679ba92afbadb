"""Parameters that the node does not have: each is named, with what it may have been meant to be."""

from __future__ import annotations

from trajnet.ros.foreign_parameters import AUTOWARE, about_foreign
from trajnet.ros.parameters import DEFAULTS


def test_ours_and_those_of_ros_are_no_news() -> None:
    assert about_foreign([*DEFAULTS, "use_sim_time", "qos_overrides./parameter_events.publisher.depth"]) == []


def test_a_wrong_name_is_told_with_the_nearest_right_one() -> None:
    assert about_foreign(["horizon", "xyz"]) == [
        "horizon: no such parameter, ignored; did you mean horizon_s?",
        "xyz: no such parameter, ignored",
    ]


def test_another_node_of_ours_has_its_own_and_may_share_the_predictors_file() -> None:
    assert about_foreign(["scene", "rate", "horizon_s"], ("scene", "rate")) == []
    assert about_foreign(["scenes"], ("scene", "rate")) == ["scenes: no such parameter, ignored; did you mean scene?"]


def test_autowares_own_are_named_once_for_each_group_with_the_reason() -> None:
    said = about_foreign(
        ["prediction_time_horizon.vehicle", "prediction_time_horizon.pedestrian", "reference_path_resolution"]
    )
    assert said == [
        "prediction_time_horizon: of Autoware's map_based_prediction, ignored: set horizon_s, one for all classes",
        "reference_path_resolution: of Autoware's map_based_prediction, ignored: there are no reference paths",
    ]


def test_no_parameter_of_ours_is_taken_for_autowares() -> None:
    assert not set(AUTOWARE) & set(DEFAULTS)
    assert not {name for name in AUTOWARE if "." in name}
