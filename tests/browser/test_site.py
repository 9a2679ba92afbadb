"""The documentation site: it builds without a warning, has every page of its list, and needs no network to be read."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.chromium import Browser

_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_TAG = re.compile(r"<[^>]+>")


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A broken link, anchor or name of the interface is a warning, and strict ends there."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("no mkdocs: install the extra docs to build the site")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def listed_pages(root: Path) -> dict[str, Path]:
    """Address in the site -> its Markdown, for every page of the navigation."""
    text = (root / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    found: dict[str, Path] = {}
    groups = [nav]
    while groups:
        for entry in groups.pop():
            (value,) = entry.values()
            if isinstance(value, list):
                groups.append(value)
            else:
                outside = value.startswith("repository/")
                source = root / value.removeprefix("repository/") if outside else root / "docs" / value
                address = re.sub("README.html$", "index.html", re.sub(r"\.md$", ".html", value))
                found[address] = source
    return found


def text_of(page: str) -> str:
    return html.unescape(_TAG.sub("", page))


def test_every_page_of_the_list_is_in_the_site_under_its_title(site: Path, root: Path) -> None:
    pages = listed_pages(root)
    assert {"index.html", "own-data.html", "covariance.html", "safety.html", "api.html"} <= set(pages)
    for address, source in pages.items():
        heading = _HEADING.search(source.read_text(encoding="utf-8"))
        assert heading is not None, source
        shown = re.search(r"<h1[^>]*>(.*?)</h1>", (site / address).read_text(encoding="utf-8"), re.DOTALL)
        assert shown is not None, address
        assert text_of(shown.group(1)).strip().rstrip("¶").strip() == heading.group(1).replace("`", "")


def test_every_document_is_in_the_list(root: Path) -> None:
    listed = set(listed_pages(root).values())
    assert [path.name for path in sorted((root / "docs").glob("*.md")) if path not in listed] == []


def test_the_interface_is_described_name_by_name(site: Path) -> None:
    import trajnet

    page = (site / "api.html").read_text(encoding="utf-8")
    assert [name for name in trajnet.__all__ if f'id="trajnet.{name}"' not in page] == []
    assert "Return the paths of one frame" in text_of(page)


def test_no_page_takes_anything_from_the_network(site: Path) -> None:
    taken = re.compile(r"<(?:script|img|iframe)[^>]*src=\"https?:[^\"]*|<link[^>]*stylesheet[^>]*https?:[^>]*")
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    found = {page.name: taken.findall(page.read_text(encoding="utf-8")) for page in pages}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def complaints(browser: Browser) -> list[Any]:
    kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed")
    return [e for e in browser.events if e["method"] in kinds]


@pytest.mark.browser
def test_a_reader_opens_the_site_from_the_disk_and_searches_it(site: Path, browser: Browser) -> None:
    start = (site / "index.html").as_uri()
    browser.open(start, ready="document.readyState === 'complete'")
    assert browser.evaluate("document.querySelector('h1').textContent").startswith("Start")
    browser.evaluate("document.querySelector('.md-nav__link[href=\"covariance.html\"]').click()")
    loaded = "document.readyState === 'complete' && document.title.startsWith('Covariance for a planner')"
    browser.wait_for(loaded)
    browser.evaluate(
        "(() => { const q = document.querySelector('.md-search__input'); q.focus(); q.value = 'Mahalanobis'; "
        "q.dispatchEvent(new Event('keyup', { bubbles: true })); "
        "q.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    browser.wait_for("document.querySelectorAll('.md-search-result__item').length > 0")
    found = browser.evaluate("document.querySelector('.md-search-result__list').textContent")
    assert "Level sets" in found
    assert complaints(browser) == []
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:", "about:"))] == []
