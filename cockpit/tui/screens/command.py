"""The command line of `:`: panes, actions with a target, addresses and a few words of its own; completed, with a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from cockpit.actions.catalog import ACTIONS, BY_ID, Action, Target, possible
from cockpit.domain.address import PANES, Kind, parse
from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.settings import Theme
from cockpit.tui.commands import tier_words
from cockpit.tui.ink import EMPTY, Line, cut, ends, fit, gap, lit, t
from cockpit.tui.places import addresses, find
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen

MOST = 8
"""Completions that are shown."""
KEPT = 200
"""Lines of history."""
_HIDDEN = ("move.", "focus.", "search.", "list.", "app.back", "app.close", "app.command", "tab.", "pane.")
_WORDS = {
    "q": "leave cockpit", "help": "keys of what has the focus", "theme": "dark, light or contrast",
    "open": "an object, by its address",
}  # fmt: skip
_SAME = {"q": "app.quit", "quit": "app.quit", "q!": "app.quit", "help": "app.help", "h": "app.help"}
TARGETS = {
    Target.HOST: (Kind.HOST,), Target.GENERATION: (Kind.GENERATION,), Target.SERVICE: (Kind.SERVICE, Kind.PROJECT),
    Target.RELEASE: (Kind.RELEASE,), Target.GUEST: (Kind.GUEST,),
}  # fmt: skip
"""What kind of address an action takes on the command line."""

Completion = tuple[str, str, Line]
"""(what the line becomes, what it is, a mark at its end)."""


def meaning(main: MainScreen, line: str) -> Callable[[], object]:
    """What a line asks for. UsageError where it says nothing that can be done."""
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if word in _SAME and not rest:
        return partial(main.perform, _SAME[word])
    if word in PANES and not rest:
        return partial(main.perform, f"pane.{word}")
    if word.isdigit() and not rest and 0 < int(word) <= len(PANES):
        return partial(main.perform, f"pane.{PANES[int(word) - 1]}")
    if word == "theme":
        if rest not in {theme.value for theme in Theme}:
            raise UsageError(f"there is no theme {rest!r}", "", ", ".join(theme.value for theme in Theme))
        return partial(main.choose_theme, Theme(rest))
    if word == "open":
        return partial(main.going.go, find(rest, main.cockpit), rest)
    if word in BY_ID:
        return _act(main, BY_ID[word], rest)
    if rest:
        raise UsageError(f"there is no command {word!r}", "", "help, theme, open, q, a pane, an action, or an address")
    try:
        return partial(main.going.go, find(word, main.cockpit), word)
    except UsageError as error:
        near = get_close_matches(word, (*_WORDS, *PANES, *BY_ID), n=1)
        raise UsageError(error.what, error.why, f"did you mean {near[0]}?" if near else error.hint) from None


def _act(main: MainScreen, action: Action, target: str) -> Callable[[], object]:
    if not target:
        return partial(main.perform, action.id)
    if action.target in (Target.NONE, Target.PANE, Target.LINES):
        raise UsageError(f"{action.id} has no target", "", f":{action.id}")
    if action.target not in TARGETS:
        raise UsageError(f"{action.id} acts on what the cursor is on", "", f"go there, then :{action.id}")
    address = parse(target, main.cockpit.settings)
    if address.kind not in TARGETS[action.target]:
        raise UsageError(f"{target} is a {address.kind.value}", f"{action.id} is for a {action.target.value}")
    return partial(main.going.act, action.id, target)


class CommandScreen(Overlay[None]):
    """At the foot of the screen, without a backdrop: what it is about stays in sight."""

    def __init__(self, main: MainScreen) -> None:
        super().__init__()
        self._main = main
        self.typed = ""
        self._cursor: int | None = None
        """The completion that is chosen, if any."""
        self._past: int | None = None
        self._error: Line = EMPTY
        self._known: list[tuple[str, str]] | None = None
        self._at: dict[int, int] = {}

    @property
    def history(self) -> list[str]:
        """Of this session, newest last."""
        return self._main.said

    # completion

    def _addresses(self) -> list[tuple[str, str]]:
        if self._known is None:
            self._known = list(addresses(self._main.cockpit))
        return self._known

    def completions(self) -> list[Completion]:
        word, space, rest = self.typed.lstrip().partition(" ")
        if not space:
            return self._first(word)
        if word == "theme":
            return [(f"theme {theme.value}", "colours of this session", EMPTY) for theme in Theme if theme.value.startswith(rest)]
        action = BY_ID.get(word)
        if word != "open" and (action is None or action.target not in TARGETS):
            return []
        found = [(a, what) for a, what in self._addresses() if rest in a or rest in what]
        if action is not None:
            found = [(a, what) for a, what in found if _kind(a, what) in TARGETS[action.target]]
        found.sort(key=lambda pair: not pair[0].startswith(rest))
        return [(f"{word} {a}", what, EMPTY) for a, what in found[:MOST]]

    def _first(self, word: str) -> list[Completion]:
        main = self._main
        out: list[Completion] = [(w, what, EMPTY) for w, what in _WORDS.items() if w.startswith(word)]
        out += [(pane, "pane", EMPTY) for pane in PANES if pane.startswith(word)]
        if not word:
            return out[:MOST]
        context, armed = main.context(), main.cockpit.gate.armed
        actions = [a for a in ACTIONS if not a.id.startswith(_HIDDEN) and (word in a.id or word in a.title.lower())]
        actions.sort(key=lambda a: (not a.id.startswith(word), possible(a, context) is not None))
        out += [(a.id, a.title, tier_words(a.tier, armed)) for a in actions[:MOST]]
        found = [(a, what, EMPTY) for a, what in self._addresses() if word in a]
        found.sort(key=lambda entry: not entry[0].startswith(word))
        return (out + found)[:MOST]

    # drawing

    def fit_panel(self) -> None:
        cols, rows = self.app.size
        self.panel.styles.width = cols
        self.panel.styles.height = max(1, min(rows, len(self.completions()) + (2 if self._error else 1)))
        self.panel.redraw()

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        out: list[Drawn] = []
        self._at = {}
        room = rows - (2 if self._error else 1)
        for index, (line, what, mark) in enumerate(self.completions()[:room]):
            here = index == self._cursor
            self._at[len(out)] = index
            left = fit(t(line, "text b" if here else "text"), min(44, cells // 2)) + gap(2) + t(what, "muted")
            drawn = ends(cut(left, cells - 12), mark, cells) if mark else fit(left, cells)
            out.append((lit(drawn, "sel"), "sel") if here else (drawn, "raised"))
        if self._error:
            out.append((fit(self._error, cells), "raised"))
        caret = t(" ", "ink on accent")
        keys = t("tab completes · enter does it · esc", "faint") if cells > 70 else EMPTY
        out.append((ends(t(":", "accent b") + t(self.typed) + caret, keys, cells), "raised"))
        return out

    # keys

    def press(self, event: events.Key) -> None:
        key = event.key
        if key in ("escape", "ctrl+c") or (key == "backspace" and not self.typed):
            self.dismiss()
            return
        if key == "enter":
            self._enter()
            return
        if key in ("tab", "shift+tab"):
            self._complete(1 if key == "tab" else -1)
        elif key in ("up", "down", "ctrl+p", "ctrl+n"):
            self._recall(-1 if key in ("up", "ctrl+p") else 1)
        elif key == "backspace":
            self._type(self.typed[:-1])
        elif key == "ctrl+u":
            self._type("")
        elif key == "ctrl+w":
            self._type(self.typed.rstrip().rpartition(" ")[0])
        elif event.is_printable and event.character:
            self._type(self.typed + event.character)
        self.fit_panel()

    def _type(self, text: str) -> None:
        self.typed, self._cursor, self._past, self._error = text, None, None, EMPTY

    def _complete(self, step: int) -> None:
        """The one that fits, or the next of several."""
        found = self.completions()
        if not found:
            return
        if len(found) == 1:
            word = found[0][0]
            action = BY_ID.get(word)
            more = word in ("theme", "open") or (action is not None and action.target in TARGETS)
            self._type(word + (" " if more and not self.typed.startswith(f"{word} ") else ""))
            return
        start = -1 if step > 0 else 0
        self._cursor = ((start if self._cursor is None else self._cursor) + step) % len(found)

    def _recall(self, step: int) -> None:
        if self._cursor is not None:
            self._cursor = (self._cursor + step) % max(1, len(self.completions()))
            return
        if not self.history:
            return
        at = len(self.history) if self._past is None else self._past
        at = max(0, min(len(self.history), at + step))
        self._type(self.history[at] if at < len(self.history) else "")
        self._past = at

    def _enter(self) -> None:
        """A chosen completion is taken first: enter never does what was not read as a whole."""
        if self._cursor is not None:
            found = self.completions()
            self._type(found[min(self._cursor, len(found) - 1)][0])
            self.fit_panel()
            return
        line = self.typed.strip()
        if not line:
            self.dismiss()
            return
        if line in self.history:
            self.history.remove(line)
        self.history.append(line)
        del self.history[:-KEPT]
        try:
            do = meaning(self._main, line)
        except CockpitError as error:
            tail = f"  {error.hint}" if error.hint else ""
            self._error = t(error.what, "warn") + t(f": {error.why}" if error.why else "", "muted") + t(tail, "muted")
            self.fit_panel()
            return
        self.dismiss()
        self.app.call_later(do)

    def clicked(self, x: int, y: int) -> None:
        if y in self._at:
            self._cursor = self._at[y]
            self._enter()


def _kind(address: str, what: str) -> Kind:
    """Of an entry of `addresses`."""
    if address.startswith("release/") and what.partition(" ")[0] not in ("service", "guest"):
        return Kind.RELEASE
    word = what.partition(" ")[0].rstrip(",")
    return Kind(word)
