"""Checks of a scene before it is used: units, axes, rate, gaps, noise, duplicates, classes and map, in sentences."""

from trajnet.check.finding import Finding, SceneCheck
from trajnet.check.scene import check_scene

__all__ = ["Finding", "SceneCheck", "check_scene"]
