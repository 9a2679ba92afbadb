"""A log of nuPlan with the tables and columns of nuplan-devkit (nuplan/database/nuplan_db_orm)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

START_US = 1_620_000_000_000_000
TABLES = """
CREATE TABLE log (token BLOB PRIMARY KEY, vehicle_name TEXT, date TEXT, timestamp INTEGER, logfile TEXT, location TEXT,
    map_version TEXT);
CREATE TABLE scene (token BLOB PRIMARY KEY, log_token BLOB, name TEXT, goal_ego_pose_token BLOB, roadblock_ids TEXT);
CREATE TABLE category (token BLOB PRIMARY KEY, name TEXT, description TEXT);
CREATE TABLE track (token BLOB PRIMARY KEY, category_token BLOB, width FLOAT, length FLOAT, height FLOAT);
CREATE TABLE ego_pose (token BLOB PRIMARY KEY, timestamp INTEGER, x FLOAT, y FLOAT, z FLOAT, qw FLOAT, qx FLOAT,
    qy FLOAT, qz FLOAT, vx FLOAT, vy FLOAT, vz FLOAT, epsg INTEGER, log_token BLOB);
CREATE TABLE lidar_pc (token BLOB PRIMARY KEY, next_token BLOB, prev_token BLOB, ego_pose_token BLOB, lidar_token BLOB,
    scene_token BLOB, filename TEXT, timestamp INTEGER);
CREATE TABLE lidar_box (token BLOB PRIMARY KEY, lidar_pc_token BLOB, track_token BLOB, x, y, z FLOAT, width FLOAT,
    length FLOAT, height FLOAT, vx FLOAT, vy FLOAT, vz FLOAT, yaw FLOAT, confidence FLOAT);
CREATE TABLE traffic_light_status (token BLOB PRIMARY KEY, lidar_pc_token BLOB, lane_connector_id INTEGER, status TEXT);
INSERT INTO log VALUES (x'01', 'veh', '2021', 0, 'log', 'us-nv-las-vegas-strip', 'v');
INSERT INTO traffic_light_status VALUES (x'01', x'01', 7, 'red');
"""
HALF = 0.5**0.5
#: Token, category, x, y in m, speed along x and y in m/s.
TRACKS = (("a1", "vehicle", 110.0, 220.0, 1.0, 2.0), ("b2", "pedestrian", 90.0, 190.0, 0.0, 0.0),
          ("c3", "traffic_cone", 80.0, 180.0, 0.0, 0.0))  # fmt: skip


def write_log(path: Path, scenes: int = 1) -> Path:
    """Write a log with scenes of two frames at 20 Hz: a car, a pedestrian and a cone around the vehicle."""
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES)
        for number, (name, category, *_) in enumerate(TRACKS):
            connection.execute("INSERT INTO category VALUES (?, ?, '')", (bytes([number]), category))
            connection.execute("INSERT INTO track VALUES (?, ?, 2, 4, 1)", (bytes.fromhex(name), bytes([number])))
        for number in range(scenes):
            named = (bytes([number]), f"scene-{number:03}")
            connection.execute("INSERT INTO scene VALUES (?, x'01', ?, NULL, '')", named)
        for frame in range(2 * scenes):
            token, time_us, moved_m = bytes([frame]), START_US + 50_000 * frame, 0.25 * frame
            pose = (token, time_us, 100.0, 200.0 + moved_m, 0.0, HALF, 0.0, 0.0, HALF, 5.0, 0.0, 0.0)
            connection.execute("INSERT INTO ego_pose VALUES (?,?,?,?,?,?,?,?,?,?,?,?, 32611, x'01')", pose)
            cloud = (token, token, bytes([frame // 2]), time_us)
            connection.execute("INSERT INTO lidar_pc VALUES (?, NULL, NULL, ?, x'01', ?, '', ?)", cloud)
            for number, (track, _, x, y, vx, vy) in enumerate(TRACKS):
                box = (bytes([frame, number]), token, bytes.fromhex(track), x, y, 0.0, 1.9, 4.5, 1.5, vx, vy, 0.0, 0.3)
                connection.execute("INSERT INTO lidar_box VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?, 1.0)", box)
    return path
