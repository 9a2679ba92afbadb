"""Scenes and their paths for viewers of others: rerun's recordings, and mcap files that Foxglove shows at once."""

from trajnet.view.foxglove import write_foxglove
from trajnet.view.rerun_file import open_viewer, write_rerun

__all__ = ["open_viewer", "write_foxglove", "write_rerun"]
