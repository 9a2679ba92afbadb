"""The driver itself: it waits through a page that is left, and passes on what a page throws."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.chromium import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def first(tmp_path: Path) -> str:
    for name in ("first", "second"):
        (tmp_path / f"{name}.html").write_text(f"<title>{name}</title>", encoding="utf-8")
    return (tmp_path / "first.html").as_uri()


def test_a_page_that_is_left_while_it_is_asked_is_waited_for(browser: Browser, first: str) -> None:
    browser.open(first, ready="document.title === 'first'")
    never = "new Promise(() => { location.href = 'second.html'; })"
    browser.wait_for(f"document.title === 'second' || {never}")
    assert browser.evaluate("document.title") == "second"


def test_what_a_page_throws_is_not_waited_for(browser: Browser, first: str) -> None:
    browser.open(first, ready="document.title === 'first'")
    with pytest.raises(RuntimeError, match="nowhere is not defined"):
        browser.wait_for("nowhere")
