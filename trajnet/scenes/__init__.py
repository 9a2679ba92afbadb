"""Readers and writers of recorded scenes: every format becomes a trajnet.types.Scene."""

from trajnet.scenes.formats import COMMONROAD, OWN, TABLE, SceneFormat, write_scene

__all__ = ["COMMONROAD", "OWN", "TABLE", "SceneFormat", "write_scene"]
