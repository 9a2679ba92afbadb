"""What commands print: no digit of a table is ever cut, whether on a narrow terminal or into a pipe."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

#: Wide enough to measure a table as if there were no limit.
UNLIMITED = 100_000


class Console(rich.console.Console):
    """rich's console with tables that change their layout where they do not fit.

    Into a pipe or a file a table takes the width that it needs, a line for each row. On a terminal that is too narrow
    each row becomes a paragraph, a line for each of its cells.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, each table in a layout that shows it whole."""
        if not any(isinstance(each, Table) for each in objects):
            super().print(*objects, **options)
            return
        for each in objects:
            if isinstance(each, Table):
                self._print_table(each, options)
            else:
                super().print(each, **options)

    def print_markdown(self, text: str) -> None:
        """Print Markdown; as it is written where a table in it would be cut, since rich cuts the cells of those."""
        drawn = Markdown(text)
        if "".join(part.text for part in self.render(drawn)).count("…") > text.count("…"):
            super().print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            super().print(drawn)

    def _print_table(self, table: Table, options: dict[str, Any]) -> None:
        self._keep_cells_whole(table)
        needs = Measurement.get(self, self.options.update(max_width=UNLIMITED, width=UNLIMITED), table)
        if self.is_terminal and needs.minimum > self.width:
            super().print(stacked(table), soft_wrap=True, highlight=False)
            return
        # The title on its own: rich would squeeze it into the width of the table.
        title, table.title = table.title, None
        if title is not None:
            super().print(title, style="table.title", highlight=False, soft_wrap=not self.is_terminal)
        before = self.width
        if not self.is_terminal:
            self.width = max(before, needs.maximum)
        super().print(table, **options)
        self.width = before
        table.title = title

    def _keep_cells_whole(self, table: Table) -> None:
        """Make columns that are not wrapped as wide as their longest cell, and fold the others: rich would cut both."""
        unlimited = self.options.update(max_width=UNLIMITED, width=UNLIMITED)
        for column in table.columns:
            if not column.no_wrap:
                column.overflow = "fold"  # a long path
            else:
                cells = (column.header, *column.cells)
                column.min_width = max(
                    Measurement.get(self, unlimited, _text(cell) if isinstance(cell, str) else cell).maximum
                    for cell in cells
                )


def stacked(table: Table) -> Text:
    """Return a table as paragraphs: the title, then for each row its first cell and a line for each other one."""
    names = [_plain(column.header).replace("\n", " ") for column in table.columns]
    lines = [_plain(table.title)] if table.title is not None else []
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        first, *others = (_plain(cell).strip() for cell in cells)
        lines.append(f"{names[0]} {first}".strip())
        lines += [f"  {name}: {cell}" for name, cell in zip(names[1:], others, strict=True)]
    return Text("\n".join(lines))


def _plain(content: Any) -> str:
    return _text(content).plain if isinstance(content, str) else str(content)


def _text(content: str) -> Text:
    return Text.from_markup(content)
