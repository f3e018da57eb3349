"""The one base of everything that is painted: lines in, and only rows that changed go to the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cockpit.actions.catalog import EVERYWHERE
from cockpit.tui.ink import EMPTY, Line, gap, t
from cockpit.tui.theme import Skin

Handlers = Mapping[str, Callable[[], object]]
"""What an object does for an action of the catalogue, by its id."""
Drawn = tuple[Line, str]
"""A line and the ground that it stands on."""

WIDE = 150
"""From here on every column is drawn."""
NARROW = 60
"""Below this, objects take two lines and there is one column."""


class Skinned(Protocol):
    skin: Skin


class Performer(Protocol):
    def perform(self, action: str) -> bool: ...


def on_ground(lines: Sequence[Line], ground: str = "bg") -> list[Drawn]:
    return [(line, ground) for line in lines]


class Surface(Widget, inherit_bindings=False):
    """Draws lines of its size. `redraw` compares with what is on the screen."""

    ALLOW_SELECT = False
    context = EVERYWHERE
    """The focus that it is for the catalogue, while it has the focus."""
    ground = "bg"

    def __init__(self, name: str | None = None) -> None:
        super().__init__(id=name, markup=False)
        self._shown: list[Strip] = []

    @property
    def skin(self) -> Skin:
        return cast(Skinned, self.app).skin

    @property
    def captures(self) -> bool:
        """Whether keys are typed into it now."""
        return False

    def capture(self, event: events.Key) -> None:
        """Takes a key while `captures`."""

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        """What it shows now, at most `height` lines."""
        return ()

    def handlers(self) -> Handlers:
        return {}

    def perform(self, action: str) -> None:
        cast(Performer, self.screen).perform(action)

    def redraw(self) -> None:
        """Draws again; only changed lines reach the terminal."""
        if not self.is_mounted or self.size.width == 0:
            return
        strips = self._strips()
        dirty = [
            Region(0, y, self.size.width, 1)
            for y in range(max(len(strips), len(self._shown)))
            if y >= len(strips) or y >= len(self._shown) or strips[y] != self._shown[y]
        ]
        self._shown = strips
        if dirty:
            self.refresh(*dirty)

    def _strips(self) -> list[Strip]:
        width, height = self.size
        drawn = list(self.draw(width, height))[:height]
        drawn += [(EMPTY, self.ground)] * (height - len(drawn))
        return [self.skin.strip(line, width, ground) for line, ground in drawn]

    def render_line(self, y: int) -> Strip:
        if len(self._shown) != self.size.height or (self._shown and self._shown[0].cell_length != self.size.width):
            self._shown = self._strips()
        return self._shown[y] if y < len(self._shown) else Strip.blank(self.size.width)

    def on_resize(self) -> None:
        self._shown = []
        self.redraw()

    def on_mount(self) -> None:
        self.redraw()

    def on_focus(self) -> None:
        # Textual notes who has the focus after this
        self.call_later(self.redraw)

    def on_blur(self) -> None:
        self.call_later(self.redraw)


def narrow(width: int) -> bool:
    return width < NARROW


def wide(width: int) -> bool:
    return width >= WIDE


def roomy(width: int) -> bool:
    """Whether a body of this width stands inside margins."""
    return width >= WIDE - 2


def inset(width: int, draw: Callable[[int], Line]) -> Line:
    """A heading keeps one cell free at both sides where the body has no margins."""
    return draw(width) if roomy(width) else gap(1) + draw(width - 2)


class Rule(Surface):
    """The thin line between two columns."""

    def draw(self, width: int, height: int) -> Sequence[Drawn]:
        return [(t("│", "line"), "bg")] * height
