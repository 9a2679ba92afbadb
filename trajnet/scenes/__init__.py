"""Readers and writers of recorded scenes: every format becomes a trajnet.types.Scene."""

from trajnet.scenes.formats import COMMONROAD, TABLE, SceneFormat, write_scene

__all__ = ["COMMONROAD", "TABLE", "SceneFormat", "write_scene"]
