"""Autoware's message definitions, for bags that are read and written without ROS. Text only.

Field names and types are the wire contract of autoware_perception_msgs: a test computes their type hashes and compares
them with the published ones, and with the package that the tests build.
"""

from __future__ import annotations

PACKAGE = "autoware_perception_msgs"
TRACKED_OBJECTS = f"{PACKAGE}/msg/TrackedObjects"
PREDICTED_OBJECTS = f"{PACKAGE}/msg/PredictedObjects"

#: REP-2016 type hashes of the published definitions.
TYPE_HASHES: dict[str, str] = {
    TRACKED_OBJECTS: "RIHS01_3559bd4e62ce8a4d96e32720c02bbe656cc090bb2b3f3f91f52a7c3ab095417a",
    PREDICTED_OBJECTS: "RIHS01_b63151309c3323bb6e3f09c54b3358aa53a8e66937a1cde15c5d5ede1ef80a08",
}

#: The text of each .msg file by the message's name.
DEFINITIONS: dict[str, str] = {
    f"{PACKAGE}/msg/ObjectClassification": """\
uint8 UNKNOWN = 0
uint8 CAR = 1
uint8 TRUCK = 2
uint8 BUS = 3
uint8 TRAILER = 4
uint8 MOTORCYCLE = 5
uint8 BICYCLE = 6
uint8 PEDESTRIAN = 7
uint8 ANIMAL = 8
uint8 HAZARD = 9
uint8 OVER_DRIVABLE = 10
uint8 UNDER_DRIVABLE = 11

uint8 label
float32 probability
""",
    f"{PACKAGE}/msg/Shape": """\
uint8 BOUNDING_BOX = 0
uint8 CYLINDER = 1
uint8 POLYGON = 2

uint8 type
geometry_msgs/Polygon footprint
geometry_msgs/Vector3 dimensions
""",
    f"{PACKAGE}/msg/TrackedObjectKinematics": """\
uint8 UNAVAILABLE = 0
uint8 SIGN_UNKNOWN = 1
uint8 AVAILABLE = 2

geometry_msgs/PoseWithCovariance pose_with_covariance
geometry_msgs/TwistWithCovariance twist_with_covariance
geometry_msgs/AccelWithCovariance acceleration_with_covariance
uint8 orientation_availability
bool is_stationary
""",
    f"{PACKAGE}/msg/TrackedObject": """\
unique_identifier_msgs/UUID object_id
float32 existence_probability
autoware_perception_msgs/ObjectClassification[] classification
autoware_perception_msgs/TrackedObjectKinematics kinematics
autoware_perception_msgs/Shape shape
""",
    f"{PACKAGE}/msg/TrackedObjects": """\
std_msgs/Header header
autoware_perception_msgs/TrackedObject[] objects
""",
    f"{PACKAGE}/msg/PredictedPath": """\
geometry_msgs/Pose[] path
builtin_interfaces/Duration time_step
float32 confidence
""",
    f"{PACKAGE}/msg/PredictedObjectKinematics": """\
geometry_msgs/PoseWithCovariance initial_pose_with_covariance
geometry_msgs/TwistWithCovariance initial_twist_with_covariance
geometry_msgs/AccelWithCovariance initial_acceleration_with_covariance
autoware_perception_msgs/PredictedPath[] predicted_paths
""",
    f"{PACKAGE}/msg/PredictedObject": """\
unique_identifier_msgs/UUID object_id
float32 existence_probability
autoware_perception_msgs/ObjectClassification[] classification
autoware_perception_msgs/PredictedObjectKinematics kinematics
autoware_perception_msgs/Shape shape
""",
    f"{PACKAGE}/msg/PredictedObjects": """\
std_msgs/Header header
autoware_perception_msgs/PredictedObject[] objects
""",
}
