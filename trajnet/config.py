"""Frozen dataclasses read from YAML, strictly: an unknown key or a wrong type is an error that names the key."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from trajnet.errors import ConfigError

T = TypeVar("T")


def from_dict(cls: type[T], values: Any, where: str) -> T:
    """Build the dataclass cls from a mapping; ``where`` names the file and section in errors.

    Nested dataclasses and dicts take mappings, tuples take lists, float takes int. Raises ConfigError for an unknown
    or missing key and for a value of the wrong type; __post_init__ of the class checks the ranges.
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
    """Return the value as the type of the hint. Raises ConfigError, which names ``where``, if it does not fit."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_optional(typing.get_args(hint), value, where)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast("type[Any]", hint), value, where)
    if origin in _CONVERTERS:
        return _CONVERTERS[origin](typing.get_args(hint), value, where)
    return _convert_scalar(hint, value, where)


def _convert_optional(options: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return None for None if the union allows it, else the value as the first other type of the union."""
    if value is None and type(None) in options:
        return None
    return _convert(next(o for o in options if o is not type(None)), value, where)


def _convert_tuple(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: expected a list, got {value!r}")
    if items[-1] is Ellipsis:
        items = items[:1] * len(value)
    if len(items) != len(value):
        raise ConfigError(f"{where}: expected {len(items)} values, got {len(value)}")
    return tuple(_convert(item, v, f"{where}[{i}]") for i, (item, v) in enumerate(zip(items, value, strict=True)))


def _convert_dict(key_and_value: tuple[Any, ...], value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a mapping, got {value!r}")
    key_hint, value_hint = key_and_value
    return {_convert(key_hint, k, where): _convert(value_hint, v, f"{where}.{k}") for k, v in value.items()}


def _convert_literal(known: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in known or isinstance(value, bool):
        raise ConfigError(f"{where}: expected one of {', '.join(map(repr, known))}, got {value!r}")
    return value


#: Converter for each origin of a type hint; it takes the hint's arguments, the value, and ``where``.
_CONVERTERS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    tuple: _convert_tuple,
    dict: _convert_dict,
    typing.Literal: _convert_literal,
}


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    """Return the value if it has this type; an int is accepted as a float, a bool never as a number."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{where}: expected float, got a number too large for it") from error
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: expected {hint.__name__}, got {value!r}{_yaml_hint(hint, value)}")
    return value


def _yaml_hint(hint: Any, value: Any) -> str:
    """Return a hint on how to write the float, or an empty string: YAML 1.1 reads 3e-3 as text."""
    if hint is not float or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"; YAML wants a point and no quotes: {float(mantissa)}e{exponent}"


def to_dict(config: Any) -> dict[str, Any]:
    """Return the dataclass as plain mappings and lists, ready for YAML or JSON; from_dict is the inverse."""
    values = dataclasses.asdict(config)
    return {f.name: _with_lists(values[f.name]) for f in dataclasses.fields(config) if f.init}


def _with_lists(value: Any) -> Any:
    """Return the value with every tuple in it replaced by a list."""
    if isinstance(value, dict):
        return {k: _with_lists(v) for k, v in value.items()}
    return [_with_lists(v) for v in value] if isinstance(value, (list, tuple)) else value


def load_yaml(cls: type[T], path: Path | str) -> T:
    """Read a YAML file into the dataclass cls. Raises ConfigError for a missing file, bad YAML or a bad value."""
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: expected a YAML file, got no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, got {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a 13th month or a number of 5,000 digits
        raise ConfigError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    return from_dict(cls, {} if values is None else values, str(path))


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with the message unless the condition holds; for __post_init__ of configurations."""
    if not condition:
        raise ConfigError(message)


def require_number(name: str, value: Any, *, above: float = 0.0, most: float = math.inf) -> None:
    """Raise ConfigError unless the value is a finite number above ``above`` and at most ``most``; bool is none."""
    good = _is_a(numbers.Real, value) and math.isfinite(value) and above < value <= most
    require(good, f"{name}: expected a number above {above:g}{_at_most(most)}, got {value!r}")


def require_whole(name: str, value: Any, *, least: int = 1) -> None:
    """Raise ConfigError unless the value is a whole number, of Python or of NumPy, from ``least`` on."""
    good = _is_a(numbers.Integral, value) and value >= least
    require(good, f"{name}: expected a whole number from {least} on, got {value!r}")


def _is_a(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _at_most(most: float) -> str:
    return "" if math.isinf(most) else f" and at most {most:g}"
