"""The bar that commands show while recorded objects are played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def progress_bar(console: Console, before: str, during: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback for what is done and the total, as trajnet.evaluate calls it; no bar where there is no terminal.

    before, during: what is said until the first call and from then on.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(before, total=None)
        yield lambda done, total: bar.update(task, description=during, completed=done, total=total)
