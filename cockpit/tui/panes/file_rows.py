"""The work tree as rows, and a diff as lines: pure functions from snapshots to lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

from cockpit.domain.files import Change, Encryption, FilesSnapshot, TreeFile
from cockpit.tui.ink import EMPTY, Line, cut, ends, fit, gap, shape, t
from cockpit.tui.widgets.editor_view import glyphs, masked
from cockpit.tui.widgets.gutter import DiffLine
from cockpit.tui.widgets.row_table import Entry

FEW = 80
"""A repository of at most so many files is shown unfolded."""
_LETTERS = {"M": "warn", "T": "warn", "A": "good", "C": "good", "R": "accent", "D": "bad", "U": "bad b", "?": "busy"}
_Mask = tuple[int, int] | None


@dataclass
class Folder:
    path: str
    folders: dict[str, Folder] = field(default_factory=dict)
    files: list[TreeFile] = field(default_factory=list)
    changed: int = 0
    exposed: int = 0


def folders(files: Sequence[TreeFile]) -> Folder:
    """The files by folder; each folder knows what changed below it."""
    top = Folder("")
    for file in files:
        at = top
        for part in file.path.split("/")[:-1]:
            at = at.folders.setdefault(part, Folder(f"{at.path}{part}/"))
            at.changed += file.change is not None
            at.exposed += file.encryption is Encryption.EXPOSED
        at.files.append(file)
    return top


def tree_entries(snapshot: FilesSnapshot, turned: Set[str], everything: bool) -> list[Entry]:
    """Folders first. `turned` are folders that a person folded or unfolded."""
    unfolded = len(snapshot.files) <= FEW
    out: list[Entry] = []

    def walk(folder: Folder, depth: int) -> None:
        for name, inner in sorted(folder.folders.items()):
            shown = everything or ((unfolded and not name.startswith(".")) or inner.changed > 0) is not (inner.path in turned)
            out.append(Entry(inner.path, inner.path, span=partial(_folder_row, inner, name, depth, shown)))
            if shown:
                walk(inner, depth + 1)
        for file in folder.files:
            out.append(Entry(file.path, file.path, span=partial(_file_row, file, depth)))

    walk(folders(snapshot.files), 0)
    if snapshot.left_out:
        out.append(Entry("…", "", span=lambda cells: gap(3) + t(f"and {snapshot.left_out} more files", "muted")))
    return out


def _folder_row(folder: Folder, name: str, depth: int, shown: bool, cells: int) -> Line:
    tail = EMPTY
    if not shown and folder.changed:
        tail = t(f"±{folder.changed}", "warn")
    if not shown and folder.exposed:
        tail = tail + gap(1) + shape("◇", "bad")
    return ends(gap(3 + 2 * depth) + shape("▾" if shown else "▸", "faint") + gap(1) + t(name), tail + gap(1), cells)


def _file_row(file: TreeFile, depth: int, cells: int) -> Line:
    name = file.path.rpartition("/")[2]
    change = file.change
    tone = "text" if change is not None or file.encryption is Encryption.EXPOSED else "muted"
    words = t(name, tone) + (t(" → link", "faint") if file.link else EMPTY)
    return ends(gap(1) + fit(letter(change), 1) + gap(3 + 2 * depth) + words, encryption(file.encryption) + gap(1), cells)


def letter(change: Change | None) -> Line:
    return t(change.letter, _LETTERS.get(change.letter, "warn")) if change is not None else EMPTY


def encryption(what: Encryption) -> Line:
    if what is Encryption.ENCRYPTED:
        return shape("◆", "good")
    return shape("◇", "bad") + t(" plain", "bad b") if what is Encryption.EXPOSED else EMPTY


def change_entries(snapshot: FilesSnapshot) -> list[Entry]:
    """What is staged, then what is not. Keys: `staged:PATH`, `work:PATH`."""
    kinds = {file.path: file.encryption for file in snapshot.files}
    out: list[Entry] = []
    for name, group, staged in (("staged", "staged", True), ("work", "not staged", False)):
        found = [change for change in snapshot.status.changes if (change.staged if staged else change.unstaged)]
        if not found:
            continue
        tone = "good" if name == "staged" else "muted"
        out.append(Entry(f"{name}:", group, group=True, span=partial(_group_row, group, tone, len(found))))
        for change in found:
            kind = kinds.get(change.path, Encryption.NONE)
            out.append(Entry(f"{name}:{change.path}", change.path, span=partial(_change_row, change, name, kind)))
            if kind is Encryption.EXPOSED:
                out.append(Entry(f"note:{change.path}", change.path, span=_blocked))
    return out


def _group_row(group: str, tone: str, count: int, cells: int) -> Line:
    return ends(gap(1) + t(group, tone), t(count, "muted") + gap(1), cells)


def _change_row(change: Change, name: str, kind: Encryption, cells: int) -> Line:
    lead = shape("●") if name == "staged" else letter(change)
    folder, slash, last = change.path.rpartition("/")
    if kind is Encryption.EXPOSED:
        tail = encryption(kind)
    elif change.added is not None and change.removed is not None:
        tail = t(f"+{change.added}", "good") + gap(1) + t(f"-{change.removed}", "bad")
    else:
        tail = t(letter_words(change), "faint")
    room = cells - 6 - sum(len(text) for text, _ in tail)
    words = t(folder + slash, "muted") + t(last)
    if len(change.path) > room:
        words = cut(t("…/", "faint") + t(last), room)
    return ends(gap(1) + lead + gap(1) + words, tail + gap(1), cells)


def letter_words(change: Change) -> str:
    words = {"?": "new", "D": "deleted", "A": "added", "R": "renamed", "U": "conflict", "T": "other type"}
    return words.get(change.letter, "changed")


def _blocked(cells: int) -> Line:
    return gap(3) + cut(t("commit is blocked until E encrypts it", "bad"), cells - 3)


def diff_lines(
    found: Sequence[DiffLine], old: Sequence[str], new: Sequence[str], old_masks: Sequence[_Mask],
    new_mask: Callable[[int], _Mask], cells: int,
) -> list[Line]:  # fmt: skip
    """Masks say which columns are dots."""
    out: list[Line] = []
    for line in found:
        if line.sign == "@":
            out.append(gap(3) + t("╌╌", "faint"))
            continue
        row, text, mask = (
            (line.new, new[line.new], new_mask(line.new))
            if line.new is not None
            else (line.old or 0, old[line.old or 0], old_masks[line.old or 0] if old_masks else None)
        )
        sign, tone = {"+": ("+", "good"), "-": ("-", "bad")}.get(line.sign, (" ", "muted"))
        body = "".join(glyphs(masked(text, mask).text[: 4 * cells]))
        number = fit(t(row + 1, "faint"), 5, "r")
        out.append(cut(gap(1) + t(sign, tone) + number + gap(2) + t(body, tone), cells))
    return out
