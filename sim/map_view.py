"""Imperfect maps: whole, none, partial, shifted, with lanes missing, or with centre lines only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from street_layout import offset_line

from trajnet.types import FloatArray, Lane

#: Kinds of map and how often a scene has each.
MAPS: dict[str, float] = {"whole": 0.4, "none": 0.15, "partial": 0.13, "shifted": 0.16, "missing": 0.08, "centre": 0.08}
FURTHEST_SHIFT_M = 2.0
#: Width of the lanes (m) that a reader makes from centre lines.
GUESSED_WIDTH_M = 3.5
MISSING_SHARE = 0.3


def draw_map(rng: np.random.Generator, lanes: tuple[Lane, ...], kind: str) -> tuple[tuple[Lane, ...], str]:
    """Return the lanes of a map of this kind (MAPS), and its name with the drawn parameters."""
    if kind == "whole" or not lanes:
        return lanes, kind
    if kind == "none":
        return (), kind
    if kind == "partial":
        return _partial(rng, lanes)
    if kind == "shifted":
        angle, far_m = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.3, FURTHEST_SHIFT_M))
        shift_m = (far_m * np.array([np.cos(angle), np.sin(angle)])).round(2)
        return tuple(_shifted(lane, shift_m) for lane in lanes), f"shifted by ({shift_m[0]:.2f}, {shift_m[1]:.2f}) m"
    if kind == "missing":
        gone = rng.random(len(lanes)) < MISSING_SHARE
        left = tuple(lane for lane, away in zip(lanes, gone, strict=True) if not away)
        return left, f"{len(lanes) - len(left)} of {len(lanes)} lanes missing"
    return tuple(_from_centre(lane) for lane in lanes), f"centre lines, lanes guessed {GUESSED_WIDTH_M} m wide"


def _partial(rng: np.random.Generator, lanes: tuple[Lane, ...]) -> tuple[tuple[Lane, ...], str]:
    """Return the lanes on one side of a line near the middle of the scene, at a random angle."""
    angle, aside_m = float(rng.uniform(0, 2 * np.pi)), float(rng.normal(0.0, 20.0))
    across = np.array([np.cos(angle), np.sin(angle)])
    kept = tuple(lane for lane in lanes if float(lane.centre_m.mean(axis=0) @ across) > aside_m)
    return kept, f"partial, {len(kept)} of {len(lanes)} lanes"


def _shifted(lane: Lane, by_m: FloatArray) -> Lane:
    return replace(lane, left_m=lane.left_m + by_m, right_m=lane.right_m + by_m, centre_m=lane.centre_m + by_m)


def _from_centre(lane: Lane) -> Lane:
    left_m, right_m = (offset_line(lane.centre_m, side * GUESSED_WIDTH_M / 2).round(2) for side in (1, -1))
    return replace(lane, left_m=left_m, right_m=right_m)
