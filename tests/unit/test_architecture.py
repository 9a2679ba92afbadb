"""The layers of the library: a module imports those above it, never those below; heavy libraries keep their place."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: The page that lists the floors; the single modules on the first one count as one room.
PAGE = ROOT / "docs" / "architecture.md"


def read_layers(page: str) -> list[set[str]]:
    """Return the floors of the page's ``layers`` block from the top down, each a set of rooms."""
    block = page.split("```layers\n", 1)[1].split("```", 1)[0]
    return [{name.strip() for name in line.split(",")} for line in block.strip().splitlines()]


LAYERS = read_layers(PAGE.read_text(encoding="utf-8"))

#: What the package itself may name, as it loads it on first use only.
FRONT = "trajnet.api"

#: Who alone may import a library, wherever in the file the import stands.
ONLY_IN = {
    "torch": ("trajnet.training", "trajnet.export"),
    "lightning": ("trajnet.training", "trajnet.export"),
    "tensorboard": ("trajnet.training",),
    "onnx": ("trajnet.export", "trajnet.protocols"),
    "onnxscript": ("trajnet.export",),
    "onnxslim": ("trajnet.export",),
    "rclpy": ("trajnet.ros.node", "trajnet.ros.player", "trajnet.ros.run_node"),
    "rerun": ("trajnet.view",),
    "typer": ("trajnet.cli",),
    "rich": ("trajnet.cli",),
    "ray": ("trajnet.engine",),
}

#: What the vehicle must not load to predict: none of it need be installed there.
NOT_AT_RUNTIME = {
    *("torch", "lightning", "onnx", "onnxscript", "onnxslim", "rclpy", "pyarrow", "pandas", "PIL", "matplotlib"),
    *("commonroad", "pyxodr_omega_prime", "rosbags", "mcap", "rerun", "typer", "rich"),
    *("trajnet.scenes", "trajnet.datasets", "trajnet.training", "trajnet.export", "trajnet.evaluate"),
    *("trajnet.replay", "trajnet.cli"),
}


def rooms_of_the_table(page: str) -> set[str]:
    """Return the rooms in the first column of the table under the heading Rooms."""
    table = page.split("## Rooms\n", 1)[1].strip().split("\n\n", 1)[0]
    return {name.strip() for row in table.splitlines()[2:] for name in row.split("|")[1].split(",")}


def test_the_table_of_rooms_has_every_room_of_the_floors() -> None:
    floors = set().union(*LAYERS) - {"__main__"}
    assert floors - rooms_of_the_table(PAGE.read_text(encoding="utf-8")) == set()


def modules(package: Path) -> dict[str, str]:
    """Every module below a package's folder, by its full name -> its source."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(source: str, known: set[str]) -> Iterator[str]:
    """The full names of the modules that a source imports, at any depth of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: name the module in full, relative imports hide the layers"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def layer(module: str) -> int | None:
    """The index of a module's layer; None for the package itself, which every module may import."""
    if module == "trajnet":
        return None
    name = module.split(".")[1]
    for index, names in enumerate(LAYERS):
        if name in names:
            return index
    raise AssertionError(f"{module} has no layer: add it to the layers in {PAGE.name}")


def wrong_imports(sources: dict[str, str]) -> list[str]:
    """One sentence per import that goes down the layers or brings a library where it does not belong."""
    wrong = []
    for module, source in sources.items():
        if module == "trajnet" and set(imports(source, set(sources))) <= {FRONT, "__future__", "typing"}:
            continue
        own = layer(module)
        for imported in imports(source, set(sources)):
            if is_in(imported, "trajnet"):
                other = layer(imported)
                if other is not None and (own is None or other > own):
                    wrong.append(f"{module} imports {imported}, which is in a layer below it")
                elif own and other == own and module.split(".")[1] != imported.split(".")[1]:
                    wrong.append(f"{module} imports {imported}, which is another room on its floor")
            places = ONLY_IN.get(imported.split(".")[0])
            if places is not None and not any(is_in(module, place) for place in places):
                wrong.append(f"{module} imports {imported}, which belongs into {' or '.join(places)}")
    return wrong


def test_no_module_imports_a_layer_below_its_own_or_a_library_out_of_place() -> None:
    assert wrong_imports(modules(ROOT / "trajnet")) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("trajnet.tracking.store", "from trajnet.types import Scene", None),
        ("trajnet.tracking.store", "from trajnet import types", None),
        ("trajnet.replay", "from trajnet import __version__\nfrom trajnet.evaluate import run", None),
        ("trajnet.types", "def f():\n    from trajnet import tracking", "trajnet.types imports trajnet.tracking"),
        ("trajnet.evaluate.a", "from trajnet.timing import clock", "trajnet.evaluate.a imports trajnet.timing, which"),
        ("trajnet.config", "from trajnet.types import Scene", None),
        ("trajnet.types", "import trajnet.tracking.store as t", "trajnet.types imports trajnet.tracking.store"),
        ("trajnet", "from trajnet.types import Scene", "trajnet imports trajnet.types"),
        ("trajnet", "def f():\n    from trajnet import api", None),
        ("trajnet.inference", "import torch.nn", "trajnet.inference imports torch.nn, which belongs"),
        ("trajnet.ros.cdr", "from rclpy.node import Node", "trajnet.ros.cdr imports rclpy.node, which belongs"),
        ("trajnet.ros.node", "from rclpy.node import Node", None),
    ],
)
def test_the_check_finds_what_is_wrong(module: str, source: str, expected: str | None) -> None:
    known = (
        "trajnet.api",
        "trajnet.types",
        "trajnet.tracking",
        "trajnet.tracking.store",
        "trajnet.timing",
        "trajnet.evaluate",
    )
    found = wrong_imports({**dict.fromkeys(known, ""), module: source})
    assert [text.startswith(expected) for text in found] == [True] if expected else found == []


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement, packages above each included."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module", ["trajnet.inference", "trajnet.tracking.store", "trajnet.ros.cdr", "trajnet.ros.pipeline"]
)
def test_the_runtime_loads_nothing_that_the_vehicle_does_not_need(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert module in loaded
    assert loaded & NOT_AT_RUNTIME == set()


def test_the_package_itself_loads_nothing() -> None:
    assert {name for name in loaded_by("import trajnet") if is_in(name, "trajnet")} == {"trajnet"}
    assert "numpy" not in loaded_by("import trajnet")


def test_the_types_load_numpy_only() -> None:
    loaded = {name.split(".")[0] for name in loaded_by("import trajnet.types, trajnet.geometry, trajnet.errors")}
    assert "numpy" in loaded
    assert loaded & {"yaml", "shapely", "onnxruntime", *NOT_AT_RUNTIME} == set()


def test_processes_that_build_windows_do_not_load_torch() -> None:
    """Loading it takes each of them three seconds of a core."""
    loaded = loaded_by("import trajnet.training.window_store")
    assert "trajnet.training.config" in loaded
    assert not loaded & {"torch", "lightning"}
