"""Hooks of MkDocs: pages and files outside docs/ that a page links to become part of the site, under repository/.

The Markdown of the repository links from file to file, as a forge shows it. So that it needs no second copy for the
site, every file that is reached over links from docs/ is added, and links are rewritten to where it is in the site.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
#: Folder of the site for what lies outside docs/.
OUTSIDE = "repository"

#: The theme takes this script from the network, for the search of a site on the disk; docs/ has a copy.
SHIM_ADDRESS, SHIM = "https://unpkg.com/iframe-worker/shim", "iframe-worker.js"

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^\s*```")


def on_files(files: Any, config: Any) -> Any:
    """Add what the pages link to outside docs/, and what that links to. Missing files are left to the strict build."""
    waiting = [f"docs/{file.src_uri}" for file in files if file.src_uri.endswith(".md")]
    known = set(waiting)
    while waiting:
        source = waiting.pop()
        for target in targets((ROOT / source).read_text(encoding="utf-8")):
            path = in_repository(source, target.partition("#")[0])
            if path is None or path in known or not (ROOT / path).is_file():
                continue
            known.add(path)
            if not path.startswith("docs/"):
                files.append(File.generated(config, in_site(path), abs_src_path=str(ROOT / path)))
            if path.endswith(".md"):
                waiting.append(path)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links between the repository's files to their places in the site."""
    site = page.file.src_uri
    source = site.removeprefix(f"{OUTSIDE}/") if site.startswith(f"{OUTSIDE}/") else f"docs/{site}"
    return rewritten(markdown, source)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Take from the site itself what the theme would take from the network."""
    return output.replace(SHIM_ADDRESS, os.path.relpath(SHIM, PurePosixPath(page.url).parent))


def on_post_template(output_content: str, **_: Any) -> str:
    """Do the same for the page that is shown where there is none, whose paths begin at the root."""
    return output_content.replace(SHIM_ADDRESS, f"/{SHIM}")


def rewritten(markdown: str, source: str) -> str:
    """Return the text of a file of the repository with its links as the site needs them; code stays as it is."""
    start = PurePosixPath(in_site(source)).parent

    def link(match: re.Match[str]) -> str:
        target, mark, anchor = match[1].partition("#")
        path = in_repository(source, target)
        if path is None:
            return match[0]
        return f"]({os.path.relpath(in_site(path), start)}{mark}{anchor})"

    return "\n".join(line if code else _LINK.sub(link, line) for code, line in lines(markdown))


def targets(markdown: str) -> Iterator[str]:
    """Yield the targets of all links outside fenced code."""
    for code, line in lines(markdown):
        if not code:
            yield from _LINK.findall(line)


def lines(markdown: str) -> Iterator[tuple[bool, str]]:
    """Yield (whether it belongs to fenced code, line)."""
    inside = False
    for line in markdown.split("\n"):
        fence = _FENCE.match(line) is not None
        yield inside or fence, line
        inside ^= fence


def in_repository(source: str, target: str) -> str | None:
    """Return the path, from the root, of a link's target without its anchor; None for addresses and anchors."""
    if not target or re.match(r"[a-z]+:", target):
        return None
    path = os.path.normpath(PurePosixPath(source).parent / target)
    return None if path.startswith("..") else path


def in_site(path: str) -> str:
    """Return where a file of the repository is in the site."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{OUTSIDE}/{path}"
