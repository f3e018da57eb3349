"""Asked when an editor is left with changes."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from cockpit.tui.ink import EMPTY, Line, cut, gap, t
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground

_ANSWERS = {"s": "save", "x": "drop"}


class UnsavedScreen(Overlay[str | None]):
    """Answers `save`, `drop`, or None to go on editing."""

    wanted = 72
    edge = "warn"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._spots: list[tuple[int, int, str | None]] = []

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        buttons: Line = EMPTY
        self._spots = []
        at = 0
        for words, style, answer in (
            ("  esc edit on  ", "ink b on accent", None),
            (" s save ", "text on sel2", "save"),
            (" x drop ", "bad on sel2", "drop"),
        ):
            buttons = buttons + (gap(2) if at else EMPTY) + t(words, style)
            at += 2 if at else 0
            self._spots.append((at, at + len(words), answer))
            at += len(words)
        body = [EMPTY, cut(t(self._path, "text b") + t(" is not saved", "muted"), cells), EMPTY, buttons, EMPTY]
        return on_ground(body, "raised")

    def press(self, event: events.Key) -> None:
        if event.key in _ANSWERS:
            self.dismiss(_ANSWERS[event.key])
        elif event.key in ("escape", "enter", "ctrl+c"):
            self.dismiss(None)

    def clicked(self, x: int, y: int) -> None:
        for start, end, answer in self._spots:
            if y == 3 and start <= x < end:
                self.dismiss(answer)
                return
