"""What floats: a dimmed backdrop, raised ground, one heavy left edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from cockpit.tui.ink import Line, fit, gap, t
from cockpit.tui.widgets.surface import Drawn, Surface

R = TypeVar("R")


class Panel(Surface, can_focus=True):
    """Draws what its screen says, and sizes itself to it."""

    ground = "raised"

    def __init__(self, owner: Overlay[R]) -> None:
        super().__init__("panel")
        self._owner = owner

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        pad = 1 if width < 80 else self._owner.padding
        edge = t("▌", self._owner.edge)
        lines = self._owner.lines(width - 1 - 2 * pad, height)
        out: list[Drawn] = []
        for line, ground in lines:
            body = fit(line, width - 1 - 2 * pad)
            lead = gap(pad - 1) + t("▌", "accent") if ground == "sel" else gap(pad)
            out.append((edge + _on(lead, ground) + _on(body, ground) + _on(gap(pad), ground), "raised"))
        return out

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._owner.scroll_by(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._owner.scroll_by(-3)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        pad = 1 if self.size.width < 80 else self._owner.padding
        self._owner.clicked(event.x - 1 - pad, event.y)


def _on(line: Line, ground: str) -> Line:
    return tuple((text, spec if " on " in f" {spec}" else f"{spec} on {ground}") for text, spec in line)


class Overlay(ModalScreen[R], Generic[R], inherit_bindings=False):
    """Keys go to `press`; subclasses say how wide and tall they want to be, and draw lines."""

    wanted = 96
    padding = 2
    edge = "accent"
    raise_by = 0
    """Rows above the middle."""

    def compose(self) -> ComposeResult:
        self.panel = Panel(self)
        yield self.panel

    def on_mount(self) -> None:
        self.fit_panel()
        self.panel.focus()

    def on_resize(self) -> None:
        self.fit_panel()

    def fit_panel(self) -> None:
        """Gives the panel its size and draws it."""
        cols, rows = self.app.size
        wide = cols if cols < self.wanted + 8 else self.wanted
        pad = 1 if wide < 80 else self.padding
        tall = min(rows, self.tall(wide - 1 - 2 * pad, rows))
        self.panel.styles.width = wide
        self.panel.styles.height = max(1, tall)
        lift = min(self.raise_by, max(0, (rows - tall) // 2 - 2))
        self.panel.styles.offset = (0, -lift)
        self.panel.redraw()

    def tall(self, cells: int, most: int) -> int:
        """Rows that it wants."""
        return len(self.lines(cells, most))

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        return ()

    def scroll_by(self, rows: int) -> None:
        """The wheel."""

    def clicked(self, x: int, y: int) -> None:
        """A click at this cell of what was drawn."""

    def press(self, event: events.Key) -> None:
        """A key."""

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "ctrl+q":
            self.app.exit(0)
            return
        self.press(event)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss()
