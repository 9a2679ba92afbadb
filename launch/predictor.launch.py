"""Start the prediction node in the place of Autoware's map_based_prediction.

ros2 launch trajnet predictor.launch.py
ros2 launch trajnet predictor.launch.py model:=/path/to/model.onnx input_topic:=/my/tracks output_topic:=/my/predictions
"""

from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ARGUMENTS = {
    "param_file": ("", "Parameters of the node; empty: the package's config/trajnet.param.yaml."),
    "model": ("", "A bundled model by name, an .onnx file, or cv, ctrv, kalman; empty: what param_file says."),
    "map_path": (
        "",
        "Path of a map: a Lanelet2 .osm, a folder of its tiles, or a scene file; empty: what param_file says.",
    ),
    "vector_map_topic": ("/map/vector_map", "LaneletMapBin, Autoware's map; it takes the place of map_path's."),
    "traffic_signals_topic": (
        "/perception/traffic_light_recognition/traffic_signals",
        "TrafficLightGroupArray, for the crosswalks of the map.",
    ),
    "input_topic": ("/perception/object_recognition/tracking/objects", "TrackedObjects."),
    "output_topic": ("/perception/object_recognition/objects", "PredictedObjects."),
    "role": ("sole", "sole, or beside another predictor: cross_check or fall_back; see docs/ros.md."),
    "other_topic": ("", "PredictedObjects of the other predictor; empty: in a cross_check output_topic."),
    "autostart": ("true", "false where a lifecycle manager configures and activates the node."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "required": ("false", "true: the end of the node ends the launch."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}


def _truth(name: str, text: str) -> bool:
    """Return what true, True, 1, yes, on and their opposites mean. The same words as trajnet.ros.parameters.truth."""
    if text.strip().lower() in ("true", "1", "yes", "on"):
        return True
    if text.strip().lower() in ("false", "0", "no", "off"):
        return False
    raise RuntimeError(f"predictor.launch.py: {name}: expected true or false, got {text!r}")


def _remappings(values: dict[str, str]) -> list[tuple[str, str]]:
    """Return where the topics go. In a cross_check output_topic is the other predictor's, and ours is private."""
    role, other = values["role"], values["other_topic"]
    if role == "fall_back" and not other:
        raise RuntimeError("predictor.launch.py: role fall_back: expected other_topic:=TOPIC of the other predictor")
    found = [
        ("~/input/objects", values["input_topic"]),
        ("~/input/vector_map", values["vector_map_topic"]),
        ("~/input/traffic_signals", values["traffic_signals_topic"]),
    ]
    if role != "cross_check":
        found.append(("~/output/objects", values["output_topic"]))
    if role != "sole":
        found.append(("~/input/other_objects", other or values["output_topic"]))
    return found


def _node(context: Any) -> list[Any]:
    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    share_config = PathJoinSubstitution([FindPackageShare("trajnet"), "config", "trajnet.param.yaml"])
    overrides: dict[str, str | bool] = {n: _truth(n, value(n)) for n in ("autostart", "use_sim_time")}
    overrides.update({name: value(name) for name in ("model", "map_path") if value(name)})
    if value("role") != "sole":
        overrides["role"] = value("role")
    ends_all = {"on_exit": Shutdown(reason="the predictor has ended")} if _truth("required", value("required")) else {}
    return [
        Node(
            package="trajnet",
            executable="trajnet_predictor",
            name="trajnet_predictor",
            output="both",
            parameters=[value("param_file") or share_config, overrides],
            remappings=_remappings({name: value(name) for name in ARGUMENTS}),
            arguments=["--ros-args", "--log-level", value("log_level")],
            **ends_all,
        )
    ]


def generate_launch_description() -> Any:
    declared = [DeclareLaunchArgument(n, default_value=d, description=t) for n, (d, t) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=_node)])
