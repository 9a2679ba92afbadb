#!/usr/bin/env python3
"""Take a picture of a report in headless Chromium, for the README.

    trajnet demo
    python tools/screenshot.py out/demo/report.html docs/images/demo.png --at "t=14&theme=light" --size 1440x860

``--at`` is the part of the page's address after #: t (seconds), theme (light, dark), select (a track's id),
track (the same, in the middle of the picture).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from chromium import NAMES, Browser, find_chromium


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", default="t=10&theme=light")
    parser.add_argument("--size", default="1440x860", help="width x height in pixels")
    given = parser.parse_args()
    width, cross, height = given.size.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        parser.error(f"--size: expected WIDTHxHEIGHT, got {given.size}")
    if not given.report.is_file():
        parser.error(f"expected a report, got no file {given.report}; `trajnet demo` writes out/demo/report.html")
    chromium = find_chromium()
    if chromium is None:
        parser.error(f"expected one of {', '.join(NAMES)} in PATH; Debian's package is chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(chromium, Path(profile))
        try:
            address = f"{given.report.resolve().as_uri()}#play=0&{given.at}"
            browser.open(address, width=int(width), height=int(height))
            picture = browser.screenshot()
        finally:
            browser.close()
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    given.picture.write_bytes(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
