"""An editor by the line API: colours for the lines in sight, a gutter against HEAD, secret values masked until asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from textual import events

from cockpit.actions.catalog import EDITOR, WHILE_TYPING
from cockpit.tui.ink import EMPTY, Line, fit, gap, lit, shape, t, width
from cockpit.tui.keymap import Keymap
from cockpit.tui.widgets.document import Document, Place
from cockpit.tui.widgets.editor_facts import Facts
from cockpit.tui.widgets.editor_keys import edits, moves
from cockpit.tui.widgets.editor_view import Masked, cell_at, column_at, glyphs, mask_runs, masked, painted, within
from cockpit.tui.widgets.gutter import Block, DiffLine, Mark
from cockpit.tui.widgets.row_table import Heading
from cockpit.tui.widgets.surface import Drawn, Handlers, Surface, inset, roomy
from cockpit.tui.widgets.syntax import Run

HIDES_AFTER = 10.0
"""Seconds that a value is shown for after the last key in its line."""
MOST_PASTED = 1024 * 1024
_OWN = ("file.save", "file.show", "file.undo", "file.redo", *WHILE_TYPING)


class _Keyed(Protocol):
    keymap: Keymap


class Editor(Surface, can_focus=True):
    context = EDITOR

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        super().__init__(name)
        self._now = now
        self.heading: Heading | None = None
        self.banner: Callable[[int], Line] = lambda cells: EMPTY
        self.empty: Callable[[int], Sequence[Line]] = lambda cells: ()
        self.changed: Callable[[], None] = lambda: None
        """Called after every key."""
        self.leave: Callable[[], None] = lambda: None
        self.document: Document | None = None
        self.path = ""
        self.finding: str | None = None
        """What is searched for, while it is typed."""
        self._facts = Facts()
        self._saved: list[str] = []
        self._clipboard = ""
        self._shown_row: int | None = None
        self._shown_until = 0.0
        self._top = self._left = 0
        self._pressed = False

    # the file

    def open(
        self, path: str, text: str, base: str | None, *, kind: str | None = None, plain: frozenset[str] = frozenset()
    ) -> None:
        """`kind` is the format of a decrypted file, whose values are masked but for the lines in `plain`."""
        self.document = Document(text)
        self.path = path
        self._facts = Facts(path, None, kind, plain)
        self._top = self._left = 0
        self.finding = None
        self.hide()
        self.saved(base, plain)

    def saved(self, base: str | None, plain: frozenset[str] = frozenset()) -> None:
        """What is there now is what the disk has."""
        if self.document is not None:
            self._saved = list(self.document.lines)
            lines = None if base is None else base.split(self.document.newline)
            self._facts = Facts(self.path, lines, self._facts.kind, plain)
        self.redraw()

    def close(self) -> None:
        """Lets go of the text, its history and what was cut."""
        self.document, self._facts, self._saved, self._clipboard = None, Facts(), [], ""
        self.path, self.finding = "", None
        self.hide()

    @property
    def modified(self) -> bool:
        return self.document is not None and self.document.lines != self._saved

    @property
    def secret(self) -> bool:
        return self._facts.kind is not None

    @property
    def differences(self) -> tuple[list[str], list[str], list[Block]]:
        """(lines at HEAD, lines now, where they differ)."""
        if self.document is None:
            return [], [], []
        facts = self._facts.know(self.document)
        return facts.base or [], self.document.lines, facts.blocks

    @property
    def hunks(self) -> list[DiffLine]:
        """The same to be read, as far as it is not too long."""
        return self._facts.know(self.document).hunks if self.document is not None else []

    # secret values

    def mask_of(self, row: int) -> tuple[int, int] | None:
        """The masked columns of a row as it stands now."""
        found = self._facts.masks
        return None if row == self._shown_row or row >= len(found) else found[row]

    @property
    def shows(self) -> bool:
        return self._shown_row is not None

    def toggle(self) -> None:
        if self.document is None:
            return
        if self._shown_row == self.document.cursor.row:
            self.hide()
        else:
            self.show_row()
        self.redraw()

    def show_row(self) -> None:
        """The line with the cursor, for some seconds; the one before is hidden."""
        if self.document is not None and self.secret:
            self._shown_row, self._shown_until = self.document.cursor.row, self._now() + HIDES_AFTER

    def hide(self) -> None:
        self._shown_row = None
        self._settle(1)

    def tick(self) -> None:
        """A second passed."""
        if self._shown_row is not None:
            if self._now() >= self._shown_until:
                self.hide()
            self.redraw()

    def _settle(self, step: int) -> None:
        """The cursor stands before or behind the dots, never inside."""
        document = self.document
        if document is None:
            return
        self._facts.know(document)
        mask = self.mask_of(document.cursor.row)
        row, column = document.cursor
        if mask is not None and mask[0] < column < mask[1]:
            document.cursor = Place(row, mask[0] if step < 0 else mask[1])

    def _touches(self) -> bool:
        """Whether the cursor is at a masked value."""
        document = self.document
        if document is None:
            return False
        mask = self.mask_of(document.cursor.row)
        return mask is not None and mask[0] <= document.cursor.column

    # drawing

    @property
    def _header(self) -> int:
        return (1 if self.heading else 0) + (1 if self.secret else 0) + (1 if self._airy else 0)

    @property
    def _airy(self) -> bool:
        return self.size.width >= 100

    @property
    def _rows(self) -> int:
        return max(1, self.size.height - self._header)

    def _margin(self, document: Document) -> int:
        """Cells before the text: number, gutter and what is free."""
        return max(4 if self._airy else 2, len(str(len(document.lines)))) + (4 if self._airy else 2)

    def draw(self, width_: int, height: int) -> Sequence[Drawn]:
        out: list[Drawn] = []
        if heading := self.heading:
            head = heading(width_, self.has_focus, self._find_line()) if self._airy else EMPTY
            out.append((head or inset(width_, lambda cells: heading(cells, self.has_focus, self._find_line())), "bg"))
        document = self.document
        if document is None:
            return [*out, *(((), "bg") for _ in range(1 if self._airy else 0)), *((line, "bg") for line in self.empty(width_))]
        if self.secret:
            out.append((gap(0 if self._airy else 1) + self.banner(width_), "bg"))
        if self._airy:
            out.append(((), "bg"))
        self._facts.know(document)
        self._top = max(0, min(self._top, len(document.lines) - 1))
        rows = min(height - len(out), len(document.lines) - self._top)
        runs = self._facts.colours(document, self._top, rows)
        return out + [self._line(document, self._top + at, runs[at], width_) for at in range(rows)]

    def _line(self, document: Document, row: int, runs: list[Run], cells: int) -> Drawn:
        here = row == document.cursor.row
        ground = "sel2" if here and self.has_focus else "bg"
        number = max(4 if self._airy else 2, len(str(len(document.lines))))
        mark = self._facts.gutter.marks.get(row)
        if row in self._facts.gutter.below:
            sign = shape("▁", "bad")
        else:
            sign = EMPTY if mark is None else shape("▎", "warn" if mark is Mark.CHANGED else "good")
        lead = fit(t(row + 1, "text b" if here else "faint"), number, "r") + gap(1) + fit(sign, 1) + gap(2 if self._airy else 0)
        note = self._note(row, mark)
        room = cells - width(lead) - (width(note) + 3 if note else 1)
        mask = self.mask_of(row)
        view = masked(document.lines[row], mask)
        cursor = view.shown(document.cursor.column) if here and self.has_focus else None
        text = painted(
            glyphs(view.text), mask_runs(runs, mask), self._left, room, within(document.selection, row, view),
            self._found(document, row, view), cursor, ground,
        )  # fmt: skip
        line = lead + fit(text, room) + (gap(2) + note + gap(1) if note else gap(1))
        return (lit(line, ground), ground) if here else (line, ground)

    def _note(self, row: int, mark: Mark | None) -> Line:
        if not self.secret or not roomy(self.app.size.width):
            return EMPTY
        if row == self._shown_row and self._facts.masks[row] is not None:
            return t(f"shown, hides in {max(1, round(self._shown_until - self._now()))}s", "warn")
        if mark is Mark.ADDED:
            return t("new", "good")
        by_rule = self.document is not None and self._facts.by_rule(self.document.lines[row])
        return t("plain by rule", "faint") if by_rule else EMPTY

    def _found(self, document: Document, row: int, view: Masked) -> tuple[int, int] | None:
        if not self.finding or row != document.cursor.row:
            return None
        column = document.cursor.column
        if view.start >= 0 and view.start <= column:
            return None
        return (column, column + len(self.finding))

    def _find_line(self) -> Line:
        if self.finding is None:
            return EMPTY
        return t("find ", "accent b") + t(self.finding) + t(" ", "ink on accent") + t("  enter next, esc ends", "faint")

    def _follow(self) -> None:
        """Scrolls as little as shows the cursor."""
        document = self.document
        if document is None:
            return
        row, column = document.cursor
        rows = self._rows
        self._top = max(0, min(max(self._top, row - rows + 1), row))
        view = masked(document.lines[row], self.mask_of(row))
        cell = cell_at(glyphs(view.text), view.shown(column))
        room = max(8, self.size.width - self._margin(document) - 24)
        if cell < self._left or cell >= self._left + room:
            self._left = max(0, cell - room // 2) if cell >= room else 0

    # keys

    @property
    def captures(self) -> bool:
        return self.document is not None

    def capture(self, event: events.Key) -> None:
        document = self.document
        if document is None:
            return
        if self.finding is not None and self._find_key(document, event):
            pass
        elif (action := cast(_Keyed, self.screen).keymap.resolve(EDITOR, event.key)) in _OWN and action is not None:
            self.perform(action)
        else:
            self._key(document, event)
        if self.document is not None:
            self._follow()
        self.redraw()
        self.changed()

    def _key(self, document: Document, event: events.Key) -> None:
        key = event.key
        bare = key.removeprefix("shift+")
        select = key.startswith("shift+")
        if (move := moves(document, max(1, self._rows - 2), select).get(bare)) is not None and (bare == key or bare != "tab"):
            before = document.cursor
            move()
            self._settle(-1 if document.cursor < before else 1)
            return
        changes = edits(document) | {
            "ctrl+x": lambda: self._cut(document),
            "ctrl+v": lambda: document.insert(self._clipboard),
        }
        if key in changes:
            if self._touches() and key in ("backspace", "delete", "ctrl+w", "ctrl+delete") and document.selection is None:
                # what cannot be seen is not deleted by the letter
                self.show_row()
                return
            changes[key]()
            self.show_row()
        elif event.is_printable and event.character:
            document.insert(event.character)
            self.show_row()

    def _cut(self, document: Document) -> None:
        self._clipboard = document.cut()

    def _find_key(self, document: Document, event: events.Key) -> bool:
        needle = self.finding or ""
        if event.key == "escape":
            self.finding = None
        elif event.key in ("enter", "down", "ctrl+f", "up"):
            self._go(document, document.find(needle, -1 if event.key == "up" else 1))
        elif event.key == "backspace":
            self.finding = needle[:-1]
        elif event.is_printable and event.character:
            self.finding = needle + event.character
            self._go(document, document.find(self.finding, here=True))
        else:
            return False
        return True

    def _go(self, document: Document, place: Place | None) -> None:
        if place is not None:
            document.move(place)
            self._settle(1)

    def handlers(self) -> Handlers:
        return {
            "app.search": self.start_find,
            "app.back": self.leave,
            "file.show": self.toggle,
            "file.undo": lambda: self._history(-1),
            "file.redo": lambda: self._history(1),
        }

    def start_find(self) -> None:
        if self.document is not None:
            self.finding = ""
            self.redraw()

    def _history(self, step: int) -> None:
        if self.document is not None and (self.document.undo() if step < 0 else self.document.redo()):
            self.show_row()

    # mouse

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self.document is not None and self.finding is None:
            self.document.insert(event.text[:MOST_PASTED])
            self.show_row()
            self._follow()
            self.redraw()
            self.changed()

    def _place(self, document: Document, x: int, y: int) -> Place:
        row = max(0, min(self._top + y - self._header, len(document.lines) - 1))
        view = masked(document.lines[row], self.mask_of(row))
        column = column_at(glyphs(view.text), x - self._margin(document) + self._left)
        return document.place(row, view.real(column))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        if self.document is not None and event.y >= self._header:
            self.document.move(self._place(self.document, event.x, event.y), select=event.shift)
            self._pressed = True
            self.capture_mouse()
            self.redraw()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._pressed and self.document is not None:
            self.document.move(self._place(self.document, event.x, event.y), select=True)
            self._follow()
            self.redraw()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        event.stop()
        self._pressed = False
        self.release_mouse()
        self._settle(1)
        self.changed()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)

    def _scroll(self, rows: int) -> None:
        if self.document is not None:
            self._top = max(0, min(self._top + rows, len(self.document.lines) - 1))
            self.redraw()
