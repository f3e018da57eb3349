"""The tree of files as a table: what is folded, what is where, and where the cursor is."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.actions.catalog import FILES, FilesAt
from cockpit.domain.files import Encryption, FilesSnapshot, TreeFile
from cockpit.tui.panes.file_rows import tree_entries
from cockpit.tui.widgets.row_table import RowTable


class FileListing(RowTable):
    def __init__(self, name: str) -> None:
        super().__init__(FILES, name)
        self._snapshot: FilesSnapshot | None = None
        self._files: Mapping[str, TreeFile] = {}
        self._turned: set[str] = set()
        self._drawn: tuple[object, ...] = ()

    def show(self, snapshot: FilesSnapshot) -> None:
        """Makes rows of it, where something about them is another one. While a filter is typed nothing is folded."""
        fresh = snapshot is not self._snapshot
        if fresh:
            self._snapshot = snapshot
            self._files = {file.path: file for file in snapshot.files}
        drawn = (snapshot, frozenset(self._turned), self.filter.active)
        if len(self._drawn) != 3 or self._drawn[0] is not snapshot or self._drawn[1:] != drawn[1:]:
            self._drawn = drawn
            self.set_entries(tree_entries(snapshot, self._turned, self.filter.active))
        if fresh and self.wanted in self._files:
            self.reveal(self.wanted)

    def known(self, path: str) -> TreeFile | None:
        return self._files.get(path)

    def below(self, path: str) -> list[str]:
        """Changed files: this one, or those below this folder."""
        changes = self._snapshot.status.changes if self._snapshot else ()
        return [c.path for c in changes if c.path == path or (path.endswith("/") and c.path.startswith(path))]

    def at(self, path: str, lazygit: bool) -> FilesAt:
        """What the catalogue is asked about."""
        if self._snapshot is None:
            return FilesAt()
        known, status = self.known(path), self._snapshot.status
        staged = [change for change in status.changes if change.staged]
        exposed = (c.path for c in staged if (file := self.known(c.path)) and file.encryption is Encryption.EXPOSED)
        return FilesAt(
            path=path, file=known is not None and not deleted(known), encryption=known.encryption if known else Encryption.NONE,
            changed_here=len(self.below(path)), changed=len(status.changes), staged=len(staged), exposed=tuple(exposed),
            head=status.head, upstream=status.upstream or "", ahead=status.ahead, lazygit=lazygit,
        )  # fmt: skip

    # folding

    def _keys(self) -> set[str]:
        return {e.key for e in tree_entries(self._snapshot, self._turned, False)} if self._snapshot else set()

    def turn(self, folder: str) -> None:
        self._turned ^= {folder}
        self._again()

    def fold(self, path: str) -> None:
        """The folder itself, or the one that this is in."""
        shown = self._keys()
        here = f"{path.rstrip('/')}/"
        if not _open(here, shown):
            here = f"{path.rstrip('/').rpartition('/')[0]}/"
        if here in shown:
            self.select(here)
            self.turn(here)

    def reveal(self, path: str) -> None:
        """Unfolds what it is in, and puts the cursor on it."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            folder = "/".join(parts[:count]) + "/"
            shown = self._keys()
            if path not in shown and folder in shown and not _open(folder, shown):
                self._turned ^= {folder}
        self._again()
        self.select(path)

    def _again(self) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot)

    def start_filter(self) -> None:
        super().start_filter()
        self._again()

    def end_filter(self) -> None:
        super().end_filter()
        self._again()


def _open(folder: str, shown: set[str]) -> bool:
    return any(name.startswith(folder) and name != folder for name in shown)


def deleted(file: TreeFile) -> bool:
    """Whether it is gone from the disk."""
    return file.change is not None and file.change.letter == "D"
