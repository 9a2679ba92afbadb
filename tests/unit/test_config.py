"""Configurations are read strictly: whatever does not fit is one sentence that names the file and the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from trajnet.config import from_dict, load_yaml, require, to_dict
from trajnet.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    width: int
    rate: float = 1.0

    def __post_init__(self) -> None:
        require(self.width > 0, f"width: expected a number above 0, got {self.width}")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=lambda: Inner(1))
    parts: tuple[Inner, ...] = ()
    strides: tuple[int, ...] = (1,)
    pair: tuple[float, str] = (1.0, "a")
    limit: float | None = None
    kind: Literal["lstm", "gru", 3] = "lstm"
    on: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    derived: int = field(default=7, init=False)


FULL = Outer(
    "x", Inner(2, 0.5), (Inner(3), Inner(4)), (1, 2), (2.5, "b"), 3.5, "gru", True, {"k": [1, {"z": None}]}, {"a": 1.0}
)


def test_a_round_trip_gives_the_same() -> None:
    plain = to_dict(FULL)
    assert plain["parts"] == [{"width": 3, "rate": 1.0}, {"width": 4, "rate": 1.0}]
    assert "derived" not in plain
    assert from_dict(Outer, plain, "here") == FULL
    assert from_dict(Outer, yaml.safe_load(yaml.safe_dump(plain)), "here") == FULL
    assert from_dict(Outer, {"name": "y"}, "here") == Outer("y")


def test_a_float_takes_an_int_and_becomes_a_float() -> None:
    made = from_dict(Outer, {"name": "x", "limit": 2, "pair": [3, "c"], "inner": {"width": 1, "rate": 4}}, "f")
    assert [type(v) for v in (made.limit, made.pair[0], made.inner.rate)] == [float] * 3
    assert made.parts == ()
    assert from_dict(Outer, {"name": "x", "limit": None}, "f").limit is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nam": "x"}, "f.yaml: unknown key 'nam'; did you mean 'name'?"),
        ({"name": "x", "zzz": 1}, "f.yaml: unknown key 'zzz'; known keys: name, inner, parts"),
        ({"name": "x", "derived": 1}, "f.yaml: unknown key 'derived'"),
        ({1: 2}, "f.yaml: unknown key 1"),
        ({}, "f.yaml: missing key 'name'"),
        ([], "f.yaml: expected a mapping, got list"),
        ({"name": 3}, "f.yaml: name: expected str, got 3"),
        ({"name": None}, "f.yaml: name: expected str, got None"),
        ({"name": "x", "inner": None}, "f.yaml: inner: expected a mapping, got NoneType"),
        ({"name": "x", "inner": {"widht": 1}}, "f.yaml: inner: unknown key 'widht'; did you mean 'width'?"),
        ({"name": "x", "inner": {}}, "f.yaml: inner: missing key 'width'"),
        ({"name": "x", "inner": {"width": True}}, "f.yaml: inner: width: expected int, got True"),
        ({"name": "x", "inner": {"width": 1.0}}, "f.yaml: inner: width: expected int, got 1.0"),
        ({"name": "x", "inner": {"width": 0}}, "width: expected a number above 0, got 0"),
        ({"name": "x", "inner": {"width": 1, "rate": True}}, "rate: expected float, got True"),
        ({"name": "x", "inner": {"width": 1, "rate": 10**400}}, "rate: expected float, got a number too large"),
        (
            {"name": "x", "limit": "3e-3"},
            "limit: expected float, got '3e-3'; YAML wants a point and no quotes: 3.0e-03",
        ),
        ({"name": "x", "limit": "much"}, "f.yaml: limit: expected float, got 'much'"),
        ({"name": "x", "limit": [1.0]}, "f.yaml: limit: expected float, got [1.0]"),
        ({"name": "x", "parts": [{"width": 1}, {"width": "1"}]}, "f.yaml: parts[1]: width: expected int, got '1'"),
        ({"name": "x", "strides": 3}, "f.yaml: strides: expected a list, got 3"),
        ({"name": "x", "strides": "12"}, "f.yaml: strides: expected a list, got '12'"),
        ({"name": "x", "strides": [1, 2.5]}, "f.yaml: strides[1]: expected int, got 2.5"),
        ({"name": "x", "pair": [1.0]}, "f.yaml: pair: expected 2 values, got 1"),
        ({"name": "x", "pair": [1.0, 2.0]}, "f.yaml: pair[1]: expected str, got 2.0"),
        ({"name": "x", "kind": "rnn"}, "f.yaml: kind: expected one of 'lstm', 'gru', 3, got 'rnn'"),
        ({"name": "x", "kind": ["lstm"]}, "f.yaml: kind: expected one of"),
        ({"name": "x", "on": 1}, "f.yaml: on: expected bool, got 1"),
        ({"name": "x", "on": "yes"}, "f.yaml: on: expected bool, got 'yes'"),
        ({"name": "x", "extra": [1]}, "f.yaml: extra: expected"),
        ({"name": "x", "scores": {"a": "b"}}, "f.yaml: scores.a: expected float, got 'b'"),
    ],
)
def test_what_does_not_fit_is_named(values: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Outer, values, "f.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_true_is_no_one_in_a_literal() -> None:
    @dataclass(frozen=True)
    class Count:
        n: int = 1

    with pytest.raises(ConfigError, match="expected int, got True"):
        from_dict(Count, {"n": True}, "f")
    with pytest.raises(ConfigError, match="kind"):
        from_dict(Outer, {"name": "x", "kind": True}, "f")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("name: x\ninner: {width: 3}\nlimit: 3.0e-3\n", encoding="utf-8")
    assert load_yaml(Outer, path) == Outer("x", Inner(3), limit=0.003)
    path.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"some\.yaml: missing key 'name'"):
        load_yaml(Outer, path)
    assert load_yaml(Empty, path) == Empty()


@dataclass(frozen=True)
class Empty:
    size: int = 3


@pytest.mark.parametrize(
    "content", [b"name: [x\n", b"a: b: c", b"\xff\xfe\x00", b"name: !!python/object:os.system {}\n"]
)
def test_a_file_that_is_no_yaml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_yaml(Outer, path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: expected a YAML file, got no such file$"):
        load_yaml(Outer, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="expected a readable YAML file"):
        load_yaml(Outer, tmp_path)
