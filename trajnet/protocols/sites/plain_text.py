"""Tables as plain text: aligned, and no cell is ever cut or wrapped.

Columns that do not fit beside each other go below, with the first column again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GAP = "  "


@dataclass(frozen=True)
class Table:
    """A table of texts. head: the columns' names, the first that of the rows. note: a sentence below the title."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def plain_text(table: Table, width: int | None) -> str:
    """Return the table in lines of at most width columns, if its own columns allow that; None: one line for each row.

    The first column is on the left, the others are right-aligned.
    """
    lines = [table.title, *([table.note] if table.note else [])]
    if not table.rows:
        return "\n".join([*lines, "  none", ""])
    columns = list(zip(table.head, *table.rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for block in _blocks(widths, width):
        for row in (table.head, *table.rows):
            cells = [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in block)]
            lines.append(_GAP.join(cells).rstrip())
        lines.append("")
    return "\n".join(lines)


def _blocks(widths: Sequence[int], width: int | None) -> Iterator[list[int]]:
    """Yield the columns after the first that go beside each other; one at least, however wide it is."""
    block, used = list[int](), widths[0]
    for i, each in enumerate(widths[1:], start=1):
        if block and width is not None and used + len(_GAP) + each > width:
            yield block
            block, used = [], widths[0]
        block.append(i)
        used += len(_GAP) + each
    yield block
