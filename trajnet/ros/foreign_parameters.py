"""Parameters that the node was given and does not have: a wrong name must not go unnoticed. No ROS.

An integrator who keeps the parameter file of Autoware's map_based_prediction gets, for each of its parameters, what
takes its place here or why nothing does.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from trajnet.ros.parameters import DEFAULTS

#: What ROS itself declares or accepts for any node.
OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides")

_LEARNED = "the model has learned this from recordings"
_SEARCH = "objects are not assigned to lanelets"
_CROSSWALK = "the parameter crossings switches crosswalks on and off; how often people cross is measured"
_LANE_CHANGE = "there is no rule that detects lane changes; the model's paths contain them"
_OVERRUN = "budget_ms, processing_warn_ms and processing_error_ms bound the time here"

#: The parameters of map_based_prediction by the part of the name before the first dot, and what became of them.
AUTOWARE: dict[str, str] = {
    "enable_delay_compensation": "paths begin at the stamp of their objects",
    "prediction_time_horizon": "set horizon_s, one for all classes",
    "prediction_sampling_delta_time": "set path_step_s",
    "lateral_control_time_horizon": _LEARNED,
    "min_velocity_for_map_based_prediction": "the model sees the map at any speed",
    "min_crosswalk_user_velocity": _CROSSWALK,
    "max_crosswalk_user_delta_yaw_threshold_for_lanelet": _CROSSWALK,
    "max_crosswalk_user_on_road_distance": _CROSSWALK,
    "crosswalk_with_signal": _CROSSWALK,
    "use_crosswalk_user_history": _CROSSWALK,
    "crossing_intention_duration": _CROSSWALK,
    "no_crossing_intention_duration": _CROSSWALK,
    "dist_threshold_for_searching_lanelet": _SEARCH,
    "delta_yaw_threshold_for_searching_lanelet": _SEARCH,
    "sigma_lateral_offset": _SEARCH,
    "sigma_yaw_angle_deg": _SEARCH,
    "object_buffer_time_length": "the state of a track lives as long as the track; see track_timeout_s",
    "history_time_length": "the state of a track lives as long as the track; see track_timeout_s",
    "check_lateral_acceleration_constraints": "paths that a class cannot drive are always refused",
    "max_lateral_accel": "paths that a class cannot drive are always refused",
    "min_acceleration_before_curve": _LEARNED,
    "use_vehicle_acceleration": _LEARNED,
    "speed_limit_multiplier": _LEARNED,
    "acceleration_exponential_half_life": _LEARNED,
    "behavior_model": _LEARNED,
    "prediction_time_horizon_rate_for_validate_shoulder_lane_length": "there is no rule for shoulder lanes",
    "lane_change_detection": _LANE_CHANGE,
    "reference_path_resolution": "there are no reference paths",
    "publish_processing_time": "processing times are always published",
    "publish_processing_time_detail": "published while a node subscribes",
    "publish_debug_markers": "set publish_markers",
    "processing_time_tolerance": _OVERRUN,
    "processing_time_tolerance_ms": _OVERRUN,
    "processing_time_consecutive_excess_tolerance": _OVERRUN,
    "consecutive_delay_tolerance_ms": _OVERRUN,
}


def about_foreign(names: Iterable[str], own: Collection[str] = tuple(DEFAULTS)) -> list[str]:
    """Return a sentence for every parameter that the node does not have; those of one nested group share one.

    own: what it has. The predictor's are no news for another node of ours either: parameter files are for all nodes.
    """
    said: dict[str, str] = {}
    for name in sorted(names):
        group = name.split(".")[0]
        if name in DEFAULTS or name in own or group in OF_ROS:
            continue
        if group in AUTOWARE:
            said[group] = f"{group}: of Autoware's map_based_prediction, ignored: {AUTOWARE[group]}"
        else:
            said[name] = f"{name}: no such parameter, ignored{_perhaps(name, own)}"
    return list(said.values())


def _perhaps(name: str, own: Collection[str]) -> str:
    near = difflib.get_close_matches(name, own, n=1)
    return f"; did you mean {near[0]}?" if near else ""
