"""What can be copied of the target, by OSC 52."""

from __future__ import annotations

import shlex
from functools import partial

from cockpit.tui.ink import t
from cockpit.tui.screens.menu import MenuScreen
from cockpit.tui.screens.palette import Choice

LIMIT = 70_000
"""Characters: terminals drop longer clipboard sequences."""


class CopyScreen(MenuScreen):
    name_of_it = "Copy"

    def choices(self) -> list[Choice]:
        pane = self._main.pane
        return [
            Choice("Copy", name, text.splitlines()[0] if text else "", "", partial(self.copy, name, text))
            for name, text in [*(pane.copies() if pane else []), *self._address()]
        ]

    def _address(self) -> list[tuple[str, str]]:
        address = self._main.pane.address() if self._main.pane else ""
        return [("address", address), ("open it from a shell", shlex.join(("cockpit", "open", address)))] if address else []

    def copy(self, name: str, text: str) -> None:
        self.app.copy_to_clipboard(text[-LIMIT:])
        self._main.say(t(f"copied: {name}", "muted"))
