"""Settings of a track store, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from trajnet.config import require_number

#: The longest time of a policy, s: times are counted in 64 bits of ns.
LONGEST_S = 1e9


@dataclass(frozen=True)
class TrackPolicy:
    """Settings of a TrackStore.

    timeout_s: a track is removed after this time without an observation.
    late_s: a frame older than this on arrival counts as late.
    reset_jump_s: a stamp that goes back further than this means that the clock was restarted.
    heading_step_m: distance that an object must move before a heading is derived, where the source gives none.
    handover: whether a track that appears where a vanished one is predicted to be inherits its state.
    restart_leaps: whether a displacement that no velocity of the class explains restarts the track, and a smaller leap
    moves it.
    filter_positions: whether noise that a track shows is filtered out of its positions, see position_filter.
    doubt_headings: whether measured headings that contradict the motion count as not measured, see heading_doubt.
    doubt_velocities: the same for measured velocities, see velocity_doubt.
    These four are switched off for benchmarks whose windows must be used as recorded.
    crossings: whether people near a crosswalk of the map get crossings among their paths, see inference.crossing.
    """

    timeout_s: float = 1.0
    late_s: float = 0.2
    reset_jump_s: float = 1.0
    heading_step_m: float = 0.3
    handover: bool = True
    restart_leaps: bool = True
    filter_positions: bool = True
    doubt_headings: bool = True
    doubt_velocities: bool = True
    crossings: bool = True

    def __post_init__(self) -> None:
        for name in ("timeout_s", "late_s", "reset_jump_s"):
            require_number(name, getattr(self, name), most=LONGEST_S)
        require_number("heading_step_m", self.heading_step_m)


@dataclass
class TrackCounters:
    """Counts of what happened to frames and tracks since the start.

    resumed: tracks that came back after missing frames.
    handed_over: tracks that appeared under a new id and inherited the state of a vanished one; not counted as born.
    restarted: observations whose displacement no velocity of the class explains; the track was restarted there.
    shifted: observations that leapt out of a steady track by less; the track was moved there with its velocity.
    implausible_speed: measured velocities above the highest speed of the class, treated as not measured.
    implausible_velocity: measured velocities that contradict how the object moves, treated as not measured.
    implausible_heading: measured headings that contradict how the object moves, treated as not measured.
    filtered: observations whose position was moved by more than 1 cm because their track shows noise.
    """

    frames: int = 0
    late: int = 0
    out_of_order: int = 0
    duplicate: int = 0
    clock_reset: int = 0
    born: int = 0
    removed: int = 0
    resumed: int = 0
    handed_over: int = 0
    restarted: int = 0
    shifted: int = 0
    implausible_speed: int = 0
    implausible_velocity: int = 0
    implausible_heading: int = 0
    filtered: int = 0
