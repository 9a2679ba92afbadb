"""RViz with the node's paths, boxes and uncertainty.

ros2 launch trajnet rviz.launch.py
"""

from typing import Any

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description() -> Any:
    config = PathJoinSubstitution([FindPackageShare("trajnet"), "config", "trajnet.rviz"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("use_sim_time", default_value="false", description="Take the time from /clock."),
            Node(
                package="rviz2",
                executable="rviz2",
                name="trajnet_rviz",
                arguments=["-d", config],
                parameters=[{"use_sim_time": LaunchConfiguration("use_sim_time")}],
            ),
        ]
    )
