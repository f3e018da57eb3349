"""The palette: everything that can be done or gone to, found by typing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from textual import events

from cockpit.domain.settings import Theme
from cockpit.tui.commands import Command, tier_words
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, lit, mark, t
from cockpit.tui.panes.host_rows import commit
from cockpit.tui.panes.service_rows import key_of
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.filter import subsequence
from cockpit.tui.widgets.surface import Drawn

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

_HIDDEN = ("move.", "focus.", "tab.", "search.", "list.", "app.back", "app.close", "app.palette", "app.menu")


class Choice(Struct, frozen=True):
    section: str
    what: str
    words: str
    key: str
    run: Callable[[], object]
    tier: Line = EMPTY
    off: bool = False
    """Cannot be done now; the words say why."""


def of_command(command: Command, armed: bool) -> Choice:
    words = command.action.title if command.reason is None else f"{command.action.verb}: {command.reason}"
    return Choice(
        "Actions",
        command.target,
        words,
        command.keys,
        command.run,
        tier_words(command.action.tier, armed),
        command.reason is not None,
    )


class PaletteScreen(Overlay[None]):
    wanted = 96
    padding = 2
    raise_by = 6
    prompt = "› "
    most = 14

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self.typed = ""
        self._cursor = 0
        self._at: dict[int, int] = {}
        self._choices = self.choices()

    def choices(self) -> list[Choice]:
        """Actions first, then places, then settings."""
        armed = self._main.cockpit.gate.armed
        out = [
            of_command(c, armed)
            for c in self._main.commands()
            if not c.action.id.startswith(_HIDDEN) and not c.action.id.startswith("pane.")
        ]
        out.sort(key=lambda c: c.off)
        return out + self._places() + self._settings()

    def _places(self) -> list[Choice]:
        main = self._main
        out = [
            Choice("Go to", c.action.title, c.action.description, c.keys, c.run)
            for c in main.commands()
            if c.action.id.startswith("pane.") and c.reason is None
        ]
        for name, observer in main.cockpit.fleet.hosts.items():
            facts = observer.latest.value
            words = f"host, runs {facts.profile_generation}" if facts else "host"
            out.append(Choice("Go to", name, words, "3", partial(main.visit, "hosts", name)))
        for engine in main.cockpit.fleet.services.values():
            for s in engine.latest.value.services if engine.latest.value else ():
                out.append(
                    Choice(
                        "Go to", s.ref, f"service of {s.host}, {s.state.value}", "4", partial(main.visit, "services", key_of(s))
                    )
                )
        for release in main.cockpit.fleet.releases()[:50]:
            out.append(
                Choice(
                    "Go to",
                    f"release {release.run}",
                    f"{commit(release.commit)} {release.subject or ''}",
                    "6",
                    partial(main.visit, "releases", release.run),
                )
            )
        return out

    def _settings(self) -> list[Choice]:
        choose = self._main.choose_theme
        return [Choice("Settings", "theme", theme.value, "", partial(choose, theme)) for theme in Theme]

    @property
    def found(self) -> list[Choice]:
        typed = self.typed.lower().strip()
        if not typed:
            return [c for c in self._choices if c.section == "Actions"][: self.most]
        exact = [c for c in self._choices if typed in f"{c.what} {c.words}".lower()]
        # letters scattered over a line find too much while something matches as it was typed
        loose = [] if exact else [c for c in self._choices if subsequence(typed.replace(" ", ""), f"{c.what} {c.words}".lower())]
        out: list[Choice] = []
        for section in ("Actions", "Go to", "Settings"):
            here = [c for c in exact if c.section == section] + [c for c in loose if c.section == section]
            out += here[: 7 if section == "Actions" else 4]
        return out

    def _row(self, choice: Choice, here: bool, cells: int) -> Line:
        spec = "faint" if choice.off else "text"
        what_cells = max(10, min(32, cells * 36 // 100))
        tail = EMPTY if choice.off and cells > 60 else choice.tier
        right = fit(tail, 11, "l") + fit(t(choice.key, "faint" if choice.off else "text b"), 7, "r")
        if cells < 60:
            right = fit(t(choice.key, "faint" if choice.off else "text b"), 7, "r")
            what_cells = 12
        what = t(choice.what, spec)
        words = t(choice.words, spec if choice.off or here else "muted" if choice.what else "text")
        if self.typed and not choice.off:
            what, words = mark(what, self.typed, "accent b u"), mark(words, self.typed, "accent b u")
        middle = cells - what_cells - (18 if cells >= 60 else 7) - 2
        return fit(what, what_cells) + gap(1) + fit(words, middle) + gap(1) + right

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        target = self._main.pane.target() if self._main.pane else ""
        caret = t(" ", "ink on accent")
        head = ends(t(self.prompt, "accent b") + t(self.typed) + caret, t(f"for {target}", "muted") if target else EMPTY, cells)
        out: list[Drawn] = [(EMPTY, "raised"), (head, "raised"), (t("─" * cells, "line"), "raised")]
        found = self.found
        self._cursor = max(0, min(self._cursor, len(found) - 1))
        self._at = {}
        section = ""
        room = rows - 6
        skip = max(0, self._cursor - room + 6)
        for index, choice in enumerate(found[skip:], skip):
            if choice.section != section:
                if section:
                    out.append((EMPTY, "raised"))
                section = choice.section
                out.append((t(section, "faint"), "raised"))
            here = index == self._cursor
            self._at[len(out)] = index
            line = self._row(choice, here, cells)
            out.append((lit(line, "sel"), "sel") if here else (line, "raised"))
            if len(out) > rows - 4:
                break
        if not found:
            out.append((t("nothing matches", "muted"), "raised"))
        foot = t("enter", "text b") + t(" run   ", "muted") + t("esc", "text b") + t(" close", "muted")
        out += [
            (EMPTY, "raised"),
            (ends(foot, t("grey: not possible now, and why", "muted") if cells > 60 else EMPTY, cells), "raised"),
            (EMPTY, "raised"),
        ]
        return out

    def press(self, event: events.Key) -> None:
        key = event.key
        if key == "escape":
            self.dismiss()
            return
        if key == "enter":
            self.choose()
            return
        if key in ("down", "up", "ctrl+n", "tab", "shift+tab"):
            self._cursor += 1 if key in ("down", "ctrl+n", "tab") else -1
        elif key == "backspace":
            self.typed = self.typed[:-1]
            self._cursor = 0
        elif event.is_printable and event.character:
            self.typed += event.character
            self._cursor = 0
        self.fit_panel()

    def choose(self) -> None:
        found = self.found
        if found and not found[self._cursor].off:
            choice = found[self._cursor]
            self.dismiss()
            self.app.call_later(choice.run)

    def scroll_by(self, rows: int) -> None:
        self._cursor += 1 if rows > 0 else -1
        self.fit_panel()

    def clicked(self, x: int, y: int) -> None:
        if y in self._at:
            self._cursor = self._at[y]
            self.choose()
