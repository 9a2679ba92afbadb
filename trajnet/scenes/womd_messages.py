"""The messages of a Waymo Open Motion scenario, by the field numbers of the public scenario.proto and map.proto.

https://github.com/waymo-research/waymo-open-dataset, src/waymo_open_dataset/protos. Only what trajnet reads is named;
the decoder passes over everything else (lidar, camera tokens, neighbours of lanes). Enumerations are read as numbers.
"""

from __future__ import annotations

import functools
from typing import Any

from trajnet.scenes.messages import Fields, message_class

FIELDS: Fields = {
    "Scenario": {
        "scenario_id": (5, "string"),
        "timestamps_seconds": (1, "double*"),
        "current_time_index": (10, "int32"),
        "tracks": (2, "Track*"),
        "dynamic_map_states": (7, "DynamicMapState*"),
        "map_features": (8, "MapFeature*"),
        "sdc_track_index": (6, "int32"),
        "tracks_to_predict": (11, "RequiredPrediction*"),
    },
    "Track": {"id": (1, "int32"), "object_type": (2, "int32"), "states": (3, "ObjectState*")},
    "ObjectState": {
        "center_x": (2, "double"),
        "center_y": (3, "double"),
        "length": (5, "float"),
        "width": (6, "float"),
        "heading": (8, "float"),
        "velocity_x": (9, "float"),
        "velocity_y": (10, "float"),
        "valid": (11, "bool"),
    },
    "RequiredPrediction": {"track_index": (1, "int32"), "difficulty": (2, "int32")},
    "DynamicMapState": {"lane_states": (1, "TrafficSignalLaneState*")},
    "TrafficSignalLaneState": {"lane": (1, "int64"), "state": (2, "int32"), "stop_point": (3, "MapPoint")},
    "MapFeature": {
        "id": (1, "int64"),
        "lane": (3, "LaneCenter"),
        "road_line": (4, "RoadLine"),
        "road_edge": (5, "RoadEdge"),
        "stop_sign": (7, "StopSign"),
        "crosswalk": (8, "Crosswalk"),
        "speed_bump": (9, "SpeedBump"),
        "driveway": (10, "Driveway"),
    },
    "MapPoint": {"x": (1, "double"), "y": (2, "double")},
    "LaneCenter": {
        "type": (2, "int32"),
        "polyline": (8, "MapPoint*"),
        "left_boundaries": (13, "BoundarySegment*"),
        "right_boundaries": (14, "BoundarySegment*"),
    },
    "BoundarySegment": {
        "lane_start_index": (1, "int32"),
        "lane_end_index": (2, "int32"),
        "boundary_feature_id": (3, "int64"),
    },
    "RoadLine": {"polyline": (2, "MapPoint*")},
    "RoadEdge": {"polyline": (2, "MapPoint*")},
    "StopSign": {"lane": (1, "int64*"), "position": (2, "MapPoint")},
    "Crosswalk": {"polygon": (1, "MapPoint*")},
    "SpeedBump": {"polygon": (1, "MapPoint*")},
    "Driveway": {"polygon": (1, "MapPoint*")},
}


@functools.cache
def scenario_class() -> Any:
    """Return protobuf's class of a Scenario. Raises DependencyError where protobuf is not installed."""
    return message_class("womd", FIELDS, "Scenario")
