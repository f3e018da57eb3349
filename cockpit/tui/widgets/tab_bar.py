"""The top: tabs with the worst of each pane, branch and commit, and the mode, always last."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual import events

from cockpit.actions.catalog import BY_ID
from cockpit.domain.repository import TreeState
from cockpit.domain.units import countdown
from cockpit.tui.ink import EMPTY, TONES, Line, fit, gap, t, width
from cockpit.tui.widgets.surface import WIDE, Drawn, Surface, narrow

PANES = ("overview", "vms", "hosts", "services", "files", "releases")
_SHORT_CHIP = 100


class Worst(Struct, frozen=True):
    """What a tab says about its pane: nothing when all is well."""

    shape: str
    count: int

    def line(self, count: bool = True) -> Line:
        return t(f"{self.shape}{self.count}" if count else self.shape, f"{TONES[self.shape]} b")


class TabBar(Surface):
    """One row below 60 columns, else two: the second is a rule, heavy under the active tab."""

    def __init__(self) -> None:
        super().__init__("tabs")
        self.active = "overview"
        self.worst: dict[str, Worst] = {}
        self.git_tree: TreeState | None = None
        self.armed_left: float | None = None
        """Seconds of armed writing; None while read-only."""
        self.observes = False
        """Whether writing cannot be armed at all."""
        self._spots: list[tuple[int, int, str]] = []

    def _tabs(self, cells: int) -> tuple[Line, int, int]:
        """The tabs, and where the active one begins and how wide it is."""
        between = 4 if cells >= WIDE else 1 if narrow(cells) else 2
        line: Line = gap(1) + t("cockpit", "text b") + gap(3) if cells >= WIDE else gap(1)
        start = length = 0
        self._spots = []
        for number, pane in enumerate(PANES, 1):
            on = pane == self.active
            worst = self.worst.get(pane)
            if worst is not None and worst.shape == "±" and cells < WIDE:
                worst = None
            name = BY_ID[f"pane.{pane}"].title
            if narrow(cells) and not on:
                tab = t(number, "muted") + (worst.line(count=False) if worst else EMPTY)
            else:
                tab = t(f"{number} {name}", "accent b") if on else t(number, "faint") + gap(1) + t(name, "muted")
                tab += gap(1) + worst.line() if worst else EMPTY
            at = width(line)
            if on:
                start, length = at, width(tab)
            self._spots.append((at, at + width(tab), pane))
            line = line + tab + (gap(between) if number < len(PANES) else EMPTY)
        return line, start, length

    def chip(self, cells: int) -> Line:
        small = cells < _SHORT_CHIP
        if self.armed_left is not None:
            left = countdown(self.armed_left)
            return t(f" ▲{left} " if small else f" ▲ armed {left} ", "ink b on warn")
        if self.observes:
            return t(" obs " if small else " observe ", "accent on raised")
        return t(" r/o " if small else " read-only ", "muted on raised")

    def git(self) -> Line:
        tree = self.git_tree
        if tree is None:
            return EMPTY
        out = t(tree.branch or "detached", "text") + gap(1) + t(tree.head.short if tree.head else "–", "muted")
        changed = len(tree.modified) + len(tree.untracked)
        for mark, count in (("↑", tree.ahead), ("↓", tree.behind), ("±", changed)):
            if count:
                out = out + t(f" {mark}{count}", "muted")
        return out if tree.ahead or tree.behind or changed else out + t("  in step", "muted")

    def draw(self, width_: int, height: int) -> Sequence[Drawn]:
        tabs, start, length = self._tabs(width_)
        chip = self.chip(width_) + gap(1 if width_ >= _SHORT_CHIP else 0)
        git = self.git() + gap(4)
        right = git + chip if width(tabs) + width(git) + width(chip) + 4 <= width_ else chip
        first = fit(tabs, width_ - width(right)) + right
        if height == 1:
            return [(first, "bar")]
        rule = t("─" * start, "line") + t("━" * length, "accent") + t("─" * (width_ - start - length), "line")
        return [(first, "bg"), (rule, "bg")]

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for start, end, pane in self._spots:
            if start <= event.x < end:
                self.perform(f"pane.{pane}")
                return
        if event.x >= self.size.width - width(self.chip(self.size.width)) - 2:
            self.perform("app.arm")
