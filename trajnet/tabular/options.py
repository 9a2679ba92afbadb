"""What a user states about a table of his own: names of columns, classes, units, rate and coordinate system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from trajnet.errors import InputError
from trajnet.types import CLASS_NAMES, ObjectClass

#: What a row has -> the names of columns that are taken for it, the first found first; case does not matter.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "time": (
        "timestamp_ns", "timestamp_us", "timestamp_ms", "timestamp_s", "time_ns", "time_us", "time_ms", "time_s",
        "timestamp", "time", "stamp", "t",
    ),
    "id": ("track_id", "object_id", "agent_id", "id"),
    "class": ("object_class", "class", "object_type", "agent_type", "category", "type"),
    "x": ("position_x", "x", "x_m", "pos_x", "center_x"),
    "y": ("position_y", "y", "y_m", "pos_y", "center_y"),
    "heading": ("heading", "heading_rad", "heading_deg", "yaw", "yaw_rad", "yaw_deg", "psi_rad"),
    "vx": ("velocity_x", "vx", "vx_mps", "vel_x"),
    "vy": ("velocity_y", "vy", "vy_mps", "vel_y"),
    "length": ("length", "length_m"),
    "width": ("width", "width_m"),
    "target": ("is_target",),
    "frame": ("frame_number",),
}  # fmt: skip
REQUIRED = ("time", "id", "x", "y")
#: Names of x and y in degrees; taken only where the coordinate system is stated.
DEGREES = {"x": ("lon", "longitude", "lng"), "y": ("lat", "latitude")}

#: Columns that may hold numbers of frames, of which only the user knows how many a second there are.
FRAME_NUMBERS = ("frame", "frame_number", "frame_id", "frameid", "frame_index", "frame_idx", "frame_no")

TIME_NS: Mapping[str, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
#: A unit of time: numbers of frames, so many a second, such as 25hz.
_FRAMES = re.compile(r"(\d+(?:\.\d+)?) ?hz", re.IGNORECASE)
MOST_HZ = 1000
ANGLES = ("rad", "deg", "compass")
SPEED_MPS: Mapping[str, float] = {"mps": 1.0, "kmh": 1 / 3.6, "mph": 0.44704, "fps": 0.3048}
LENGTH_M: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048}
#: Any class that --classes does not name.
OTHERS = "*"


@dataclass(frozen=True)
class Units:
    """The units of a table. time: s, ms, us or ns; 25hz: numbers of frames, 25 a second; None: as name or type say.

    angle: rad or deg, counter-clockwise from x; compass: degrees clockwise from north; None: as the name says, else
    rad. speed: mps, kmh, mph, fps. length: of positions and sizes, m, cm, mm, ft. Raises InputError for others.
    """

    time: str | None = None
    angle: str | None = None
    speed: str = "mps"
    length: str = "m"

    def __post_init__(self) -> None:
        for name, known in (("time", TIME_NS), ("angle", ANGLES), ("speed", SPEED_MPS), ("length", LENGTH_M)):
            value = getattr(self, name)
            if value in known or (value is None and name in ("time", "angle")):
                continue
            rate_hz = frame_rate_hz(value) if name == "time" else None
            if rate_hz is None:
                frames = ", or 25hz for numbers of frames, 25 a second" if name == "time" else ""
                raise InputError(f"units: expected {name} in {', '.join(known)}{frames}, got {value!r}")
            require_rate("units: time", rate_hz)

    @classmethod
    def parse(cls, text: str | None) -> Units:
        """Return the units of ``time=ms,angle=deg``. Raises InputError for unknown names."""
        given = pairs("units", text)
        known = [f.name for f in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise InputError(f"units: expected {', '.join(known)}, got {unknown[0]!r}; for example time=ms,angle=deg")
        return cls(**given)


@dataclass(frozen=True)
class TableOptions:
    """How to read a table of one's own.

    columns: what a row has (a key of SPELLINGS, or the column that trajnet writes, such as position_x) -> the table's
    name for it. classes: the table's class -> one of CLASS_NAMES; ``*`` stands for all others. rate_hz: bin the stamps
    to this rate. crs, to_crs: coordinate system of x and y, and the one wanted (see projection). scene_id, source,
    licence: of the scene. Raises InputError for what is unknown.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    units: Units = Units()
    rate_hz: float | None = None
    crs: str | None = None
    to_crs: str | None = None
    scene_id: str = "table"
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        for name in self.columns:
            role_of(name)
        for name, known in self.classes.items():
            if known not in CLASS_NAMES:
                raise InputError(f"classes, {name}: expected one of {', '.join(CLASS_NAMES)}, got {known!r}")
        if self.rate_hz is not None:
            require_rate("rate", self.rate_hz)
        if self.to_crs is not None and self.crs is None:
            raise InputError("to-crs: expected the table's own coordinate system too; state it with crs")


def frame_rate_hz(unit: str) -> float | None:
    """Return how many frames a second the unit states, such as 25hz; None for other units."""
    stated = _FRAMES.fullmatch(unit)
    return float(stated[1]) if stated else None


def require_rate(what: str, rate_hz: float) -> None:
    """Raise InputError unless the rate is above 0 and at most MOST_HZ."""
    if not 0 < rate_hz <= MOST_HZ:
        raise InputError(f"{what}: expected above 0 and at most {MOST_HZ} Hz, got {rate_hz}")


def role_of(name: str) -> str:
    """Return the key of SPELLINGS that a name stands for. Raises InputError."""
    for role, spellings in SPELLINGS.items():
        if name == role or name == spellings[0]:
            return role
    raise InputError(f"columns: expected one of {', '.join(SPELLINGS)} before the =, got {name!r}")


def pairs(what: str, text: str | None) -> dict[str, str]:
    """Return the mapping that ``a=b,c=d`` writes. Raises InputError."""
    found: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise InputError(f"{what}: expected NAME=VALUE with commas between them, got {part.strip()!r}")
        found[name] = value
    return found


def known_classes(classes: Mapping[str, str]) -> dict[str, ObjectClass]:
    """Return the class of each text in lower case: trajnet's own names, and what the user states."""
    found = {name: ObjectClass(i) for i, name in enumerate(CLASS_NAMES)}
    found.update({str(name).lower(): ObjectClass(CLASS_NAMES.index(known)) for name, known in classes.items()})
    return found
