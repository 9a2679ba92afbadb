"""Write constraints.txt from what pip resolves for each supported Python.

Run once per Python (3.10, 3.11, 3.12), then merge the reports:

    pip install --dry-run --ignore-installed --report report-3.11.json ".[dev]"
    python tools/pin_constraints.py report-3.*.json > constraints.txt

A version that differs between them gets an environment marker; the newest Python's pins also hold for later Pythons.
Packages of PyTorch's CUDA build are left out: the machine decides which build is installed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HEADER = """\
# What CI runs: every version that `make` installs, for Python 3.10, 3.11 and 3.12 on Linux.
# Written by tools/pin_constraints.py, which says how; do not edit by hand.
"""
OF_CUDA_BUILD = ("cuda-", "nvidia-", "triton")


def pins_of(report: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the Python ("3.11") of a pip report and the version of each package, without local parts such as +cpu."""
    found = {"pip": report["pip_version"]}
    for item in report["install"]:
        name = item["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
        if name != "trajnet-av" and not name.startswith(OF_CUDA_BUILD):
            found[name] = item["metadata"]["version"].partition("+")[0]
    return report["environment"]["python_version"], found


def constraint_lines(pins: dict[str, dict[str, str]]) -> list[str]:
    """Return sorted lines for pins by Python (oldest first), then by package, with markers where the Pythons differ."""
    newest = list(pins)[-1]
    lines = []
    for name in sorted({name for found in pins.values() for name in found}):
        pythons: dict[str, list[str]] = {}
        for python, found in pins.items():
            if name in found:
                pythons.setdefault(found[name], []).append(python)
        for version, where in pythons.items():
            same = (
                [f'python_version >= "{where[0]}"'] if newest in where else [f'python_version == "{p}"' for p in where]
            )
            lines.append(f"{name}=={version}" + (f" ; {' or '.join(same)}" if len(pythons) > 1 else ""))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, help="of pip, one for each Python")
    pins = dict(pins_of(json.loads(report.read_text())) for report in parser.parse_args().reports)
    print(HEADER + "\n".join(constraint_lines(pins)))


if __name__ == "__main__":
    main()
