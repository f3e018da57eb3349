"""Files: the work tree with git and encryption status, and an editor that opens secrets decrypted in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from textual.app import ComposeResult
from textual.widget import Widget

from cockpit.actions.bundle import Cockpit
from cockpit.actions.catalog import EDITOR, FILES, Context
from cockpit.domain.errors import CockpitError
from cockpit.domain.files import Encryption, FilesSnapshot, OpenFile
from cockpit.domain.secret import Secret
from cockpit.domain.text import plain
from cockpit.observe.observation import Observation
from cockpit.tui.conduct import Conductor
from cockpit.tui.ink import Line, shape, t
from cockpit.tui.panes.base import Pane
from cockpit.tui.panes.file_changes import FileChanges
from cockpit.tui.panes.file_listing import FileListing, deleted
from cockpit.tui.panes.file_rows import change_entries
from cockpit.tui.panes.file_sheet import FileSheet
from cockpit.tui.widgets.editor import Editor
from cockpit.tui.widgets.masks import kind_of
from cockpit.tui.widgets.row_table import RowTable
from cockpit.tui.widgets.sheet import Sheet
from cockpit.tui.widgets.surface import Handlers, Rule, Surface, roomy
from cockpit.tui.work import work

SETTLE = 0.15
"""The cursor rests this long before its file is read."""
LEFT = 42


class _Main(Protocol):
    conductor: Conductor

    def say(self, line: Line) -> None: ...
    def frame(self) -> None: ...


class FilesPane(Pane):
    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.listing = FileListing("file-tree")
        self.changes = RowTable(FILES, "file-changes")
        self.editor = Editor("file-editor", cockpit.clock.monotonic)
        self.diff = Sheet(FILES, "file-diff")
        self.rule = Rule("file-rule")
        self.left = Widget(self.listing, self.changes, id="files-left")
        self.right = Widget(self.editor, self.diff, id="files-right")
        self.file: OpenFile | None = None
        """What the editor holds."""
        self.opened = False
        """Whether the right side has the room, where there is one column."""
        self.diffing = False
        self.diff_shown = False
        """Whether the diff of a secret's file shows its values."""
        self.problem: CockpitError | None = None
        self.wanted = ""
        self.git = FileChanges(self)
        self.sheet = FileSheet(self)

    def compose(self) -> ComposeResult:
        yield self.left
        yield self.rule
        yield self.right

    def on_mount(self) -> None:
        sheet = self.sheet
        self.listing.heading, self.listing.empty = sheet.tree_heading, sheet.empty
        self.changes.heading, self.changes.empty = sheet.changes_heading, sheet.clean
        self.listing.show_titles = self.changes.show_titles = False
        self.editor.heading, self.editor.banner, self.editor.empty = sheet.editor_heading, sheet.banner, sheet.nothing
        self.editor.changed, self.editor.leave = self._edited, self.leave
        self.diff.heading, self.diff.body = sheet.diff_heading, sheet.diff_body
        for column in (self.left, self.right):
            column.styles.layout = "vertical"
            column.styles.height = "1fr"
        self.rule.styles.height = "1fr"
        self.cockpit.files.observer.listen(self._heard)
        self.fill()

    # data

    @property
    def main(self) -> _Main:
        return cast(_Main, self.screen)

    @property
    def snapshot(self) -> FilesSnapshot | None:
        return self.cockpit.files.observer.latest.value

    def _heard(self, seen: Observation[FilesSnapshot]) -> None:
        self.fill()
        if self.is_mounted and self.screen is self.app.screen:
            self.main.frame()

    def fill(self) -> None:
        """Puts what is known on the screen."""
        if not self.is_mounted or not self.room.width:
            return
        if (snapshot := self.snapshot) is not None:
            first = self.listing.total == 0 and not self.listing.waits
            self.listing.show(snapshot)
            if first and (changed := [c.path for c in snapshot.status.changes if self.listing.known(c.path)]):
                self.listing.reveal(changed[0])
            self.changes.set_entries(change_entries(snapshot))
        self.relay()
        for surface in (self.listing, self.changes, self.editor, self.diff):
            surface.redraw()

    @property
    def path(self) -> str:
        """Of the file or folder under the cursor; a folder ends with `/`."""
        if self.focused is self.editor and self.editor.document is not None:
            return self.editor.path
        key = (self.changes.key or "").partition(":")[2] if self.focused is self.changes else self.listing.key
        return key or ""

    # opening

    def on_row_table_moved(self, message: RowTable.Moved) -> None:
        self._glance()

    def _glance(self) -> None:
        """Shows the file that the cursor rests on. An encrypted one is decrypted only when it is opened."""
        path = self.path
        opened = self.focused is self.editor and self.editor.document is not None
        if self.editor.modified or path == self.editor.path or opened or (path and path == self.wanted):
            return
        self.workers.cancel_group(self, "open")  # what is still read is no longer under the cursor
        self.let_go()
        self.wanted = path
        file = self.listing.known(path)
        if file is None or file.encryption is Encryption.ENCRYPTED or deleted(file):
            self.fill()
            return

        async def read() -> None:
            await asyncio.sleep(SETTLE)
            await self._load(path)

        work(self, read, "open")

    async def _load(self, path: str) -> bool:
        self.problem = None
        try:
            file = await self.cockpit.files.open(path)
        except CockpitError as error:
            self.problem = error
            self.wanted = path
            self.fill()
            return False
        if self.editor.modified:
            return False
        self._put(file)
        return True

    def _put(self, file: OpenFile) -> None:
        text = file.text.reveal().decode()
        base = None if file.base is None else file.base.reveal().decode("utf-8", "replace")
        self.file = file
        self.diff_shown = False
        self.editor.open(file.path, text, base, kind=kind_of(file.path) if file.secret else None, plain=file.plain)
        self.wanted = file.path
        self.diff.to_top()
        self.fill()

    def let_go(self) -> None:
        """Closes what the editor holds: a secret leaves the memory when nobody looks at it any more."""
        self.editor.close()
        self.file, self.problem, self.wanted = None, None, ""

    def again(self) -> None:
        """Reads the file in sight again: git may have changed it. What is edited stays."""
        if not self.editor.modified and self.focused is not self.editor:
            self.let_go()
            self._glance()

    def open(self) -> None:
        path = self.path
        if self.focused is self.diff:
            self._show_diff()
        elif path.endswith("/"):
            self.listing.turn(path)
        elif path:
            self.edit()

    def edit(self) -> None:
        """Into the editor."""
        path = self.path
        if self.editor.modified and path != self.editor.path:
            self.main.say(t(plain(self.editor.path), "text b") + t(" is not saved: ctrl+s or esc in it first", "warn"))
            path = self.editor.path

        async def read() -> None:
            if path != self.editor.path or self.editor.document is None:
                self.let_go()
                if not await self._load(path):
                    self.opened = True
                    self.fill()
                    return
            self.opened, self.diffing = True, False
            self.relay()
            self.editor.focus()
            self.fill()

        work(self, read, "open")

    def turn_to(self, key: str) -> None:
        self.listing.reveal(key)

    # the editor

    def _edited(self) -> None:
        self.diff.redraw()
        self.relay()

    def save(self, then: Callable[[], None] | None = None) -> None:
        file, document = self.file, self.editor.document
        if file is None or document is None:
            return
        if not self.editor.modified:
            self.main.say(t("nothing to save: it is as on the disk", "muted"))
            return
        text = document.text
        run = self.main.conductor.operate(
            "file.save",
            f"Save {plain(file.path)}",
            lambda run, approve: self.cockpit.file_actions.save(file, Secret(text.encode()), run, approve),
        )

        async def finish() -> None:
            outcome = await run.wait()
            if outcome.exit or self.file is not file:
                return
            try:
                again = await self.cockpit.files.open(file.path)
            except CockpitError as error:
                self.main.say(shape("▲") + t(f" saved, but it cannot be read again: {error}"))
                return
            # sops may have laid it out anew; what was typed meanwhile stays
            if self.editor.document is document and document.text == text:
                document.replace_all(again.text.reveal().decode())
                base = None if again.base is None else again.base.reveal().decode("utf-8", "replace")
                self.editor.saved(base, again.plain)
            self.file = again
            self.cockpit.files.observer.poke()
            self.cockpit.fleet.tree.poke()
            self.fill()
            if then is not None:
                then()

        work(self, finish, "save")

    def leave(self) -> None:
        """Back to the tree; what is not saved is asked about."""
        if self.editor.modified:
            from cockpit.tui.screens.unsaved import UnsavedScreen

            self.app.push_screen(UnsavedScreen(self.editor.path), self._answered)
        else:
            self.back()

    def _answered(self, answer: str | None) -> None:
        if answer == "save":
            self.save(then=self.back)
        elif answer == "drop":
            self.let_go()
            self.back()

    def back(self) -> None:
        if self.editor.secret:
            self.let_go()
        self.opened = self.diffing = False
        self.relay()
        (self.changes if self.focused is self.changes else self.listing).focus()
        self._glance()
        self.fill()

    def unsaved(self) -> str:
        return self.editor.path if self.editor.modified else ""

    # the diff

    def show_differences(self) -> None:
        path = self.path

        async def read() -> None:
            if path != self.editor.path and not self.editor.modified:
                self.let_go()
                await self._load(path)
            self.opened = self.diffing = True
            self.relay()
            self.diff.focus()
            self.fill()

        work(self, read, "open")

    def _show_diff(self) -> None:
        self.diff_shown = not self.diff_shown
        self.diff.redraw()

    # behaviour

    @property
    def first_focus(self) -> Surface:
        return self.listing

    def lay_out(self, width: int, height: int) -> None:
        if not height:
            return
        wide = roomy(width)
        self.styles.layout = "horizontal" if wide else "vertical"
        self.listing.flush = self.changes.flush = self.diff.flush = wide
        self.diff.air = self.listing.air = self.changes.air = 1 if wide else 0
        self.left.display = wide or not self.opened
        self.right.display = wide or self.opened
        self.rule.display = wide
        self.left.styles.width = LEFT if wide else "1fr"
        self.left.styles.margin = (0, 1, 0, 0) if wide else 0
        self.right.styles.margin = (0, 0, 0, 1) if wide else 0
        self.rule.styles.width = 1
        self.right.styles.width = "1fr"
        self.editor.can_focus = self.editor.document is not None
        air = 1 if wide else 0
        changed = self.changes.total
        low = min(max(2, changed + 1) + air, height // 3) if changed or wide else 0
        self.place(self.listing, height - low - 3 * air, air)
        self.place(self.changes, low, air)
        found = bool(self.editor.differences[2])
        if not wide:
            self.place(self.editor, 0 if self.diffing else height)
            self.place(self.diff, height if self.diffing else 0)
            return
        lines = len(self.editor.hunks) + 2 if found else 3 if self.diffing else 0
        under = min(lines, (height - 2) * (70 if self.diffing else 30) // 100)
        self.place(self.editor, height - air - (under + 1 if under else 0), air)
        self.place(self.diff, under, air if under else 0)

    def relay(self) -> None:
        super().relay()
        if self.zoomed is not None and self.room.height:
            side = self.left if self.zoomed in (self.listing, self.changes) else self.right
            self.left.display, self.right.display, self.rule.display = side is self.left, side is self.right, False
            self.left.styles.width = "1fr"

    def shown(self, shown: bool) -> None:
        self.cockpit.files.show(shown)
        if not shown:
            self.editor.hide()
            if self.editor.secret and not self.editor.modified:
                self.let_go()
        else:
            self.fill()

    def tick(self) -> None:
        self.editor.tick()
        self.fill()

    def context(self) -> Context:
        where = EDITOR if self.focused is self.editor and self.editor.document is not None else FILES
        at = self.listing.at(self.path, bool(self.cockpit.work_tree.lazygit()))
        return Context(focus=where, files=at, rows=0 if self.snapshot is None else max(1, self.listing.count))

    def target(self) -> str:
        return plain(self.path)

    def address(self) -> str:
        return f"files/{plain(self.path).rstrip('/')}" if self.path else ""

    def copies(self) -> list[tuple[str, str]]:
        path = self.path
        found = [("path", path.rstrip("/"))] if path else []
        document = self.editor.document
        if document is not None:
            found += [("selection", document.selected)] if document.selected else []
            if not self.editor.secret:
                found += [("line", document.line), ("whole file", document.text)]
            elif self.editor.mask_of(document.cursor.row) is None:
                found += [("line", document.line)]
        return found

    def handlers(self) -> Handlers:
        back: Handlers = {}
        if self.opened or self.focused is self.diff:
            back = {"app.back": self.leave, "app.close": self.leave}
        own: Handlers = {
            "list.open": self.open, "file.edit": self.edit, "file.save": self.save, "file.diff": self.show_differences,
            "move.right": self.open, "move.left": lambda: self.listing.fold(self.path), "app.refresh": self._reread,
        }  # fmt: skip
        return {**own, **self.git.handlers(), **back}

    def _reread(self) -> None:
        self.cockpit.files.observer.poke()
        self.cockpit.fleet.tree.poke()
