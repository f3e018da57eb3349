"""How a line of a document becomes cells: tabs, what a terminal must not get, colours, masks, selection and cursor."""

from __future__ import annotations

from msgspec import Struct
from rich.cells import cell_len

from cockpit.domain.text import plain
from cockpit.tui.ink import Line
from cockpit.tui.widgets.document import Place
from cockpit.tui.widgets.masks import DOTS
from cockpit.tui.widgets.syntax import Run

TAB = 4
LONG = 2000
"""Characters; in a longer line each takes one cell and there are no colours, so that a line of a megabyte stays quick."""
STRANGE = "?"
"""Stands for a character that a terminal would act on, or that has no width."""


class Masked(Struct, frozen=True):
    """A line as it is shown, and where its columns are in it."""

    text: str
    start: int = -1
    end: int = -1
    """Columns of the line that the dots stand for; -1 for none."""

    def shown(self, column: int) -> int:
        """The column of the shown text."""
        if self.start < 0 or column <= self.start:
            return column
        if column < self.end:
            return self.start + len(DOTS)
        return self.start + len(DOTS) + column - self.end

    def real(self, column: int) -> int:
        """The column of the line; inside the dots it is behind them."""
        if self.start < 0 or column <= self.start:
            return column
        return self.end + max(0, column - self.start - len(DOTS))


def masked(line: str, mask: tuple[int, int] | None) -> Masked:
    if mask is None:
        return Masked(line)
    return Masked(line[: mask[0]] + DOTS + line[mask[1] :], *mask)


def mask_runs(runs: list[Run], mask: tuple[int, int] | None) -> list[Run]:
    """The same for its colours."""
    if mask is None:
        return runs
    out: list[Run] = []
    at = 0
    for count, style in runs:
        before = max(0, min(at + count, mask[0]) - at)
        if before:
            out.append((before, style))
        at += count
    out.append((len(DOTS), "faint"))
    at = 0
    for count, style in runs:
        after = at + count - max(at, mask[1])
        if after > 0:
            out.append((after, style))
        at += count
    return out


def glyphs(text: str) -> list[str]:
    """What is drawn for each character: harmless, and never without width."""
    if len(text) > LONG:
        return [c if c.isascii() and c.isprintable() else " " if c == "\t" else STRANGE for c in text]
    out: list[str] = []
    at = 0
    for char in text:
        if char == "\t":
            drawn = " " * (TAB - at % TAB)
        elif char.isascii() and char.isprintable():
            drawn = char
        else:
            drawn = char if plain(char) == char and cell_len(char) > 0 else STRANGE
        out.append(drawn)
        at += cell_len(drawn)
    return out


def cell_at(drawn: list[str], column: int) -> int:
    """Cells before a column."""
    return sum(map(cell_len, drawn[:column])) if len(drawn) <= LONG else min(column, len(drawn))


def column_at(drawn: list[str], cell: int) -> int:
    """The column that a cell belongs to."""
    if len(drawn) > LONG:
        return max(0, min(cell, len(drawn)))
    at = 0
    for column, text in enumerate(drawn):
        at += cell_len(text)
        if cell < at:
            return column
    return len(drawn)


def within(selection: tuple[Place, Place] | None, row: int, view: Masked) -> tuple[int, int] | None:
    """What of a row is selected, in columns of what is shown; one more than it has where the selection goes on below."""
    if selection is None or not selection[0].row <= row <= selection[1].row:
        return None
    start, end = selection
    first = view.shown(start.column) if row == start.row else 0
    return first, view.shown(end.column) if row == end.row else len(view.text) + 1


def painted(
    drawn: list[str], runs: list[Run], left: int, cells: int, selected: tuple[int, int] | None, found: tuple[int, int] | None,
    cursor: int | None, ground: str,
) -> Line:  # fmt: skip
    """`cells` cells from cell `left` on. Columns: `selected` and `found` are ranges, `cursor` is one block."""
    if len(drawn) > LONG:
        drawn, runs = drawn[left : left + cells], [(cells, "text")]
        shift = left
        selected, found = (None if r is None else (r[0] - shift, r[1] - shift) for r in (selected, found))
        cursor = None if cursor is None else cursor - shift
        left = 0
    spans: list[tuple[str, str]] = []
    at = column = 0
    room = cells
    for count, style in [*runs, (1 << 30, "text")]:
        for _ in range(min(count, len(drawn) - column)):
            text = drawn[column]
            wide = cell_len(text)
            here = style
            if column == cursor:
                here = "ink on accent"
            elif selected is not None and selected[0] <= column < selected[1]:
                here = f"{style} on sel"
            elif found is not None and found[0] <= column < found[1]:
                here = "ink on warn"
            column += 1
            hidden = max(0, min(wide, left - at))
            at += wide
            if hidden == wide or room <= 0:
                continue
            if hidden or wide - hidden > room:
                text = " " * min(wide - hidden, room)
            room -= cell_len(text)
            if spans and spans[-1][1] == here:
                spans[-1] = (spans[-1][0] + text, here)
            else:
                spans.append((text, here))
        if column >= len(drawn):
            break
    if cursor is not None and cursor == len(drawn) and room > 0:
        spans.append((" ", "ink on accent"))
    elif selected is not None and selected[1] > len(drawn) and room > 0:
        spans.append((" ", "text on sel"))
    return tuple(spans)
