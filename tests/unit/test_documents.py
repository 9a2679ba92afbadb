"""The Markdown of the repository: short lines, links and paths that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_COLUMNS = 100
#: Compared byte for byte with the card inside the model file, so their lines stay as they were when it was exported.
MODEL_CARDS = ROOT / "trajnet" / "models"

_FENCE = re.compile(r"^\s*```")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
#: A file of the repository in backticks; NAME in capitals is a placeholder.
_PATH = re.compile(r"`((?:configs|docs|export|launch|sim|tests|tools|trajnet)/[a-z0-9_./-]+\.[a-z]+)`")
#: A document that a comment or a docstring cites.
_DOCUMENT = re.compile(r"[\w/-]+\.md\b")


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    folders = ("docs", "export", "tests", "trajnet")
    return sorted([*ROOT.glob("*.md"), *(path for name in folders for path in (ROOT / name).rglob("*.md"))])


def prose(text: str) -> list[tuple[int, str]]:
    """(line number, line) of everything outside fenced code."""
    found, inside = [], False
    for number, line in enumerate(text.splitlines(), start=1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            found.append((number, line))
    return found


def too_long(text: str) -> list[int]:
    """The numbers of the lines over MAX_COLUMNS; tables, and in other lines the targets of links, do not count."""
    return [
        number
        for number, line in prose(text)
        if not line.lstrip().startswith("|") and len(_LINK.sub("]", line)) > MAX_COLUMNS
    ]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = (line.lstrip("#").strip() for _, line in prose(text) if re.match(r"#{1,6} ", line))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links whose file or heading does not exist."""
    broken = []
    for target in (target for _, line in prose(text) for target in _LINK.findall(line)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        headings = anchors(file.read_text(encoding="utf-8")) if anchor and file.is_file() else {anchor}
        if not file.exists() or (anchor and anchor not in headings):
            broken.append(target)
    return broken


def test_the_documents_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in documents()}
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "export/README.md"} <= names


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_line_of_prose_is_over_100_columns(path: Path) -> None:
    if path.parent == MODEL_CARDS:
        pytest.skip("a model card, kept as it is in the model file")
    assert too_long(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


def test_the_check_of_lines_finds_long_prose_only() -> None:
    long = "x" * 101
    text = f"{long}\n\n| {long} |\n\n```sh\n{long}\n```\n\n[short](https://example.org/{long})\n- {long}\n"
    assert too_long(text) == [1, 10]


def test_the_check_of_links_finds_missing_files_and_headings(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, `with` code\n\n```sh\n# no heading\n```\n")
    links = ["there.md", "there.md#a-heading-with-code", "#own", "https://example.org/gone"]
    links += ["gone.md", "there.md#no-heading"]
    text = "# Own\n\n" + "\n".join(f"[text]({link})" for link in links) + "\n```sh\n[code](gone.py)\n```\n"
    (tmp_path / "page.md").write_text(text)
    assert broken_links(tmp_path / "page.md", text) == ["gone.md", "there.md#no-heading"]


def missing_paths(text: str) -> list[str]:
    """The paths in backticks that name no file."""
    return [found for _, line in prose(text) for found in _PATH.findall(line) if not (ROOT / found).exists()]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_in_backticks_is_a_file(path: Path) -> None:
    assert missing_paths(path.read_text(encoding="utf-8")) == []


def test_the_check_of_paths_finds_a_file_that_has_moved() -> None:
    assert missing_paths("`trajnet/types.py`, `trajnet/gone.py`, `trajnet/datasets/NAME.py`") == ["trajnet/gone.py"]


def cited_elsewhere(text: str, known: set[str]) -> list[str]:
    """The documents cited in a source text that are none of the repository's, by path or by name."""
    return [found for found in _DOCUMENT.findall(text) if found not in known]


def test_no_source_cites_a_document_that_is_not_in_the_repository() -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in documents()]
    known = {*paths, *(path.rsplit("/", 1)[-1] for path in paths)}
    assert cited_elsewhere("# see docs/ros.md, README.md and NOTES.md", known) == ["NOTES.md"]
    folders = ("configs", "export", "launch", "sim", "tools", "trajnet")
    sources = [path for name in folders for end in ("py", "yaml", "xml") for path in (ROOT / name).rglob(f"*.{end}")]
    assert len(sources) > 100
    found = {path.name: cited_elsewhere(path.read_text(encoding="utf-8"), known) for path in sources}
    assert {name: cited for name, cited in found.items() if cited} == {}
