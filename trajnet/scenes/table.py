"""The canonical scene table: Parquet with Argoverse 2's motion-forecasting columns, read and written.

A genuine Argoverse 2 ``scenario_*.parquet`` has the 16 columns of AV2_COLUMNS and loads as it is. A table of your own
needs the eight of REQUIRED_COLUMNS. write_table writes all of Argoverse 2's columns, the columns below and the data of
the scene as a whole, as JSON under the key ``trajnet`` of the schema's metadata; read_table reads it back without loss.

    timestamp_ns     int64, the frame's own time (without it: evenly from start_timestamp to end_timestamp)
    frame_number     int64, the source's number of the frame (without it: timestep, else frames count from 0)
    length, width    double, metres (without them: the class's default)
    object_class     trajnet's class, finer than object_type, which calls cars and lorries ``vehicle``
    is_target        bool (without it: scored and focal tracks at the last observed timestep, if the table says which)
    scenario_id      string, the same in every row (without it: the file's name)

heading and velocity are null where they are not known.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.scenes.rows import Rows, default_sizes, require_file, scene_from_rows
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, IntArray, Lane, ObjectClass, RasterMap, Scene
from trajnet.whole_file import whole_file

AV2_SCHEMA: tuple[tuple[str, Any], ...] = (
    ("observed", pa.bool_()),
    ("track_id", pa.string()),
    ("object_type", pa.string()),
    ("object_category", pa.int64()),
    ("timestep", pa.int64()),
    ("position_x", pa.float64()),
    ("position_y", pa.float64()),
    ("heading", pa.float64()),
    ("velocity_x", pa.float64()),
    ("velocity_y", pa.float64()),
    ("scenario_id", pa.string()),
    ("start_timestamp", pa.int64()),
    ("end_timestamp", pa.int64()),
    ("num_timestamps", pa.int64()),
    ("focal_track_id", pa.string()),
    ("city", pa.string()),
)
AV2_COLUMNS: tuple[str, ...] = tuple(name for name, _ in AV2_SCHEMA)
EXTRA_SCHEMA: tuple[tuple[str, Any], ...] = (
    ("timestamp_ns", pa.int64()),
    ("frame_number", pa.int64()),
    ("length", pa.float64()),
    ("width", pa.float64()),
    ("object_class", pa.string()),
    ("is_target", pa.bool_()),
)
TYPES: Mapping[str, Any] = dict(AV2_SCHEMA + EXTRA_SCHEMA)
#: The columns that a table must have. All columns of an entry of SUBSTITUTES together may replace its key.
REQUIRED_COLUMNS: tuple[str, ...] = (
    "timestamp_ns", "track_id", "object_class", "position_x", "position_y", "heading", "velocity_x", "velocity_y",
)  # fmt: skip
SUBSTITUTES: Mapping[str, tuple[str, ...]] = {
    "timestamp_ns": ("timestep", "start_timestamp", "end_timestamp", "num_timestamps"),
    "object_class": ("object_type",),
}
#: Limits of a table that is read into memory: an hour of 300 objects at 10 Hz has 10.8 million rows.
MAX_ROWS, MAX_BYTES = 20_000_000, 2 << 30
METADATA_KEY = b"trajnet"
METADATA_VERSION = 1

#: Argoverse 2's static, background, construction and riderless_bicycle correspond to no class of ours.
CLASS_OF_TYPE: dict[str, ObjectClass] = {
    "vehicle": ObjectClass.CAR,
    "pedestrian": ObjectClass.PEDESTRIAN,
    "motorcyclist": ObjectClass.MOTORCYCLE,
    "cyclist": ObjectClass.BICYCLE,
    "bus": ObjectClass.BUS,
    "static": ObjectClass.UNKNOWN,
    "background": ObjectClass.UNKNOWN,
    "construction": ObjectClass.UNKNOWN,
    "riderless_bicycle": ObjectClass.UNKNOWN,
    "unknown": ObjectClass.UNKNOWN,
}
TYPE_OF_CLASS: dict[ObjectClass, str] = {
    ObjectClass.UNKNOWN: "unknown",
    ObjectClass.CAR: "vehicle",
    ObjectClass.TRUCK: "vehicle",
    ObjectClass.BUS: "bus",
    ObjectClass.MOTORCYCLE: "motorcyclist",
    ObjectClass.BICYCLE: "cyclist",
    ObjectClass.PEDESTRIAN: "pedestrian",
}
CLASS_OF_NAME: dict[str, ObjectClass] = {name: ObjectClass(i) for i, name in enumerate(CLASS_NAMES)}

UNSCORED, SCORED, FOCAL = 1, 2, 3


def read_table(path: Path) -> Scene:
    """Return the scene of one Parquet table. Raises InputError that names the file, column and row that do not fit."""
    table = _read_parquet(path)
    columns = _Columns(path, table)
    columns.require(REQUIRED_COLUMNS)
    if table.num_rows == 0:
        raise InputError(f"{path}: expected rows, got an empty table")
    scene_id = columns.one_value("scenario_id") if "scenario_id" in columns else path.stem
    object_class = _classes(columns)
    yaw, yaw_valid = columns.numbers_or_null("heading")
    velocity_x, valid_x = columns.numbers_or_null("velocity_x")
    velocity_y, valid_y = columns.numbers_or_null("velocity_y")
    timestamp_ns = columns.integers("timestamp_ns") if "timestamp_ns" in columns else _even_timestamps(columns)
    rows = Rows(
        frame_number=_frame_numbers(columns, timestamp_ns),
        timestamp_ns=timestamp_ns,
        track_id=columns.texts("track_id"),
        object_class=object_class,
        size_m=_sizes(columns, object_class),
        position_m=np.stack([columns.numbers("position_x"), columns.numbers("position_y")], axis=1),
        yaw_rad=yaw,
        yaw_valid=yaw_valid,
        velocity_mps=np.stack([velocity_x, velocity_y], axis=1),
        velocity_valid=valid_x & valid_y,
        is_target=_targets(columns),
    )
    try:
        return scene_from_rows(scene_id, rows, **_scene_metadata(path, table, columns))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def is_table(path: Path) -> bool:
    """Return whether a Parquet file has the columns of a scene table; False for what cannot be read."""
    try:
        names = set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError, ValueError):
        return False
    return all(name in names or (name in SUBSTITUTES and names >= set(SUBSTITUTES[name])) for name in REQUIRED_COLUMNS)


def write_table(scene: Scene, path: Path) -> None:
    """Write the scene to path (zstd-compressed, rows by track, then time); the file appears whole or not at all.

    Raises InputError for a scene without rows, and if the file cannot be written.
    """
    if not len(scene.row_frame):
        raise InputError(f"scene {scene.scene_id!r}: expected at least one row to write, got none")
    order = np.lexsort((scene.row_frame, scene.row_track))
    frame, track = scene.row_frame[order], scene.row_track[order]
    count = len(order)
    target = scene.is_target
    target_track = np.zeros(len(scene.track_id), np.bool_)
    target_track[scene.row_track[target]] = True
    focal = int(scene.row_track[target][0]) if target.any() else -1
    category = np.where(target_track, SCORED, UNSCORED)
    if focal >= 0:
        category[focal] = FOCAL
    last_observed = int(scene.row_frame[target].max()) if target.any() else scene.frame_count - 1
    ids = np.array(scene.track_id, dtype=object)
    types = np.array([TYPE_OF_CLASS[ObjectClass(c)] for c in scene.object_class], dtype=object)
    names = np.array([CLASS_NAMES[c] for c in scene.object_class], dtype=object)
    no_velocity = ~scene.velocity_valid[order]
    values: dict[str, Any] = {
        "observed": frame <= last_observed,
        "track_id": ids[track],
        "object_type": types[track],
        "object_category": category[track],
        "timestep": frame,
        "position_x": scene.position_m[order, 0],
        "position_y": scene.position_m[order, 1],
        "heading": pa.array(scene.yaw_rad[order], mask=~scene.yaw_valid[order]),
        "velocity_x": pa.array(scene.velocity_mps[order, 0], mask=no_velocity),
        "velocity_y": pa.array(scene.velocity_mps[order, 1], mask=no_velocity),
        "scenario_id": [scene.scene_id] * count,
        "start_timestamp": np.full(count, scene.timestamp_ns[0]),
        "end_timestamp": np.full(count, scene.timestamp_ns[-1]),
        "num_timestamps": np.full(count, scene.frame_count),
        "focal_track_id": [scene.track_id[focal] if focal >= 0 else ""] * count,
        "city": [""] * count,
        "timestamp_ns": scene.timestamp_ns[frame],
        "frame_number": scene.frame_number[frame],
        "length": scene.size_m[track, 0],
        "width": scene.size_m[track, 1],
        "object_class": names[track],
        "is_target": target[order],
    }
    metadata = {METADATA_KEY: json.dumps(_metadata_of(scene), separators=(",", ":")).encode()}
    schema = pa.schema(AV2_SCHEMA + EXTRA_SCHEMA, metadata=metadata)
    table = pa.table([pa.array(values[name], type=kind) for name, kind in AV2_SCHEMA + EXTRA_SCHEMA], schema=schema)
    _write_parquet(table, path)


def _write_parquet(table: pa.Table, path: Path) -> None:
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    doubles = {field.name: "BYTE_STREAM_SPLIT" for field in table.schema if pa.types.is_float64(field.type)}
    with whole_file(path) as part:
        pq.write_table(
            table, part, compression="zstd", compression_level=15, use_dictionary=texts, column_encoding=doubles
        )


def _read_parquet(path: Path) -> pa.Table:
    require_file(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path}: expected a Parquet table, got an empty file")
    try:
        with pq.ParquetFile(path) as file:
            _require_moderate(path, file.metadata)
            return file.read(columns=[name for name in file.schema_arrow.names if name in TYPES])
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected a Parquet table, got a file that cannot be read as one ({_first_line(error)})"
        ) from error


def _require_moderate(path: Path, metadata: pq.FileMetaData) -> None:
    """Raise InputError for a table that would fill the memory: a few kilobytes of Parquet can hold 10^9 equal rows."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    size_bytes = sum(group.total_byte_size for group in groups)
    if metadata.num_rows > MAX_ROWS or size_bytes > MAX_BYTES:
        raise InputError(
            f"{path}: expected a scene of at most {MAX_ROWS:,} rows and {MAX_BYTES >> 20:,} MiB, got "
            f"{metadata.num_rows:,} rows and {size_bytes >> 20:,} MiB; split the table"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _Columns:
    """The columns of one table as arrays of their types. Raises InputError that names file, column and row."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        self.path, self.table = path, table

    def __contains__(self, name: str) -> bool:
        return name in self.table.column_names

    def require(self, names: Sequence[str]) -> None:
        """Raise InputError that names every missing column without a substitute."""
        missing = [name for name in names if name not in self and not self._has_substitute(name)]
        if missing:
            without = ", ".join(self._shown(name) for name in missing)
            raise InputError(
                f"{self.path}: expected the columns {', '.join(names)}, got a table without {without}; "
                "`trajnet convert --from own` takes a table without class, heading and velocity, which are then unknown"
            )

    def _shown(self, name: str) -> str:
        """Return a missing column; where Argoverse 2's are there in its place, but not all of them, those missing."""
        others = SUBSTITUTES.get(name, ())
        lacking = [other for other in others if other not in self]
        half = len(lacking) < len(others) or "focal_track_id" in self
        return f"{name} (nor Argoverse 2's {', '.join(lacking)})" if others and half else name

    def _has_substitute(self, name: str) -> bool:
        return name in SUBSTITUTES and all(other in self for other in SUBSTITUTES[name])

    def _cast(self, name: str) -> pa.ChunkedArray:
        column = self.table.column(name)
        try:
            return column.cast(TYPES[name])
        except (pa.ArrowException, ValueError) as error:
            raise InputError(
                f"{self.path}, column {name}: expected {TYPES[name]}, "
                f"got {column.type} that does not convert ({_first_line(error)})"
            ) from error

    def _whole(self, name: str) -> pa.ChunkedArray:
        column = self._cast(name)
        if column.null_count:
            row = int(np.asarray(column.is_null()).argmax())
            raise InputError(
                f"{self.path}, column {name}: expected a value in every row, "
                f"got {column.null_count} empty, first in row {row}"
            )
        return column

    def _finite(self, name: str, values: FloatArray, valid: BoolArray) -> FloatArray:
        bad = ~np.isfinite(values) & valid
        if bad.any():
            raise InputError(
                f"{self.path}, column {name}: expected finite numbers, "
                f"got {values[bad.argmax()]} in row {int(bad.argmax())} ({int(bad.sum())} such rows); "
                f"remove them or write null"
            )
        return values

    def _python(self, name: str, values: pa.Array) -> list[str]:
        """Return the texts as Python's; only now is their UTF-8 checked, which Arrow does not do."""
        try:
            found: list[str] = values.to_pylist()
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}, column {name}: expected text in UTF-8, got {error.object!r:.60}") from error
        return found

    def numbers(self, name: str) -> FloatArray:
        values = np.asarray(self._whole(name), dtype=np.float64)
        return self._finite(name, values, np.ones(len(values), np.bool_))

    def numbers_or_null(self, name: str) -> tuple[FloatArray, BoolArray]:
        column = self._cast(name)
        valid: BoolArray = np.asarray(column.is_valid(), dtype=np.bool_)
        values = np.asarray(column.fill_null(0.0), dtype=np.float64)
        return self._finite(name, values, valid), valid

    def integers(self, name: str) -> IntArray:
        return np.asarray(self._whole(name), dtype=np.int64)

    def flags(self, name: str) -> BoolArray:
        return np.asarray(self._whole(name), dtype=np.bool_)

    def texts(self, name: str) -> list[str]:
        return self._python(name, self._whole(name))

    def one_value(self, name: str) -> str:
        """Return the text that is the same in every row. Raises InputError if there are several."""
        values = self._python(name, self._whole(name).unique())
        if len(values) != 1:
            raise InputError(
                f"{self.path}, column {name}: expected one value in a file, "
                f"got {len(values)}: {', '.join(values[:3])}, ...; split the table"
            )
        return str(values[0])

    def mapped(self, name: str, choices: Mapping[str, ObjectClass]) -> IntArray:
        """Return the class of each row's text (R,), by choices."""
        coded = self._whole(name).combine_chunks().dictionary_encode()
        try:
            values: IntArray = np.array(
                [choices[text.lower()] for text in self._python(name, coded.dictionary)], np.int64
            )
        except KeyError as error:
            raise InputError(
                f"{self.path}, column {name}: expected one of {', '.join(choices)}, got {error.args[0]!r}"
            ) from None
        found: IntArray = values[np.asarray(coded.indices)]
        return found


def _classes(columns: _Columns) -> IntArray:
    if "object_class" in columns:
        return columns.mapped("object_class", CLASS_OF_NAME)
    return columns.mapped("object_type", CLASS_OF_TYPE)


def _sizes(columns: _Columns, object_class: IntArray) -> FloatArray:
    """Return length and width (R, 2) in m; a null is replaced by the class's default."""
    size_m = default_sizes(object_class).copy()
    for axis, name in enumerate(("length", "width")):
        if name in columns:
            values, valid = columns.numbers_or_null(name)
            size_m[valid, axis] = values[valid]
    return size_m


def _even_timestamps(columns: _Columns) -> IntArray:
    """Return the times of the timesteps (R,) in ns, evenly from start_timestamp to end_timestamp as in Argoverse 2."""
    timestep = columns.integers("timestep")
    start, end, count = (columns.integers(name) for name in ("start_timestamp", "end_timestamp", "num_timestamps"))
    bad = (timestep < 0) | (timestep >= count) | ((count > 1) & (end <= start))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{columns.path}, row {row}: expected 0 <= timestep < num_timestamps and start_timestamp < end_timestamp, "
            f"got timestep {timestep[row]} of {count[row]} from {start[row]} to {end[row]} ns"
        )
    times: IntArray = start + (end - start) * timestep // np.maximum(count - 1, 1)
    return times


def _frame_numbers(columns: _Columns, timestamp_ns: IntArray) -> IntArray:
    """Return the number of each row's frame (R,): the source's own, else its place among the times of the table."""
    for name in ("frame_number", "timestep"):
        if name in columns:
            return columns.integers(name)
    place: IntArray = np.unique(timestamp_ns, return_inverse=True)[1].astype(np.int64)
    return place


def _targets(columns: _Columns) -> BoolArray:
    """Return which rows are targets (R,): as the table says, else by Argoverse 2's columns, else none."""
    if "is_target" in columns:
        return columns.flags("is_target")
    if all(name in columns for name in ("observed", "object_category", "timestep")):
        return _av2_targets(columns)
    return np.zeros(columns.table.num_rows, np.bool_)


def _av2_targets(columns: _Columns) -> BoolArray:
    """Return which rows are scored or focal tracks at the last observed timestep (49 in Argoverse 2), (R,)."""
    observed, timestep = columns.flags("observed"), columns.integers("timestep")
    if not observed.any():
        return observed
    found: BoolArray = (
        (columns.integers("object_category") >= SCORED) & observed & (timestep == timestep[observed].max())
    )
    return found


def _scene_metadata(path: Path, table: pa.Table, columns: _Columns) -> dict[str, Any]:
    """Return the keyword arguments of scene_from_rows: from the schema's metadata, or what is known without."""
    text = (table.schema.metadata or {}).get(METADATA_KEY)
    if text is None:
        city = columns.one_value("city") if "city" in columns else ""
        if path.name.startswith("scenario_") and "timestamp_ns" not in columns:
            return {
                "source": f"Argoverse 2 motion forecasting, {city}",
                "licence": "CC BY-NC-SA 4.0 and the Argoverse terms of use: non-commercial",
            }
        return {"source": city, "licence": ""}
    try:
        found = json.loads(text)
        if found["version"] != METADATA_VERSION:
            raise InputError(
                f"{path}: expected scene metadata of version {METADATA_VERSION}, "
                f"got {found['version']}; write it again with this trajnet"
            )
        raster = found["raster"]
        return {
            "source": str(found["source"]),
            "licence": str(found["licence"]),
            "lanes": tuple(_lane(lane) for lane in found["lanes"]),
            "raster": _raster(raster) if raster else None,
            "track_order": [str(track) for track in found["track_order"]],
            "extra_frames": [(int(number), int(time_ns)) for number, time_ns in found["empty_frames"]],
            "extra_tracks": [
                (str(i), int(CLASS_OF_NAME[name]), float(length), float(width))
                for i, name, length, width in found["empty_tracks"]
            ],
        }
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise InputError(
            f"{path}: expected scene metadata (JSON) under {METADATA_KEY.decode()!r} of the schema, "
            f"got a broken one ({type(error).__name__}: {error})"
        ) from error


def _metadata_of(scene: Scene) -> dict[str, Any]:
    full_frames, full_tracks = set(scene.row_frame.tolist()), set(scene.row_track.tolist())
    return {
        "version": METADATA_VERSION,
        "source": scene.source,
        "licence": scene.licence,
        "track_order": list(scene.track_id),
        "empty_frames": [
            [int(scene.frame_number[i]), int(scene.timestamp_ns[i])]
            for i in range(scene.frame_count)
            if i not in full_frames
        ],
        "empty_tracks": [
            [track, CLASS_NAMES[scene.object_class[i]], *scene.size_m[i].tolist()]
            for i, track in enumerate(scene.track_id)
            if i not in full_tracks
        ],
        "lanes": [
            {
                "id": lane.lane_id,
                "left_m": lane.left_m.tolist(),
                "right_m": lane.right_m.tolist(),
                "centre_m": lane.centre_m.tolist(),
                "drivable": lane.drivable,
                **({} if lane.one_way else {"one_way": False}),
                **({"crosswalk": True} if lane.crosswalk else {}),
                **({} if lane.signal_id is None else {"signal_id": lane.signal_id}),
            }
            for lane in scene.lanes
        ],
        "raster": _raster_fields(scene.raster) if scene.raster is not None else None,
    }


def _lane(fields: Mapping[str, Any]) -> Lane:
    left_m, right_m, centre_m = (
        np.array(fields[name], np.float64).reshape(-1, 2) for name in ("left_m", "right_m", "centre_m")
    )
    return Lane(
        str(fields["id"]),
        left_m,
        right_m,
        centre_m,
        bool(fields.get("drivable", True)),
        bool(fields.get("one_way", True)),
        bool(fields.get("crosswalk", False)),
        int(fields["signal_id"]) if "signal_id" in fields else None,
    )


def _raster_fields(raster: RasterMap) -> dict[str, Any]:
    drawn = {name: getattr(raster, name) for name in ("drivable", "road_divider", "lane_divider")}
    stored: dict[str, NDArray[Any]] = {
        name: np.packbits(pixels) for name, pixels in drawn.items() if pixels is not None
    }
    if raster.direction is not None:
        stored["direction"] = raster.direction
    return {
        "origin_m": raster.origin_m.tolist(),
        "pixels_per_m": raster.pixels_per_m,
        "shape": list(raster.drivable.shape),
        **{name: base64.b64encode(zlib.compress(v.tobytes(), 9)).decode() for name, v in stored.items()},
    }


def _raster(fields: Mapping[str, Any]) -> RasterMap:
    """Return the raster; a table written before dividers and directions were stored has none of these."""
    shape = (int(fields["shape"][0]), int(fields["shape"][1]))
    origin_m, pixels_per_m = np.array(fields["origin_m"], np.float64), float(fields["pixels_per_m"])
    road_divider, lane_divider = (
        _pixels(fields[name], shape) if name in fields else None for name in ("road_divider", "lane_divider")
    )
    drivable, direction = _pixels(fields["drivable"], shape), None
    if "direction" in fields:
        direction = _unpacked(fields["direction"], 2 * shape[0] * shape[1]).view(np.int8).reshape(*shape, 2).copy()
    return RasterMap(origin_m, pixels_per_m, drivable, road_divider, lane_divider, direction)


def _unpacked(stored: str, size: int) -> NDArray[np.uint8]:
    """Return the decompressed data of ``size`` bytes, never more. Raises ValueError for another size."""
    if not 0 <= size <= MAX_BYTES:
        raise ValueError(f"a raster of {size} bytes")
    found = zlib.decompressobj().decompress(base64.b64decode(stored), size + 1)
    if len(found) != size:
        raise ValueError(f"expected {size} bytes of a raster, got {'more' if len(found) > size else len(found)}")
    return np.frombuffer(found, np.uint8)


def _pixels(packed: str, shape: tuple[int, int]) -> BoolArray:
    bits = _unpacked(packed, (shape[0] * shape[1] + 7) // 8)
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(np.bool_)
