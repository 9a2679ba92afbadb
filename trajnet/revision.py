"""The revision of the source code, recorded in the files that trajnet writes."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_revision() -> str:
    """Return the commit of the source tree, ``+dirty`` if it has local changes, ``unknown`` outside a git checkout."""
    root = Path(__file__).resolve().parent.parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
