"""Launch files, parameters and the RViz config agree with the code.

ROS's launch is not on PyPI, so the Python files run against stand-ins that only record what they are given.
"""

from __future__ import annotations

import configparser
import importlib.util
import re
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from trajnet.errors import ConfigError
from trajnet.ros.parameters import ABOUT, DEFAULTS, Parameters, truth

ROOT = Path(__file__).resolve().parents[3]
LAUNCH = ROOT / "launch"
NODE, PLAYER = (ROOT / f"trajnet/ros/{name}.py" for name in ("node", "player"))


def constant(path: Path, name: str) -> str:
    """Read a string that a module assigns, without importing it (it needs rclpy)."""
    found = re.search(rf'^{name} = "(.*)"$', path.read_text(), re.MULTILINE)
    assert found is not None, f"{path}: no {name}"
    return found[1]


def executables() -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return {
        line.split("=")[0].strip() for line in config["options.entry_points"]["console_scripts"].strip().split("\n")
    }


# --- stand-ins for launch and launch_ros


@dataclass
class Action:
    """Any action or substitution: what it was made of."""

    kind: str
    positional: tuple[Any, ...]
    given: dict[str, Any]


@dataclass
class Context:
    values: dict[str, str] = field(default_factory=dict)


class LaunchConfiguration:
    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: Context) -> str:
        return context.values[self.name]


def recorder(kind: str) -> Callable[..., Action]:
    return lambda *positional, **given: Action(kind, positional, given)


@pytest.fixture
def launch_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    contents: dict[str, list[str]] = {
        "launch": ["LaunchDescription"],
        "launch.actions": [
            "DeclareLaunchArgument",
            "ExecuteProcess",
            "IncludeLaunchDescription",
            "OpaqueFunction",
            "Shutdown",
        ],
        "launch.substitutions": ["PathJoinSubstitution"],
        "launch_ros": [],
        "launch_ros.actions": ["Node"],
        "launch_ros.substitutions": ["FindPackageShare"],
    }
    for name, kinds in contents.items():
        module = types.ModuleType(name)
        for kind in kinds:
            setattr(module, kind, recorder(kind))
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["launch.substitutions"].LaunchConfiguration = LaunchConfiguration  # type: ignore[attr-defined]


def description_of(name: str) -> list[Action]:
    """Return what a launch file describes."""
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), LAUNCH / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[Action] = module.generate_launch_description().positional[0]
    return found


def actions_of(name: str, **arguments: str) -> list[Action]:
    """Return the actions of a launch file when it is given these arguments."""
    context, found = Context(), []
    described = description_of(name)
    for action in described:
        if action.kind == "DeclareLaunchArgument":
            assert action.given["description"]
            context.values[action.positional[0]] = action.given["default_value"]
    assert set(arguments) <= set(context.values), f"{name} declares no {set(arguments) - set(context.values)}"
    context.values |= arguments
    for action in described:
        if action.kind == "OpaqueFunction":
            found += action.given["function"](context)
        elif action.kind != "DeclareLaunchArgument":
            found.append(action)
    return found


def installed(substitution: Action) -> Path:
    """Return the source of a file that a launch file looks for in the package's share folder."""
    package, folder, name = substitution.positional[0]
    assert (package.kind, package.positional) == ("FindPackageShare", ("trajnet",))
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options.data_files"][f"share/trajnet/{folder}"].split()
    assert f"launch/{name}" in listed
    return LAUNCH / str(name)


# --- tests


def test_setup_cfg_installs_every_file_of_the_folder() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = {
        f for folder in ("launch", "config") for f in config["options.data_files"][f"share/trajnet/{folder}"].split()
    }
    assert listed == {f"launch/{p.name}" for p in LAUNCH.iterdir() if p.is_file()}
    assert not (LAUNCH / "__init__.py").exists()  # it would shadow ROS's own launch


@pytest.mark.usefixtures("launch_modules")
def test_the_predictor_is_started_with_what_the_node_knows() -> None:
    (node,) = actions_of("predictor.launch.py")
    given = node.given
    assert (node.kind, given["package"], given["name"]) == ("Node", "trajnet", constant(NODE, "NODE_NAME"))
    assert given["executable"] in executables()
    file, overrides = given["parameters"]
    assert installed(file) == LAUNCH / "trajnet.param.yaml"
    assert overrides == {"autostart": True, "use_sim_time": False}
    assert given["remappings"] == [
        ("~/input/objects", constant(NODE, "INPUT_TOPIC")), ("~/input/vector_map", constant(NODE, "MAP_TOPIC")),
        ("~/input/traffic_signals", constant(NODE, "SIGNALS_TOPIC")),
        ("~/output/objects", constant(NODE, "OUTPUT_TOPIC")),
    ]  # fmt: skip
    assert all(f'"{private}"' in NODE.read_text() for private, _ in given["remappings"])


@pytest.mark.usefixtures("launch_modules")
def test_the_predictors_arguments_reach_the_node() -> None:
    (node,) = actions_of(
        "predictor.launch.py", model="cv", map_path="/m.osm", param_file="/my.yaml", input_topic="/in",
        output_topic="/out", vector_map_topic="/town", traffic_signals_topic="/lights", autostart="false",
        use_sim_time="true", log_level="debug",
    )  # fmt: skip
    overrides = {"autostart": False, "use_sim_time": True, "model": "cv", "map_path": "/m.osm"}
    assert node.given["parameters"] == ["/my.yaml", overrides]
    assert set(overrides) - {"use_sim_time"} <= set(ABOUT)
    assert node.given["remappings"] == [
        ("~/input/objects", "/in"), ("~/input/vector_map", "/town"), ("~/input/traffic_signals", "/lights"),
        ("~/output/objects", "/out"),
    ]  # fmt: skip
    assert node.given["arguments"] == ["--ros-args", "--log-level", "debug"]
    assert "on_exit" not in node.given
    (node,) = actions_of("predictor.launch.py", required="True")
    assert node.given["on_exit"].kind == "Shutdown"


@pytest.mark.usefixtures("launch_modules")
def test_the_roles_beside_another_predictor() -> None:
    (node,) = actions_of("predictor.launch.py", role="cross_check")
    assert node.given["parameters"][1]["role"] == "cross_check"
    topics = dict(node.given["remappings"])
    assert topics["~/input/other_objects"] == constant(NODE, "OUTPUT_TOPIC")
    assert "~/output/objects" not in topics
    (node,) = actions_of("predictor.launch.py", role="fall_back", other_topic="/other")
    topics = dict(node.given["remappings"])
    assert (topics["~/input/other_objects"], topics["~/output/objects"]) == ("/other", constant(NODE, "OUTPUT_TOPIC"))
    with pytest.raises(RuntimeError, match="role fall_back: expected other_topic:=TOPIC"):
        actions_of("predictor.launch.py", role="fall_back")


@pytest.mark.usefixtures("launch_modules")
def test_a_scene_is_replayed_by_the_player() -> None:
    included, player = actions_of(
        "replay.launch.py", scene="s.parquet", rate="2", loop="True", model="cv", map_path="/m.osm"
    )
    assert installed(included.positional[0]) == LAUNCH / "predictor.launch.py"
    actions_of("predictor.launch.py", **dict(included.given["launch_arguments"]))  # every argument is declared there
    assert dict(included.given["launch_arguments"]) == {
        "model": "cv", "map_path": "/m.osm", "use_sim_time": "true", "required": "true",
    }  # fmt: skip
    assert player.given["executable"] in executables()
    assert player.given["name"] == constant(PLAYER, "NODE_NAME")
    (parameters,) = player.given["parameters"]
    assert parameters == {"scene": "s.parquet", "rate": 2.0, "loop": True, "wait_for_subscriber": True}
    assert player.given["on_exit"].kind == "Shutdown"
    declared = set(re.findall(r'_parameter\(\s*"(\w+)"', PLAYER.read_text()))
    assert set(parameters) <= declared


@pytest.mark.usefixtures("launch_modules")
def test_a_bag_is_played_by_the_player_that_waits_for_the_predictor() -> None:
    _, player = actions_of("replay.launch.py", bag="b.mcap")
    assert player.given["parameters"] == [
        {"scene": "b.mcap", "rate": 1.0, "loop": False, "wait_for_subscriber": True}
    ]  # fmt: skip
    assert player.given["on_exit"].kind == "Shutdown"


@pytest.mark.usefixtures("launch_modules")
def test_a_bag_is_replayed_without_its_own_predictions() -> None:
    _, player, rviz = actions_of("replay.launch.py", bag="b.mcap", raw="1", rviz="True")
    assert player.given["cmd"] == [
        "ros2", "bag", "play", "b.mcap", "--clock", "--rate", "1.0", "--topics",
        *(constant(NODE, name) for name in ("INPUT_TOPIC", "SIGNALS_TOPIC", "MAP_TOPIC")), "/tf", "/tf_static",
    ]  # fmt: skip
    assert player.given["on_exit"].kind == "Shutdown"
    assert installed(rviz.positional[0]) == LAUNCH / "rviz.launch.py"
    actions_of("rviz.launch.py", **dict(rviz.given["launch_arguments"]))


@pytest.mark.usefixtures("launch_modules")
@pytest.mark.parametrize("arguments", [{}, {"scene": "s", "bag": "b"}])
def test_replay_wants_one_of_scene_and_bag(arguments: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="expected one of scene:=FILE and bag:=FILE"):
        actions_of("replay.launch.py", **arguments)


@pytest.mark.usefixtures("launch_modules")
def test_rviz_shows_topics_that_the_node_publishes() -> None:
    (rviz,) = actions_of("rviz.launch.py")
    assert (rviz.given["package"], rviz.given["executable"]) == ("rviz2", "rviz2")
    flag, config = rviz.given["arguments"]
    assert flag == "-d"
    shown = yaml.safe_load(installed(config).read_text())["Visualization Manager"]
    topics = [d["Topic"]["Value"] for d in shown["Displays"] if "Topic" in d]
    assert topics
    for topic in topics:
        prefix = f"/{constant(NODE, 'NODE_NAME')}/"
        assert topic.startswith(prefix)
        assert f'"~/{topic[len(prefix) :]}"' in NODE.read_text()
    assert shown["Global Options"]["Fixed Frame"] == DEFAULTS["frame_id"]


@pytest.mark.usefixtures("launch_modules")
@pytest.mark.parametrize(
    ("text", "meant"), [("True", True), ("1", True), ("true", True), ("ON", True), ("False", False), ("0", False)]
)
def test_a_switch_may_be_spelt_as_yaml_python_and_shells_do(text: str, meant: bool) -> None:
    (node,) = actions_of("predictor.launch.py", autostart=text, use_sim_time=text)
    assert node.given["parameters"][1] == {"autostart": meant, "use_sim_time": meant}
    assert truth("autostart", text) is meant


@pytest.mark.usefixtures("launch_modules")
def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(RuntimeError, match="autostart: expected true or false, got 'perhaps'"):
        actions_of("predictor.launch.py", autostart="perhaps")
    with pytest.raises(ConfigError, match="autostart: expected true or false, got 'perhaps'"):
        truth("autostart", "perhaps")
    with pytest.raises(RuntimeError, match="rviz: expected true or false, got 'perhaps'"):
        actions_of("replay.launch.py", scene="s", rviz="perhaps")


@pytest.mark.usefixtures("launch_modules")
def test_the_xml_twin_has_the_same_arguments_and_hands_them_all_on() -> None:
    root = ElementTree.parse(LAUNCH / "predictor.launch.xml").getroot()
    declared = [a.attrib for a in root.findall("arg")]
    python = [a for a in description_of("predictor.launch.py") if a.kind == "DeclareLaunchArgument"]
    assert declared == [
        {"name": a.positional[0], "default": a.given["default_value"], "description": a.given["description"]}
        for a in python
    ]
    (include,) = root.iter("include")
    assert include.attrib["file"] == "$(find-pkg-share trajnet)/launch/predictor.launch.py"
    handed_on = {a.attrib["name"]: a.attrib["value"] for a in include.findall("arg")}
    assert handed_on == {a["name"]: f"$(var {a['name']})" for a in declared}


def test_the_parameter_file_has_every_parameter_with_its_default_and_description() -> None:
    text = (LAUNCH / "trajnet.param.yaml").read_text()
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert values == DEFAULTS
    assert list(values) == list(DEFAULTS)
    assert {n: type(v) for n, v in values.items()} == {n: type(v) for n, v in DEFAULTS.items()}  # 6 is not 6.0 to ROS
    Parameters.of(values)
    prose = " ".join(line.strip(" #") for line in text.splitlines())
    for name, about in ABOUT.items():
        assert about.description in prose, name
