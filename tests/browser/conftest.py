"""The browser that looks at pages; without one the tests skip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.chromium import NAMES, Browser, find_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"no Chromium in PATH ({', '.join(NAMES)}): install Debian's chromium to look at the pages")
    opened = Browser(chromium, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
