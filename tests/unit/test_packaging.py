"""One package for pip and for colcon: pyproject.toml, setup.cfg, setup.py and package.xml say the same."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

import trajnet
from trajnet.errors import DISTRIBUTION, install_advice

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="Python 3.10 has no tomllib")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg")
    return parsed


@pytest.fixture(scope="module")
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_name_and_version(
    project: dict[str, Any], config: configparser.ConfigParser, manifest: ElementTree.Element
) -> None:
    assert project["project"]["name"] == config["metadata"]["name"] == DISTRIBUTION == "trajnet-av"
    assert manifest.findtext("name") == "trajnet"  # the package of ROS
    assert manifest.findtext("version") == trajnet.__version__
    assert config["metadata"]["version"] == "attr: trajnet.__version__"
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "trajnet.__version__"}


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == trajnet.__version__
    assert all({"name"} <= set(author) for author in citation["authors"])


def test_errors_advise_extras_that_there_are(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    assert install_advice("tools") == "pip install 'trajnet-av[tools]'"
    sources = {path: path.read_text() for path in (ROOT / "trajnet").rglob("*.py")}
    pattern = re.compile(r"install_advice\(\"(\w+)\"\)|trajnet-av\[(\w+)")
    advised = [pair for text in sources.values() for pair in pattern.findall(text)]
    assert {name for pair in advised for name in pair if name} <= set(extras)
    assert not [path for path, text in sources.items() if re.search(r"trajnet\[[a-z]", text)]


def test_entry_points(project: dict[str, Any], config: configparser.ConfigParser) -> None:
    listed = lines(config["options.entry_points"]["console_scripts"])
    scripts = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in listed)
    assert scripts == project["project"]["scripts"]
    for target in scripts.values():
        module, function = target.split(":")
        source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
        assert re.search(rf"^def {function}\(", source, re.MULTILINE), target


def test_packages_and_their_data(project: dict[str, Any], config: configparser.ConfigParser) -> None:
    setuptools = project["tool"]["setuptools"]
    assert lines(config["options.packages.find"]["include"]) == setuptools["packages"]["find"]["include"]
    assert lines(config["options.package_data"]["trajnet"]) == setuptools["package-data"]["trajnet"]
    assert config["options"]["python_requires"] == project["project"]["requires-python"]
    folders = {p.parent for p in (ROOT / "trajnet").rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)  # find: takes only packages that have one
    patterns = [f"trajnet/{p}" for p in setuptools["package-data"]["trajnet"]]
    data = {p for p in (ROOT / "trajnet").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert data == {p for pattern in patterns for p in ROOT.glob(pattern)}


def test_what_colcon_needs(config: configparser.ConfigParser, manifest: ElementTree.Element) -> None:
    assert (ROOT / "setup.py").read_text() == "from setuptools import setup\n\nsetup()\n"
    assert manifest.findtext("export/build_type") == "ament_python"
    marker = config["options.data_files"]["share/ament_index/resource_index/packages"].strip()
    assert (ROOT / marker).read_text() == ""
    for files in config["options.data_files"].values():
        for name in lines(files):
            assert (ROOT / name).is_file(), name
    assert config["develop"]["script_dir"] == config["install"]["install_scripts"] == "$base/lib/trajnet"


def test_package_xml_depends_on_every_ros_package_that_is_imported(manifest: ElementTree.Element) -> None:
    declared = {e.text for e in manifest.findall("exec_depend")}
    pattern = r"^from (rclpy|\w+_msgs|rcl_interfaces|builtin_interfaces)\b"
    looked_for = r'message_class\("(\w+_msgs)"'
    optional = {"autoware_internal_debug_msgs", "autoware_internal_msgs"}  # debug topics, only where they are installed
    texts = [path.read_text() for path in (ROOT / "trajnet/ros").glob("*.py")]
    used = {found for text in texts for each in (pattern, looked_for) for found in re.findall(each, text, re.MULTILINE)}
    assert {"rclpy", "autoware_map_msgs", "tf2_msgs"} <= used
    assert used - optional <= declared
    # What the launch files start; RViz is for people, and a vehicle has none.
    assert {"launch", "launch_ros", "launch_xml", "ros2launch", "ros2bag"} <= declared
    assert manifest.find("license").attrib["file"] == "LICENSE"  # type: ignore[union-attr]
    assert (ROOT / "LICENSE").is_file()
