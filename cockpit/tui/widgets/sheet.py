"""Lines that scroll under a heading: details, diffs, help."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from cockpit.tui.ink import EMPTY, Line, gap, mark, t, text_of
from cockpit.tui.widgets.filter import Filter, typed_line
from cockpit.tui.widgets.row_table import Heading
from cockpit.tui.widgets.surface import Drawn, Handlers, Surface, inset

Body = Callable[[int, int], Sequence[Line]]
"""(cells, rows) -> lines."""


class Sheet(Surface, can_focus=True):
    def __init__(self, context: str, name: str | None = None) -> None:
        super().__init__(name)
        self.context = context
        self.heading: Heading | None = None
        self.body: Body = lambda cells, rows: ()
        self.clicked: Callable[[int], None] = lambda cell: None
        """What a click on the heading does, by its cell."""
        self.flush = False
        """Whether the heading begins in the first cell."""
        self.air = 0
        """Empty lines under the heading."""
        self.filter = Filter()
        self.search = Filter()
        self._top = 0
        self._lines: list[Line] = []

    def to_top(self) -> None:
        self._top = 0
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        out: list[Drawn] = []
        if heading := self.heading:
            typed = typed_line(self.filter, self.search)
            head = heading(width, self.has_focus, typed) if self.flush else EMPTY
            out.append((head or inset(width, lambda cells: heading(cells, self.has_focus, typed)), "bg"))
            out += [((), "bg")] * self.air
        room = height - len(out)
        lines = list(self.body(width, room))
        if self.filter.text:
            lines = [line for line in lines if self.filter.keeps(text_of(line))]
        self._lines = lines
        self._top = max(0, min(self._top, len(lines) - room))
        shown = lines[self._top : self._top + room]
        if self.search.text:
            shown = [mark(line, self.search.text, "ink on warn") for line in shown]
        if len(lines) - self._top > room > 0:
            shown[-1] = gap(2) + t(f"↓ {len(lines) - self._top - room + 1} more", "muted")
        return out + [(line, "bg") for line in shown]

    def _scroll(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.redraw()

    def handlers(self) -> Handlers:
        half = max(1, self.size.height // 2)
        return {
            "move.down": lambda: self._scroll(1),
            "move.up": lambda: self._scroll(-1),
            "move.top": self.to_top,
            "move.bottom": lambda: self._scroll(len(self._lines)),
            "move.half_down": lambda: self._scroll(half),
            "move.half_up": lambda: self._scroll(-half),
            "app.filter": lambda: self._type(self.filter),
            "app.search": lambda: self._type(self.search),
            "search.next": lambda: self.find(1),
            "search.previous": lambda: self.find(-1),
        } | ({"app.back": self._forget} if self.filter.active or self.search.active else {})

    # filter and search

    @property
    def captures(self) -> bool:
        return self.filter.typing or self.search.typing

    def capture(self, event: events.Key) -> None:
        typed = self.filter if self.filter.typing else self.search
        typed.type(event)
        if typed is self.search:
            self.find(0)
        self.redraw()

    def _type(self, into: Filter) -> None:
        into.typing = True
        self.redraw()

    def _forget(self) -> None:
        self.filter, self.search = Filter(), Filter()
        self.redraw()

    def find(self, step: int) -> None:
        """Scrolls to the next line with what was searched, from the first again after the last; 0 stays where it fits."""
        count = len(self._lines)
        if not self.search.text or not count:
            return
        for ahead in range(count):
            index = (self._top + step + ahead * (step or 1)) % count
            if self.search.keeps(text_of(self._lines[index])):
                self._top = index
                self.redraw()
                return

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.y == 0 and self.heading:
            self.clicked(event.x)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)
