"""Splits of our own, for data sets whose official split has no futures.

Groups of files that were recorded together are ordered by a hash of SPLIT_SEED and their name; the first TEST_SHARE of
them are test, the next VAL_SHARE val, the rest train.
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
    """Return the files of a split (OWN_SPLITS).

    group: the group of each file; files of one group stay together. stratum: the stratum of each file; each stratum is
    split by itself. Raises InputError for another split.
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
    """Raise InputError unless the data set is complete: the split would differ with another number of files."""
    if len(files) != expected:
        raise InputError(
            f"{what}: expected the {expected:,} files of the data set, got {len(files):,}; is it complete?"
        )
