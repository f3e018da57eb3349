"""The last row: keys for what has the focus, from the catalogue. As it narrows, the last ones go first; menu and help stay."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual import events

from cockpit.domain.plan import Tier
from cockpit.tui.ink import EMPTY, Line, fit, gap, t, width
from cockpit.tui.widgets.surface import WIDE, Drawn, Surface, narrow


class Hint(Struct, frozen=True):
    """One key of the footer."""

    action: str
    key: str
    word: str
    mark: Line = EMPTY
    dim: bool = False
    """Needs arming first."""

    def line(self) -> Line:
        return (
            t(self.key, "muted" if self.dim else "text b") + gap(1) + t(self.word, "faint" if self.dim else "muted") + self.mark
        )


_TAIL = ("app.menu", "app.help", "app.palette")
_WORDS = {"app.menu": "menu", "app.help": "help", "app.palette": "all"}


class Footer(Surface):
    ground = "bar"

    def __init__(self) -> None:
        super().__init__("footer")
        self.hints: Sequence[Hint] = ()
        self.tail: dict[str, str] = {}
        """Keys of menu, help and palette, by action id."""
        self.message: Line = EMPTY
        """One line in place of the keys, until the next key."""
        self.typing = False
        """Whether keys are typed into an editor: there is no menu then."""
        self._spots: list[tuple[int, int, str]] = []

    def _tail(self, cells: int) -> list[tuple[str, Line]]:
        ids = () if self.typing else _TAIL if cells >= WIDE else _TAIL[:2]
        out = []
        for name in ids:
            key = t(self.tail.get(name, ""), "text b")
            bare = narrow(cells) and name == "app.help"
            out.append((name, key if bare else key + gap(1) + t(_WORDS[name], "muted")))
        return out

    def draw(self, width_: int, height: int) -> Sequence[Drawn]:
        between = 2 if narrow(width_) else 3
        tail = self._tail(width_)
        tail_cells = sum(width(line) for _, line in tail) + between * (len(tail) - 1) + 1
        room = width_ - tail_cells - 1
        self._spots = []
        if self.message:
            return [(fit(gap(1) + self.message, width_), "bar")]
        line = gap(1)
        for hint in self.hints:
            piece = hint.line()
            lead = between if width(line) > 1 else 0
            if width(line) + lead + width(piece) > room:
                continue
            at = width(line) + lead
            self._spots.append((at, at + width(piece), hint.action))
            line = line + gap(lead) + piece
        if self.typing and width_ >= WIDE:
            line = line + gap(between) + t("the editor has focus: every other key types", "faint")
        line = fit(line, width_ - tail_cells)
        for index, (name, piece) in enumerate(tail):
            at = width(line) + (between if index else 0)
            self._spots.append((at, at + width(piece), name))
            line = line + gap(between if index else 0) + piece
        return [(line, "bar")]

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for start, end, action in self._spots:
            if start <= event.x < end:
                self.perform(action)
                return


def dimmed(tier: Tier, armed: bool) -> bool:
    return tier is Tier.REVERSIBLE and not armed
