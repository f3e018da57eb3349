"""A table of keyed rows by the line API: the cursor stays on its object, rows are drawn only when visible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec import Struct
from textual import events
from textual.message import Message

from cockpit.tui.ink import EMPTY, Column, Line, fit, gap, lit, row, shape, t, titles
from cockpit.tui.widgets.filter import Filter, typed_line
from cockpit.tui.widgets.surface import Drawn, Handlers, Surface, inset, roomy

Heading = Callable[[int, bool, Line], Line]
"""(cells, has focus, filter) -> the heading line."""


class Entry(Struct, frozen=True):
    """One row. Exactly one of `cells`, `pair` and `span` is drawn, by the table's shape; all are called late."""

    key: str
    text: str
    """What a filter looks at."""
    cells: Callable[[], Sequence[Line]] | None = None
    pair: Callable[[int], tuple[Line, Line]] | None = None
    """Two lines of this many cells, for narrow screens."""
    span: Callable[[int], Line] | None = None
    """The whole row of a group."""
    group: bool = False
    more: Callable[[int], Sequence[Line]] | None = None
    """Lines under the row while the cursor is on it, in a table that unfolds."""


def _headed(heading: Heading, focus: bool, typed: Line, cells: int) -> Line:
    return heading(cells, focus, typed)


class RowTable(Surface, can_focus=True):
    """Heading, column titles, rows. Emits Moved when the cursor rests on another object, Opened on a second click."""

    @dataclass
    class Moved(Message):
        table: RowTable
        key: str | None

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RowTable.Moved) and message.table is self.table

    def __init__(self, context: str, name: str | None = None) -> None:
        super().__init__(name)
        self.context = context
        self.columns: Sequence[Column] = ()
        self.between = 2
        self.heading: Heading | None = None
        self.show_titles = True
        self.pairs = False
        self.spread = False
        """Whether an empty line follows each pair."""
        self.air = 0
        """Empty lines below the heading."""
        self.flush = False
        """Whether the heading begins in the first cell: a column beside others, in a body that has margins."""
        self.empty: Callable[[int], Sequence[Line]] = lambda cells: ()
        self.unfold = 0
        """Lines that the row under the cursor has more."""
        self.filter = Filter()
        self.search = Filter()
        self.marked: set[str] = set()
        self._all: list[Entry] = []
        self._rows: list[Entry] = []
        self._cursor = 0
        self._top = 0
        self._wanted: str | None = None

    # data

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Replaces the rows; the cursor stays on its object, or where it was."""
        self._all = list(entries)
        known = {entry.key for entry in entries}
        self.marked &= known
        self._apply()

    def _apply(self) -> None:
        before, wanted = self.key, self._wanted
        self._rows = [e for e in self._all if self.filter.keeps(e.text)] if self.filter.text else self._all
        at = next((i for i, e in enumerate(self._rows) if e.key == wanted), None) if wanted else None
        if at is not None:
            self._wanted = None
        else:
            at = next((i for i, e in enumerate(self._rows) if e.key == before), None)
        self._cursor = at if at is not None else min(self._cursor, max(0, len(self._rows) - 1))
        self._keep_in_view()
        self.redraw()
        if self.key != before:
            self.post_message(self.Moved(self, self.key))

    @property
    def key(self) -> str | None:
        """The object under the cursor."""
        return self._rows[self._cursor].key if self._cursor < len(self._rows) else None

    @property
    def in_view(self) -> list[str]:
        """Objects in view, top down."""
        return [entry.key for entry in self._rows[self._top : self._top + self._page()]]

    @property
    def waits(self) -> bool:
        """Whether an object is wanted that is not there yet."""
        return self._wanted is not None

    @property
    def wanted(self) -> str:
        """Its key; empty where none is."""
        return self._wanted or ""

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def total(self) -> int:
        return len(self._all)

    def select(self, key: str) -> None:
        """Puts the cursor on an object, as soon as it is there."""
        at = next((i for i, e in enumerate(self._rows) if e.key == key), None)
        self._wanted = key if at is None else None
        if at is not None:
            self._go(at)

    # drawing

    @property
    def header_height(self) -> int:
        return (1 + self.air if self.heading else 0) + (1 if self.show_titles else 0)

    @property
    def row_height(self) -> int:
        return (3 if self.spread else 2) if self.pairs else 1

    def _page(self) -> int:
        return max(1, (self.size.height - self.header_height - self.unfold) // self.row_height)

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        out: list[Drawn] = []
        if heading := self.heading:
            drawn = partial(_headed, heading, self.has_focus, typed_line(self.filter, self.search))
            out.append((drawn(width) if self.flush else inset(width, drawn), "bg"))
            out += [(EMPTY, "bg")] * self.air
        if self.show_titles:
            out.append((gap(2) + titles(self.columns, width - 2, self.between), "bg"))
        if not self._rows:
            nothing = [gap(2) + t("nothing matches; esc shows all", "muted")] if self.filter.text else self.empty(width)
            return out + [(line, "bg") for line in nothing]
        page = self._page()
        rest = len(self._rows) - self._top - page
        if self.pairs and rest > 0:
            spare = height - len(out) - page * self.row_height
            page -= 0 if spare else 1
            rest = len(self._rows) - self._top - page
        for index in range(self._top, min(len(self._rows), self._top + page)):
            out += self._draw_row(index, width)
            if self.pairs and self.spread:
                out.append((EMPTY, "bg"))
        if self.pairs and rest > 0 and len(out) < height:
            out.append((gap(2) + t(f"↓ {rest} more", "muted"), "bg"))
        return out

    def _draw_row(self, index: int, width: int) -> list[Drawn]:
        entry = self._rows[index]
        here = index == self._cursor
        ground = ("sel" if self.has_focus else "sel2") if here else "bar" if entry.group else "bg"
        bar = (
            shape("▌", "accent" if self.has_focus else "faint")
            if here
            else shape("▎", "accent")
            if entry.key in self.marked
            else gap(1)
        )
        if self.pairs and entry.pair:
            body: Sequence[Line] = [bar + line for line in entry.pair(width - (1 if roomy(width) else 2))]
        elif entry.span:
            body = [bar + entry.span(width - 1)]
        elif entry.cells:
            body = [bar + gap(1) + row(entry.cells(), self.columns, width - 2, self.between)]
        else:
            body = [EMPTY]
        if here and self.unfold and entry.more:
            body = [*body, *(bar + line for line in entry.more(width - 1)[: self.unfold])]
        return [(lit(fit(line, width), ground), ground) for line in body] if here else [(line, ground) for line in body]

    # moving

    def _keep_in_view(self) -> None:
        if not self.size.height:
            return
        page = self._page()
        last = max(0, len(self._rows) - page)
        # the last row of a two-line list says how many more there are
        room = page - 1 if self.pairs and self._top < last and page > 1 else page
        if self._cursor < self._top:
            self._top = self._cursor
        elif self._cursor >= self._top + room:
            self._top = self._cursor - room + 1
        if 0 < self._top < len(self._rows) and self._rows[self._top - 1].group and self._cursor < self._top - 1 + room:
            self._top -= 1
        self._top = max(0, min(self._top, last if not self.pairs else max(0, len(self._rows) - 1)))

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        self._wanted = None
        if index == self._cursor or not self._rows:
            return
        self._cursor = index
        self._keep_in_view()
        self.redraw()
        self.post_message(self.Moved(self, self.key))

    def on_resize(self) -> None:
        # more room shows more of what is above
        self._top = min(self._top, max(0, self._cursor - self._page() + 1))
        self._keep_in_view()
        super().on_resize()

    def handlers(self) -> Handlers:
        return {
            "move.down": lambda: self._go(self._cursor + 1),
            "move.up": lambda: self._go(self._cursor - 1),
            "move.top": lambda: self._go(0),
            "move.bottom": lambda: self._go(len(self._rows) - 1),
            "move.half_down": lambda: self._go(self._cursor + max(1, self._page() // 2)),
            "move.half_up": lambda: self._go(self._cursor - max(1, self._page() // 2)),
            "list.mark": self.mark,
            "app.filter": self.start_filter,
            "app.search": self.start_search,
            "search.next": lambda: self.find(1),
            "search.previous": lambda: self.find(-1),
        } | ({"app.back": self.end_filter} if self.filter.active or self.search.active or self.marked else {})

    def mark(self) -> None:
        if (key := self.key) is not None and not self._rows[self._cursor].group:
            self.marked ^= {key}
            self.redraw()
            self.post_message(self.Moved(self, key))
            self._go(self._cursor + 1)

    # filter

    @property
    def captures(self) -> bool:
        return self.filter.typing or self.search.typing

    def capture(self, event: events.Key) -> None:
        if event.key in ("down", "up"):
            self._go(self._cursor + (1 if event.key == "down" else -1))
            return
        if self.search.typing:
            self.search.type(event)
            self.find(0)
            self.redraw()
            return
        self.filter.type(event)
        self._apply()

    def start_filter(self) -> None:
        self.filter.typing = True
        self.redraw()

    def end_filter(self) -> None:
        """The last of what narrows, searches or is marked."""
        if self.search.active:
            self.search = Filter()
        elif self.filter.active:
            self.filter = Filter()
        else:
            self.marked.clear()
            self.post_message(self.Moved(self, self.key))
        self._apply()

    # search: the other rows stay

    def start_search(self) -> None:
        self.search.typing = True
        self.redraw()

    def find(self, step: int) -> None:
        """The next row with what was searched, from the first again after the last; 0 stays where it fits."""
        if not self.search.text:
            return
        count = len(self._rows)
        for ahead in range(count):
            index = (self._cursor + step + ahead * (step or 1)) % count
            if self.search.keeps(self._rows[index].text):
                self._go(index)
                return

    # mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)

    def _scroll(self, rows: int) -> None:
        self._top = max(0, min(self._top + rows, len(self._rows) - self._page()))
        self.redraw()

    def _at(self, y: int) -> int:
        """The row that is drawn on this line under the header."""
        here = self._cursor - self._top
        if self.unfold and y > here >= 0:
            y = max(here, y - self.unfold)
        return self._top + y // self.row_height

    def on_click(self, event: events.Click) -> None:
        event.stop()
        index = self._at(event.y - self.header_height)
        if event.y < self.header_height or index >= len(self._rows):
            return
        again = index == self._cursor
        self._go(index)
        if again:
            self.perform("list.open")
