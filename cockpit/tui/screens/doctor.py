"""Doctor: what has to be mended before a deploy can work, and what will hurt, each with its fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from cockpit.actions.doctor import Examination, Result
from cockpit.actions.doctor.report import Row, counts
from cockpit.actions.doctor.report import rows as report_rows
from cockpit.tui.ink import EMPTY, Line, ends, gap, t, text_of, width, wrap
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

_STEPS = {"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 10, "ctrl+u": -10, "pagedown": 20, "pageup": -20}


class DoctorScreen(Overlay[None]):
    wanted = 132
    padding = 3

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self._found: Examination | None = None
        self._left = 0
        self._verbose = False
        self._top = 0

    def on_mount(self) -> None:
        super().on_mount()
        self._look()

    def _look(self) -> None:
        self._found, self._left, self._top = None, 0, 0

        async def read() -> None:
            self._found = await self._main.cockpit.doctor.examine(on_result=self._one)
            self.fit_panel()

        self.fit_panel()
        work(self, read, "detail")

    def _one(self, result: Result, left: int) -> None:
        self._left = left
        self.panel.redraw()

    def _body(self, cells: int) -> list[Line]:
        if self._found is None:
            left = f"{self._left} checks to come" if self._left else "…"
            return [*wrap("Looking over this machine, the repository and its hosts", cells), t(left, "faint")]
        found = report_rows(self._found, cells, verbose=self._verbose)
        out = [_line(row) for row in found]
        return out[1:] if out and not out[0] else out

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        keys = "v shows what is fine · ctrl+r again · ctrl+o copies · esc closes"
        name = t("Doctor", "accent b") + (gap(3) + _line(counts(self._found)) if self._found is not None else EMPTY)
        head = [EMPTY, ends(name, t(keys, "muted") if cells > width(name) + len(keys) + 4 else EMPTY, cells), EMPTY]
        body = self._body(cells)
        room = rows - len(head) - 1
        self._top = max(0, min(self._top, len(body) - room))
        shown = body[self._top : self._top + room]
        if len(body) - self._top > room > 0:
            shown[-1] = t(f"↓ {len(body) - self._top - room + 1} more", "muted")
        return on_ground([*head, *shown, EMPTY], "raised")

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def press(self, event: events.Key) -> None:
        match event.key:
            case "escape" | "q" | "exclamation_mark":
                self.dismiss()
            case "ctrl+r":
                self._look()
            case "v":
                self._verbose = not self._verbose
                self.fit_panel()
            case "ctrl+o":
                self.app.copy_to_clipboard("\n".join(text_of(line).rstrip() for line in self._body(100))[:70_000])
            case "G" | "end":
                self.scroll_by(1_000_000)
            case "g" | "home":
                self.scroll_by(-self._top)
            case key:
                self.scroll_by(_STEPS.get(key, 0))


def _line(row: Row) -> Line:
    return tuple(span for text, ink in row for span in t(text, ink))
