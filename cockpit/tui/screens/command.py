"""The command line: `:` and a pane, an address, an action with its target, or a word; tab completes, up and down remember."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from cockpit.actions.catalog import BY_ID
from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.places import PANES
from cockpit.domain.settings import Theme
from cockpit.tui.ink import EMPTY, cut, ends, fit, gap, lit, t
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

SHOWN = 8
KEPT = 100
"""Lines that are remembered, for as long as the program runs."""
_WORDS = {"q": "leave", "help": "help for what has focus", **{f"theme {theme.value}": "colours" for theme in Theme}}


class CommandScreen(Overlay[None]):
    wanted = 96
    raise_by = -8

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self.typed = ""
        self._problem: UsageError | None = None
        self._cursor = -1
        self._at: dict[int, int] = {}
        self._back = len(main.commands_typed)
        self._known = self._candidates()

    def _candidates(self) -> dict[str, str]:
        """What can be typed, and what it is."""
        cockpit = self._main.cockpit
        out = dict.fromkeys(PANES, "pane") | _WORDS
        for name, observer in cockpit.fleet.hosts.items():
            out[name] = "host"
            for generation in observer.latest.value.generations if observer.latest.value else ():
                if generation.number is not None:
                    out[f"{name}@{generation.number}"] = f"generation, {generation.closure.subject or ''}"
        for engine in cockpit.fleet.services.values():
            for s in engine.latest.value.services if engine.latest.value else ():
                if s.project:
                    out[f"{s.host}/{s.project}"] = "project"
                    out[f"{s.host}/{s.ref}"] = "service"
                    out[f"{s.host}/{s.ref}/logs"] = "its logs"
        for cluster in cockpit.fleet.guests.clusters.values():
            out |= {g.ref: f"guest {g.name}" for g in (cluster.latest.value.guests if cluster.latest.value else ())}
        out |= {f"releases/{release.run}": f"release, {release.subject or ''}" for release in cockpit.fleet.releases()[:50]}
        return out | {action.id: action.title for action in BY_ID.values() if not action.id.startswith("move.")}

    @property
    def found(self) -> list[str]:
        """Completions of the word that is being typed: those that begin with it, then those that hold it."""
        head, _, word = self.typed.rpartition(" ")
        if head and head not in BY_ID:
            head, word = "", self.typed
        if not word and not head:
            return self._main.commands_typed[::-1][:SHOWN]
        known = [name for name in self._known if not head or ("/" in name or name in self._main.cockpit.settings.hosts)]
        first = [name for name in known if name.startswith(word)]
        rest = [name for name in known if word and word in name and name not in first]
        return [f"{head} {name}".strip() for name in (*sorted(first, key=_panes_first), *sorted(rest, key=_panes_first))][:SHOWN]

    # drawing

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        caret = t(" ", "ink on accent")
        out: list[Drawn] = [(EMPTY, "raised"), (cut(t(": ", "accent b") + t(self.typed) + caret, cells), "raised")]
        if self._problem is not None:
            words = f"{self._problem.what}  {self._problem.hint or self._problem.why}"
            out.append((cut(gap(2) + t(words, "warn"), cells), "raised"))
        out.append((t("─" * cells, "line"), "raised"))
        found = self.found
        self._cursor = min(self._cursor, len(found) - 1)
        self._at = {}
        for index, name in enumerate(found):
            self._at[len(out)] = index
            here = index == self._cursor
            words = self._known.get(name.rpartition(" ")[2], "" if self.typed else "before")
            line = fit(t(name), max(20, cells * 60 // 100)) + gap(1) + t(words, "muted")
            out.append((lit(cut(line, cells), "sel"), "sel") if here else (cut(line, cells), "raised"))
        if not found:
            out.append((t("nothing begins like that", "faint"), "raised"))
        foot = t("tab", "text b") + t(" completes   ", "muted") + t("enter", "text b") + t(" does it", "muted")
        return [*out, (EMPTY, "raised"), (ends(foot, t("esc closes", "muted"), cells), "raised"), (EMPTY, "raised")]

    # typing

    def press(self, event: events.Key) -> None:
        key, found = event.key, self.found
        if key == "escape":
            self.dismiss()
            return
        if key == "enter":
            self._enter(found[self._cursor] if 0 <= self._cursor < len(found) else self.typed)
            return
        if key in ("tab", "shift+tab") and found:
            self._cursor = (self._cursor + (1 if key == "tab" else -1)) % len(found)
            if len(found) == 1:
                self._type(found[0])
        elif key in ("up", "down"):
            self._remember(-1 if key == "up" else 1)
        elif key == "ctrl+u":
            self._type("")
        elif key == "backspace":
            if not self.typed:
                self.dismiss()
                return
            self._type(self.typed[:-1])
        elif event.is_printable and event.character:
            if event.character == " " and 0 <= self._cursor < len(found):
                self._type(found[self._cursor])
            self._type(self.typed + event.character)
        self.fit_panel()

    def _type(self, text: str) -> None:
        self.typed, self._cursor, self._problem = text, -1, None

    def _remember(self, step: int) -> None:
        typed = self._main.commands_typed
        self._back = max(0, min(len(typed), self._back + step))
        self._type(typed[self._back] if self._back < len(typed) else "")

    def clicked(self, x: int, y: int) -> None:
        if y in self._at and self._at[y] < len(self.found):
            self._enter(self.found[self._at[y]])

    def scroll_by(self, rows: int) -> None:
        self._cursor += 1 if rows > 0 else -1
        self.fit_panel()

    # doing

    def _enter(self, line: str) -> None:
        line = " ".join(line.split())
        if not line:
            self.dismiss()
            return
        try:
            do = self._meant(line)
        except CockpitError as error:
            self._type(line)
            self._problem = error if isinstance(error, UsageError) else UsageError(error.what, error.why, error.hint)
            self.fit_panel()
            return
        typed = self._main.commands_typed
        typed[:] = [*(one for one in typed if one != line), line][-KEPT:]
        self.dismiss()
        self.app.call_later(do)

    def _meant(self, line: str) -> Callable[[], object]:
        """What a line does. UsageError with the nearest right word."""
        main = self._main
        word, _, rest = line.partition(" ")
        if word in ("q", "quit"):
            return partial(main.carry_out, "app.quit")
        if word == "help":
            return partial(main.carry_out, "app.help")
        if word == "theme":
            if rest not in {theme.value for theme in Theme}:
                raise UsageError(f"there is no theme {rest!r}", "", f"themes: {', '.join(theme.value for theme in Theme)}")
            return partial(main.choose_theme, Theme(rest))
        if word in BY_ID:
            return main.going.meant(BY_ID[word], rest)
        settings = main.cockpit.settings
        leads = (
            "/" in word or "@" in word or word in PANES or word in settings.hosts or word in main.cockpit.fleet.guests.clusters
        )
        if rest or not leads:
            near = get_close_matches(word, list(self._known), 1, 0.6)
            raise UsageError(f"{word!r} cannot be done", "", f"did you mean {near[0]}?" if near else "tab completes")
        main.place(line)
        return partial(main.go_to, line)


def _panes_first(name: str) -> tuple[bool, str]:
    return name not in PANES, name
