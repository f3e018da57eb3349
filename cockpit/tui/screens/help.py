"""Help for what has the focus, from the catalogue; typing finds a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from cockpit.actions.catalog import ACTIONS, EVERYWHERE, Action, actions_for
from cockpit.domain.hosts import Badge
from cockpit.domain.plan import Tier
from cockpit.tui.commands import tier_words
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, join, shape, t, width
from cockpit.tui.neighbours import LETTERS
from cockpit.tui.panes.host_rows import BADGES
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

_STATES = (
    ("●", "healthy"), ("◐", "at work"), ("▲", "look at it"), ("✕", "broken"), ("≠", "differs from git"), ("‖", "held"),
    ("↺", "reverted"),
    ("○", "off on purpose"), ("◌", "stale"),
)  # fmt: skip
_SAYS = {
    Badge.RUNNING: "now", Badge.DEFAULT: "next boot", Badge.BOOTED: "last boot", Badge.TEST_ONLY: "until reboot",
    Badge.NEEDS_REBOOT: "new kernel", Badge.HELD: "no deploys", Badge.DIRTY: "no commit",
}  # fmt: skip
_MOVING = ("move.", "tab.", "focus.", "list.", "search.", "app.filter", "app.search", "app.back", "app.close")


class HelpScreen(Overlay[None]):
    wanted = 140
    padding = 3

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self._typed = ""
        self._top = 0

    def _groups(self) -> list[tuple[str, list[Action]]]:
        focus = self._main.context().focus
        found = [a for a in actions_for(focus) if not a.id.startswith("pane.")]
        own = [a for a in found if EVERYWHERE not in a.contexts and not a.id.startswith(_MOVING)]
        moving = [a for a in found if a.id.startswith(_MOVING)]
        moving.sort(key=ACTIONS.index)
        rest = [a for a in found if EVERYWHERE in a.contexts and a not in moving]
        groups = [(focus.capitalize(), own), ("Moving", moving), ("Everywhere", rest)]
        typed = self._typed.lower()
        if typed:
            groups = [
                (name, [a for a in many if typed in f"{self._main.keymap.label(a.id)} {a.title} {a.verb} {a.id}".lower()])
                for name, many in groups
            ]
        return [(name, many) for name, many in groups if many]

    def _entry(self, action: Action, cells: int) -> Line:
        left = fit(t(self._main.keymap.label(action.id), "accent b"), 10) + t(action.title)
        words = tier_words(action.tier, armed=True)
        return ends(left, words if width(left) + width(words) + 2 <= cells else words[:1], cells)

    def _column(self, name: str, actions: Sequence[Action], cells: int) -> list[Line]:
        ordered = sorted(actions, key=lambda a: a.tier is not Tier.READ)
        out = [t(name, "text b"), t("─" * cells, "line"), *(self._entry(a, cells) for a in ordered)]
        if name == "Everywhere" and not self._typed:
            out.insert(2, fit(t("1 … 6", "accent b"), 10) + t("panes"))
            out.append(fit(t("'", "accent b"), 10) + t(f"go to: {' '.join(LETTERS)}"))
        return out

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        focus = self._main.context().focus
        pane = self._main.active.capitalize()
        where = pane if focus in (pane.lower(), EVERYWHERE) else f"{pane} › {focus.capitalize()}"
        typed = t("/", "accent b") + t(self._typed) if self._typed else t("type to find a key · esc closes", "muted")
        head = [EMPTY, ends(t("Help", "accent b") + gap(2) + t(where, "text b"), typed if cells > 60 else EMPTY, cells), EMPTY]
        groups = self._groups()
        wide = cells >= 110
        if not groups:
            body = [t("no key says that", "muted")]
        elif wide:
            each = (cells - 6) // 3
            columns = [self._column(name, many, each) for name, many in groups]
            tall = max(map(len, columns))
            body = [join([fit(c[i] if i < len(c) else EMPTY, each) for c in columns], gap(3)) for i in range(tall)]
        else:
            body = [line for name, many in groups for line in (*self._column(name, many, cells), EMPTY)]
        if not self._typed:
            body += self._legend(cells, wide)
        room = rows - len(head) - 1
        self._top = max(0, min(self._top, len(body) - room))
        shown = body[self._top : self._top + room]
        if len(body) - self._top > room:
            shown[-1] = t(f"↓ {len(body) - self._top - room + 1} more, down scrolls", "muted")
        return on_ground([*head, *shown, EMPTY], "raised")

    def _legend(self, cells: int, wide: bool) -> list[Line]:
        states = [shape(c) + t(f" {word}", "muted") for c, word in _STATES]
        badges = [t(b.value, spec if spec != "muted" else "text") + t(f" {_SAYS[b]}", "muted") for b, spec in BADGES.items()]
        rule = t("─" * cells, "line")
        tiers = shape("▲") + t(" outage", "warn") + t(" asks with a dialog, y acts, enter does not", "muted")
        loss = shape("✕") + t(" data loss", "bad") + t(" asks you to type the name", "muted")
        if wide:
            last = ends(tiers + gap(4) + loss, t("keys can be changed in the config", "muted"), cells)
            return [
                EMPTY,
                t("Shapes", "text b"),
                rule,
                join(states, gap(2)),
                EMPTY,
                t("Badges", "text b"),
                rule,
                join(badges, gap(2)),
                EMPTY,
                last,
            ]
        return [EMPTY, t("Shapes", "text b"), rule, *states, EMPTY, t("Badges", "text b"), rule, *badges, EMPTY, tiers, loss]

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def press(self, event: events.Key) -> None:
        key = event.key
        if key == "escape":
            self.dismiss()
        elif key in ("down", "up", "pagedown", "pageup", "ctrl+d", "ctrl+u"):
            self.scroll_by({"down": 1, "up": -1, "pagedown": 10, "pageup": -10, "ctrl+d": 10, "ctrl+u": -10}[key])
            return
        elif key in ("q", "question_mark") and not self._typed:
            self.dismiss()
        elif key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character:
            self._typed += event.character
        self._top = 0
        self.panel.redraw()
