"""The main screen with a guide: a strip above the footer that walks a newcomer through the demo."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult

from cockpit.actions.bundle import Cockpit
from cockpit.tui.ink import Line, fit, gap, heading, t
from cockpit.tui.keymap import Keymap
from cockpit.tui.screens.main import MainScreen
from cockpit.tui.tour import LAST, STEPS, Seen, words
from cockpit.tui.widgets.surface import Drawn, Surface, narrow

NEXT, LEAVE = "ctrl+n", "escape"


class Guide(Surface):
    """The strip. Its height follows its words."""

    ground = "bar"

    def __init__(self) -> None:
        super().__init__("guide")
        self.step = 0

    def rows(self, cells: int) -> list[Line]:
        now = STEPS[self.step]
        count = "" if self.step == LAST else f"{self.step + 1} of {LAST}"
        leave = t("esc", "text b") + t(" closes" if self.step == LAST else " leaves", "muted")
        keys = leave if self.step == LAST else t(NEXT, "text b") + t(" next", "muted") + gap(3) + leave
        name = t("Tour", "accent b") + t(f"  {count}  ", "muted") + t(now.title, "text b")
        if narrow(cells):
            name, keys = (
                t(f"{count}  ".lstrip(), "muted") + t(now.title, "accent b"),
                t(NEXT, "text b") + gap(2) + t("esc", "text b"),
            )
        return [heading(name, cells - 2, keys), *words(now.words, cells - 2)]

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        return [(fit(gap(1) + line, width), "bar") for line in self.rows(width)]

    def show(self, step: int) -> None:
        self.step = step
        self.fit_height()
        self.redraw()

    def fit_height(self) -> None:
        self.styles.height = len(self.rows(self.app.size.width))


class TourScreen(MainScreen):
    def __init__(self, cockpit: Cockpit, keymap: Keymap, start: str) -> None:
        super().__init__(cockpit, keymap, start)
        self.guide = Guide()
        self._before = 0
        """Runs that had begun when the step did."""

    def compose(self) -> ComposeResult:
        yield self.tabs
        yield self.body
        yield self.guide
        yield self.footer

    async def on_mount(self) -> None:
        self.guide.show(0)

    def on_resize(self) -> None:
        self.guide.fit_height()

    @property
    def touring(self) -> bool:
        return self.guide.display

    def frame(self) -> None:
        super().frame()
        if self.is_mounted and self.touring and STEPS[self.guide.step].done(self._seen()):
            self.turn_over()

    def _seen(self) -> Seen:
        runs = self.cockpit.runs.list()[self._before :]
        return Seen(self.active, self.context().focus, tuple(run for run in runs if run.finished))

    def turn_over(self) -> None:
        """The next step. What was begun before does not count for it."""
        if self.guide.step < LAST:
            self._before = len(self.cockpit.runs.list())
            self.guide.show(self.guide.step + 1)

    def on_key(self, event: events.Key) -> None:
        typing = isinstance(self.focused, Surface) and self.focused.captures
        if self.touring and event.key == NEXT and not typing:
            event.stop()
            event.prevent_default()
            self.turn_over()
            return
        if self.touring and event.key == LEAVE and not typing and self._asked is None and self._once is None:
            event.stop()
            event.prevent_default()
            self.guide.display = False
            self.frame()
            return
        super().on_key(event)
