"""Tables in Feather, whole and valid or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trajnet.errors import DependencyError, InputError, in_words, install_advice
from trajnet.scenes.rows import require_file


def read_feather(path: Path, what: str, extra: str) -> Any:
    """Return a pyarrow.Table, checked in full: text that is not UTF-8 would raise where it is used.

    what: such a table in words, for the errors. extra: the extra that brings pyarrow. Raises InputError that names the
    file, DependencyError where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import feather
    except ImportError as error:
        raise DependencyError(f"{what} needs pyarrow, which is not installed; run: {install_advice(extra)}") from error
    require_file(path)
    try:
        table = feather.read_table(path, memory_map=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: expected {what}, got one that cannot be read ({in_words(error)[:160]})") from error
    return table
