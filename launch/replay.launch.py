"""Start the prediction node with a recorded scene or a bag as input, on its own clock.

ros2 launch trajnet replay.launch.py scene:=intersection.parquet
ros2 launch trajnet replay.launch.py bag:=recording.mcap rate:=0.5 rviz:=true
"""

from typing import Any

from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

#: Of a bag only what the predictor takes: recorded predictions would be published on the same topic as ours.
PLAYED = (
    "/perception/object_recognition/tracking/objects",
    "/perception/traffic_light_recognition/traffic_signals",
    "/map/vector_map",
    "/tf",
    "/tf_static",
)

ARGUMENTS = {
    "scene": ("", "A scene file; the player publishes it with /clock."),
    "bag": ("", "A rosbag2 recording, also one that was cut off; the player publishes its tracked objects and /clock."),
    "raw": ("false", "true: `ros2 bag play` plays the bag's objects, map, lights and /tf; it does not wait."),
    "rate": ("1.0", "How many times faster than real time."),
    "loop": ("false", "Start again at the end."),
    "model": ("", "See predictor.launch.py."),
    "map_path": ("", "See predictor.launch.py."),
    "rviz": ("false", "Show it in RViz."),
}


def _truth(name: str, text: str) -> bool:
    """Return what true, True, 1, yes, on and their opposites mean. The same words as trajnet.ros.parameters.truth."""
    if text.strip().lower() in ("true", "1", "yes", "on"):
        return True
    if text.strip().lower() in ("false", "0", "no", "off"):
        return False
    raise RuntimeError(f"replay.launch.py: {name}: expected true or false, got {text!r}")


def _actions(context: Any) -> list[Any]:
    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    def included(name: str, **arguments: str) -> Any:
        path = PathJoinSubstitution([FindPackageShare("trajnet"), "launch", name])
        return IncludeLaunchDescription(path, launch_arguments=arguments.items())

    if bool(value("scene")) == bool(value("bag")):
        raise RuntimeError("replay.launch.py: expected one of scene:=FILE and bag:=FILE")
    loop, raw, rviz = (_truth(name, value(name)) for name in ("loop", "raw", "rviz"))
    ends_all = Shutdown(reason="the recording has been played")
    if value("scene") or not raw:
        # The model is loaded and warm before the predictor subscribes: the first frames are not lost.
        played = {"scene": value("scene") or value("bag"), "rate": float(value("rate")), "loop": loop}
        player = Node(
            package="trajnet",
            executable="trajnet_player",
            name="trajnet_player",
            output="both",
            parameters=[{**played, "wait_for_subscriber": True}],
            on_exit=ends_all,
        )
    else:
        command = ["ros2", "bag", "play", value("bag"), "--clock", "--rate", value("rate"), "--topics", *PLAYED]
        player = ExecuteProcess(cmd=command + (["--loop"] if loop else []), output="both", on_exit=ends_all)
    handed_on = {name: value(name) for name in ("model", "map_path")}
    # Where the predictor cannot start, the player would wait for it without an end.
    actions = [included("predictor.launch.py", **handed_on, use_sim_time="true", required="true"), player]
    if rviz:
        actions.append(included("rviz.launch.py", use_sim_time="true"))
    return actions


def generate_launch_description() -> Any:
    declared = [DeclareLaunchArgument(n, default_value=d, description=t) for n, (d, t) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=_actions)])
