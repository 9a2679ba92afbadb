"""Headings and velocities against motion: swapped and mirrored axes, degrees, compass, other units and frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trajnet.check.finding import Finding
from trajnet.check.steps import LEG_M, Pairs
from trajnet.types import BoolArray, FloatArray

#: Legs that a verdict on directions needs, and how far a direction may be off.
MIN_LEGS, NEAR_RAD, PEOPLE_NEAR_RAD = 20, np.radians(25.0), np.radians(45.0)
#: Headings of this share that are one and the same are a placeholder, unless as many are along the motion or the motion
#: itself has one direction, by the length of its mean unit vector.
PLACEHOLDER_SHARE = 0.9
#: A wrong convention is named if at least this share of the legs fits it and at most that share is as it should be.
FITS, FAILS = 0.7, 0.5
MIN_SPEED_MPS = 0.5
#: What is measured to go so far (m) and gets no farther than this part of it is stuck; such a share of the legs is a
#: doubt, such a one a mistake. No public recording has such a leg.
STUCK_M, STUCK, STUCK_DOUBT, STUCK_MISTAKE = 2.0, 0.1, 0.02, 0.15
#: Where three quarters of the measured speeds are so many times the implied ones, or as many times smaller, nothing was
#: smoothed.
FAR_OFF = 5.0

SWAPPED = "x and y are swapped against it"
MIRRORED = "the y axis points to the other side (as in images)"
#: Measured speed / implied speed -> cause.
RATIOS: tuple[tuple[float, str], ...] = (
    (3.6, "The velocities look like km/h (units speed=kmh)"),
    (2.237, "The velocities look like miles per hour (units speed=mph)"),
    (3.281, "The velocities look like feet per second (units speed=fps)"),
    (0.3048, "The positions look like feet (units length=ft)"),
    (0.01, "The positions look like centimetres (units length=cm)"),
    (0.001, "The positions look like millimetres (units length=mm), or the times are off by 1000"),
    (100.0, "The velocities look like cm/s"),
    (1000.0, "The velocities look like mm/s, or the times are off by 1000"),
)


def heading_findings(legs: Pairs, walked: Pairs) -> list[Finding]:
    """Return what is wrong with headings, from legs of what moves along them, and from longer ones of who walks."""
    scene, wheeled = legs.scene, _far_and_pointing(legs, legs.wheeled)
    people = _far_and_pointing(walked, ~walked.wheeled)
    found = []
    if len(wheeled.first) >= MIN_LEGS:
        found += _along_motion(wheeled, "headings", NEAR_RAD)
    if len(people.first) >= MIN_LEGS and not found:  # else it is one mistake, said once
        found += _along_motion(people, "headings of people", PEOPLE_NEAR_RAD)
    if len(wheeled.first) < MIN_LEGS and not found:
        found += _headings_by_range(scene.yaw_rad[scene.yaw_valid])
    return found


def _far_and_pointing(legs: Pairs, chosen: BoolArray) -> Pairs:
    """Return those of the chosen legs, a mask (P,), that are long enough and whose headings are measured."""
    valid = legs.scene.yaw_valid
    return legs.where(chosen & valid[legs.first] & valid[legs.last] & (legs.distance_m > LEG_M))


def _along_motion(chosen: Pairs, what: str, near_rad: float) -> list[Finding]:
    motion = np.arctan2(chosen.move_m[:, 1], chosen.move_m[:, 0])
    yaw = chosen.scene.yaw_rad[chosen.first]
    right = _share(yaw - motion, near_rad)
    values, counts = np.unique(yaw, return_counts=True)
    one_way = abs(np.exp(1j * motion).mean())
    if counts.max() > PLACEHOLDER_SHARE * len(yaw) and max(right, one_way) < PLACEHOLDER_SHARE:
        same = f"{counts.max() / len(yaw):.0%} of the {what} are {values[counts.argmax()]:g} rad, whatever the motion"
        return [Finding("mistake", "heading", same, "They look like a placeholder: leave out what is not measured")]
    degrees = np.radians(yaw)
    shares = {
        "They look like degrees taken as radians (units angle=deg)": _share(degrees - motion),
        f"They look like compass degrees, clockwise from north (angle=compass), or degrees and {SWAPPED}": _share(
            np.pi / 2 - degrees - motion
        ),
        f"Either {SWAPPED}, or the headings are clockwise from north": _share(np.pi / 2 - yaw - motion),
        f"Either {MIRRORED}, or the headings are clockwise": _share(-yaw - motion),
        "Either the x axis is mirrored, or the headings count from the other side": _share(np.pi - yaw - motion),
        "The headings point backwards": _share(yaw + np.pi - motion),
        "The headings count from the y axis": _share(yaw + np.pi / 2 - motion),
        "The headings are a quarter turn too far": _share(yaw - np.pi / 2 - motion),
    }
    return _verdict("heading", what, right, shares, len(chosen.first))


def _headings_by_range(yaw_rad: FloatArray) -> list[Finding]:
    """Judge headings of objects that hardly move by their size alone."""
    beyond = np.abs(yaw_rad) > 2 * np.pi + 0.01
    if beyond.mean() <= 0.2 if len(beyond) else True:
        return []
    sentence = f"{beyond.mean():.0%} of the headings are beyond a full turn, up to {np.abs(yaw_rad).max():.0f} rad"
    cause = "They look like degrees taken as radians (units angle=deg)"
    return [Finding("mistake", "heading", sentence, cause)]


def stuck_findings(walked: Pairs) -> list[Finding]:
    """Return whether what is measured to be on its way stays where it is, from legs on which people move too."""
    scene = walked.scene
    speed = np.hypot(*scene.velocity_mps.T)
    both = scene.velocity_valid[walked.first] & scene.velocity_valid[walked.last]
    expected_m = np.minimum(speed[walked.first], speed[walked.last]) * walked.dt_s
    chosen = both & (expected_m > STUCK_M)
    stuck = chosen & (walked.distance_m < np.minimum(STUCK * expected_m, LEG_M))  # longer ones show the ratio
    share = stuck.sum() / max(chosen.sum(), 1)
    if chosen.sum() < MIN_LEGS or share <= STUCK_DOUBT:
        return []
    name = scene.track_id[scene.row_track[walked.first[stuck.argmax()]]]
    sentence = (
        f"in {share:.0%} of the moves whose measured speed would take them {STUCK_M:g} m or more, objects stay where "
        f"they are, the first of them {name!r}"
    )
    cause = (
        "The positions are repeated, or the velocities of what stands are wrong. "
        "Or positions and velocities are in different units"
    )
    return [Finding("mistake" if share > STUCK_MISTAKE else "doubt", "velocity_stuck", sentence, cause)]


def velocity_findings(legs: Pairs) -> list[Finding]:
    """Return what is wrong with the directions and the size of measured velocities."""
    scene = legs.scene
    both = scene.velocity_valid[legs.first] & scene.velocity_valid[legs.last]
    measured = 0.5 * (scene.velocity_mps[legs.first] + scene.velocity_mps[legs.last])
    speed = np.hypot(*measured.T)
    long = both & (legs.distance_m > LEG_M)
    moving = long & (speed > MIN_SPEED_MPS * 0.01)
    if long.sum() >= MIN_LEGS and moving.sum() < FAILS * long.sum():
        still = f"{1 - moving.sum() / long.sum():.0%} of what moves is measured as standing ({long.sum():,} moves)"
        return [Finding("mistake", "velocity", still, "They look like a placeholder: leave out what is not measured")]
    if moving.sum() < MIN_LEGS:
        return []
    chosen, measured, speed = legs.where(moving), measured[moving], speed[moving]
    motion = np.arctan2(chosen.move_m[:, 1], chosen.move_m[:, 0])
    angle = np.arctan2(measured[:, 1], measured[:, 0])
    yaw = np.where(scene.yaw_valid[chosen.first], scene.yaw_rad[chosen.first], np.nan)
    shares = {
        f"In the positions {SWAPPED}, or in the velocities": _share(np.pi / 2 - angle - motion),
        f"For one of the two {MIRRORED}": _share(-angle - motion),
        "For one of the two the x axis is mirrored": _share(np.pi - angle - motion),
        "The velocities point backwards": _share(angle + np.pi - motion),
        "The velocities are in the frame of each object, not of the map": _share(angle + yaw - motion),
    }
    found = _verdict("velocity", "velocities", _share(angle - motion), shares, len(motion))
    return [*found, *_ratio_findings(speed / chosen.speed_mps)]


def _ratio_findings(ratio: FloatArray) -> list[Finding]:
    low, middle, high = np.percentile(ratio, [25, 50, 75])
    impossible = low > FAR_OFF or high < 1 / FAR_OFF
    if 0.67 < middle < 1.5 or (high > 3 * low and not impossible):
        return []
    causes = [cause for value, cause in RATIOS if abs(np.log(middle / value)) < 0.12]
    sentence = f"the measured speeds are {middle:.3g} times those that the positions imply"
    if causes:
        return [Finding("mistake", "velocity_unit", sentence, causes[0])]
    if impossible:
        return [Finding("mistake", "velocity_unit", sentence, "The unit of velocities, positions or times is wrong")]
    return [Finding("doubt", "velocity_unit", sentence, "They are smoothed, or a unit is wrong")]


def _share(off_rad: FloatArray, near_rad: float = NEAR_RAD) -> float:
    """Return the share of angles that are near 0; NaN is not."""
    return float((np.abs(np.angle(np.exp(1j * off_rad))) < near_rad).mean())


def _verdict(check: str, what: str, right: float, wrong: dict[str, float], legs: int) -> list[Finding]:
    best = max(wrong.values())
    if right > FAILS:
        return []
    sentence = f"only {right:.0%} of the {what} are along the motion ({legs:,} moves of at least {LEG_M:g} m)"
    if best < FITS or best < right + 0.3:
        return [Finding("doubt", check, sentence, f"The {what} are noise, or the objects are not what they seem")]
    return [Finding("mistake", check, sentence, _causes(wrong, best))]


def _causes(wrong: dict[str, float], best: float) -> str:
    """Return the cause that fits best, and those that fit about as well."""
    fitting: Sequence[str] = sorted((c for c, share in wrong.items() if share > best - 0.05), key=lambda c: -wrong[c])
    return ". Or: ".join(fitting[:2])
