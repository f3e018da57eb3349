"""One commit: what it says, which hosts run it, and which releases carried it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from cockpit.domain import units
from cockpit.domain.errors import CockpitError
from cockpit.domain.repository import Commit
from cockpit.domain.text import lines as text_lines
from cockpit.tui.ink import EMPTY, Line, ends, fit, gap, t, wrap
from cockpit.tui.panes.overview_lines import release_lines
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground
from cockpit.tui.work import work

if TYPE_CHECKING:
    from cockpit.tui.screens.main import MainScreen


class CommitFacts(Overlay[None]):
    wanted = 100
    padding = 2

    def __init__(self, main: MainScreen, sha: str) -> None:
        super().__init__()
        self._main = main
        self._sha = sha
        self._commit: Commit | None = None
        self._why = "is read"
        self._top = 0

    def on_mount(self) -> None:
        super().on_mount()

        async def read() -> None:
            try:
                self._commit = await self._main.cockpit.fleet.commit(self._sha)
                self._why = "" if self._commit else "this repository does not have it: git fetch"
            except CockpitError as error:
                self._why = f"{error}. {error.hint}".strip()
            self.fit_panel()

        work(self, read, "commit")

    def _body(self, cells: int) -> list[Line]:
        fleet, now = self._main.cockpit.fleet, self._main.cockpit.clock.now()
        commit = self._commit
        out: list[Line] = []
        if commit is None:
            out += wrap(self._why, cells, "muted")
        else:
            out.append(t(commit.author, "muted") + t(f", {units.age(now - commit.time)} ago", "muted"))
            body = text_lines(commit.message.partition("\n")[2].strip("\n"))
            out += [EMPTY, *(line for words in body for line in (wrap(words, cells, "text") or [EMPTY]))] if body else []
        runs = [name for name, o in fleet.hosts.items() if o.latest.value and o.latest.value.running.commit == self._sha]
        made = [
            f"{name}@{g.number}"
            for name, o in fleet.hosts.items()
            for g in (o.latest.value.generations if o.latest.value else ())
            if g.closure.commit == self._sha and g.number is not None
        ]
        here = t(", ".join(runs)) if runs else t("no host that was read", "muted")
        out += [EMPTY, fit(t("runs on", "faint"), 13) + here]
        if made:
            out.append(fit(t("generations", "faint"), 13) + t(", ".join(made)))
        carried = [r for r in fleet.releases() if r.commit == self._sha]
        if carried:
            out += [EMPTY, *release_lines(carried, len(fleet.hosts), cells, now)]
        return out

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        subject = self._commit.subject if self._commit else ""
        right = t("ctrl+o copies the id · esc closes", "muted") if cells > 70 else EMPTY
        head = [EMPTY, ends(t(self._sha[:10], "accent b") + gap(2) + t(subject, "text b"), right, cells), EMPTY]
        body = self._body(cells)
        room = rows - len(head) - 1
        self._top = max(0, min(self._top, len(body) - room))
        return on_ground([*head, *body[self._top : self._top + room], EMPTY], "raised")

    def scroll_by(self, rows: int) -> None:
        self._top = max(0, self._top + rows)
        self.panel.redraw()

    def press(self, event: events.Key) -> None:
        if event.key in ("escape", "q", "enter"):
            self.dismiss()
        elif event.key == "ctrl+o":
            self.app.copy_to_clipboard(self._sha)
        else:
            self.scroll_by({"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 10, "ctrl+u": -10}.get(event.key, 0))
