"""A pane that has nothing to show yet: one calm sentence that says what will fill it, and how."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import EVERYWHERE
from cockpit.tui.ink import EMPTY, Line, heading, title, wrap
from cockpit.tui.panes.base import Pane
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Surface, roomy


class WaitingPane(Pane):
    name_in_heading = ""
    sentence = ""

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.sheet = Sheet(EVERYWHERE)
        self.sheet.heading = lambda cells, focus, typed: heading(title(self.name_in_heading, focus), cells)
        self.sheet.body = self.lines

    def lines(self, cells: int, rows: int) -> Sequence[Line]:
        return [EMPTY, *wrap(self.sentence, min(cells - 4, 96), "muted", 2)]

    def compose(self) -> ComposeResult:
        yield self.sheet

    @property
    def first_focus(self) -> Surface:
        return self.sheet

    def lay_out(self, width: int, height: int) -> None:
        above = 1 if roomy(width) else 0
        self.place(self.sheet, max(1, height - above), above)
