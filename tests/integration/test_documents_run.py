"""What the documents show is what happens: their Python prints it, their messages are in the code, their data exist."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from trajnet.datasets.registry import DATASETS

_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
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
    table = read(root, "datasets.md").partition("\n## ")[0]
    rows = {row.split("|")[1].strip(): row for row in table.splitlines() if row.startswith("| `")}
    for dataset in DATASETS:
        row = rows[f"`{dataset.name}`"]
        assert dataset.licence in row
        assert dataset.folder in row
        assert re.sub(r"(https?://[^\s,]+)", r"<\1>", dataset.download) in row
    assert len(rows) == len(DATASETS)


def commands_of(text: str) -> list[list[str]]:
    """The words of every ``trajnet ...`` in fenced shell code, without comments and what a pipe leads to."""
    found = []
    for language, code in _BLOCK.findall(text):
        for line in code.replace("\\\n", " ").splitlines() if language == "sh" else ():
            for part in re.split(r"\s(?:&&|\||>)\s", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["trajnet"]:
                    found.append(words[1:])
    return found


def unknown_words(words: list[str]) -> list[str]:
    """The subcommand or the options of a command that `trajnet` does not have."""
    import typer

    from trajnet.cli.main import build

    command, rest = typer.main.get_command(build()), list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        command, name = command.commands.get(rest[0]), rest.pop(0)
        if command is None:
            return [name]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"-h", "--help"}
    return [word for word in rest if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options]


def test_every_command_of_the_documents_has_the_options_that_they_name(root: Path) -> None:
    pages = [*sorted((root / "docs").glob("*.md")), root / "README.md", root / "CONTRIBUTING.md"]
    pages += [root / "export" / "README.md"]
    commands = [(page.name, words) for page in pages for words in commands_of(page.read_text(encoding="utf-8"))]
    assert len(commands) > 50
    wrong = [(name, " ".join(words), unknown) for name, words in commands if (unknown := unknown_words(words))]
    assert wrong == []


def test_unknown_commands_and_options_are_found() -> None:
    text = "```sh\ntrajnet predict a --out b && trajnet fly # not --this\n```\n```text\ntrajnet none\n```\n"
    assert commands_of(text) == [["predict", "a", "--out", "b"], ["fly"]]
    assert unknown_words(["predict", "a", "--out", "b", "--gone=1"]) == ["--gone=1"]
    assert unknown_words(["fly"]) == ["fly"]
    assert unknown_words(["bag", "import", "a", "--out", "b"]) == []
