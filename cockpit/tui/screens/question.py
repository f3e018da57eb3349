"""A question before something happens: Cancel has the focus, only `y` acts, a loss of data wants a name typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from textual import events

from cockpit.domain.plan import Tier
from cockpit.tui.ink import EMPTY, Line, ends, gap, t, width
from cockpit.tui.screens.overlay import Overlay

if TYPE_CHECKING:
    from cockpit.tui.conduct import Conductor

_SCROLL = {"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 6, "ctrl+u": -6}


class Question(Overlay[bool]):
    """Answers one future, once. Subclasses draw what is asked, and say what it is about."""

    wanted = 112
    edge = "warn"
    tier = Tier.READ
    verb = "go on"
    object = ""
    """What has to be typed for a loss of data."""
    commands: tuple[str, ...] = ()

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor
        self._answer: asyncio.Future[bool] | None = None
        self._answerable_from: float | None = None
        """`time.monotonic` when the question had been painted; what was typed before is not an answer."""
        self._typed = ""
        self._top = 0
        self._buttons: list[tuple[int, int, int, str]] = []

    async def answer(self, approved: Callable[[], None]) -> bool:
        """True after `y`; `approved` is called at once then, before anything else happens."""
        self._approved = approved
        self._answer = asyncio.get_running_loop().create_future()
        self.edge = "bad" if self.tier is Tier.DATA_LOSS else "warn"
        self.call_after_refresh(self._show)
        try:
            return await self._answer
        finally:
            if self.is_attached and self.is_active:
                self.dismiss(self._answer.done() and not self._answer.cancelled() and self._answer.result())

    def _show(self) -> None:
        self.fit_panel()
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._answerable_from = monotonic()

    # drawing

    def window(self, lines: list[Line], room: int) -> list[Line]:
        """The lines that fit, from where it was scrolled to."""
        if len(lines) <= room:
            self._top = 0
            return lines
        self._top = max(0, min(self._top, len(lines) - room))
        shown = lines[self._top : self._top + room]
        if rest := len(lines) - self._top - room:
            shown[-1] = gap(3) + t(f"↓ {rest + 1} more, j scrolls", "faint")
        return shown

    def button_line(self, cells: int) -> Line:
        cancel = t("  Cancel  ", "ink b on accent")
        armed = self._conductor.cockpit.gate.armed
        words: Line = EMPTY
        if self.tier is Tier.DATA_LOSS:
            field = t(f" {self._typed} ", "text on sel2") + t(" ", "ink on accent")
            act = t("type ", "muted") + t(self.object, "text b") + t(" and enter: ", "muted") + field
        else:
            act = t(" y ", "text b on sel2") + t(f" {self.verb} ", "text on sel2")
            words = EMPTY if armed else t("read-only: ", "muted") + t("y", "text b") + t(" arms this one action", "muted")
        left = cancel + gap(3) + act
        if width(left) + width(words) + 2 > cells:
            words = EMPTY
        self._buttons = [(0, width(cancel), 0, "cancel"), (width(cancel) + 3, width(left), 0, "act")]
        return ends(left, words, cells)

    def place_buttons(self, row: int) -> None:
        """The row of the panel that the buttons are in, for the mouse."""
        self._buttons = [(start, end, row, name) for start, end, _, name in self._buttons]

    # answers

    def press(self, event: events.Key) -> None:
        key = event.key
        if self.tier is Tier.DATA_LOSS and self._answer is not None and key not in ("escape", "ctrl+c", "ctrl+o"):
            self._type(event)
        elif key in ("escape", "q", "n", "enter", "ctrl+c"):
            self.cancel()
        elif key == "y":
            self.act(event.time)
        elif key in _SCROLL:
            self.scroll_by(_SCROLL[key])
        elif key == "ctrl+o" and self.commands:
            self.app.copy_to_clipboard("\n".join(self.commands))

    def _type(self, event: events.Key) -> None:
        if event.key == "enter":
            if self._typed == self.object:
                self.act(event.time)
        elif event.key in ("down", "up"):
            self.scroll_by(_SCROLL[event.key])
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character:
            self._typed += event.character
        self.panel.redraw()

    def act(self, at: float) -> None:
        """Yes. What was typed before the question was on the screen is no answer."""
        if self._answerable_from is None or at < self._answerable_from or self._answer is None or self._answer.done():
            return
        self._answer.set_result(True)
        self._approved()

    def cancel(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(False)
        else:
            self.dismiss(False)

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def clicked(self, x: int, y: int) -> None:
        for start, end, row, name in self._buttons:
            if row == y and start <= x < end:
                self.cancel() if name == "cancel" else self.act(monotonic()) if self.tier is not Tier.DATA_LOSS else None
