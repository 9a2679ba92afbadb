"""Crossing hypotheses: people near a crosswalk of the map may enter it (docs/crossing.md)."""
