"""What the documents show is what happens: their Python prints it, their messages are in the code, their data exist."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from trajnet.datasets.registry import DATASETS

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+\.?\d*")
_CODE = re.compile(r"`([^`]+)`")
_JOINED = re.compile(r"\"\s*\n?\s*f?\"")


def read(root: Path, name: str) -> str:
    return (root / "docs" / name).read_text(encoding="utf-8")


def test_the_python_of_the_covariance_page_prints_what_it_shows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    blocks = _BLOCK.findall(read(root, "covariance.md"))
    pairs = [(code, blocks[i + 1]) for i, (language, code) in enumerate(blocks) if language == "python"]
    names: dict[str, Any] = {}
    for code, (language, shown) in pairs:
        assert language == "text"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "covariance.md", "exec"), names)
        assert _NUMBER.sub("#", printed.getvalue().replace(" ", "")) == _NUMBER.sub("#", shown.replace(" ", ""))
        numbers = [float(number) for number in _NUMBER.findall(printed.getvalue())]
        assert numbers == pytest.approx([float(number) for number in _NUMBER.findall(shown)], rel=0.02, abs=0.02)
    assert len(pairs) == 3


def quoted_messages(text: str) -> list[str]:
    """The code in the first column of the tables whose first column is a message, without marks around a name."""
    found, wanted = [], False
    for line in text.splitlines():
        cells = line.strip("|").split(" | ")
        if line.startswith("| message"):
            wanted = True
        elif not line.startswith("|"):
            wanted = False
        elif wanted:
            found += [code for code in _CODE.findall(cells[0]) if " " in code and not code.startswith("import")]
    return found


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code(root: Path) -> None:
    sources = [path for folder in ("trajnet", "tools") for path in (root / folder).rglob("*.py")]
    said = "\n".join(_JOINED.sub("", path.read_text(encoding="utf-8")) for path in sources)
    messages = quoted_messages(read(root, "troubleshooting.md"))
    of_pip = "No matching distribution found for trajnet-av"
    assert len(messages) > 20
    assert [message for message in messages if message not in said and message != of_pip] == []


def test_the_table_of_data_sets_is_that_of_the_registry(root: Path) -> None:
    rows = {row.split("|")[1].strip(): row for row in read(root, "datasets.md").splitlines() if row.startswith("| `")}
    for dataset in DATASETS:
        row = rows[f"`{dataset.name}`"]
        assert dataset.licence in row
        assert dataset.folder in row
        assert re.sub(r"(https?://[^\s,]+)", r"<\1>", dataset.download) in row
    assert len(rows) == len(DATASETS)
