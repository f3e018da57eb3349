"""What to discard: this file or folder, or everything. The dialog of the operation comes after it."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from cockpit.tui.ink import EMPTY, Line, cut, ends, gap, lit, shape, t
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn


class DiscardScreen(Overlay[Sequence[str] | None]):
    """Answers the paths; None where it was cancelled."""

    wanted = 80
    edge = "bad"
    raise_by = 2

    def __init__(self, choices: Sequence[tuple[str, Sequence[str]]]) -> None:
        super().__init__()
        self._choices = choices
        self._cursor = 0

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        head: Line = ends(t("Discard ...", "accent b"), t("esc closes", "muted"), cells)
        out: list[Drawn] = [(EMPTY, "raised"), (head, "raised"), (t("─" * cells, "line"), "raised")]
        for index, (words, _) in enumerate(self._choices):
            here = index == self._cursor
            line = ends(cut(t(words), cells - 14), shape("✕") + t(" data loss", "bad") + gap(1), cells)
            out.append((lit(line, "sel"), "sel") if here else (line, "raised"))
        return [*out, (EMPTY, "raised")]

    def press(self, event: events.Key) -> None:
        if event.key in ("escape", "q", "d", "ctrl+c"):
            self.dismiss(None)
        elif event.key == "enter":
            self.dismiss(self._choices[self._cursor][1] if self._choices else None)
        elif event.key in ("down", "j", "up", "k"):
            step = 1 if event.key in ("down", "j") else -1
            self._cursor = max(0, min(self._cursor + step, len(self._choices) - 1))
            self.fit_panel()

    def clicked(self, x: int, y: int) -> None:
        if 0 <= y - 3 < len(self._choices):
            self.dismiss(self._choices[y - 3][1])
