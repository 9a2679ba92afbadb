"""All paths of a recorded scene, frame by frame as on the road, and the table of them."""

from trajnet.paths.scene import frames_at, predict_scene
from trajnet.paths.table import write_paths

__all__ = ["frames_at", "predict_scene", "write_paths"]
