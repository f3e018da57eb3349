"""Live logs: a ring, an anchor at the bottom line, and nothing painted unless something came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events

from cockpit.actions.catalog import LOGS
from cockpit.domain.services import Level, LogGap, LogItem, LogLine
from cockpit.tui.ink import Line, cut, gap, mark, split, t, width
from cockpit.tui.widgets import log_ink
from cockpit.tui.widgets.filter import Filter, typed_line
from cockpit.tui.widgets.log_ring import Ring, at_least
from cockpit.tui.widgets.row_table import Heading
from cockpit.tui.widgets.surface import WIDE, Drawn, Handlers, Surface, inset, roomy

FRAME = 1 / 20
"""Seconds between two paintings while lines pour in."""
_LEVELS = (Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR)


class LogView(Surface, can_focus=True):
    context = LOGS

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.heading: Heading | None = None
        self.strong: Callable[[LogItem], bool] = lambda item: False
        """Whose lines have their name in full colour."""
        self.empty = ""
        self.ring = Ring()
        self.level = Level.INFO
        self.filter = Filter()
        self.search = Filter()
        self.times = True
        self.wrapped = False
        self.unfolded = False
        self.names = 8
        self._anchor: int | None = None
        """Sequence number of the bottom line while paused; None follows."""
        self._waiting = False

    # data

    @property
    def following(self) -> bool:
        return self._anchor is None

    def start(self) -> None:
        """Other services: everything anew."""
        self.ring.clear()
        self._anchor = None
        self._narrow()

    def extend(self, items: Iterable[LogItem]) -> None:
        """Takes a batch; it is painted with the next frame."""
        batch = list(items)
        if not batch:
            return
        self.ring.extend(batch)
        self.names = min(16, max(self.names, *(len(i.service) for i in batch)))
        if not self._waiting and self.is_mounted:
            self._waiting = True
            self.set_timer(FRAME, self._flush)

    def _flush(self) -> None:
        self._waiting = False
        self.redraw()

    def _narrow(self) -> None:
        by_level = at_least(self.level) if self.level is not Level.DEBUG else None
        typed = self.filter
        if not typed.text:
            self.ring.narrow(by_level)
        else:
            self.ring.narrow(
                lambda i: (by_level is None or by_level(i)) and (isinstance(i, LogGap) or typed.keeps(f"{i.service} {i.text}"))
            )
        self.redraw()

    # drawing

    def _position(self) -> int:
        """Index of the bottom line in what is shown."""
        shown = self.ring.shown
        last = len(shown) - 1
        if self._anchor is None:
            return last
        low, high = 0, last
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if shown[middle] <= self._anchor else (low, middle - 1)
        return max(0, low)

    def rows(self, index: int, cells: int) -> list[Line]:
        """The rows of one item: none for a folded frame."""
        shown = self.ring.shown
        item = self.ring[shown[index]]
        if isinstance(item, LogGap):
            return [log_ink.gap_rule(item, cells)]
        times = self.times and cells >= WIDE - 2
        lead = (13 if times else 0) + self.names + 8
        if log_ink.is_trace(item):
            if not self.unfolded and (count := self._library(index)) is not None:
                return [gap(lead) + log_ink.folded(count)] if count else []
            return self._broken(gap(lead), log_ink.trace(item.text), cells)
        head = log_ink.lead(item, roomy(cells), times, self.names, self.strong(item))
        return self._broken(head, log_ink.message(item.text, item.level), cells)

    def _broken(self, head: Line, body: Line, cells: int) -> list[Line]:
        if self.search.text:
            body = mark(body, self.search.text, "ink on warn")
        indent = width(head)
        if not self.wrapped or indent + width(body) <= cells:
            return [cut(head + body, cells)]
        first, *rest = split(body, max(10, cells - indent))
        return [head + first, *(gap(indent) + row for row in rest)]

    def _library(self, index: int) -> int | None:
        """None for what is shown as it is; the number of frames for the first of a run of library frames; 0 for the rest."""
        shown, ring = self.ring.shown, self.ring

        def hidden(i: int) -> bool:
            if not 0 <= i < len(shown):
                return False
            item = ring[shown[i]]
            if log_ink.is_library(item):
                return True
            # the source line under a frame goes with it
            return (
                i > 0
                and log_ink.is_trace(item)
                and not log_ink.is_frame(item)
                and item.text.startswith("    ")
                and log_ink.is_library(ring[shown[i - 1]])
            )

        if not hidden(index):
            return None
        if hidden(index - 1):
            return 0
        count = 0
        while hidden(index):
            count += log_ink.is_library(ring[shown[index]])
            index += 1
        return count

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        out: list[Drawn] = []
        if heading := self.heading:
            typed = typed_line(self.filter, self.search)
            out.append((inset(width, lambda cells: heading(cells, self.has_focus, typed)), "bg"))
        room = height - len(out)
        shown = self.ring.shown
        if not shown:
            return [*out, (gap(2) + t(self.empty, "muted"), "bg")]
        margin = 0 if roomy(width) else 1
        cells = width - 2 * margin
        bottom = self._position()
        rows: list[Line] = []
        index = bottom
        while index >= 0 and len(rows) < room:
            rows = self.rows(index, cells) + rows
            index -= 1
        index = bottom + 1
        while len(rows) < room and index < len(shown):
            rows += self.rows(index, cells)
            index += 1
        return out + [(gap(margin) + row, "bg") for row in rows[-room:]]

    # behaviour

    def _scroll(self, lines: int) -> None:
        shown = self.ring.shown
        if not shown:
            return
        at = self._position() + lines
        least = min(len(shown) - 1, self.size.height - 2)
        at = max(least, at)
        self._anchor = None if at >= len(shown) - 1 else shown[at]
        self.redraw()

    def follow(self) -> None:
        self._anchor = None
        self.redraw()

    def pause(self) -> None:
        shown = self.ring.shown
        self._anchor = shown[-1] if self._anchor is None and shown else None
        self.redraw()

    def _top(self) -> None:
        self._scroll(-len(self.ring))

    def _toggle(self, name: str) -> None:
        setattr(self, name, not getattr(self, name))
        self.redraw()

    def next_level(self) -> None:
        self.level = _LEVELS[(_LEVELS.index(self.level) + 1) % len(_LEVELS)]
        self._narrow()

    def find(self, step: int) -> None:
        """Moves the anchor to the next line with what was searched; step -1 is older."""
        needle = self.search.text.lower()
        shown = self.ring.shown
        index = self._position() + step
        while needle and 0 <= index < len(shown):
            item = self.ring[shown[index]]
            if needle in item.text.lower():
                self._anchor = shown[index]
                self.redraw()
                return
            index += step

    def handlers(self) -> Handlers:
        half = max(1, self.size.height // 2)
        return {
            "move.down": lambda: self._scroll(1),
            "move.up": lambda: self._scroll(-1),
            "move.top": self._top,
            "move.bottom": self.follow,
            "move.half_down": lambda: self._scroll(half),
            "move.half_up": lambda: self._scroll(-half),
            "logs.follow": self.pause,
            "logs.timestamps": lambda: self._toggle("times"),
            "logs.wrap": lambda: self._toggle("wrapped"),
            "logs.level": self.next_level,
            "list.open": lambda: self._toggle("unfolded"),
            "app.filter": lambda: self._type(self.filter),
            "app.search": lambda: self._type(self.search),
            "search.next": lambda: self.find(1),
            "search.previous": lambda: self.find(-1),
        } | ({"app.back": self._forget} if self.search.text or self.filter.active else {})

    def _type(self, into: Filter) -> None:
        into.typing = True
        self.redraw()

    def _forget(self) -> None:
        self.search, self.filter = Filter(), Filter()
        self._narrow()

    @property
    def captures(self) -> bool:
        return self.filter.typing or self.search.typing

    def capture(self, event: events.Key) -> None:
        typed = self.filter if self.filter.typing else self.search
        typed.type(event)
        if typed is self.filter:
            self._narrow()
        elif event.key == "enter":
            self.find(-1)
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)


__all__ = ["LogLine", "LogView"]
