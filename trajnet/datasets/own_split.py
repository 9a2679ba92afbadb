"""Splits of our own, for data sets without an official split whose futures are known.

The groups of files (what was recorded together) are ordered by a hash of SPLIT_SEED and their name; the first
TEST_SHARE are test, the next VAL_SHARE val, the rest are train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from trajnet.errors import InputError

OWN_SPLITS: tuple[str, ...] = ("train", "val", "test")
SPLIT_SEED = 0
TEST_SHARE = 0.2
VAL_SHARE = 0.1


def own_split(files: Sequence[Path], split: str, group: Sequence[str], stratum: Sequence[str] = ()) -> list[Path]:
    """Return the files of a split (OWN_SPLITS). group: of each file; files of one group stay together.

    stratum: of each file; the groups of each stratum are split by themselves. Raises InputError for another split.
    """
    if split not in OWN_SPLITS:
        raise InputError(f"split: expected one of {', '.join(OWN_SPLITS)}, got {split!r}")
    chosen: set[str] = set()
    strata = list(stratum) or [""] * len(files)
    for kind in sorted(set(strata)):
        names = {name for name, other in zip(group, strata, strict=True) if other == kind}
        ordered = sorted(names, key=lambda name: hashlib.sha256(f"{SPLIT_SEED} {kind} {name}".encode()).hexdigest())
        test = round(TEST_SHARE * len(ordered))
        val = test + round(VAL_SHARE * len(ordered))
        chosen.update({"test": ordered[:test], "val": ordered[test:val], "train": ordered[val:]}[split])
    return [file for file, name in zip(files, group, strict=True) if name in chosen]


def require_files(what: str, files: Sequence[Path], expected: int) -> None:
    """Raise InputError unless these are all files of the data set: others would be split in another way."""
    if len(files) != expected:
        raise InputError(
            f"{what}: expected the {expected:,} files of the data set, got {len(files):,}; is it complete?"
        )
