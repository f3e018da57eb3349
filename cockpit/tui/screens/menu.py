"""The menu of all actions for the target: a key acts at once, no typing."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from cockpit.actions.catalog import EVERYWHERE
from cockpit.tui.ink import EMPTY, ends, lit, t
from cockpit.tui.screens.palette import Choice, PaletteScreen, of_command
from cockpit.tui.widgets.surface import Drawn

_ALSO = ("release.deploy", "host.previous", "app.copy", "app.refresh", "app.arm", "app.journal", "app.help", "app.quit")


class MenuScreen(PaletteScreen):
    wanted = 80
    raise_by = 2
    name_of_it = "Menu"

    def choices(self) -> list[Choice]:
        armed = self._main.cockpit.gate.armed
        return [
            of_command(c, armed)
            for c in self._main.commands()
            if (EVERYWHERE not in c.action.contexts and not c.action.id.startswith(("move.", "tab."))) or c.action.id in _ALSO
        ]

    @property
    def found(self) -> list[Choice]:
        return self._choices

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        target = self._main.pane.target() if self._main.pane else ""
        head = ends(t(self.name_of_it, "accent b") + t(f"  {target}", "text b"), t("esc closes", "muted"), cells)
        out: list[Drawn] = [(EMPTY, "raised"), (head, "raised"), (t("─" * cells, "line"), "raised")]
        self._cursor = max(0, min(self._cursor, len(self._choices) - 1))
        self._at = {}
        room = rows - 4
        skip = max(0, self._cursor - room + 1)
        for index, choice in enumerate(self._choices[skip : skip + room], skip):
            self._at[len(out)] = index
            line = self._row(choice, index == self._cursor, cells)
            out.append((lit(line, "sel"), "sel") if index == self._cursor else (line, "raised"))
        return [*out, (EMPTY, "raised")]

    def press(self, event: events.Key) -> None:
        if event.key in ("escape", "q", "m"):
            self.dismiss()
        elif event.key == "enter":
            self.choose()
        elif event.key in ("down", "j", "up", "k"):
            self._cursor += 1 if event.key in ("down", "j") else -1
            self.fit_panel()
        elif (action := self._main.keymap.resolve(self._main.context().focus, event.key)) is not None:
            self.dismiss()
            self.app.call_later(self._main.perform, action)
