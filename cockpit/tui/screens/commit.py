"""The message of a commit, in one line, above what goes into it."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from cockpit.domain.files import Change
from cockpit.domain.units import several
from cockpit.tui.ink import EMPTY, cut, ends, gap, t, width
from cockpit.tui.panes.file_rows import letter
from cockpit.tui.screens.overlay import Overlay
from cockpit.tui.widgets.surface import Drawn, on_ground

USUAL = 72
"""Characters of a subject that every tool shows whole."""
MOST = 12
"""Staged files that are named."""


class CommitScreen(Overlay[str | None]):
    """Answers the message; None where it was cancelled."""

    wanted = 96
    raise_by = 4

    def __init__(self, verb: str, branch: str, staged: Sequence[Change], text: str = "") -> None:
        super().__init__()
        self._verb, self._branch, self._staged = verb, branch, staged
        self._text = text

    def lines(self, cells: int, rows: int) -> Sequence[Drawn]:
        count = len(self._text)
        long = t(count, "warn" if count > USUAL else "faint")
        head = ends(
            t(f"{self._verb} on {self._branch}", "accent b"), t(f"{several(len(self._staged), 'file')} staged", "muted"), cells
        )
        room = cells - 10
        shown = self._text if count <= room else "…" + self._text[-room + 1 :]
        field = ends(t("› ", "accent b") + t(shown) + t(" ", "ink on accent"), long, cells)
        body = [EMPTY, head, EMPTY, field, t("─" * cells, "line")]
        most = max(1, min(MOST, rows - len(body) - 4))
        for change in self._staged[:most]:
            counts = EMPTY
            if change.added is not None:
                counts = t(f"+{change.added}", "good") + gap(1) + t(f"-{change.removed}", "bad")
            name = letter(Change(change.path, change.index)) + gap(1) + t(change.path)
            body.append(ends(cut(name, cells - width(counts) - 2), counts, cells))
        if len(self._staged) > most:
            body.append(t(f"and {len(self._staged) - most} more", "muted"))
        if not self._staged:
            body.append(t("nothing is staged: only the message changes", "muted"))
        keys = t("enter", "text b") + t(f" {self._verb.lower()}s   ", "muted") + t("esc", "text b") + t(" cancels", "muted")
        return on_ground([*body, EMPTY, keys, EMPTY], "raised")

    def press(self, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c"):
            self.dismiss(None)
            return
        if event.key == "enter":
            if self._text.strip():
                self.dismiss(self._text.strip())
            return
        if event.key == "backspace":
            self._text = self._text[:-1]
        elif event.key == "ctrl+u":
            self._text = ""
        elif event.key == "ctrl+w":
            self._text = self._text.rstrip().rpartition(" ")[0]
        elif event.is_printable and event.character:
            self._text += event.character
        self.fit_panel()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._text += " ".join(event.text.split())
        self.fit_panel()
