"""The text of an editor: lines, a cursor, a selection, undo. No drawing, no files; its representation shows no text."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_UNDO = 1000
_WORD = re.compile(r"\w+|[^\w\s]+")


class Place(NamedTuple):
    """Between two characters. A NamedTuple, so that places compare in reading order."""

    row: int
    column: int


@dataclass(slots=True)
class _Edit:
    """What stood at `start` and what stands there now."""

    start: Place
    old: str = field(repr=False)
    new: str = field(repr=False)
    before: Place
    typed: bool = False
    """One typed character: typing goes on in the same step."""


class Document:
    def __init__(self, text: str) -> None:
        self.newline = "\r\n" if "\r\n" in text and text.count("\r\n") == text.count("\n") else "\n"
        self.lines: list[str] = text.split(self.newline)
        self.cursor = Place(0, 0)
        self.anchor: Place | None = None
        """The other end of the selection."""
        self.version = 0
        """Another one after every change."""
        self._done: deque[_Edit] = deque(maxlen=MOST_UNDO)
        self._undone: list[_Edit] = []
        self._goal: int | None = None
        """The column that moving up and down keeps to."""

    def __repr__(self) -> str:
        return f"<document of {len(self.lines)} lines>"

    @property
    def text(self) -> str:
        return self.newline.join(self.lines)

    @property
    def line(self) -> str:
        return self.lines[self.cursor.row]

    @property
    def selection(self) -> tuple[Place, Place] | None:
        """In reading order; None where it is empty."""
        if self.anchor is None or self.anchor == self.cursor:
            return None
        return min(self.anchor, self.cursor), max(self.anchor, self.cursor)

    @property
    def selected(self) -> str:
        return self._between(*self.selection) if self.selection else ""

    def _between(self, start: Place, end: Place) -> str:
        if start.row == end.row:
            return self.lines[start.row][start.column : end.column]
        first, last = self.lines[start.row][start.column :], self.lines[end.row][: end.column]
        return "\n".join([first, *self.lines[start.row + 1 : end.row], last])

    def place(self, row: int, column: int) -> Place:
        """The nearest one that is there."""
        row = max(0, min(row, len(self.lines) - 1))
        return Place(row, max(0, min(column, len(self.lines[row]))))

    # changing

    def insert(self, text: str) -> None:
        """In place of what is selected. Line ends of any kind become the document's own."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        start, end = self.selection or (self.cursor, self.cursor)
        self._change(start, end, text, typed=len(text) == 1 and text != "\n" and start == end)

    def new_line(self) -> None:
        """With the indent of this line."""
        start = self.selection[0] if self.selection else self.cursor
        line = self.lines[start.row]
        self.insert("\n" + line[: min(start.column, len(line) - len(line.lstrip(" \t")))])

    def backspace(self) -> None:
        if self.selection is None:
            row, column = self.cursor
            indent = self.line[:column]
            back = ((column - 1) % 2) + 1 if indent and not indent.strip(" ") else 1
            self._delete(Place(row, column - back) if column else self.place(row - 1, len(self.lines[row - 1]) if row else 0))
        else:
            self._delete(self.cursor)

    def delete(self) -> None:
        row, column = self.cursor
        self._delete(
            Place(row, column + 1) if column < len(self.line) else self.place(row + 1, 0) if self._below else self.cursor
        )

    def delete_word(self) -> None:
        """Back to where the word begins."""
        self._delete(self.word(-1))

    @property
    def _below(self) -> bool:
        return self.cursor.row + 1 < len(self.lines)

    def _delete(self, other: Place) -> None:
        start, end = self.selection or (min(other, self.cursor), max(other, self.cursor))
        if start != end:
            self._change(start, end, "")

    def cut(self) -> str:
        """What is selected, else the whole line; the answer is what went."""
        if self.selection is None:
            row = self.cursor.row
            gone = self.line
            if self._below:
                self._change(Place(row, 0), Place(row + 1, 0), "")
            elif row:
                self._change(Place(row - 1, len(self.lines[row - 1])), Place(row, len(gone)), "")
            else:
                self._change(Place(0, 0), Place(0, len(gone)), "")
            return gone + "\n"
        gone = self.selected
        self._delete(self.cursor)
        return gone

    def indent(self, step: int) -> None:
        """Two spaces more or less for the selected lines; without a selection `tab` is typed as spaces."""
        if self.selection is None and step > 0:
            self.insert(" " * (2 - self.cursor.column % 2))
            return
        first, last = self.selection or (self.cursor, self.cursor)
        rows = range(first.row, last.row + 1)
        lines = [self.lines[row] for row in rows]
        moved = [
            ("  " + line if line else line) if step > 0 else line.removeprefix("  " if line[:2] == "  " else " ")
            for line in lines
        ]
        cursor, anchor = self.cursor, self.anchor
        self._change(Place(first.row, 0), Place(last.row, len(self.lines[last.row])), "\n".join(moved))
        self.cursor = self.place(cursor.row, cursor.column + 2 * step)
        self.anchor = None if anchor is None else self.place(anchor.row, anchor.column + 2 * step)

    def replace_all(self, text: str) -> None:
        """Another text, as one step that can be undone; the cursor stays in its row."""
        lines = text.split(self.newline)
        if lines == self.lines:
            return
        row, column = self.cursor
        last = len(self.lines) - 1
        self._change(Place(0, 0), Place(last, len(self.lines[last])), "\n".join(lines))
        self.move(self.place(row, column))

    def _change(self, start: Place, end: Place, new: str, *, typed: bool = False) -> None:
        edit = _Edit(start, self._between(start, end), new, self.cursor, typed)
        self._undone.clear()
        self._put(start, end, new)
        last = self._done[-1] if self._done else None
        if typed and last is not None and last.typed and _end(last.start, last.new) == start and not (new.isspace()):
            last.new += new
        else:
            self._done.append(edit)

    def _put(self, start: Place, end: Place, new: str) -> None:
        lines = (self.lines[start.row][: start.column] + new + self.lines[end.row][end.column :]).split("\n")
        self.lines[start.row : end.row + 1] = lines
        self.cursor, self.anchor, self._goal = _end(start, new), None, None
        self.version += 1

    def undo(self) -> bool:
        if not self._done:
            return False
        edit = self._done.pop()
        self._put(edit.start, _end(edit.start, edit.new), edit.old)
        self.cursor = edit.before
        self._undone.append(edit)
        return True

    def redo(self) -> bool:
        if not self._undone:
            return False
        edit = self._undone.pop()
        self._put(edit.start, _end(edit.start, edit.old), edit.new)
        edit.typed = False
        self._done.append(edit)
        return True

    # moving

    def move(self, place: Place, *, select: bool = False) -> None:
        if select and self.anchor is None:
            self.anchor = self.cursor
        elif not select:
            self.anchor = None
        self.cursor, self._goal = place, None

    def vertical(self, rows: int, *, select: bool = False) -> None:
        goal = self._goal if self._goal is not None else self.cursor.column
        self.move(self.place(self.cursor.row + rows, goal), select=select)
        self._goal = goal

    def horizontal(self, step: int, *, select: bool = False) -> None:
        if self.selection and not select:
            self.move(self.selection[0 if step < 0 else 1])
            return
        row, column = self.cursor
        column += step
        if column < 0:
            place = self.place(row - 1, len(self.lines[row - 1])) if row else Place(0, 0)
        elif column > len(self.line):
            place = Place(row + 1, 0) if self._below else self.cursor
        else:
            place = Place(row, column)
        self.move(place, select=select)

    def home(self, *, select: bool = False) -> None:
        """The first letter of the line, and from there its beginning."""
        first = len(self.line) - len(self.line.lstrip(" \t"))
        self.move(Place(self.cursor.row, 0 if self.cursor.column == first else first), select=select)

    def end(self, *, select: bool = False) -> None:
        self.move(Place(self.cursor.row, len(self.line)), select=select)

    def word(self, step: int) -> Place:
        """Where the next word begins, or this one began."""
        row, column = self.cursor
        if step > 0:
            found = next((m.end() for m in _WORD.finditer(self.line) if m.end() > column), None)
            return (
                Place(row, found)
                if found is not None
                else self.place(row + 1, 0)
                if self._below
                else self.place(row, len(self.line))
            )
        starts = [m.start() for m in _WORD.finditer(self.line) if m.start() < column]
        if starts:
            return Place(row, starts[-1])
        return self.place(row - 1, len(self.lines[row - 1])) if row else Place(0, 0)

    def select_all(self) -> None:
        self.anchor = Place(0, 0)
        self.cursor, self._goal = Place(len(self.lines) - 1, len(self.lines[-1])), None

    def find(self, needle: str, step: int = 1, *, here: bool = False) -> Place | None:
        """The next or previous occurrence, round the ends; upper and lower case are the same. `here`: also at the cursor."""
        low = needle.lower()
        if not low:
            return None
        row, column = self.cursor
        count = len(self.lines)
        for away in range(count + 1):
            at = (row + step * away) % count
            line = self.lines[at].lower()
            if step > 0:
                start = (column if here else column + 1) if away == 0 else 0
                found = line.find(low, start)
            else:
                found = line.rfind(low, 0, max(0, column + len(low) - 1)) if away == 0 else line.rfind(low)
            if found >= 0:
                return Place(at, found)
        return None


def _end(start: Place, text: str) -> Place:
    """Where a text that begins there ends."""
    rows = text.count("\n")
    return Place(start.row + rows, len(text) - text.rfind("\n") - 1 if rows else start.column + len(text))
