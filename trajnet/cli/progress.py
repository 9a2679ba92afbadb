"""What commands show of long work: bars where there is a terminal, lines where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def progress_bar(console: Console, before: str, during: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback for what is done and the total, as trajnet.evaluate calls it; no bar where there is no terminal.

    before, during: what is said until the first call and from then on.
    """
    with _bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(before, total=None)
        yield lambda done, total: bar.update(task, description=during, completed=done, total=total)


@contextmanager
def progress_items(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback for one item of work after the other: what it is, how many parts of it are done, and the total.

    On a terminal an item has a bar until it is done, else a line when it is done.
    """
    items = _Items(console)
    try:
        yield items.show
    finally:
        items.close()


@contextmanager
def progress_passes(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback for passes over the same thing. On stderr: a bar on a terminal, else a line for each."""
    from trajnet.cli.terminal import Console

    console = Console(stderr=True)

    def line(done: int, total: int) -> None:
        console.print(f"{what}: {done} of {total}", highlight=False, markup=False, soft_wrap=True)

    if console.is_terminal:
        with progress_bar(console, what, what) as bar:
            yield bar
    else:
        yield line


class _Items:
    """The bar of the item that is being worked on; none between items, when others may write to the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None

    def show(self, what: str, done: int, total: int) -> None:
        if self._console.is_terminal:
            self._update(what, done, total)
        elif done >= total:
            self._console.print(f"{what}: {done:,} of {total:,}", highlight=False, markup=False, soft_wrap=True)

    def _update(self, what: str, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = _bar(self._console)
            self._bar.add_task(what, total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=what, completed=done, total=total)
        if done >= total:
            self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(console: Console, *, disable: bool = False) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=disable)
