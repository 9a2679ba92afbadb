"""All checks of one scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.check import quality
from trajnet.check.direction import heading_findings, stuck_findings, velocity_findings
from trajnet.check.domain import domain_findings
from trajnet.check.finding import Finding, SceneCheck
from trajnet.check.map_fit import map_findings
from trajnet.check.scale import degree_findings, far_findings, speed_findings, time_findings
from trajnet.check.steps import WALKED_LEG_S, Pairs, legs_of, steps_of
from trajnet.inference.contract import Contract
from trajnet.types import CLASS_NAMES, Scene


def check_scene(scene: Scene, model: Contract | None = None) -> SceneCheck:
    """Return what is measured of a scene, and what is wrong or doubtful about it.

    Wrong units of time or place come alone: all else would follow from them. model: also compare with what it
    was trained on, if its file says so.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # places of 1e300 m are a finding, not NumPy's warning
        return _checked(scene, model)


def _checked(scene: Scene, model: Contract | None) -> SceneCheck:
    steps = steps_of(scene)
    period_s = float(np.median(steps.dt_s)) if len(steps.dt_s) else float("nan")
    legs = legs_of(scene, period_s)
    noise_m = quality.position_noise_m(steps, period_s)
    findings = [*time_findings(period_s), *far_findings(scene), *degree_findings(scene, steps)]
    facts = _facts(scene, legs, period_s, noise_m)
    if not findings:
        in_map, of_map = map_findings(legs)
        findings = [*_of_motion(scene, steps, legs, period_s), *quality.noise_findings(noise_m), *in_map]
        findings += [*quality.duplicate_findings(scene), *quality.size_findings(scene), *quality.class_findings(scene)]
        if model is not None and model.domain is not None:
            findings += domain_findings(legs, period_s, model.name, model.domain)
        facts.update(of_map)
    return SceneCheck(scene.scene_id, facts, tuple(sorted(findings, key=lambda found: found.severity != "mistake")))


def _of_motion(scene: Scene, steps: Pairs, legs: Pairs, period_s: float) -> list[Finding]:
    walked = legs_of(scene, period_s, WALKED_LEG_S)
    return [
        *heading_findings(legs, walked),
        *stuck_findings(walked),
        *velocity_findings(legs),
        *speed_findings(legs),
        *quality.rate_findings(scene, steps, period_s),
        *quality.leap_findings(steps),
    ]


def _facts(scene: Scene, legs: Pairs, period_s: float, noise_m: float | None) -> dict[str, Any]:
    classes, counts = np.unique(scene.object_class, return_counts=True)
    moving = legs.speed_mps[legs.speed_mps > 0.2]
    known = len(scene.row_frame) or 1
    return {
        "frames": scene.frame_count,
        "tracks": len(scene.track_id),
        "rows": len(scene.row_frame),
        "duration_s": scene.duration_s,
        "period_s": period_s if np.isfinite(period_s) else None,
        "classes": {CLASS_NAMES[c]: int(n) for c, n in zip(classes, counts, strict=True)},
        "moving_speed_median_mps": float(np.median(moving)) if len(moving) else None,
        "position_noise_m": noise_m,
        "heading_share": float(scene.yaw_valid.sum() / known),
        "velocity_share": float(scene.velocity_valid.sum() / known),
    }
