"""What every pane is: widgets under each other, told when they are seen, how much room there is, and when a second passed."""

from __future__ import annotations

from textual.geometry import Size
from textual.widget import Widget

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import EVERYWHERE, Context
from cockpit.tui.widgets.row_table import RowTable
from cockpit.tui.widgets.surface import Handlers, Surface
from cockpit.tui.widgets.tab_bar import Worst


class Pane(Widget, inherit_bindings=False):
    """Mounted on its first visit; hidden, not removed, when another one is shown."""

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(classes="pane", markup=False)
        self.cockpit = cockpit
        self.zoomed: Surface | None = None

    @property
    def first_focus(self) -> Surface | None:
        """What gets the focus on the first visit."""
        return None

    @property
    def focused(self) -> Surface | None:
        """The surface of this pane that has the focus."""
        widget = self.screen.focused
        return widget if isinstance(widget, Surface) and self in widget.ancestors else None

    def context(self) -> Context:
        """What an action would act on now."""
        return Context(focus=EVERYWHERE)

    def copies(self) -> list[tuple[str, str]]:
        """What `ctrl+o` offers: (name, text)."""
        return []

    def target(self) -> str:
        """The same, in words: `homelab@141`, `paperless/worker`."""
        return ""

    def address(self) -> str:
        """The same as `cockpit open` takes it (domain.places); empty where there is nothing to open."""
        return ""

    def handlers(self) -> Handlers:
        return {}

    @property
    def room(self) -> Size:
        """Its size; before the first layout the one that it will get, so that its first picture has everything."""
        body = self.parent
        if self.size.width or not isinstance(body, Widget):
            return self.size
        inner, gutter = body.content_size, self.styles.gutter
        return Size(max(0, inner.width - gutter.width), max(0, inner.height - gutter.height))

    def lay_out(self, width: int, height: int) -> None:
        """Gives every widget its room."""

    def turn_to(self, key: str) -> None:
        """Puts the cursor on this object, as soon as it is there."""

    @property
    def waits(self) -> bool:
        """Whether an object is wanted that is not there yet."""
        return any(table.waits for table in self.query(RowTable))

    def shown(self, shown: bool) -> None:
        """Tells the observers whether somebody looks."""

    def unsaved(self) -> str:
        """What would be lost by leaving now; empty for nothing."""
        return ""

    def tick(self) -> None:
        """A second passed: ages and countdowns may have changed."""

    def place(self, widget: Surface, rows: int, above: int = 0) -> None:
        """This many rows, `above` empty ones before them; none hides it."""
        widget.display = rows > 0
        widget.styles.height = max(1, rows)
        widget.styles.margin = (above, 0, 0, 0)

    def relay(self) -> None:
        """Room for every widget, or all of it for the one that is zoomed."""
        room = self.room
        self.lay_out(*room)
        if self.zoomed is not None and room.height:
            for surface in self.query(Surface):
                self.place(surface, room.height if surface is self.zoomed else 0)

    def zoom(self, larger: bool) -> None:
        """The focused part alone, and back."""
        self.zoomed = self.focused if larger else None
        self.relay()

    def fill(self) -> None:
        """Puts what is known on the screen."""
        self.relay()

    def on_resize(self) -> None:
        self.fill()


def worst(shapes: list[str]) -> Worst | None:
    """What a tab says about objects of these shapes."""
    for shape in "✕▲‖◐":
        if shape in shapes:
            return Worst(shape, shapes.count(shape))
    return None
