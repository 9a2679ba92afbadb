"""Frozen dataclasses read from YAML, strictly: an unknown key or a wrong type is an error that names the key."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from trajnet.errors import ConfigError

T = TypeVar("T")


def from_dict(cls: type[T], values: Any, where: str) -> T:
    """Build the dataclass cls from a mapping; where names the file and section in errors.

    Nested dataclasses and dicts take mappings, tuples take lists, float takes int. Raises ConfigError for an unknown
    or missing key and for a value of another type; __post_init__ of the class checks the ranges.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a mapping, got {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(fields)}"
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")
    for name, f in fields.items():
        missing = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if missing and name not in values:
            raise ConfigError(f"{where}: missing key {name!r}")
    return cls(**{key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [o for o in typing.get_args(hint) if o is not type(None)]
        if value is None and len(options) < len(typing.get_args(hint)):
            return None
        return _convert(options[0], value, where)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast("type[Any]", hint), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        items = typing.get_args(hint)
        if items[-1] is Ellipsis:
            items = items[:1] * len(value)
        if len(items) != len(value):
            raise ConfigError(f"{where}: expected {len(items)} values, got {len(value)}")
        return tuple(_convert(item, v, f"{where}[{i}]") for i, (item, v) in enumerate(zip(items, value, strict=True)))
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a mapping, got {value!r}")
        key_hint, value_hint = typing.get_args(hint)
        return {_convert(key_hint, k, where): _convert(value_hint, v, f"{where}.{k}") for k, v in value.items()}
    if origin is typing.Literal:
        if value not in typing.get_args(hint) or isinstance(value, bool):
            raise ConfigError(f"{where}: expected one of {', '.join(map(repr, typing.get_args(hint)))}, got {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{where}: expected float, got a number too large for it") from error
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: expected {hint.__name__}, got {value!r}{_yaml_hint(hint, value)}")
    return value


def _yaml_hint(hint: Any, value: Any) -> str:
    """YAML 1.1 reads 3e-3 as text: say how to write it."""
    if hint is not float or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"; YAML wants a point and no quotes: {float(mantissa)}e{exponent}"


def to_dict(config: Any) -> dict[str, Any]:
    """The dataclass as plain mappings and lists, ready for YAML or JSON; from_dict reads it back."""

    values = dataclasses.asdict(config)

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    return {f.name: plain(values[f.name]) for f in dataclasses.fields(config) if f.init}


def load_yaml(cls: type[T], path: Path | str) -> T:
    """Read a YAML file into the dataclass cls. Raises ConfigError for a missing file, bad YAML or a bad value."""
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, got {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a 13th month, a number of 5,000 digits
        raise ConfigError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    return from_dict(cls, {} if values is None else values, str(path))


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with the message unless the condition holds; for __post_init__ of configurations."""
    if not condition:
        raise ConfigError(message)
