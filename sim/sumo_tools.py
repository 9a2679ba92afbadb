"""Find Eclipse SUMO and run its programs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from trajnet.errors import DependencyError, TrajnetError


def sumo_home() -> Path:
    """Return SUMO's folder: SUMO_HOME, or that of the pip package eclipse-sumo. Raises DependencyError."""
    if os.environ.get("SUMO_HOME"):
        return Path(os.environ["SUMO_HOME"])
    found = importlib.util.find_spec("sumo")
    if found is None or found.origin is None:
        raise DependencyError("Eclipse SUMO is not installed; run: pip install eclipse-sumo, or set SUMO_HOME")
    return Path(found.origin).parent


def run_sumo_tool(name: str, options: Sequence[str], folder: Path) -> None:
    """Run one of SUMO's programs in folder. Raises TrajnetError with its first error message if it fails."""
    home = sumo_home()
    done = subprocess.run(
        [str(home / "bin" / name), *options],
        cwd=folder,
        env={**os.environ, "SUMO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if line.startswith("Error")), done.stderr[-300:])
        raise TrajnetError(f"{name} failed with code {done.returncode}: {complaint}")
