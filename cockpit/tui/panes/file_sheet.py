"""What the Files pane says around its files: headings, the banner of a secret, the diff, and why there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cockpit.domain.files import Encryption
from cockpit.domain.text import plain
from cockpit.domain.units import several
from cockpit.tui.ink import EMPTY, Line, cut, gap, heading, shape, t, title, wrap
from cockpit.tui.panes.file_listing import deleted
from cockpit.tui.panes.file_rows import diff_lines
from cockpit.tui.widgets.masks import kind_of, masks
from cockpit.tui.widgets.surface import narrow, roomy

if TYPE_CHECKING:
    from cockpit.tui.panes.files import FilesPane


class FileSheet:
    def __init__(self, pane: FilesPane) -> None:
        self._pane = pane

    def diff_body(self, cells: int, rows: int) -> Sequence[Line]:
        old, new, found = self._pane.editor.differences
        if self._pane.file is None:
            return self.nothing(cells)
        if self._pane.file.note:
            return wrap(f"No comparison: {self._pane.file.note}.", cells - 4, "warn", 2)
        if not found:
            words = "Not in HEAD: all of it is new." if self._pane.file.base is None else "The same as in HEAD."
            return wrap(words, cells - 4, "muted", 2)
        secret, shown = self._pane.file.secret, self._pane.diff_shown
        kind = kind_of(self._pane.file.path)
        old_masks = masks(kind, old, self._pane.file.plain) if secret and not shown else []
        new_mask = self._pane.editor.mask_of if secret and not shown else _nowhere
        return diff_lines(self._pane.editor.hunks, old, new, old_masks, new_mask, cells)

    def diff_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        left = title("When saved" if self._pane.editor.modified else "Against HEAD", focus)
        _, _, found = self._pane.editor.differences
        added = sum(b.new_to - b.new_from for b in found)
        removed = sum(b.old_to - b.old_from for b in found)
        counts = t(f"+{added}", "good") + gap(1) + t(f"-{removed}", "bad") if found else EMPTY
        words = EMPTY
        if self._pane.file is not None and self._pane.file.secret:
            told = "decrypted, values " + ("shown" if self._pane.diff_shown else "masked")
            told = f"{told}: enter {'hides' if self._pane.diff_shown else 'shows'}" if focus else told
            words = t(told, "warn" if self._pane.diff_shown else "muted") + gap(2)
        return heading(left, cells, words + counts)

    def tree_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        latest = self._pane.cockpit.files.observer.latest
        name = plain(self._pane.cockpit.settings.root.name) or "repository"
        right = EMPTY
        if latest.error is not None:
            right = shape("◌") + t(f" {latest.error.what}", "warn")
        elif latest.value is not None:
            status = latest.value.status
            right = t(status.branch or "no branch", "muted")
            right = right + (t(f" ↑{status.ahead}", "accent") if status.ahead else EMPTY)
            right = right + (t(f" ↓{status.behind}", "warn") if status.behind else EMPTY)
        return heading(title(name, focus) + (gap(2) + typed if typed else EMPTY), cells, right)

    def changes_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        count = len(self._pane.snapshot.status.changes) if self._pane.snapshot else 0
        left = title("Changes", focus) + (gap(2) + typed if typed else EMPTY)
        return heading(left, cells, t(several(count, "file"), "muted"))

    def editor_heading(self, cells: int, focus: bool, typed: Line) -> Line:
        if self._pane.file is None:
            return heading(title(plain(self._pane.wanted) or "Editor", focus), cells)
        left = title(plain(self._pane.file.path), focus)
        if self._pane.editor.modified:
            left = left + gap(2) + shape("●", "warn") + t(" not saved", "warn")
        if typed:
            return heading(cut(left, cells // 2) + gap(2) + typed, cells)
        document = self._pane.editor.document
        rows = t(several(len(document.lines), "line"), "muted") if document is not None and not narrow(cells) else EMPTY
        return heading(cut(left, cells - 2), cells, rows)

    def banner(self, cells: int) -> Line:
        line = shape("◆", "good") + t(" decrypted in memory, encrypted on save", "muted")
        if self._pane.file is not None and roomy(self._pane.app.size.width):
            line = line + t("   read by ", "faint") + t(several(len(self._pane.file.readers), "recipient"), "muted")
        return cut(line, cells)

    def empty(self, cells: int) -> Sequence[Line]:
        error = self._pane.cockpit.files.observer.latest.error
        words = f"{error}" if error is not None else "Reading the work tree."
        return wrap(words, cells - 4, "muted", 2)

    def clean(self, cells: int) -> Sequence[Line]:
        return wrap("Nothing differs from HEAD.", cells - 4, "muted", 2)

    def nothing(self, cells: int) -> Sequence[Line]:
        if self._pane.problem is not None:
            lines = [gap(2) + shape("▲") + gap(1) + line for line in wrap(self._pane.problem.what, cells - 6, "text b")[:1]]
            lines += wrap(self._pane.problem.why, cells - 6, "muted", 4)
            return lines + wrap(self._pane.problem.hint, cells - 6, "faint", 4)
        file = self._pane.listing.known(self._pane.wanted)
        if file is not None and file.encryption is Encryption.ENCRYPTED:
            return wrap("Encrypted by sops: enter opens it decrypted, in memory only.", cells - 4, "muted", 2)
        if file is not None and deleted(file):
            return wrap("Deleted from the disk; d brings it back as HEAD has it.", cells - 4, "muted", 2)
        return wrap("A file that the cursor rests on shows here; enter edits it.", cells - 4, "muted", 2)


def _nowhere(row: int) -> None:
    """Nothing is masked."""
