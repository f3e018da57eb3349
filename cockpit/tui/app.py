"""The terminal UI's entry: one app, one main screen, whatever floats above it."""

from __future__ import annotations

import sys
import tempfile
import traceback

from rich.text import Text
from textual.app import App
from textual.filter import NoColor

from cockpit.actions.bundle import Cockpit
from cockpit.domain.settings import Theme
from cockpit.tui.keymap import Keymap
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.theme import Skin
from cockpit.tui.widgets.surface import Surface

FIRST_KEY = 0.15
"""Seconds after the first picture in which a key that was typed ahead is answered before hosts are connected to: what that
takes is imported then."""


class CockpitApp(App[int], inherit_bindings=False):
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "app.tcss"
    TITLE = "cockpit"

    def __init__(self, cockpit: Cockpit, *, start: str = "overview", tour: bool = False, place: str = "") -> None:
        """Raises UsageError where the person's keymap cannot be used."""
        self.skin = Skin(cockpit.user.theme, cockpit.user.ascii)
        super().__init__()
        if self.no_color:
            self.skin = Skin(cockpit.user.theme, cockpit.user.ascii, colour=False)
            self._filters = [f for f in self._filters if type(f).__name__ != "Monochrome"] + [NoColor()]
        self.cockpit = cockpit
        self.keymap = Keymap(cockpit.user.keymap)
        self._start = start
        self._tour = tour
        self._place = place
        """Where to go first; an address."""

    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | {f"ck-{name}": value for name, value in self.skin.palette.items()}

    def get_default_screen(self) -> MainScreen:
        if self._tour:
            from cockpit.tui.screens.tour import TourScreen

            return TourScreen(self.cockpit, self.keymap, self._start)
        return MainScreen(self.cockpit, self.keymap, self._start)

    def choose_theme(self, theme: Theme) -> None:
        self.skin = Skin(theme, self.skin.ascii, self.skin.colour)
        self.refresh_css(animate=False)
        for screen in self.screen_stack:
            for surface in screen.query(Surface):
                surface.redraw()

    def on_mount(self) -> None:
        self.cockpit.fleet.start_clusters()
        self.set_timer(FIRST_KEY, self.cockpit.fleet.start)
        if self._place and isinstance(main := self.screen_stack[0], MainScreen):
            main.go_to(self._place)

    async def on_unmount(self) -> None:
        """Lets go of runs and connections; what runs on hosts goes on there."""
        await self.cockpit.close()

    def _fatal_error(self) -> None:
        """A mistake of ours. The report names places in the code and kinds of errors: no values and no messages, which may
        hold secrets."""
        self.bell()
        error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        with tempfile.NamedTemporaryFile("w", prefix="cockpit-crash-", suffix=".txt", delete=False) as file:
            file.write("\n".join([f"cockpit {self.cockpit.version}", *places(error)]) + "\n")
        name = type(error).__name__ if error is not None else "an unknown error"
        words = f"A defect in cockpit: {name}\n  the report is in {file.name}; it holds no values, only places in the code\n"
        self._exit_renderables.append(Text(words))
        self._return_value = 1
        self._close_messages_no_wait()


def places(error: BaseException | None) -> list[str]:
    """Where an error and its causes came from, without what they say."""
    out: list[str] = []
    while error is not None:
        out.append(type(error).__name__)
        out += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return out


def run(cockpit: Cockpit) -> int:
    """Shows the cockpit until the person leaves; the answer is the exit code."""
    app = CockpitApp(cockpit)
    code = app.run()
    return code if code is not None else app.return_code or 0
