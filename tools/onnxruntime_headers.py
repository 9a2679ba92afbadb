#!/usr/bin/env python3
"""Get the C++ headers of ONNX Runtime, which its wheel lacks, into a folder: for examples/cpp, without root.

    python tools/onnxruntime_headers.py .onnxruntime-headers

They are Debian's (package libonnxruntime-dev of trixie, 85 kB, MIT licence), which any user may download; older headers
work with newer libraries. Where apt-get or the archive cannot be had, it says so and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "trixie"
PACKAGE = "libonnxruntime-dev"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HEADER = "onnxruntime_cxx_api.h"


class Failed(Exception):
    """A step that failed; the message is for the user."""


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder. Raises Failed with the last line that it said."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Failed(f"{command[0]}: {said[-1]}")


def download(target: Path) -> None:
    """Put the headers into the folder. Raises Failed."""
    if not KEYRING.is_file():
        raise Failed(f"expected Debian's keys in {KEYRING}; install the headers as docs/cpp.md says")
    with tempfile.TemporaryDirectory(prefix="trajnet-headers-") as name:
        folder = Path(name)
        (folder / "lists" / "partial").mkdir(parents=True)
        sources = folder / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {SUITE} main\n")
        own = [f"-oDir::Etc::SourceList={sources}", "-oDir::Etc::SourceParts=/dev/null", f"-oDir::Cache={folder}"]
        own += [f"-oDir::State::lists={folder / 'lists'}"]
        run(["apt-get", *own, "-q", "update"], folder)
        run(["apt-get", *own, "-q", "download", PACKAGE], folder)
        package = next(folder.glob(f"{PACKAGE}_*.deb"), None)
        if package is None:
            raise Failed(f"apt-get: expected {PACKAGE} of {SUITE}, got none")
        run(["dpkg-deb", "-x", str(package), "unpacked"], folder)
        shutil.copytree(folder / "unpacked" / "usr" / "include" / "onnxruntime", target, dirs_exist_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    target = parser.parse_args().folder
    if (target / HEADER).is_file():
        return 0
    try:
        download(target)
    except Failed as error:
        print(f"headers of ONNX Runtime: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
