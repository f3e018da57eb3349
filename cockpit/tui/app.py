"""The terminal UI's entry: one app, one main screen, whatever floats above it."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

from textual.app import App
from textual.filter import NoColor

from cockpit.actions.bundle import Cockpit
from cockpit.domain.settings import Theme
from cockpit.domain.text import plain
from cockpit.tui.keymap import Keymap
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.theme import Skin
from cockpit.tui.widgets.surface import Surface


class CockpitApp(App[int], inherit_bindings=False):
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "app.tcss"
    TITLE = "cockpit"

    def __init__(self, cockpit: Cockpit, *, start: str = "hosts") -> None:
        """Raises UsageError where the person's keymap cannot be used."""
        self.skin = Skin(cockpit.user.theme, cockpit.user.ascii)
        super().__init__()
        if self.no_color:
            self.skin = Skin(cockpit.user.theme, cockpit.user.ascii, colour=False)
            self._filters = [f for f in self._filters if type(f).__name__ != "Monochrome"] + [NoColor()]
        self.cockpit = cockpit
        self.keymap = Keymap(cockpit.user.keymap)
        self._start = start

    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | {f"ck-{name}": value for name, value in self.skin.palette.items()}

    def get_default_screen(self) -> MainScreen:
        return MainScreen(self.cockpit, self.keymap, self._start)

    def choose_theme(self, theme: Theme) -> None:
        self.skin = Skin(theme, self.skin.ascii, self.skin.colour)
        self.refresh_css(animate=False)
        for screen in self.screen_stack:
            for surface in screen.query(Surface):
                surface.redraw()

    def on_mount(self) -> None:
        self.call_after_refresh(self.cockpit.fleet.start)

    def _fatal_error(self) -> None:
        """A mistake of ours: the report has the traceback without the values of variables, which may be secrets."""
        self.bell()
        report = traceback.format_exc()
        with tempfile.NamedTemporaryFile("w", prefix="cockpit-crash-", suffix=".txt", delete=False) as file:
            file.write(f"cockpit {self.cockpit.version}\n\n{report}")
        last = plain(report.strip().splitlines()[-1])
        self._exit_renderables.append(
            f"cockpit stopped: {last}\nThe report is in {Path(file.name)}; it contains no values.".replace("[", "\\[")
        )
        self._close_messages_no_wait()


def run(cockpit: Cockpit) -> int:
    """Shows the cockpit until the person leaves; the answer is the exit code."""
    app = CockpitApp(cockpit)
    code = app.run()
    return code if code is not None else app.return_code or 0
