"""The journal: what was really run from this machine, newest first; copyable as a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual import events

from cockpit.domain import units
from cockpit.tui.ink import EMPTY, Line, cut, ends, gap, t
from cockpit.tui.screens.dialog_lines import command_lines
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen


def commands_of(record: dict[str, Any]) -> list[str]:
    return [str(c) for c in record.get("commands") or ()]


class JournalScreen(Overlay[None]):
    wanted = 132
    padding = 3

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self._top = 0
        records = main.cockpit.audit.records()
        self._records = sorted(records, key=lambda r: float(r.get("at", 0) or 0), reverse=True)

    def _body(self, cells: int) -> list[Line]:
        now = self._main.cockpit.clock.now()
        out: list[Line] = []
        for record in self._records:
            stamp = float(record.get("at", 0) or 0)
            left = (
                t(record.get("action", ""), "text b")
                + t(f"  {record.get('run', '')}", "accent")
                + t(f"  {record.get('who', '')}", "muted")
            )
            out.append(ends(cut(left, cells - 8), t(units.age(now - stamp), "muted"), cells))
            out += command_lines(commands_of(record), cells) or [gap(3) + t("no command was run", "faint")]
            out.append(EMPTY)
        return out or [t("Nothing was run from this machine yet.", "muted")]

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        head = [
            EMPTY,
            ends(
                t("Commands that were run", "accent b"),
                t("ctrl+o copies them as a script · esc closes", "muted") if cells > 80 else EMPTY,
                cells,
            ),
            EMPTY,
        ]
        body = self._body(cells)
        room = rows - len(head) - 1
        self._top = max(0, min(self._top, len(body) - room))
        return on_ground([*head, *body[self._top : self._top + room], EMPTY], "raised")

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def press(self, event: events.Key) -> None:
        if event.key in ("escape", "q", "at"):
            self.dismiss()
        elif event.key == "ctrl+o":
            script = "\n".join(c for r in reversed(self._records) for c in commands_of(r))
            self.app.copy_to_clipboard(script[:70_000])
        else:
            self.scroll_by({"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 10, "ctrl+u": -10}.get(event.key, 0))
