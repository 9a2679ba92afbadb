"""The domain of a model file: what its training set held, and the bounds within which the model is served.

A network answers for whatever it is given, also for objects that it was never shown. The domain states what it was
shown, with counts. Objects outside are answered by physics; see domain_check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from trajnet.errors import ContractError
from trajnet.tracking.policy import TrackPolicy
from trajnet.types import CLASS_NAMES

DrivingSide = Literal["left", "right", "both", "unknown"]
DRIVING_SIDES: tuple[DrivingSide, ...] = get_args(DrivingSide)

#: A class, or a rate, of which training had fewer windows than this counts as never trained on ...
MIN_WINDOWS = 100
#: ... but at least this share of all windows is enough: a small training set is no reason to serve nothing.
MIN_SHARE = 0.1
#: Objects are served up to the highest trained speed times this factor, plus SPEED_SLACK_MPS.
SPEED_MARGIN = 1.25
#: Noise of a tracker's speed, m/s.
SPEED_SLACK_MPS = 1.0
#: Objects are served at rates up to this factor above and below the trained ones.
RATE_MARGIN = 2.0
#: A model that was trained at rates ANY_RATE times apart has learned that more frames of the same motion are nothing
#: new, and is served at least up to FAST_HZ (docs/evaluation.md). One that knows a single rate has not.
ANY_RATE, FAST_HZ = 4.0, 60.0
#: Quantiles of the speeds that make up a class's range: a single leap in a recording must not widen it.
SPEED_QUANTILES = (0.001, 0.999)
#: Lower edges of the bins in which the windows are counted by speed, m/s; the last bin has no upper edge.
SPEED_EDGES_MPS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 25.0, 30.0, 40.0)


@dataclass(frozen=True)
class ClassDomain:
    """Windows of one class.

    speed_mps: SPEED_QUANTILES of the speeds at the last observation, measured where it was, else the steady velocity
    (tracking.motion); None where no window has one. speed_windows: windows in each bin of Domain.speed_edges_mps.
    """

    windows: int
    speed_mps: tuple[float, float] | None = None
    speed_windows: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.windows < 0 or min(self.speed_windows, default=0) < 0:
            raise ContractError(f"domain: windows: expected numbers from 0, got {self.windows}, {self.speed_windows}")
        if self.speed_mps is not None and not 0.0 <= self.speed_mps[0] <= self.speed_mps[1] < math.inf:
            raise ContractError(f"domain: speed_mps: expected a range from 0 m/s on, got {self.speed_mps}")


@dataclass(frozen=True)
class Domain:
    """What a model was trained on.

    classes: name -> its windows; a class that is missing was never shown. rates_hz: observation rates after the strides
    of the augmentation, with the expected number of windows of each. pace: largest factor by which the augmentation
    plays windows slower or faster; it widens speeds and rates. drop: largest share of observations that it loses.
    driving_sides: side of the road -> windows. map_share, neighbours_share, velocity_share: shares of the windows with
    a map, with neighbours, with a measured velocity at the last observation, as recorded.
    position_noise_m: largest standard deviation of the noise that the augmentation adds to positions.
    """

    classes: dict[str, ClassDomain]
    rates_hz: tuple[tuple[float, int], ...]
    driving_sides: dict[str, int]
    map_share: float
    neighbours_share: float
    velocity_share: float
    pace: float = 1.0
    drop: float = 0.0
    position_noise_m: float = 0.0
    speed_edges_mps: tuple[float, ...] = SPEED_EDGES_MPS

    def __post_init__(self) -> None:
        unknown = [name for name in self.classes if name not in CLASS_NAMES]
        if unknown:
            raise ContractError(f"domain: classes: expected {', '.join(CLASS_NAMES)}, got {', '.join(unknown)}")
        sides = [side for side in self.driving_sides if side not in DRIVING_SIDES]
        if sides:
            raise ContractError(f"domain: driving_sides: expected {', '.join(DRIVING_SIDES)}, got {', '.join(sides)}")
        if not all(0.0 < rate_hz < math.inf and windows >= 0 for rate_hz, windows in self.rates_hz):
            raise ContractError(f"domain: rates_hz: expected rates above 0 Hz with counts, got {self.rates_hz}")
        if not (1.0 <= self.pace < math.inf and 0.0 <= self.drop < 1.0):
            raise ContractError(f"domain: expected pace from 1 and drop in [0, 1), got {self.pace} and {self.drop}")
        for name in ("map_share", "neighbours_share", "velocity_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ContractError(f"domain: {name}: expected a share in [0, 1], got {getattr(self, name)}")

    @property
    def min_windows(self) -> int:
        """Number of windows from which a class, or a rate, counts as trained on."""
        total = sum(found.windows for found in self.classes.values())
        return max(1, min(MIN_WINDOWS, math.ceil(MIN_SHARE * total)))

    @property
    def trained_classes(self) -> tuple[str, ...]:
        """Classes with at least min_windows windows, in the order of CLASS_NAMES."""
        return tuple(n for n in CLASS_NAMES if n in self.classes and self.classes[n].windows >= self.min_windows)

    @property
    def untrained_classes(self) -> tuple[str, ...]:
        """The other classes; they are not served by the model."""
        return tuple(name for name in CLASS_NAMES if name not in self.trained_classes)

    def trained_speed_mps(self, name: str) -> float:
        """Return the highest trained speed of a class, m/s; infinity where no window has a speed."""
        found = self.classes.get(name)
        return math.inf if found is None or found.speed_mps is None else found.speed_mps[1] * self.pace

    def served_speed_mps(self, name: str) -> float:
        """Return the speed up to which objects of a class are served, m/s."""
        return self.trained_speed_mps(name) * SPEED_MARGIN + SPEED_SLACK_MPS

    @property
    def trained_rates_hz(self) -> tuple[float, float] | None:
        """Lowest and highest trained rate, Hz, without the augmentation; None where no rate has enough windows."""
        rates_hz = [rate_hz for rate_hz, windows in self.rates_hz if windows >= self.min_windows]
        return (min(rates_hz), max(rates_hz)) if rates_hz else None

    @property
    def served_rates_hz(self) -> tuple[float, float]:
        """Lowest and highest rate that are served, Hz; everything where no rate is known."""
        if self.trained_rates_hz is None:
            return 0.0, math.inf
        lowest_hz, highest_hz = self.trained_rates_hz
        fastest_hz = highest_hz * self.pace * RATE_MARGIN
        if highest_hz >= ANY_RATE * lowest_hz:
            fastest_hz = max(fastest_hz, FAST_HZ)
        return lowest_hz * (1.0 - self.drop) / self.pace / RATE_MARGIN, fastest_hz


def domain_lines(domain: Domain | None) -> list[str]:
    """Return a domain as sentences for people, the most important first."""
    if domain is None:
        return ["not stated: the file does not say what the model was trained on, and every object is served"]
    lines = [
        f"{name}: {domain.classes[name].windows:,} windows{_speeds(domain, name)}" for name in domain.trained_classes
    ]
    if domain.untrained_classes:
        lines.append(
            f"never trained on: {', '.join(domain.untrained_classes)} (fewer than {domain.min_windows} windows); "
            "physics answers for them"
        )
    lines.append(_rates(domain))
    sides = ", ".join(f"{side} {windows:,}" for side, windows in domain.driving_sides.items() if windows)
    lines.append(f"driving side, in windows: {sides or 'unknown'}")
    lines.append(
        f"windows with a map {domain.map_share:.0%}, with neighbours {domain.neighbours_share:.0%}, with a measured "
        f"velocity {domain.velocity_share:.0%}; noise on positions up to {domain.position_noise_m:g} m"
    )
    return lines


def _speeds(domain: Domain, name: str) -> str:
    found = domain.classes[name].speed_mps
    if found is None:
        return ", speeds unknown"
    return f", {found[0]:.1f} to {found[1]:.1f} m/s, served up to {domain.served_speed_mps(name):.1f} m/s"


def _rates(domain: Domain) -> str:
    if domain.trained_rates_hz is None:
        return "rates: unknown, every rate is served"
    trained = ", ".join(f"{rate_hz:g} Hz ({windows:,})" for rate_hz, windows in domain.rates_hz)
    lowest_hz, highest_hz = domain.served_rates_hz
    timeout_s = TrackPolicy().timeout_s
    said = f"rates: {trained}; served from {max(lowest_hz, 1.0 / timeout_s):.2g} to {highest_hz:.3g} Hz"
    if lowest_hz * timeout_s < 1.0:
        said += f" (from {lowest_hz:.2g} Hz with a TrackPolicy.timeout_s above {timeout_s:g} s)"
    return said


def outside_words(name: str, counted: Mapping[str, Any]) -> str:
    """Return a sentence about the rows that a model with this name was not asked about; empty without any.

    counted: a guard's counters by name.
    """
    rows = counted["outside_domain_rows"]
    if not rows:
        return ""
    reasons = (
        ("outside_class_rows", "of a class"),
        ("outside_rate_rows", "at a rate"),
        ("outside_speed_rows", "at a speed"),
    )
    shares = ", ".join(f"{counted[key]:,} {what}" for key, what in reasons if counted[key])
    return f"{name} was not asked about {rows:,} rows outside of what it was trained on ({shares}); physics answered"
